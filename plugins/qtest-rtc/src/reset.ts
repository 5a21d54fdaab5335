import { rtc } from '@qtest/parts/pc';
import { at, part, SECOND, show, start, startOnTick, states, stepTo, VIRTUAL, type Cases } from './support.ts';

const { A, B, C, SECONDS } = rtc;

/** What RESET clears in B. */
const CLEARED = B.PIE.mask | B.AIE.mask | B.UIE.mask | B.SQWE.mask;

export const reset: Cases = {
  'reset/clears': states('RESET clears PIE, AIE, UIE, SQWE and all flags, and releases the line.', (context) => {
    const { assert, clock, machine } = context;
    const { dev, line } = part(context);
    dev.setAlarm({});
    start(dev);
    dev.setRate(6);
    dev.write(B, CLEARED | B['24H'].mask);
    clock.step('600ms');
    dev.holdDivider();
    assert(line.level, 'before the reset the line is up');
    machine.reset('warm');
    assert.equal(dev.read(B) & CLEARED, 0, 'RESET clears PIE, AIE, UIE and SQWE');
    assert(!line.level, 'RESET releases the line');
    assert.equal(dev.acknowledge(), 0, 'RESET clears IRQF, PF, AF and UF');
  }),

  'reset/keeps': states('RESET leaves SET, DM, 24/12, DSE, register A, time, alarm and RAM.', (context) => {
    const { assert, machine } = context;
    const { dev } = part(context);
    for (const kept of [B.DM, B['24H'], B.DSE, B.SET]) {
      dev.write(B, kept.mask | CLEARED);
      machine.reset('warm');
      assert.equal(dev.read(B), kept.mask, `RESET leaves ${kept.name}`);
    }
    dev.write(B, B['24H'].mask);
    dev.holdDivider();
    dev.setRate(9);
    dev.setTime(at('2011-11-11 11:11:11'));
    dev.setAlarm({ hours: 5, minutes: 6, seconds: 7 });
    const ram = Array.from({ length: rtc.SIZE - rtc.FIRST_RAM }, (_, i) => rtc.FIRST_RAM + i).filter(
      (i) => i !== dev.centuryByte,
    );
    for (const index of ram) dev.write(index, index ^ 0xa5);
    machine.reset('warm');
    assert.equal(dev.read(A), (rtc.DV_RESET << A.DV.lsb) | 9, 'RESET leaves DV and RS');
    assert.equal(show(dev.readTime()), '2011-11-11 11:11:11', 'RESET leaves the time');
    assert.deepEqual(dev.readAlarm(), { hours: 5, minutes: 6, seconds: 7 }, 'RESET leaves the alarm');
    for (const index of ram)
      assert.equal(dev.read(index), index ^ 0xa5, `RESET leaves RAM byte 0x${index.toString(16)}`);
  }),

  'reset/clock-runs-on': states(
    'RESET does not disturb the divider: updates go on at the same instants.',
    (context) => {
      const { assert, clock, machine } = context;
      const { dev } = part(context);
      const due = startOnTick(clock, dev, '2011-11-11 11:11:10');
      clock.step('345678901ns');
      machine.reset('warm');
      stepTo(clock, due - 100_000n);
      machine.reset('warm');
      assert(dev.updateInProgress(), 'RESET does not affect UIP');
      stepTo(clock, due - 1n);
      assert.equal(dev.read(SECONDS), 0x10, 'the update after a reset is not 1 ns early');
      stepTo(clock, due);
      assert.equal(dev.read(SECONDS), 0x11, 'the update after a reset comes when the divider says');
    },
    VIRTUAL,
  ),

  'reset/interrupts-stay-off': states('After RESET flags are set again, but nothing interrupts.', (context) => {
    const { assert, clock, machine } = context;
    const { dev, line } = part(context);
    start(dev);
    dev.setRate(6);
    dev.enable('PIE', 'AIE', 'UIE');
    machine.reset('warm');
    clock.step('600ms');
    assert(!line.level, 'the enables are cleared');
    assert.equal(dev.acknowledge() & (C.UF.mask | C.IRQF.mask), C.UF.mask, 'flags are set whether or not enabled');
  }),

  'snapshot/round-trip': states(
    'A machine that is restored does again what it did: time, flags, line and RAM, to the nanosecond.',
    (context) => {
      const { assert, clock, machine } = context;
      const { dev, line } = part(context);
      const look = (): unknown[] =>
        Array.from({ length: 60 }, () => {
          clock.step('37654321ns');
          const seen = [clock.now, show(dev.readTime()), dev.read(A), dev.read(B), line.level, line.edges];
          return [...seen, dev.acknowledge(), line.level, dev.read(0x40), clock.deadline];
        });
      startOnTick(clock, dev, '2011-12-31 23:59:58');
      dev.setAlarm({ seconds: 0 });
      dev.setRate(11);
      dev.enable('PIE', 'AIE', 'UIE');
      dev.write(0x40, 0x11);
      clock.step('123456789ns');
      const now = clock.now;
      const saved = machine.snapshot();
      const first = look();
      dev.write(0x40, 0x22);
      dev.setTime(at('1987-06-05 04:03:02'));
      dev.write(A, 0x60);
      dev.write(B, 0x84);
      dev.setAlarm({ hours: 3 });
      clock.step(3n * SECOND);
      machine.restore(saved);
      assert.equal(clock.now, now, 'the time of the machine is restored');
      assert.equal(dev.read(0x40), 0x11, 'the RAM is restored');
      assert.deepEqual(look(), first, 'and what follows is what followed');
      machine.restore(saved);
      assert.deepEqual(look(), first, 'a snapshot can be restored again');
      return { bytes: saved.size };
    },
    { requires: ['virtual-clock', 'snapshot'] },
  ),
};
