import type { IrqLine } from '@qtest/sdk';
import { hpet, i8254 } from '@qtest/parts/pc';
import { device, hex, isaIrq, number, serveIrq, states, VIRTUAL, type Cases, type Context } from './support.ts';

const { COUNTER_CLK_PERIOD, FS_PER_NS, GCAP_ID, GEN_CONF, GINTR_STA, MAIN_CNT, TIM_COMP } = hpet;
const { TIM_COMP_HIGH, TIM_CONF, TIM_INT_ROUTE_CAP } = hpet;

interface Bench {
  readonly dev: hpet.Hpet;
  /** A pin that timer `n` can be routed to: one of the 8259As' if there is one. */
  route(n: number): number;
  /** That pin. */
  pin(n: number): IrqLine;
  /** In virtual time: goes on to the last nanosecond before, or to, the counter's next `ticks`. */
  before(ticks: number): void;
  ticks(ticks: number): void;
}

/** The block, halted, with its counter at 0. */
function bench(context: Context): Bench {
  const { clock, machine, vcpu } = context;
  const part = device(context, 'hpet');
  const dev = hpet.timerBlock(vcpu, number(part, 'base', hpet.BASE));
  dev.disable();
  dev.setCounter(0n);
  const route = (n: number): number => {
    const routes = dev.readTimer(n, TIM_INT_ROUTE_CAP);
    const able = Array.from({ length: 32 }, (_, pin) => pin).filter((pin) => (routes & (2 ** pin)) !== 0);
    const free = able.find((pin) => pin < 16 && ![0, 1, 2, 8].includes(pin));
    return free ?? able[0] ?? context.skip(`timer ${n} can be routed nowhere`);
  };
  const length = (ticks: number): bigint => (BigInt(ticks) * BigInt(dev.periodFs)) / BigInt(FS_PER_NS);
  return {
    dev,
    route,
    pin: (n) => machine.irq(part.id, 'irq', route(n)),
    before: (ticks) => {
      clock.step(length(ticks) - 1n);
    },
    ticks: (ticks) => {
      clock.step(length(ticks));
    },
  };
}

export const hpetCases: Cases = {
  'hpet/capabilities': states(
    'There are three timers at least, a period of 100 ns at most, and a revision.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const id = dev.read(GCAP_ID);
      assert(
        GCAP_ID.NUM_TIM_CAP.get(id) >= 2,
        'HPET 1.0a, 2.3.4: NUM_TIM_CAP is the last timer; three are the minimum',
      );
      assert.notEqual(GCAP_ID.REV_ID.get(id), 0, 'HPET 1.0a, 2.3.4: REV_ID must not be 00h');
      const period = dev.read(COUNTER_CLK_PERIOD);
      assert(period > 0 && period <= 0x05f5_e100, `HPET 1.0a, 2.3.4: COUNTER_CLK_PERIOD of ${hex(period, 8)}`);
      for (let n = 0; n < dev.timers; n++) {
        assert.notEqual(dev.readTimer(n, TIM_INT_ROUTE_CAP), 0, `HPET 1.0a, 2.3.8: timer ${n} can be routed somewhere`);
      }
      assert(TIM_CONF.PER_INT_CAP.test(dev.readTimer(0, TIM_CONF)), 'HPET 1.0a, 2.3.8: timer 0 is to be periodic');
    },
  ),

  'hpet/reset': states(
    'After a reset the counter is 0 and halted, no timer interrupts, and legacy replacement is off.',
    (context) => {
      const { assert, clock, machine } = context;
      const { dev, route } = bench(context);
      dev.setCounter(0x1234n);
      dev.oneShot(0, 0x2000n, { route: route(0), level: true });
      dev.setLegacy(true);
      dev.enable();
      clock.step('1ms');
      assert.equal(dev.pending(), 1, 'timer 0 has matched');
      machine.reset();
      assert.equal(dev.read(GEN_CONF), 0, 'HPET 1.0a, 2.3.5: ENABLE_CNF and LEG_RT_CNF are 0');
      assert.equal(dev.read(GINTR_STA), 0, 'HPET 1.0a, 2.3.6: no status');
      assert.equal(dev.counter(), 0n, 'HPET 1.0a, 2.3.7: the counter is 0');
      for (let n = 0; n < dev.timers; n++) {
        assert(!TIM_CONF.INT_ENB_CNF.test(dev.readTimer(n, TIM_CONF)), `HPET 1.0a, 2.3.8: timer ${n} is off`);
      }
    },
  ),

  'hpet/read-only': states('Capabilities and reserved bits cannot be written.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const register of [GCAP_ID, COUNTER_CLK_PERIOD] as const) {
      const value = dev.read(register);
      dev.write(register, ~value >>> 0);
      assert.equal(dev.read(register), value, `HPET 1.0a, 2.3.4: ${register.name} is read only`);
    }
    dev.write(GEN_CONF, 0xffff_fffc);
    assert.equal(dev.read(GEN_CONF), 0, 'HPET 1.0a, 2.3.5: bits 31:2 are reserved');
    for (let n = 0; n < dev.timers; n++) {
      const capabilities = dev.readTimer(n, TIM_INT_ROUTE_CAP);
      const before = dev.readTimer(n, TIM_CONF);
      dev.writeTimer(n, TIM_INT_ROUTE_CAP, ~capabilities >>> 0);
      dev.writeTimer(n, TIM_CONF, 0xffff_8081);
      assert.equal(dev.readTimer(n, TIM_INT_ROUTE_CAP), capabilities, 'HPET 1.0a, 2.3.8: INT_ROUTE_CAP is read only');
      const fixed = 0xffff_80b1;
      assert.equal(dev.readTimer(n, TIM_CONF) & fixed, before & fixed, `HPET 1.0a, 2.3.8: timer ${n}, reserved bits`);
    }
  }),

  'hpet/comparators': states('Each comparator keeps what is written, in all its bits.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (let n = 0; n < dev.timers; n++) {
      dev.stop(n);
      const wide = TIM_CONF.SIZE_CAP.test(dev.readTimer(n, TIM_CONF));
      for (const pattern of [0, 0xffff_ffff, 0x5555_5555, 0xaaaa_aaaa]) {
        dev.writeTimer(n, TIM_COMP, pattern);
        if (wide) dev.writeTimer(n, TIM_COMP_HIGH, ~pattern >>> 0);
        assert.equal(dev.readTimer(n, TIM_COMP), pattern, `HPET 1.0a, 2.3.9: timer ${n}`);
        if (wide) assert.equal(dev.readTimer(n, TIM_COMP_HIGH), ~pattern >>> 0, `HPET 1.0a, 2.3.9: timer ${n}, 63:32`);
      }
    }
  }),

  'hpet/route': states('Each route that a timer has reads as it was written.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (let n = 0; n < dev.timers; n++) {
      const able = dev.readTimer(n, TIM_INT_ROUTE_CAP);
      for (let pin = 0; pin < 32; pin++) {
        if ((able & (2 ** pin)) === 0) continue;
        dev.writeTimer(n, TIM_CONF, TIM_CONF.INT_ROUTE_CNF.set(0, pin));
        const read = TIM_CONF.INT_ROUTE_CNF.get(dev.readTimer(n, TIM_CONF));
        assert.equal(read, pin, `HPET 1.0a, 2.3.8, INT_ROUTE_CNF: timer ${n}`);
      }
    }
  }),

  'hpet/counter': states(
    'With ENABLE_CNF the counter goes up by one each period; without it stands, and goes on from there.',
    (context) => {
      const { assert } = context;
      const { dev, ticks } = bench(context);
      ticks(1000);
      assert.equal(dev.counter(), 0n, 'HPET 1.0a, 2.3.5: ENABLE_CNF = 0, the counter is halted');
      dev.enable();
      ticks(123_456);
      assert.equal(dev.counter(), 123_456n, 'HPET 1.0a, 2.3.7: once in COUNTER_CLK_PERIOD');
      dev.disable();
      ticks(1000);
      assert.equal(dev.counter(), 123_456n, 'HPET 1.0a, 2.3.5: halted');
      dev.enable();
      ticks(4);
      assert.equal(dev.counter(), 123_460n, 'HPET 1.0a, 2.3.5: resumed');
    },
    VIRTUAL,
  ),

  'hpet/counter/carry': states(
    'The counter has 64 bits: what is written while it is halted carries from the low half into the high one.',
    (context) => {
      const { assert, skip } = context;
      const { dev, ticks } = bench(context);
      if (!GCAP_ID.COUNT_SIZE_CAP.test(dev.read(GCAP_ID))) return skip('the counter has 32 bits');
      for (const [start, end] of [
        [0x1_ffff_fff0n, 0x2_0000_0010n],
        [0xffff_ffff_ffff_fff0n, 0x10n],
      ] as const) {
        dev.disable();
        dev.setCounter(start);
        assert.equal(dev.counter(), start, 'HPET 1.0a, 2.3.7: written while halted');
        dev.enable();
        ticks(0x20);
        assert.equal(dev.counter(), end, 'HPET 1.0a, 2.3.7: 64 bits');
      }
    },
    VIRTUAL,
  ),

  'hpet/access/64-bit': states('A register can be read and written in 64 bits or in its two halves.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = bench(context);
    vcpu.writeq(dev.base + MAIN_CNT.offset, 0x0123_4567_89ab_cdefn);
    assert.equal(dev.counter(), 0x0123_4567_89ab_cdefn, 'HPET 1.0a, 2.3.1: written in 64 bits, read in halves');
    dev.setCounter(0xfedc_ba98_7654_3210n);
    assert.equal(vcpu.readq(dev.base + MAIN_CNT.offset), 0xfedc_ba98_7654_3210n, 'HPET 1.0a, 2.3.1: the other way');
    const both = (BigInt(dev.periodFs) << 32n) | BigInt(dev.read(GCAP_ID));
    assert.equal(vcpu.readq(dev.base), both, 'HPET 1.0a, 2.3.4: capabilities and period are one register');
  }),

  'hpet/one-shot': states(
    'A timer interrupts in the tick in which the counter comes to its comparator, and once.',
    (context) => {
      const { assert } = context;
      const { dev, before, pin, route, ticks } = bench(context);
      for (let n = 0; n < dev.timers; n++) {
        dev.disable();
        dev.setCounter(0n);
        dev.oneShot(n, 5000n, { route: route(n) });
        const edges = pin(n).edges;
        dev.enable();
        before(5000);
        assert.equal(pin(n).edges - edges, 0, `HPET 1.0a, 2.3.9.2.1: timer ${n}, not before`);
        ticks(1);
        assert.equal(pin(n).edges - edges, 1, `HPET 1.0a, 2.3.9.2.1: timer ${n}, when the counter is its comparator`);
        ticks(1_000_000);
        assert.equal(pin(n).edges - edges, 1, `HPET 1.0a, 2.3.9.2.1: timer ${n}, once`);
        dev.stop(n);
      }
    },
    VIRTUAL,
  ),

  'hpet/periodic': states(
    'A periodic timer’s comparator goes on by the period at each match; the interrupts do not drift.',
    (context) => {
      const { assert } = context;
      const { dev, before, pin, route, ticks } = bench(context);
      dev.periodic(0, 5000n, 2000n, { route: route(0) });
      const edges = pin(0).edges;
      dev.enable();
      assert.equal(dev.comparator(0), 5000n, 'HPET 1.0a, 2.3.9.2.2: VAL_SET has set the accumulator');
      before(5000);
      for (let n = 0; n < 50; n++) {
        assert.equal(pin(0).edges - edges, n, `HPET 1.0a, 2.3.9.2.2: not before 5000 + ${n} · 2000`);
        ticks(1);
        assert.equal(pin(0).edges - edges, n + 1, `HPET 1.0a, 2.3.9.2.2: at 5000 + ${n} · 2000`);
        assert.equal(dev.comparator(0), 7000n + 2000n * BigInt(n), 'HPET 1.0a, 2.3.9.2.2: increased by the period');
        ticks(1999);
      }
    },
    VIRTUAL,
  ),

  'hpet/periodic/new-period': states(
    'Written without VAL_SET the comparator takes a new period and keeps its next match.',
    (context) => {
      const { assert } = context;
      const { dev, pin, route, ticks } = bench(context);
      dev.periodic(0, 1000n, 1000n, { route: route(0) });
      const edges = pin(0).edges;
      dev.enable();
      ticks(2500);
      assert.equal(pin(0).edges - edges, 2);
      assert(!TIM_CONF.VAL_SET_CNF.test(dev.readTimer(0, TIM_CONF)), 'HPET 1.0a, 2.3.8: VAL_SET clears by itself');
      dev.writeTimer(0, hpet.TIM_COMP, 300);
      assert.equal(dev.comparator(0), 3000n, 'HPET 1.0a, 2.3.9.2.2: the next match stays');
      ticks(500);
      assert.equal(pin(0).edges - edges, 3, 'HPET 1.0a, 2.3.9.2.2: at 3000');
      ticks(301);
      assert.equal(pin(0).edges - edges, 4, 'HPET 1.0a, 2.3.9.2.2: and then each 300');
    },
    VIRTUAL,
  ),

  'hpet/periodic/carry': states(
    'The accumulator of a periodic timer has 64 bits: it carries over 4 Gi ticks.',
    (context) => {
      const { assert, skip } = context;
      const { dev, pin, route, ticks } = bench(context);
      if (!TIM_CONF.SIZE_CAP.test(dev.readTimer(0, TIM_CONF))) return skip('timer 0 has 32 bits');
      dev.setCounter(0x1_ffff_fe00n);
      dev.periodic(0, 0x1_ffff_ff00n, 0x200n, { route: route(0) });
      const edges = pin(0).edges;
      dev.enable();
      ticks(0x100);
      assert.equal(dev.comparator(0), 0x2_0000_0100n, 'HPET 1.0a, 2.3.9.2.2: increased by the period, in 64 bits');
      ticks(0x1ff);
      assert.equal(pin(0).edges - edges, 1, 'HPET 1.0a, 2.3.9.2.2: not before the next match');
      ticks(1);
      assert.equal(pin(0).edges - edges, 2, 'HPET 1.0a, 2.3.9.2.2: at the next match');
      assert.equal(dev.comparator(0), 0x2_0000_0300n, 'HPET 1.0a, 2.3.9.2.2: and on');
    },
    VIRTUAL,
  ),

  'hpet/32-bit-mode': states(
    'In 32-bit mode the low halves are compared.',
    (context) => {
      const { assert } = context;
      const { dev, before, pin, route, ticks } = bench(context);
      dev.setCounter(0x7_ffff_ff00n);
      dev.oneShot(0, 0x100n, { route: route(0), mode32: true });
      const edges = pin(0).edges;
      dev.enable();
      before(0x200);
      assert.equal(dev.counter(), 0x8_0000_00ffn);
      ticks(1);
      // The wrap of the low half may have been an interrupt of its own (2.3.9.2.1).
      assert(pin(0).edges - edges >= 1, 'HPET 1.0a, 2.3.8: Tn_32MODE_CNF, the high half does not count');
      ticks(0x1000);
    },
    VIRTUAL,
  ),

  'hpet/level': states(
    'Level-triggered, the status bit is set and the line is up until 1 is written to it.',
    (context) => {
      const { assert } = context;
      const { dev, pin, route, ticks } = bench(context);
      for (let n = 0; n < dev.timers; n++) {
        // Each at its own time: a timer that is stopped still matches.
        dev.oneShot(n, dev.counter() + 100n, { route: route(n), level: true });
        dev.enable();
        ticks(99);
        assert.equal(dev.pending(), 0);
        ticks(1);
        assert.equal(dev.pending(), 1 << n, `HPET 1.0a, 2.3.6: T${n}_INT_STS`);
        assert(pin(n).level, 'HPET 1.0a, 2.3.8: Tn_INT_TYPE_CNF = 1');
        dev.write(GINTR_STA, 0);
        assert(pin(n).level, 'HPET 1.0a, 2.3.6: writing 0 has no effect');
        dev.write(GINTR_STA, ~(1 << n) >>> 0);
        assert.equal(dev.pending(), 1 << n, 'HPET 1.0a, 2.3.6: and so has 1 to the others');
        dev.acknowledge(n);
        assert.equal(dev.pending(), 0, 'HPET 1.0a, 2.3.6: writing 1 clears it');
        assert(!pin(n).level, 'HPET 1.0a, 2.3.6: and the line falls');
        dev.stop(n);
      }
    },
    VIRTUAL,
  ),

  'hpet/interrupt-enable': states(
    'Without INT_ENB_CNF a timer gives no interrupt, and its status all the same.',
    (context) => {
      const { assert } = context;
      const { dev, pin, route, ticks } = bench(context);
      dev.oneShot(0, 100n, { route: route(0), level: true, enabled: false });
      const edges = pin(0).edges;
      dev.enable();
      ticks(200);
      assert.equal(pin(0).edges - edges, 0, 'HPET 1.0a, 2.3.8: INT_ENB_CNF = 0, no interrupt');
      assert.equal(dev.pending(), 1, 'HPET 1.0a, 2.3.8: the timer still operates and generates its status');
      dev.acknowledge(0);
    },
    VIRTUAL,
  ),

  'hpet/halted': states(
    'While ENABLE_CNF is 0 no timer interrupts.',
    (context) => {
      const { assert } = context;
      const { dev, pin, route, ticks } = bench(context);
      dev.oneShot(0, 100n, { route: route(0) });
      const edges = pin(0).edges;
      dev.enable();
      ticks(60);
      dev.disable();
      ticks(1000);
      assert.equal(pin(0).edges - edges, 0, 'HPET 1.0a, 2.3.5: the counter stands at 60');
      dev.enable();
      ticks(40);
      assert.equal(pin(0).edges - edges, 1, 'HPET 1.0a, 2.3.5: the 40 that were left');
    },
    VIRTUAL,
  ),

  'hpet/several': states(
    'Each timer has its own comparator; the counter is one.',
    (context) => {
      const { assert } = context;
      const { dev, route, ticks } = bench(context);
      for (let n = 0; n < dev.timers; n++) dev.oneShot(n, BigInt(100 * (n + 1)), { route: route(n), level: true });
      dev.enable();
      for (let n = 0; n < dev.timers; n++) {
        ticks(99);
        assert.equal(dev.pending(), 2 ** n - 1, `HPET 1.0a, 2.3.9: before ${100 * (n + 1)}`);
        ticks(1);
        assert.equal(dev.pending(), 2 ** (n + 1) - 1, `HPET 1.0a, 2.3.9: at ${100 * (n + 1)}`);
      }
    },
    VIRTUAL,
  ),

  'hpet/legacy-replacement': states(
    'With LEG_RT_CNF timer 0 is IRQ 0 and timer 1 is IRQ 8, whatever their routes; without it the PIT is IRQ 0.',
    (context) => {
      const { assert, skip, vcpu } = context;
      const { dev, ticks } = bench(context);
      if (!GCAP_ID.LEG_RT_CAP.test(dev.read(GCAP_ID))) return skip('the block has no legacy replacement');
      const pit = i8254.pit(vcpu, number(device(context, 'i8254'), 'ioBase', i8254.BASE));
      const lines = [isaIrq(context, 0), isaIrq(context, 8)];
      pit.program(0, 2, i8254.countForHz(1000));
      const ms = Number(dev.ticks(1_000_000n));
      const edgesOf = (act: () => void): number[] => {
        const before = lines.map(({ edges }) => edges);
        act();
        return lines.map(({ edges }, n) => edges - (before[n] ?? 0));
      };
      const [pitEdges = 0, none] = edgesOf(() => ticks(10 * ms));
      assert(pitEdges >= 9 && pitEdges <= 11, `8254: IRQ 0 is the PIT’s (${pitEdges} edges in 10 ms)`);
      assert.equal(none, 0, 'nobody asks for IRQ 8');
      dev.setLegacy(true);
      dev.oneShot(0, BigInt(3 * ms));
      dev.periodic(1, BigInt(ms), BigInt(2 * ms));
      dev.enable();
      assert.deepEqual(
        edgesOf(() => ticks(10 * ms)),
        [1, 5],
        'HPET 1.0a, 2.3.9.1: timer 0 and 1, and not the PIT',
      );
      dev.setLegacy(false);
      dev.stop(0);
      dev.stop(1);
      const [again = 0] = edgesOf(() => ticks(10 * ms));
      assert(again >= 9 && again <= 11, `HPET 1.0a, 2.3.9.1: IRQ 0 is the PIT’s again (${again} edges in 10 ms)`);
    },
    VIRTUAL,
  ),

  'hpet/vector': states(
    'A timer that is routed to an IRQ interrupts the VCPU by the 8259A.',
    (context) => {
      const { assert, skip } = context;
      const { dev, route, ticks } = bench(context);
      const irq = route(0);
      if (irq >= 16 || irq === 2) return skip('timer 0 can be routed to no IRQ of the 8259As');
      device(context, 'i8259');
      const at: bigint[] = [];
      serveIrq(context, irq, () => at.push(dev.counter()));
      dev.periodic(0, 1000n, 1000n, { route: irq });
      dev.enable();
      ticks(5000);
      assert.deepEqual(at, [1000n, 2000n, 3000n, 4000n, 5000n], 'HPET 1.0a, 2.3.9.1: INT_ROUTE_CNF');
    },
    { requires: ['virtual-clock', 'interrupt-acknowledge'] },
  ),
};
