import { rtc } from '@qtest/sdk/drivers';
import { part, SECOND, states, VIRTUAL, type Cases, type Context, type Part } from './support.ts';

const { B, C } = rtc;

/** Periodic interrupts a second, by RS, as the data sheet's table has them for 32.768 kHz. */
const HZ = [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2] as const;

/** Handles every interrupt of the part by reading C. Gives the machine's time at each periodic one. */
function periodics({ vcpu, clock }: Context, { dev, irq }: Part): bigint[] {
  const times: bigint[] = [];
  vcpu.onIrq(irq, () => {
    if (C.PF.test(dev.acknowledge())) times.push(clock.now);
  });
  return times;
}

function countRate(context: Context, rs: number, hz: number): { hz: number; interrupts: number } {
  const { assert, clock } = context;
  const one = part(context);
  const { dev } = one;
  const times = periodics(context, one);
  dev.setRate(rs);
  dev.acknowledge();
  dev.enable('PIE');
  for (let second = 1; second <= 2; second++) {
    clock.step(SECOND);
    assert.equal(times.length, hz * second, `RS ${rs} interrupts ${hz} times a second: in ${second} s`);
  }
  const period = rtc.periodNs(rs);
  for (let i = 1; i < times.length; i++) {
    const gap = Number((times[i] ?? 0n) - (times[i - 1] ?? 0n));
    // Instants are whole nanoseconds, periods need not be.
    assert(
      Math.abs(gap - period) < 1,
      `RS ${rs}: interrupt ${i} comes ${period} ns after the one before, not ${gap} ns`,
    );
  }
  return { hz, interrupts: times.length };
}

export const periodic: Cases = {
  ...Object.fromEntries(
    HZ.flatMap((hz, rs) =>
      rs === 0
        ? []
        : [
            [
              `periodic/rate/${rs}`,
              states(`RS ${rs} is ${hz} Hz, to the nanosecond.`, (context) => countRate(context, rs, hz), VIRTUAL),
            ],
          ],
    ),
  ),

  'periodic/off': states('RS 0 is no rate: neither interrupt nor flag.', (context) => {
    const { assert, clock } = context;
    const one = part(context);
    const times = periodics(context, one);
    one.dev.setRate(0);
    one.dev.acknowledge();
    one.dev.enable('PIE');
    clock.step('1.2s');
    assert.equal(times.length, 0, 'RS 0 gives no interrupt');
    assert(!C.PF.test(one.dev.acknowledge()), 'RS 0 does not set PF');
  }),

  'periodic/rate-change': states(
    'RS may be changed while it runs; the new rate counts from then on.',
    (context) => {
      const { assert, clock } = context;
      const one = part(context);
      const times = periodics(context, one);
      one.dev.setRate(6);
      one.dev.acknowledge();
      one.dev.enable('PIE');
      let total = 0;
      for (const rs of [6, 10, 3, 0, 15, 8, 1, 12]) {
        one.dev.setRate(rs);
        clock.step(SECOND);
        assert.equal(times.length - total, HZ[rs], `RS ${rs} after another rate`);
        total = times.length;
      }
    },
    VIRTUAL,
  ),

  'periodic/64hz': states('A periodic interrupt keeps its rate (RS 10: 64 Hz).', (context) => {
    const { assert, clock, vcpu } = context;
    const one = part(context);
    const times = periodics(context, one);
    one.dev.setRate(10);
    one.dev.acknowledge();
    one.dev.enable('PIE');
    while (times.length <= 64) vcpu.idle({ timeout: '1s' });
    const elapsed = Number((times[64] ?? 0n) - (times[0] ?? 0n)) / 1e6;
    const slack = clock.kind === 'virtual' ? 0 : 50;
    assert(Math.abs(elapsed - 1000) <= slack, `64 periods of 64 Hz are 1000 ms, not ${elapsed} ms`);
    return { elapsed_ms: elapsed };
  }),

  'periodic/merge': states(
    'A period that ends before C is read adds nothing: one flag, one edge.',
    (context) => {
      const { assert, clock } = context;
      const { dev, line } = part(context);
      dev.setRate(6);
      dev.acknowledge();
      const before = line.edges;
      dev.enable('PIE');
      clock.step('100ms');
      assert.equal(line.edges - before, 1, 'the line rises once and stays up until C is read');
      assert.equal(dev.acknowledge() & (C.PF.mask | C.IRQF.mask), C.PF.mask | C.IRQF.mask, 'PF is set, however often');
      assert(!line.level, 'reading C lowers the line');
      clock.step('976563ns');
      assert.equal(line.edges - before, 2, 'a period after C was read the line has risen again');
    },
    VIRTUAL,
  ),

  'periodic/flag-without-enable': states('PF is set whether or not PIE is.', (context) => {
    const { assert, clock } = context;
    const { dev, line } = part(context, { periodicFlag: 'always' });
    dev.setRate(6);
    dev.modify(B, { PIE: 0 });
    dev.acknowledge();
    clock.step('10ms');
    assert(!line.level, 'PIE is 0: the line stays low');
    assert(C.PF.test(dev.acknowledge()), 'PF is set at the chosen rate with PIE = 0');
  }),

  'periodic/flag-with-enable-only': states('QEMU sets PF only with PIE = 1.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context, { periodicFlag: 'enabled' });
    dev.setRate(6);
    dev.modify(B, { PIE: 0 });
    dev.acknowledge();
    clock.step('10ms');
    assert(!C.PF.test(dev.acknowledge()), 'PF stays 0 with PIE = 0');
    dev.modify(B, { PIE: 1 });
    clock.step('10ms');
    assert(C.PF.test(dev.acknowledge()), 'PF is set with PIE = 1');
  }),
};
