import fc from 'fast-check';
import { defineDevice, type ClockKind, type DeviceTypes } from '@qtest/sdk';
import { hpet as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { BASE, GEN_CONF, GINTR_STA, MAIN_CNT, MAIN_CNT_HIGH, TIM_COMP, TIM_COMP_HIGH, TIM_CONF } = part;
const { VAL_SET_CNF, INT_ENB_CNF, INT_TYPE_CNF, TYPE_CNF, INT_ROUTE_CNF } = TIM_CONF;
const MODE32 = TIM_CONF['32MODE_CNF'];

/** Nanoseconds in a tick. */
const TICK = 10n;
const TURN_32 = 2n ** 32n;

/** Two pins that a test sets by a port. */
const pins = defineDevice(
  {
    type: 'pins',
    description: 'Two outputs, by the bits of a port',
    state: { levels: 'u8' },
    regions: () => ({ port: { space: 'io', base: 0x10, size: 1 } }),
    outputs: { out: { count: 2 } },
  },
  {
    updateIrq: ({ state, out }) => [0, 1].forEach((pin) => out.out.set((state.levels & (1 << pin)) !== 0, pin)),
    regions: {
      port: {
        read: ({ state }) => state.levels,
        write(device, _offset, value) {
          device.state.levels = value;
          [0, 1].forEach((pin) => device.out.out.set((value & (1 << pin)) !== 0, pin));
        },
      },
    },
  },
);

interface Options extends Readonly<NonNullable<DeviceTypes['hpet']>> {
  readonly clock?: ClockKind;
}

/** A machine with a block whose timers can be routed anywhere. */
function bench({ clock: kind = 'virtual', ...properties }: Options = {}) {
  const harness = testMachine(
    (m) => {
      const block = m.add('hpet', { intcap: 0xffff_ffff, ...properties });
      const source = m.add(pins);
      m.connect(m.output(source, 'out', 0), m.input(block, 'pit'));
      m.connect(m.output(source, 'out', 1), m.input(block, 'rtc'));
    },
    { clock: kind, devices: [pins] },
  );
  const { vcpu, clock, machine } = harness;
  const dev = part.timerBlock(vcpu, properties.base);
  return {
    ...harness,
    events: () => harness.events().map(({ message }) => message),
    dev,
    /** Steps to a time. */
    to: (time: bigint): bigint => clock.step(time - clock.now),
    line: (pin: number) => machine.irq('hpet0', 'irq', pin),
    conf: (n: number, ...fields: { readonly mask: number }[]): void =>
      dev.writeTimer(
        n,
        TIM_CONF,
        fields.reduce((value, { mask }) => value | mask, 0),
      ),
  };
}

/** INT_ROUTE_CNF of a pin, as a field that is set. */
const route = (pin: number): { mask: number } => ({ mask: INT_ROUTE_CNF.set(0, pin) });

describe('registers', () => {
  test('reset/values', () => {
    const { dev } = bench({ intcap: 0x4 });
    for (const register of part.REGISTERS)
      expect([register.name, dev.read(register)]).toEqual([register.name, register.reset]);
    expect([dev.timers, dev.periodFs]).toEqual([3, 10_000_000]);
  });

  test.each([3, 4, 24])('capabilities/%i timers', (timers) => {
    const { dev, vcpu, events } = bench({ timers, intcap: 0x00ff_0104 });
    expect(part.GCAP_ID.NUM_TIM_CAP.get(dev.read(part.GCAP_ID))).toBe(timers - 1);
    expect(dev.timers).toBe(timers);
    expect(dev.readTimer(timers - 1, part.TIM_INT_ROUTE_CAP)).toBe(0x00ff_0104);
    expect(events()).toEqual([]);
    if (timers === part.REACHABLE_TIMERS) return;
    const beyond = BASE + part.TIMERS + timers * part.TIMER_SIZE;
    expect(vcpu.readl(beyond)).toBe(0);
    vcpu.writel(beyond, 0x4);
    expect(events()).toEqual([
      `read of timer ${timers}, of which there is none`,
      `write to timer ${timers}, of which there is none`,
    ]);
  });

  test('capabilities/of 32 timers the last 8 have no registers', () => {
    const { dev, vcpu, events } = bench({ timers: 32 });
    expect([part.GCAP_ID.NUM_TIM_CAP.get(dev.read(part.GCAP_ID)), dev.timers]).toEqual([31, 24]);
    expect(() => dev.readTimer(24, TIM_CONF)).toThrow('HPET timer 24: the block at 0xfed00000 has the timers 0 to 23');
    expect(vcpu.readl(BASE + part.SIZE)).toBe(0xffff_ffff);
    expect(events()).toEqual(['read of 4 bytes at 0xfed00400: no device answers']);
  });

  test('bit-bash/what can be written, and no more', () => {
    const { dev, machine } = bench();
    for (const register of part.REGISTERS) {
      for (const value of [0xffff_ffff, 0, 0x5555_5555, 0xaaaa_aaaa]) {
        machine.reset('cold');
        const old = dev.read(register);
        dev.write(register, value);
        expect([register.name, dev.read(register)]).toEqual([register.name, register.write(old, value)]);
      }
    }
  });

  test('8 bytes are two halves', () => {
    const { vcpu, dev, events } = bench();
    expect(vcpu.readq(BASE)).toBe(0x0098_9680_8086_a201n);
    vcpu.writeq(BASE + MAIN_CNT.offset, 0x0123_4567_89ab_cdefn);
    expect(dev.counter()).toBe(0x0123_4567_89ab_cdefn);
    vcpu.writeq(BASE + part.timerOffset(2, TIM_COMP), 0xfedc_ba98_7654_3210n);
    expect(dev.comparator(2)).toBe(0xfedc_ba98_7654_3210n);
    vcpu.writeq(BASE + GEN_CONF.offset, 0x1n);
    expect(vcpu.readq(BASE + GEN_CONF.offset)).toBe(1n);
    vcpu.writeq(BASE + GINTR_STA.offset, 0xffff_ffff_ffff_ffffn);
    vcpu.writeq(BASE + part.timerOffset(1, TIM_CONF), 0xffff_ffff_0000_0004n);
    expect(vcpu.readq(BASE + part.timerOffset(1, TIM_CONF))).toBe(0xffff_ffff_0000_0034n);
    expect(events()).toEqual([]);
  });

  test('bytes and words are refused', () => {
    const { vcpu, events } = bench();
    expect([vcpu.readb(BASE), vcpu.readw(BASE + 2)]).toEqual([0xff, 0xffff]);
    vcpu.writeb(BASE + GEN_CONF.offset, 1);
    vcpu.writew(BASE + GEN_CONF.offset, 1);
    expect(events()).toHaveLength(4);
    expect(vcpu.readl(BASE + GEN_CONF.offset)).toBe(0);
  });

  test('reserved ones read 0 and are reported', () => {
    const { dev, events } = bench();
    for (const offset of [0x008, 0x018, 0x028, 0x0e8, 0x0f8, 0x118, 0x11c]) {
      expect(dev.read(offset)).toBe(0);
      dev.write(offset, 0xffff_ffff);
      expect(events()).toEqual([
        `read of the reserved register at 0x${offset.toString(16)}`,
        `write of the reserved register at 0x${offset.toString(16)}`,
      ]);
    }
  });

  test('read-only ones keep their values', () => {
    const { dev, events } = bench();
    dev.write(part.GCAP_ID, 0);
    dev.write(part.COUNTER_CLK_PERIOD, 0);
    dev.writeTimer(0, part.TIM_FSB_VAL, 1);
    dev.writeTimer(0, part.TIM_FSB_ADDR, 1);
    expect([dev.read(part.GCAP_ID), dev.read(part.COUNTER_CLK_PERIOD)]).toEqual([0x8086_a201, 10_000_000]);
    expect([dev.readTimer(0, part.TIM_FSB_VAL), dev.readTimer(0, part.TIM_FSB_ADDR)]).toEqual([0, 0]);
    expect(events()).toEqual([
      'write to the capabilities, which are read-only',
      'write to the capabilities, which are read-only',
      'write to the FSB route of timer 0, whose FSB_INT_DEL_CAP is 0',
      'write to the FSB route of timer 0, whose FSB_INT_DEL_CAP is 0',
    ]);
  });

  test('base moves it', () => {
    const { vcpu, dev } = bench({ base: 0xfed8_0000 });
    expect(dev.base).toBe(0xfed8_0000);
    expect(vcpu.readl(BASE)).toBe(0xffff_ffff);
    expect(() => part.timerBlock(vcpu)).toThrow('no HPET at 0xfed00000');
  });

  test.each([
    [{ timers: 2 }, /'timers' is 2/],
    [{ timers: 33 }, /'timers' is 33/],
    [{ intcap: 0 }, /'intcap' is 0/],
    [{ base: 2 ** 32 }, /'base' is 4294967296/],
  ])('properties/%o is refused', (properties, expected) => {
    expect(() => bench(properties)).toThrow(expected);
  });
});

describe('counter', () => {
  test('halted until ENABLE_CNF, then a tick each 10 ns', () => {
    const { dev, to } = bench();
    to(1003n);
    expect(dev.counter()).toBe(0n);
    dev.enable();
    for (const ticks of [1n, 2n, 100n, 12_345n]) {
      to(1003n + ticks * TICK - 1n);
      expect(dev.counter()).toBe(ticks - 1n);
      to(1003n + ticks * TICK);
      expect(dev.counter()).toBe(ticks);
    }
  });

  test('keeps its value while halted, and goes on from it', () => {
    const { dev, to } = bench();
    dev.enable();
    to(99n);
    dev.disable();
    to(1_000_000n);
    expect(dev.counter()).toBe(9n);
    dev.enable();
    to(1_000_009n);
    expect(dev.counter()).toBe(9n);
    to(1_000_010n);
    expect(dev.counter()).toBe(10n);
  });

  test('is written while halted', () => {
    const { dev, to, events } = bench();
    dev.setCounter(0xffff_ffff_ffff_fffen);
    expect(dev.counter()).toBe(0xffff_ffff_ffff_fffen);
    dev.enable();
    to(2n * TICK - 1n);
    expect(dev.counter()).toBe(0xffff_ffff_ffff_ffffn);
    to(2n * TICK);
    expect(dev.counter()).toBe(0n);
    expect(events()).toEqual([]);
  });

  test('the high half takes the carry', () => {
    const { dev, to } = bench();
    dev.setCounter(TURN_32 - 1n);
    dev.enable();
    to(TICK - 1n);
    expect([dev.read(MAIN_CNT), dev.read(MAIN_CNT_HIGH)]).toEqual([0xffff_ffff, 0]);
    to(TICK);
    expect([dev.read(MAIN_CNT), dev.read(MAIN_CNT_HIGH)]).toEqual([0, 1]);
  });

  test('a write while it runs is ignored', () => {
    const { dev, to, events } = bench();
    dev.enable();
    to(50n);
    dev.setCounter(0x1234_5678n);
    expect(dev.counter()).toBe(5n);
    dev.disable();
    expect(dev.counter()).toBe(5n);
    expect(events()).toEqual(Array(2).fill('write to the main counter while it runs, which is ignored'));
  });

  test('ENABLE_CNF written again changes nothing', () => {
    const { dev, to } = bench();
    dev.enable();
    for (let ns = 3n; ns < 100n; ns += 3n) {
      to(ns);
      dev.enable();
      expect(dev.counter()).toBe(ns / TICK);
    }
  });
});

describe('one-shot', () => {
  test.each([1n, 2n, 99n, 100n, 12_345n])('64-bit/%i ticks ahead, once', (at) => {
    const { dev, to, line, clock } = bench();
    to(7n);
    dev.oneShot(1, at, { route: 5 });
    dev.enable();
    expect(clock.deadline).toBe(7n + at * TICK);
    to(7n + at * TICK - 1n);
    expect(line(5).edges).toBe(0);
    to(7n + at * TICK);
    expect([line(5).edges, line(5).level, clock.deadline]).toEqual([1, false, undefined]);
    expect([dev.comparator(1), dev.pending()]).toEqual([at, 0]);
    to(10n ** 9n);
    expect(line(5).edges).toBe(1);
  });

  test('armed between two ticks, it comes with a tick', () => {
    const { dev, to, line } = bench();
    dev.enable();
    to(1009n);
    dev.oneShot(0, 101n, { route: 3 });
    expect(line(3).edges).toBe(0);
    to(1010n);
    expect(line(3).edges).toBe(1);
  });

  test.each([
    ['the present', 0n],
    ['the past', -1n],
    ['long past', -50n],
  ])('64-bit/%s never comes', (_what, ahead) => {
    const { dev, to, line, clock } = bench();
    dev.enable();
    to(1005n);
    dev.oneShot(0, 100n + ahead, { route: 3 });
    expect(clock.deadline).toBeUndefined();
    to(10n ** 12n);
    expect(line(3).edges).toBe(0);
  });

  test('64-bit/the counter wraps', () => {
    const { dev, to, line } = bench();
    dev.setCounter(-10n);
    dev.oneShot(0, 5n, { route: 3 });
    dev.enable();
    to(15n * TICK - 1n);
    expect(line(3).edges).toBe(0);
    to(15n * TICK);
    expect(line(3).edges).toBe(1);
  });

  test('64-bit/needs both halves', () => {
    const { dev, to, line } = bench();
    dev.setCounter(TURN_32 - 100n);
    dev.oneShot(0, TURN_32 + 50n, { route: 3 });
    dev.enable();
    to(150n * TICK - 1n);
    expect(line(3).edges).toBe(0);
    to(150n * TICK);
    expect(line(3).edges).toBe(1);
  });

  test('32-bit/match and wrap, each turn', () => {
    const { dev, to, line } = bench();
    dev.setCounter(0x7_0000_0000n);
    dev.oneShot(0, 1000n, { route: 3, mode32: true });
    expect(dev.comparator(0)).toBe(1000n);
    dev.enable();
    const expected = [1000n, TURN_32, TURN_32 + 1000n, 2n * TURN_32, 2n * TURN_32 + 1000n];
    for (const [edges, at] of expected.entries()) {
      to(at * TICK - 1n);
      expect(line(3).edges).toBe(edges);
      to(at * TICK);
      expect(line(3).edges).toBe(edges + 1);
    }
  });

  test('32-bit/a comparator of 0 is the wrap', () => {
    const { dev, to, line } = bench();
    dev.setCounter(TURN_32 - 5n);
    dev.oneShot(0, 0n, { route: 3, mode32: true });
    dev.enable();
    to(5n * TICK);
    expect(line(3).edges).toBe(1);
    to(5n * TICK + TURN_32 * TICK);
    expect(line(3).edges).toBe(2);
  });

  test('32MODE_CNF clears the high half, for good', () => {
    const { dev, conf } = bench();
    conf(0);
    dev.writeTimer(0, TIM_COMP_HIGH, 7);
    dev.writeTimer(0, TIM_COMP, 5);
    conf(0, MODE32);
    expect(dev.comparator(0)).toBe(5n);
    dev.writeTimer(0, TIM_COMP_HIGH, 7);
    expect(dev.comparator(0)).toBe(5n);
    conf(0);
    expect(dev.comparator(0)).toBe(5n);
  });

  test('moved before it comes', () => {
    const { dev, to, line } = bench();
    dev.enable();
    dev.oneShot(0, 100n, { route: 3 });
    to(999n);
    dev.writeTimer(0, TIM_COMP, 200);
    to(1999n);
    expect(line(3).edges).toBe(0);
    to(2000n);
    expect(line(3).edges).toBe(1);
  });

  test('the halted counter holds it up', () => {
    const { dev, to, line } = bench();
    dev.enable();
    dev.oneShot(0, 100n, { route: 3 });
    to(900n);
    dev.disable();
    to(5000n);
    expect(line(3).edges).toBe(0);
    dev.enable();
    to(5099n);
    expect(line(3).edges).toBe(0);
    to(5100n);
    expect(line(3).edges).toBe(1);
  });
});

describe('periodic', () => {
  test('exact/first and period of their own', () => {
    const { dev, to, line } = bench();
    dev.enable();
    to(5n);
    dev.periodic(2, 1000n, 300n, { route: 7 });
    for (let i = 0n; i < 50n; i++) {
      const at = (1000n + i * 300n) * TICK;
      to(at - 1n);
      expect([line(7).edges, dev.comparator(2)]).toEqual([Number(i), 1000n + i * 300n]);
      to(at);
      expect([line(7).edges, dev.comparator(2)]).toEqual([Number(i) + 1, 1000n + (i + 1n) * 300n]);
    }
  });

  test('one write after VAL_SET sets accumulator and period', () => {
    // Section 2.3.9.2.2, the example with 123h.
    const { dev, to, conf } = bench();
    conf(0, TYPE_CNF, MODE32, VAL_SET_CNF, INT_ENB_CNF);
    dev.writeTimer(0, TIM_COMP, 0x123);
    dev.enable();
    for (const at of [0x123n, 0x246n, 0x369n]) {
      expect(dev.comparator(0)).toBe(at);
      to(at * TICK - 1n);
      expect(dev.comparator(0)).toBe(at);
      to(at * TICK);
    }
    expect(dev.comparator(0)).toBe(0x48cn);
  });

  test('as Linux programs it: next, then period', () => {
    const { dev, to, line, conf } = bench();
    dev.setCounter(5000n);
    dev.enable();
    conf(0, TYPE_CNF, MODE32, VAL_SET_CNF, INT_ENB_CNF, route(2));
    dev.writeTimer(0, TIM_COMP, 6000);
    dev.writeTimer(0, TIM_COMP, 2000);
    for (const [edges, at] of [1000n, 3000n, 5000n].entries()) {
      to(at * TICK - 1n);
      expect(line(2).edges).toBe(edges);
      to(at * TICK);
      expect(line(2).edges).toBe(edges + 1);
    }
  });

  test('a write without VAL_SET changes the period after the next match', () => {
    const { dev, to, line } = bench();
    dev.periodic(0, 1000n, 1000n, { route: 2 });
    dev.enable();
    to(1500n * TICK);
    dev.writeTimer(0, TIM_COMP, 250);
    expect(dev.comparator(0)).toBe(2000n);
    to(2000n * TICK - 1n);
    expect(line(2).edges).toBe(1);
    to(2000n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([2, 2250n]);
    to(2500n * TICK);
    expect(line(2).edges).toBe(4);
  });

  test('VAL_SET_CNF reads back until the comparator is written', () => {
    const { dev, conf } = bench();
    conf(0, TYPE_CNF, VAL_SET_CNF);
    expect(VAL_SET_CNF.test(dev.readTimer(0, TIM_CONF))).toBe(true);
    dev.writeTimer(0, TIM_COMP, 100);
    expect(VAL_SET_CNF.test(dev.readTimer(0, TIM_CONF))).toBe(false);
    conf(0, TYPE_CNF, VAL_SET_CNF);
    conf(0, TYPE_CNF);
    dev.writeTimer(0, TIM_COMP, 200);
    expect(dev.readTimer(0, TIM_COMP)).toBe(100);
  });

  test('VAL_SET for each half, as the ICH asks', () => {
    const { dev, conf } = bench();
    conf(0, TYPE_CNF, VAL_SET_CNF);
    dev.writeTimer(0, TIM_COMP, 0x11);
    conf(0, TYPE_CNF, VAL_SET_CNF);
    dev.writeTimer(0, TIM_COMP_HIGH, 0x22);
    dev.writeTimer(0, TIM_COMP, 0x33);
    dev.writeTimer(0, TIM_COMP_HIGH, 0x44);
    expect(dev.comparator(0)).toBe(0x22_0000_0011n);
  });

  test('VAL_SET for both halves of an 8-byte write', () => {
    const { vcpu, dev, to, line, conf } = bench();
    conf(0, TYPE_CNF, VAL_SET_CNF, INT_ENB_CNF, route(2));
    vcpu.writeq(BASE + part.timerOffset(0, TIM_COMP), 500n);
    expect(dev.comparator(0)).toBe(500n);
    vcpu.writeq(BASE + part.timerOffset(0, TIM_COMP), 200n);
    expect(dev.comparator(0)).toBe(500n);
    dev.enable();
    to(900n * TICK);
    expect(line(2).edges).toBe(3);
  });

  test('VAL_SET is over after the low half has been written again', () => {
    const { dev, conf } = bench();
    conf(0, TYPE_CNF, VAL_SET_CNF);
    dev.writeTimer(0, TIM_COMP, 1);
    dev.writeTimer(0, TIM_COMP, 2);
    dev.writeTimer(0, TIM_COMP_HIGH, 3);
    expect(dev.comparator(0)).toBe(0xffff_ffff_0000_0001n);
  });

  test('32-bit/the accumulator wraps through 0', () => {
    // Section 2.3.9.2.2, the example with FFFF0000h and 20000h; no interrupt at the wrap itself.
    const { dev, to, line } = bench();
    dev.setCounter(0xfffe_0000n);
    dev.periodic(0, 0xffff_0000n, 0x2_0000n, { route: 2, mode32: true });
    dev.enable();
    to(0x1_0000n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([1, 0x1_0000n]);
    to(0x3_0000n * TICK - 1n);
    expect(line(2).edges).toBe(1);
    to(0x3_0000n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([2, 0x3_0000n]);
  });

  test('64-bit/the accumulator wraps through 0', () => {
    const { dev, to, line } = bench();
    dev.setCounter(-1000n);
    dev.periodic(0, -500n, 1000n, { route: 2 });
    dev.enable();
    to(500n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([1, 500n]);
    to(1500n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([2, 1500n]);
  });

  test('period/0 matches once a turn', () => {
    const { dev, to, line, clock } = bench();
    dev.periodic(0, 100n, 0n, { route: 2, mode32: true });
    dev.enable();
    to(100n * TICK);
    expect([line(2).edges, dev.comparator(0), clock.deadline]).toEqual([1, 100n, (100n + TURN_32) * TICK]);
  });

  test('one-shot again: the accumulator stays where it is', () => {
    const { dev, to, line, conf } = bench();
    dev.periodic(0, 200n, 200n, { route: 2 });
    dev.enable();
    to(500n * TICK);
    conf(0, INT_ENB_CNF, route(2));
    expect(dev.comparator(0)).toBe(600n);
    to(10_000n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([3, 600n]);
  });

  test('no drift over a day', () => {
    const { dev, clock, line, vcpu } = bench();
    dev.periodic(0, 8_640_000_000n, 8_640_000_000n, { route: 2 });
    dev.enable();
    for (let i = 0; i < 1000; i++) vcpu.waitIrq(line(2), { timeout: '90s' });
    expect(clock.now).toBe(86_400n * 10n ** 9n);
  });
});

describe('short periods', () => {
  /** The nanoseconds at which the line rises until `end`. */
  function rises(period: bigint, first: bigint, end: bigint): bigint[] {
    const { dev, line, clock } = bench();
    dev.periodic(0, first, period, { route: 2 });
    dev.enable();
    const found: bigint[] = [];
    for (let edges = 0; clock.deadline !== undefined && clock.deadline <= end;) {
      clock.step();
      if (line(2).edges === edges) continue;
      edges = line(2).edges;
      found.push(clock.now);
    }
    return found;
  }

  test.each([
    [1n, 100n],
    [2n, 100n],
    [30n, 120n],
    [50n, 100n],
    [99n, 198n],
    [100n, 100n],
    [101n, 101n],
  ])('a period of %i ticks interrupts each %i', (period, interval) => {
    const found = rises(period, 1000n, 20_000n);
    expect(found[0]).toBe(10_000n);
    expect(found[1]).toBe((1000n + interval) * TICK);
    expect(found[2]).toBe((1000n + 2n * interval) * TICK);
  });

  test('the accumulator moves at each match all the same', () => {
    const { dev, to } = bench();
    dev.periodic(0, 1000n, 7n, {});
    dev.enable();
    expect(dev.comparator(0)).toBe(1000n);
    to(999n * TICK);
    expect(dev.comparator(0)).toBe(1000n);
    for (let tick = 1000n; tick < 1400n; tick++) {
      to(tick * TICK);
      expect(dev.comparator(0)).toBe(1007n + ((tick - 1000n) / 7n) * 7n);
    }
  });

  test('a new period counts from the match that comes next', () => {
    const { dev, to, line } = bench();
    dev.periodic(0, 1000n, 7n, { route: 2 });
    dev.enable();
    to(1010n * TICK);
    expect(dev.comparator(0)).toBe(1014n);
    dev.writeTimer(0, TIM_COMP, 500);
    to(1014n * TICK - 1n);
    expect(line(2).edges).toBe(1);
    to(1014n * TICK);
    expect([line(2).edges, dev.comparator(0)]).toEqual([2, 1514n]);
  });

  test('halting the counter keeps the next match', () => {
    const { dev, to, line } = bench();
    dev.periodic(0, 1000n, 7n, { route: 2 });
    dev.enable();
    to(1010n * TICK);
    dev.disable();
    expect(dev.comparator(0)).toBe(1014n);
    to(50_000n);
    dev.enable();
    to(50_000n + 4n * TICK);
    expect(line(2).edges).toBe(2);
  });

  test('24 timers of one tick: bounded work', () => {
    const { dev, to, line } = bench({ timers: 24 });
    for (let n = 0; n < 24; n++) dev.periodic(n, 1000n + BigInt(n), 1n, { route: n });
    dev.enable();
    to(10_000n + 10n ** 6n);
    for (let n = 0; n < 24; n++) expect(line(n).edges).toBeLessThanOrEqual(1001);
    expect(line(0).edges).toBe(1001);
  });

  test('real time/a period of a tick does not hold up the machine', () => {
    const { dev, clock, line } = bench({ clock: 'realtime' });
    dev.periodic(0, 1000n, 1n, { route: 2 });
    dev.enable();
    clock.step('20ms');
    const now = clock.now;
    expect(line(2).edges).toBeGreaterThan(0);
    expect(line(2).edges).toBeLessThanOrEqual(Number(now / 1000n));
    const at = dev.comparator(0);
    const counter = dev.counter();
    expect(at).toBeGreaterThan(0n);
    expect(at).toBeLessThanOrEqual(counter + 100n);
  });
});

describe('interrupts', () => {
  test('edge/a pulse each time, and no status', () => {
    const { dev, to, line } = bench();
    dev.periodic(0, 100n, 100n, { route: 23 });
    dev.enable();
    to(1050n * TICK);
    expect([line(23).edges, line(23).level, dev.pending()]).toEqual([10, false, 0]);
  });

  test('level/up until the status is cleared', () => {
    const { dev, to, line } = bench();
    dev.periodic(1, 100n, 100n, { route: 23, level: true });
    dev.enable();
    to(100n * TICK - 1n);
    expect([line(23).level, dev.pending()]).toEqual([false, 0]);
    to(100n * TICK);
    expect([line(23).level, dev.pending()]).toEqual([true, 0b10]);
    to(450n * TICK);
    expect([line(23).level, line(23).edges]).toEqual([true, 1]);
    dev.write(GINTR_STA, 0b101);
    expect(line(23).level).toBe(true);
    dev.acknowledge(1);
    expect([line(23).level, dev.pending()]).toEqual([false, 0]);
    to(500n * TICK);
    expect([line(23).level, line(23).edges]).toEqual([true, 2]);
  });

  test('level/the last timer, the last pin', () => {
    const { dev, to, line } = bench({ timers: 24 });
    dev.oneShot(23, 100n, { route: 31, level: true });
    dev.enable();
    to(1000n);
    expect([line(31).level, dev.pending()]).toEqual([true, 0x80_0000]);
    dev.acknowledge(23);
    expect([line(31).level, dev.pending()]).toEqual([false, 0]);
  });

  test('level/two timers share a pin', () => {
    const { dev, to, line } = bench();
    dev.oneShot(0, 100n, { route: 9, level: true });
    dev.oneShot(2, 200n, { route: 9, level: true });
    dev.enable();
    to(2000n);
    expect(dev.pending()).toBe(0b101);
    dev.acknowledge(0);
    expect(line(9).level).toBe(true);
    dev.acknowledge(2);
    expect([line(9).level, line(9).edges]).toEqual([false, 1]);
  });

  test('INT_ENB_CNF/without it, the status alone', () => {
    const { dev, to, line } = bench();
    dev.oneShot(0, 100n, { route: 9, level: true, enabled: false });
    dev.oneShot(1, 100n, { route: 9, enabled: false });
    dev.enable();
    to(1000n);
    expect([line(9).edges, dev.pending()]).toEqual([0, 1]);
    dev.writeTimer(0, TIM_CONF, dev.readTimer(0, TIM_CONF) | INT_ENB_CNF.mask);
    expect(line(9).level).toBe(true);
    dev.stop(0);
    expect([line(9).level, dev.pending()]).toEqual([false, 1]);
  });

  test('ENABLE_CNF/lowers the line and keeps the status', () => {
    const { dev, to, line } = bench();
    dev.oneShot(0, 100n, { route: 9, level: true });
    dev.enable();
    to(1000n);
    dev.disable();
    expect([line(9).level, dev.pending()]).toEqual([false, 1]);
    dev.enable();
    expect(line(9).level).toBe(true);
  });

  test('INT_TYPE_CNF/edge clears the status', () => {
    const { dev, to, line, conf } = bench();
    dev.oneShot(0, 100n, { route: 9, level: true });
    dev.enable();
    to(1000n);
    conf(0, INT_ENB_CNF, route(9));
    expect([line(9).level, dev.pending()]).toEqual([false, 0]);
    conf(0, INT_ENB_CNF, INT_TYPE_CNF, route(9));
    expect([line(9).level, dev.pending()]).toEqual([false, 0]);
  });

  test('INT_ROUTE_CNF/moves a line that is up', () => {
    const { dev, to, line, conf } = bench();
    dev.oneShot(0, 100n, { route: 9, level: true });
    dev.enable();
    to(1000n);
    conf(0, INT_ENB_CNF, INT_TYPE_CNF, route(10));
    expect([line(9).level, line(10).level]).toEqual([false, true]);
  });

  test('INT_ROUTE_CAP/a route that is not in it leads nowhere', () => {
    const { dev, to, line, events } = bench({ intcap: 0x4 });
    dev.oneShot(0, 100n, { route: 3 });
    dev.oneShot(1, 100n, { route: 3, level: true });
    dev.oneShot(2, 100n, { route: 2, level: true });
    dev.enable();
    to(1000n);
    expect([line(3).edges, line(2).edges, dev.pending()]).toEqual([0, 1, 0b110]);
    expect(INT_ROUTE_CNF.get(dev.readTimer(0, TIM_CONF))).toBe(3);
    expect(events()).toEqual([
      'route of timer 0 set to 3, which INT_ROUTE_CAP lacks',
      'route of timer 1 set to 3, which INT_ROUTE_CAP lacks',
    ]);
  });

  test('status cannot be set by writing', () => {
    const { dev, line } = bench();
    dev.enable();
    dev.write(GINTR_STA, 0xffff_ffff);
    expect([dev.pending(), line(0).edges]).toEqual([0, 0]);
  });
});

describe('legacy replacement', () => {
  test('timer 0 is pin 0, timer 1 is pin 8, timer 2 as it is routed', () => {
    const { dev, to, line } = bench({ intcap: 0x4 });
    dev.setLegacy(true);
    for (const n of [0, 1, 2]) dev.oneShot(n, 100n, { route: 2 });
    dev.enable();
    to(999n);
    expect([0, 2, 8].map((pin) => line(pin).edges)).toEqual([0, 0, 0]);
    to(1000n);
    expect([0, 2, 8].map((pin) => line(pin).edges)).toEqual([1, 1, 1]);
  });

  test('level-triggered, and switched while up', () => {
    const { dev, to, line } = bench();
    dev.oneShot(0, 100n, { route: 5, level: true });
    dev.oneShot(1, 100n, { route: 6, level: true });
    dev.enable();
    to(1000n);
    dev.setLegacy(true);
    expect([0, 5, 6, 8].map((pin) => line(pin).level)).toEqual([true, false, false, true]);
    dev.setLegacy(false);
    expect([0, 5, 6, 8].map((pin) => line(pin).level)).toEqual([false, true, true, false]);
  });

  test('the PIT and the RTC pass only without it', () => {
    const { vcpu, dev, line, machine } = bench();
    vcpu.outb(0x10, 0b11);
    expect([line(0).level, line(8).level]).toEqual([true, true]);
    dev.setLegacy(true);
    expect([line(0).level, line(8).level]).toEqual([false, false]);
    vcpu.outb(0x10, 0b00);
    vcpu.outb(0x10, 0b10);
    expect([line(0).edges, line(8).edges]).toEqual([1, 1]);
    dev.setLegacy(false);
    expect([line(0).level, line(8).level]).toEqual([false, true]);
    dev.setLegacy(true);
    machine.reset('warm');
    expect([line(0).level, line(8).level]).toEqual([false, true]);
  });

  test('IRQ 0 of the 8259A, in the place of the PIT', () => {
    const { vcpu, clock } = testMachine((m) => {
      const isa = m.add('isa-bus');
      m.add('i8259', { bus: isa, fallenRequest: 'latched' });
      const block = m.add('hpet');
      m.connect(m.output(block, 'irq', 0), m.line(isa, 0));
    });
    vcpu.outb(0x20, 0x11);
    for (const icw of [0x20, 0x04, 0x01, 0xfe]) vcpu.outb(0x21, icw);
    const dev = part.timerBlock(vcpu);
    const taken: bigint[] = [];
    vcpu.onInterrupt(0x20, () => {
      taken.push(clock.now);
      vcpu.outb(0x20, 0x20);
    });
    dev.setLegacy(true);
    dev.periodic(0, dev.ticks(1_000_000n), dev.ticks(1_000_000n));
    dev.enable();
    clock.step('5ms');
    expect(taken).toEqual([1n, 2n, 3n, 4n, 5n].map((ms) => ms * 1_000_000n));
  });
});

describe('reset', () => {
  test.each(['warm', 'cold'] as const)('%s/everything as at first', (kind) => {
    const { dev, to, line, clock, machine } = bench({ intcap: 0x4 });
    dev.setLegacy(true);
    dev.periodic(0, 100n, 30n, { level: true });
    dev.periodic(1, 100n, 300n);
    dev.enable();
    to(5000n);
    expect(line(0).level).toBe(true);
    machine.reset(kind);
    expect([line(0).level, clock.deadline]).toEqual([false, undefined]);
    for (const register of part.REGISTERS)
      expect([register.name, dev.read(register)]).toEqual([register.name, register.reset]);
    to(10_000n);
    expect(dev.counter()).toBe(0n);
  });
});

describe('driver', () => {
  test('ticks are rounded up', () => {
    const { dev } = bench();
    expect([0n, 1n, 10n, 11n].map((ns) => dev.ticks(ns))).toEqual([0n, 1n, 1n, 2n]);
  });

  test('a timer that there is not', () => {
    const { dev } = bench();
    expect(() => dev.oneShot(3, 1n)).toThrow('HPET timer 3');
  });
});

describe('any accesses', () => {
  const access = fc.record({
    offset: fc.oneof(
      fc.constantFrom(0x10, 0x20, 0xf0, 0xf4, 0x100, 0x108, 0x10c, 0x120, 0x128, 0x12c, 0x140, 0x148, 0x14c),
      fc.nat(0x3ff).map((offset) => offset & ~3),
    ),
    value: fc.oneof(fc.constantFrom(0, 1, 2, 3, 0x4c, 0x14c, 0x14e, 0x4e, 0x4), fc.nat(5000), fc.nat(0xffff_ffff)),
    step: fc.oneof(fc.constant(0), fc.nat(25), fc.nat(20_000)),
    write: fc.boolean(),
  });

  function run(accesses: readonly (typeof access extends fc.Arbitrary<infer A> ? A : never)[], snapshotAt: number) {
    const { vcpu, clock, machine, bound, line } = bench();
    const seen: unknown[] = [];
    for (const [i, { offset, value, step, write }] of accesses.entries()) {
      if (write) vcpu.writel(BASE + offset, value);
      else seen.push(vcpu.readl(BASE + offset));
      const { deadline, now } = clock;
      expect(deadline === undefined || deadline > now).toBe(true);
      clock.step(BigInt(step));
      if (i === snapshotAt) {
        const snapshot = machine.snapshot();
        vcpu.writel(BASE + GEN_CONF.offset, 3);
        for (let n = 0; n < 3; n++) vcpu.writel(BASE + part.timerOffset(n, TIM_COMP), 1);
        clock.step(12_345n);
        machine.restore(snapshot);
      }
      seen.push(clock.now, clock.deadline, line(0).edges, line(0).level);
    }
    expect(bound.bus.fault).toBeUndefined();
    return seen;
  }

  test('no throw, deadlines ahead, and a snapshot in the middle changes nothing', () => {
    fc.assert(
      fc.property(fc.array(access, { minLength: 5, maxLength: 60 }), fc.nat(50), (accesses, at) => {
        expect(run(accesses, at)).toEqual(run(accesses, -1));
      }),
      { numRuns: 80 },
    );
  });

  test('the periodic timer agrees with a count by hand', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 400n),
        fc.bigInt(1n, 300n),
        fc.array(fc.nat(3000), { maxLength: 20 }),
        (first, period, steps) => {
          const { dev, clock } = bench();
          dev.periodic(0, first, period);
          dev.enable();
          for (const step of steps) {
            clock.step(BigInt(step));
            const tick = clock.now / TICK;
            const next = tick < first ? first : first + ((tick - first) / period + 1n) * period;
            expect(dev.comparator(0)).toBe(next);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
