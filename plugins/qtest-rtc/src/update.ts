import { rtc } from '@qtest/parts/pc';
import {
  align,
  at,
  FIRST_UPDATE,
  later,
  part,
  SECOND,
  show,
  start,
  startOnTick,
  states,
  stepTo,
  TICK,
  UIP_LEAD,
  VIRTUAL,
  type Cases,
} from './support.ts';

const { A, B, C, SECONDS } = rtc;

/** UIP in an update of the data sheet's part, in ns. */
const UPDATE_CYCLE = 1_984_000n;

export const update: Cases = {
  'set/freezes': states('SET = 1 freezes the time; with SET = 0 it goes on.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    start(dev, '2011-11-11 11:11:10');
    dev.modify(B, { SET: 1 });
    dev.acknowledge();
    clock.step('2.2s');
    assert.equal(show(dev.readTime()), '2011-11-11 11:11:10', 'SET = 1: no update in 2.2 s');
    const flags = dev.acknowledge();
    assert(!C.UF.test(flags), 'SET = 1: there is no update cycle, so none has ended (UF)');
    dev.modify(B, { SET: 0 });
    clock.step('1.1s');
    assert.notEqual(show(dev.readTime()), '2011-11-11 11:11:10', 'SET = 0: updates go on');
    assert(C.UF.test(dev.acknowledge()), 'SET = 0: update cycles end (UF)');
  }),

  'set/no-alarm': states('With SET = 1 nothing is compared: no alarm, even if the bytes match.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.modify(B, { SET: 1 });
    dev.setAlarm({ hours: 12, minutes: 34, seconds: 56 });
    dev.setTime(at('2011-11-11 12:34:56'));
    dev.acknowledge();
    clock.step('1.2s');
    assert(!C.AF.test(dev.acknowledge()), 'the alarm is compared in the update cycle, which SET inhibits');
  }),

  'set/clears-uie': states('SET going to 1 clears UIE, for good.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    dev.enable('UIE', 'AIE', 'PIE');
    dev.modify(B, { SET: 1 });
    const b = dev.read(B);
    assert(!B.UIE.test(b), 'SET going high clears UIE');
    assert(B.AIE.test(b) && B.PIE.test(b), 'and neither AIE nor PIE');
    dev.modify(B, { SET: 0 });
    assert(!B.UIE.test(dev.read(B)), 'SET going low does not bring UIE back');
    dev.modify(B, { SET: 1, UIE: 1 });
    assert(!B.UIE.test(dev.read(B)), 'writing SET and UIE together leaves UIE at 0');
  }),

  'set/clears-uip': states(
    'SET = 1 clears UIP.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      const due = startOnTick(clock, dev);
      stepTo(clock, due - 100_000n);
      assert(dev.updateInProgress(), 'UIP is up 100 us before an update');
      dev.modify(B, { SET: 1 });
      assert(!dev.updateInProgress(), 'SET = 1 inhibits the update and clears UIP');
      stepTo(clock, due + SECOND - 1n);
      assert(!dev.updateInProgress(), 'and UIP stays down while SET is 1');
    },
    VIRTUAL,
  ),

  'set/just-before': states(
    'SET written 1 ns before an update prevents it.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      const due = startOnTick(clock, dev, '2011-11-11 11:11:10');
      stepTo(clock, due - 1n);
      dev.modify(B, { SET: 1 });
      stepTo(clock, due + 1n);
      assert.equal(dev.read(SECONDS), 0x10, 'no update under SET');
      assert.equal(dev.acknowledge() & C.UF.mask, 0, 'no update has ended');
    },
    VIRTUAL,
  ),

  'set/keeps-divider': states(
    'SET does not stop the divider: updates go on at the same instants.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      const due = startOnTick(clock, dev);
      clock.step('123456789ns');
      dev.setTime(at('2011-11-11 22:22:20'));
      clock.step('100ms');
      dev.modify(B, { SET: 1 });
      clock.step('100ms');
      dev.modify(B, { SET: 0 });
      stepTo(clock, due - 1n);
      assert.equal(dev.read(SECONDS), 0x20, 'the update comes when the divider says, and not 1 ns earlier');
      stepTo(clock, due);
      assert.equal(dev.read(SECONDS), 0x21, 'the update comes when the divider says');
      dev.modify(B, { SET: 1 });
      stepTo(clock, due + 2n * SECOND + SECOND / 3n);
      dev.modify(B, { SET: 0 });
      stepTo(clock, due + 3n * SECOND - 1n);
      assert.equal(dev.read(SECONDS), 0x21, 'after two seconds under SET the divider is still in step');
      stepTo(clock, due + 3n * SECOND);
      assert.equal(dev.read(SECONDS), 0x22, 'after two seconds under SET the divider is still in step');
    },
    VIRTUAL,
  ),

  'set/keeps-periodic': states('SET does not stop the periodic interrupt.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.modify(B, { SET: 1, PIE: 1 });
    dev.setRate(6);
    clock.step('10ms');
    dev.acknowledge();
    clock.step('10ms');
    assert(C.PF.test(dev.acknowledge()), 'the divider runs on under SET, so PF is set at the chosen rate');
  }),

  'set/aborts-update-cycle': states(
    'SET = 1 aborts an update cycle in progress and clears UIP.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { updateCycle: String(UPDATE_CYCLE) });
      const due = startOnTick(clock, dev);
      stepTo(clock, due + UPDATE_CYCLE / 2n);
      assert(dev.updateInProgress(), 'UIP is up during the 1984 us of an update cycle');
      dev.modify(B, { SET: 1 });
      assert(!dev.updateInProgress(), 'SET = 1 aborts the cycle and clears UIP');
      stepTo(clock, due + UPDATE_CYCLE * 2n);
      assert.equal(dev.acknowledge() & C.UF.mask, 0, 'an aborted cycle does not end: UF stays 0');
    },
    VIRTUAL,
  ),

  ...Object.fromEntries(
    [0b110, 0b111].map((DV) => [
      `divider/reset/dv-${DV.toString(2)}`,
      states(
        `DV = ${DV.toString(2)} holds the divider; the first update is exactly 500 ms after its release, the next each 1 s later.`,
        (context) => {
          const { assert, clock } = context;
          const { dev } = part(context);
          dev.modify(A, { DV });
          dev.setTime(at('2011-11-11 11:11:10'));
          clock.step('1234567890ns');
          align(clock);
          dev.acknowledge();
          dev.releaseDivider();
          const released = clock.now;
          for (let i = 0n; i < 5n; i++) {
            const due = released + SECOND / 2n + i * SECOND;
            stepTo(clock, due - 1n);
            assert.equal(dev.read(SECONDS), 0x10 + Number(i), `update ${i + 1n} is not 1 ns early`);
            assert.equal(dev.acknowledge() & C.UF.mask, 0, `update ${i + 1n} has not ended 1 ns early`);
            stepTo(clock, due);
            assert.equal(
              dev.read(SECONDS),
              0x11 + Number(i),
              `update ${i + 1n} comes ${due - released} ns after the release`,
            );
            assert.equal(dev.acknowledge() & C.UF.mask, C.UF.mask, `update ${i + 1n} has ended (UF)`);
          }
        },
        VIRTUAL,
      ),
    ]),
  ),

  'divider/reset-off-tick': states(
    'Released between two ticks of the oscillator, the first update comes 500 ms later, give or take a tick.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      align(clock);
      clock.step('12345ns');
      start(dev, '2011-11-11 11:11:10');
      const due = clock.now + SECOND / 2n;
      stepTo(clock, due - TICK);
      assert.equal(dev.read(SECONDS), 0x10, 'a tick before 500 ms there is no update yet');
      stepTo(clock, due + TICK);
      assert.equal(dev.read(SECONDS), 0x11, 'a tick after 500 ms there has been one');
    },
    VIRTUAL,
  ),

  'divider/held': states('DV = 11x holds the divider: no update, no UIP, no periodic flag.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.setRate(6);
    start(dev, '2011-11-11 11:11:10');
    dev.holdDivider();
    dev.acknowledge();
    for (let i = 0; i < 4; i++) {
      clock.step('550ms');
      assert(!dev.updateInProgress(), 'no update is in progress while the divider is held');
    }
    assert.equal(show(dev.readTime()), '2011-11-11 11:11:10', 'the time stands still while the divider is held');
    assert.equal(dev.acknowledge(), 0, 'no tap of the divider moves while it is held: neither UF nor PF');
  }),

  'divider/rate-write': states(
    'Writing RS, or DV with the value it has, does not move the updates.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      const due = startOnTick(clock, dev, '2011-11-11 11:11:10');
      for (let rs = 0; rs < 16; rs++) {
        clock.step('20123456ns');
        dev.setRate(rs);
        dev.releaseDivider();
      }
      stepTo(clock, due - 1n);
      assert.equal(dev.read(SECONDS), 0x10, 'the divider was running: it is not started anew');
      stepTo(clock, due);
      assert.equal(dev.read(SECONDS), 0x11, 'the divider was running: it is not started anew');
    },
    VIRTUAL,
  ),

  'divider/selections': states(
    'DV is kept whatever it selects; back at 010 the clock runs.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      const runs: Record<string, boolean> = {};
      for (let DV = 0; DV < 8; DV++) {
        start(dev, '2011-11-11 11:11:10');
        dev.modify(A, { DV });
        clock.step('2.7s');
        assert.equal(A.DV.get(dev.read(A)), DV, 'DV reads back as written');
        runs[DV.toString(2).padStart(3, '0')] = show(dev.readTime()) !== '2011-11-11 11:11:10';
      }
      assert.equal(runs['010'], true, 'DV = 010 runs from the 32.768 kHz oscillator');
      assert.equal(runs['110'], false, 'DV = 110 is held in reset');
      assert.equal(runs['111'], false, 'DV = 111 is held in reset');
      start(dev, '2011-11-11 11:11:10');
      clock.step(FIRST_UPDATE);
      assert.equal(show(dev.readTime()), '2011-11-11 11:11:11', 'back at DV = 010 the clock runs');
      // Which of the MHz crystals' selections run is the emulator's business: QEMU's do.
      return { runs };
    },
    VIRTUAL,
  ),

  'uip/edges': states(
    'UIP rises 244 140 ns (8 ticks) before an update, and falls with it.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { updateCycle: '0' });
      const first = startOnTick(clock, dev, '2011-11-11 11:11:10');
      for (let i = 0n; i < 3n; i++) {
        const due = first + i * SECOND;
        for (const [time, up, what] of [
          [due - SECOND / 4n, false, 'UIP is down between updates'],
          [due - UIP_LEAD - 1n, false, 'UIP is down 244 141 ns before an update'],
          [due - UIP_LEAD, true, 'UIP is up 244 140 ns before an update'],
          [due - 1n, true, 'UIP is up 1 ns before an update'],
          [due, false, 'UIP is down when the update is over'],
        ] as const) {
          stepTo(clock, time);
          assert.equal(dev.updateInProgress(), up, what);
          const updated = Number(i) + (time === due ? 1 : 0);
          assert.equal(dev.read(SECONDS), 0x10 + updated, 'the time changes at the update, and not before');
        }
      }
    },
    VIRTUAL,
  ),

  'uip/update-cycle': states(
    'With the data sheet’s update cycle UIP stays up for 1984 us more; UF is set when it falls.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { updateCycle: String(UPDATE_CYCLE) });
      const first = startOnTick(clock, dev, '2011-11-11 11:11:10');
      for (let i = 0n; i < 3n; i++) {
        const due = first + i * SECOND;
        for (const [time, up, what] of [
          [due - UIP_LEAD - 1n, false, 'UIP is down 244 141 ns before an update cycle'],
          [due - UIP_LEAD, true, 'UIP is up 244 140 ns before an update cycle'],
          [due, true, 'UIP is up when the update cycle begins'],
          [due + UPDATE_CYCLE - 1n, true, 'UIP is up 1 ns before the update cycle’s end'],
          [due + UPDATE_CYCLE, false, 'UIP is down 1984 us after the update cycle’s beginning'],
        ] as const) {
          stepTo(clock, time);
          assert.equal(dev.updateInProgress(), up, what);
          if (time < due)
            assert.equal(dev.read(SECONDS), 0x10 + Number(i), 'the time is available until the cycle begins');
          if (!up)
            assert.equal(
              dev.read(SECONDS),
              0x10 + Number(i) + (time < due ? 0 : 1),
              'the time is available when UIP is 0',
            );
          const uf = C.UF.test(dev.acknowledge());
          assert.equal(uf, time === due + UPDATE_CYCLE, 'UF says that an update cycle has ended: it is set at its end');
        }
      }
    },
    VIRTUAL,
  ),

  'uip/update-cycle-registers': states(
    'Registers A to D and the RAM are accessible during the update cycle too.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { updateCycle: String(UPDATE_CYCLE) });
      dev.write(0x40, 0x11);
      const due = startOnTick(clock, dev);
      dev.setRate(0);
      stepTo(clock, due + UPDATE_CYCLE / 2n);
      assert.equal(dev.read(A), A.UIP.mask | 0x20, 'A is accessible, with UIP up');
      dev.setRate(9);
      assert.equal(dev.read(A), A.UIP.mask | 0x29, 'A can be written');
      assert.equal(dev.read(rtc.D), rtc.D.VRT.mask, 'D is accessible');
      dev.modify(B, { AIE: 1 });
      assert.equal(dev.read(B), B.AIE.mask | B['24H'].mask, 'B is accessible');
      assert.equal(dev.acknowledge() & C.UF.mask, 0, 'C is accessible');
      assert.equal(dev.read(0x40), 0x11, 'the RAM is accessible');
      dev.write(0x40, 0x22);
      assert.equal(dev.read(0x40), 0x22, 'the RAM can be written');
      assert(dev.updateInProgress(), 'all that happened during the update cycle');
    },
    VIRTUAL,
  ),

  'uip/reading': states('A driver that heeds UIP never sees a time between two seconds.', (context) => {
    const { assert, clock, vcpu } = context;
    const { dev } = part(context);
    start(dev, '2011-12-31 23:59:58');
    const seen: string[] = [];
    const from = clock.now;
    vcpu.poll(
      () => {
        const now = show(dev.readTime());
        if (seen.at(-1) !== now) seen.push(now);
        return clock.now - from >= 2n * SECOND;
      },
      { step: '1ms', timeout: '5s' },
    );
    const expected = [0, 1, 2, 3].map((more) => later('2011-12-31 23:59:58', more));
    assert.deepEqual(seen.slice(0, 3), expected.slice(0, 3), 'each second is seen whole, and none twice');
    assert(seen.length <= expected.length, 'two seconds have passed');
  }),
};
