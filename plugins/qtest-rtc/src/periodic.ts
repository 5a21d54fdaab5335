import { rtc } from '@qtest/parts/pc';
import {
  align,
  part,
  SECOND,
  startOnTick,
  states,
  stepTo,
  ticks,
  VIRTUAL,
  type Cases,
  type Context,
  type Part,
} from './support.ts';

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

/** A second of interrupts: as many as the rate says, from one to the one that is as far off as the second. */
function countRate(context: Context, rs: number, hz: number): { hz: number; interrupts: number } {
  const { assert, vcpu } = context;
  const one = part(context);
  const { dev } = one;
  const times = periodics(context, one);
  dev.setRate(rs);
  dev.acknowledge();
  dev.enable('PIE');
  while (times.length <= hz) vcpu.idle({ timeout: '1s' });
  const [first = 0n] = times;
  assert.equal((times[hz] ?? 0n) - first, SECOND, `RS ${rs} interrupts ${hz} times a second`);
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

/** Periods by RS without those that are there twice, in ticks of the oscillator. */
const PERIODS = Array.from({ length: 13 }, (_, i) => ({ rs: i + 3, period: rtc.periodTicks(i + 3) }));

/** Checks that PF is set at an instant, and was not 1 ns earlier. */
function expectFlagAt({ assert, clock }: Context, { dev }: Part, instant: bigint, what: string): void {
  stepTo(clock, instant - 1n);
  assert(!C.PF.test(dev.acknowledge()), `${what}, and not 1 ns earlier`);
  stepTo(clock, instant);
  assert(C.PF.test(dev.acknowledge()), what);
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
      const { assert, clock, vcpu } = context;
      const one = part(context);
      const times = periodics(context, one);
      one.dev.setRate(6);
      one.dev.acknowledge();
      one.dev.enable('PIE');
      while (times.length === 0) vcpu.idle();
      // Within the shortest period: no interrupt is due where a second begins or ends.
      clock.step('50us');
      let total = times.length;
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
    // A busy host may sleep through periods; how exact the rate is in real time is the business of drift/realtime.
    const [early, late] = clock.kind === 'virtual' ? [0, 0] : [20, 1000];
    assert(elapsed >= 1000 - early && elapsed <= 1000 + late, `64 periods of 64 Hz are 1000 ms, not ${elapsed} ms`);
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

  'periodic/phase': states(
    'The divider’s taps are in step with the updates: UIP rises half a period after PF is set.',
    (context) => {
      const { clock } = context;
      const one = part(context, { periodicFlag: 'always', updateCycle: '0' });
      for (const { rs, period } of PERIODS) {
        const due = startOnTick(clock, one.dev);
        one.dev.setRate(rs);
        stepTo(clock, due + 1n);
        one.dev.acknowledge();
        // UIP rises 8 ticks before the next update.
        const uip = rtc.OSCILLATOR - 8;
        for (const edge of [uip - period / 2, uip + period / 2]) {
          // The last edge before this one, and anything else that has come, is not of interest.
          stepTo(clock, due + ticks(edge - 2));
          one.dev.acknowledge();
          expectFlagAt(context, one, due + ticks(edge), `RS ${rs}: PF is set half a period before and after UIP rises`);
        }
      }
    },
    VIRTUAL,
  ),

  'periodic/phase-from-enable': states(
    'QEMU counts the periods from the setting of PIE, or from the last interrupt when RS changes.',
    (context) => {
      const { clock } = context;
      const one = part(context, { periodicFlag: 'enabled' });
      const { dev } = one;
      for (const { rs, period } of PERIODS) {
        align(clock);
        clock.step(ticks(64) * 3n);
        dev.modify(B, { PIE: 0 });
        dev.setRate(rs);
        dev.acknowledge();
        const enabled = clock.now;
        dev.modify(B, { PIE: 1 });
        expectFlagAt(
          context,
          one,
          enabled + ticks(period),
          `RS ${rs}: the first interrupt is a period after PIE was set`,
        );
        if (period < 64 || period >= 16_384) continue;
        // In the middle of the next period twice the period is chosen.
        stepTo(clock, enabled + ticks(period + period / 2));
        dev.setRate(rs + 1);
        expectFlagAt(context, one, enabled + ticks(period * 3), `RS ${rs + 1}: a period after the last interrupt`);
      }
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
