import type { Vcpu } from '@qtest/sdk';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { firedOf, ON_FIRE, TICKER, ticker } from '../../../test/support/devices.ts';
import { PluginRun } from '../../testing/run-plugin.ts';
import { createHooks } from '../hooks.ts';
import { testMachine } from '../../../test/support/machine.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** The real clock. A loaded computer makes everything late, but nothing early: late is bounded generously, early not at all. */

const BASE = 0x200;
const MS = 1_000_000;
/** What a loaded computer may add, ns. */
const LATE = 500 * MS;

function bench(stallLimit?: number) {
  const harness = testMachine((m) => void m.add(ticker, { base: BASE }), {
    devices: [ticker],
    clock: 'realtime',
    ...(stallLimit !== undefined && { stallLimit }),
  });
  const context = harness.bound.context('ticker0');
  if (context === undefined) throw new Error('no ticker');
  const arm = (vcpu: Vcpu, n: number, ns: number): void => vcpu.outl(BASE + TICKER.ARM + 4 * n, ns);
  return {
    ...harness,
    arm: (n: number, ns: number): void => arm(harness.vcpu, n, ns),
    fired: () => firedOf(context),
    line: harness.machine.irq('ticker0', 'irq', 0),
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('one VCPU, no I/O thread', () => {
  test('time goes on by itself, and never backwards', () => {
    const { clock } = bench();
    expect(clock.kind).toBe('realtime');
    let last = clock.now;
    expect(last).toBeLessThan(LATE);
    for (let n = 0; n < 20_000; n++) {
      const { now } = clock;
      if (now < last) throw new Error(`${now} after ${last}`);
      last = now;
    }
    const [before, started] = [clock.now, performance.now()];
    compute(20);
    const [machine, wall] = [Number(clock.now - before), (performance.now() - started) * 1e6];
    expect(machine).toBeGreaterThanOrEqual(20 * MS);
    expect(machine).toBeLessThan(wall + LATE);
  });

  test('a waiting VCPU fires the timer itself, at its time', () => {
    const { arm, vcpu, fired, clock, line } = bench();
    const start = clock.now;
    arm(0, 20 * MS);
    const waited = vcpu.waitIrq(line);
    expect(fired()).toHaveLength(1);
    expect(clock.now - start).toBeGreaterThanOrEqual(20n * BigInt(MS));
    expect(waited).toBeLessThan(20 * MS + LATE);
  });

  test('it sleeps until the deadline, and not until its next look 50 ms later', () => {
    const { arm, vcpu, line } = bench();
    const waits: number[] = [];
    for (let n = 0; n < 30; n++) {
      arm(0, 2 * MS);
      waits.push(Number(vcpu.waitIrq(line)));
    }
    expect(median(waits)).toBeLessThan(45 * MS);
  });

  test('a timer that has come due fires before the next access', () => {
    const { arm, vcpu, fired, clock } = bench();
    arm(0, 2 * MS);
    compute(5);
    expect(fired()).toEqual([]);
    expect(vcpu.inl(BASE + TICKER.FIRED)).toBe(1);
    const { now } = clock;
    expect(now).toBeGreaterThanOrEqual(5 * MS);
  });

  test('any access will do', () => {
    for (const access of [
      (vcpu: Vcpu) => vcpu.inb(0x80),
      (vcpu: Vcpu) => vcpu.outb(0x80, 0),
      (vcpu: Vcpu) => vcpu.readl(0x8000_0000),
      (vcpu: Vcpu) => vcpu.read(0, 4),
    ]) {
      const { arm, vcpu, fired } = bench();
      arm(0, MS);
      compute(3);
      access(vcpu);
      expect(fired()).toHaveLength(1);
    }
  });

  test('several that have come due fire by deadline and order', () => {
    const { arm, vcpu, fired } = bench();
    arm(3, 3 * MS);
    arm(1, 2 * MS);
    arm(0, MS);
    compute(6);
    // An instant at each access, so that its interrupt can be taken before the next.
    vcpu.inb(0x80);
    expect(fired().map((item) => item.split('@')[0])).toEqual(['0']);
    vcpu.inb(0x80);
    vcpu.inb(0x80);
    expect(fired().map((item) => item.split('@')[0])).toEqual(['0', '1', '3']);
  });

  test('one that comes again catches up, and keeps its phase', () => {
    const { arm, vcpu, bound, fired } = bench();
    vcpu.outl(BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN + 2 * MS * 256);
    arm(0, 2 * MS);
    compute(15);
    for (let n = 0; n < 8; n++) vcpu.inb(0x80);
    const deadlines = fired().map((item) => Number(/@(\d+)/.exec(item)?.[1]));
    expect(deadlines.length).toBeGreaterThanOrEqual(7);
    for (const [n, at] of deadlines.entries()) expect(at - (deadlines[0] ?? 0)).toBe(2 * MS * n);
    expect(bound.bus.fault).toBeUndefined();
  });

  test('regression: instants that are late come one by one, and each interrupt is taken', () => {
    const { vcpu, clock } = testMachine((m) => void m.add('mc146818rtc', { bus: m.add('isa-bus') }), {
      clock: 'realtime',
    });
    const read = (index: number): number => {
      vcpu.outb(0x70, index);
      return vcpu.inb(0x71);
    };
    let taken = 0;
    vcpu.onIrq(8, () => {
      if ((read(0x0c) & 0x40) !== 0) taken++;
    });
    const before = clock.now;
    vcpu.outb(0x70, 0x0b);
    vcpu.outb(0x71, 0x42);
    const after = clock.now;
    // RS = 6 is 1024 Hz: over 100 while the host computes.
    const due = (since: bigint): number => Math.floor((Number(clock.now - since) * 1024) / 1e9);
    compute(100);
    clock.step('20ms');
    const expected = due(after);
    // Each access brings one.
    for (let n = 0; n < 1000 && taken < expected; n++) vcpu.inb(0x80);
    expect(expected).toBeGreaterThan(120);
    expect(taken).toBeGreaterThanOrEqual(expected - 1);
    // PF may be set already, and a period end at once.
    expect(taken).toBeLessThanOrEqual(due(before) + 2);
  });

  test('step waits that long; poll and time-outs too', () => {
    const { vcpu, clock, line } = bench();
    for (const wait of [
      () => clock.step('15ms'),
      () => expect(() => vcpu.waitIrq(line, { timeout: '15ms' })).toThrow(expect.objectContaining({ code: 'TIMEOUT' })),
      () =>
        expect(() => vcpu.poll(() => false, { timeout: '15ms', step: '1ms' })).toThrow(
          expect.objectContaining({ code: 'TIMEOUT' }),
        ),
      () => expect(() => vcpu.idle({ timeout: '15ms' })).toThrow(expect.objectContaining({ code: 'TIMEOUT' })),
    ]) {
      const [start, started] = [clock.now, performance.now()];
      wait();
      expect(clock.now - start).toBeGreaterThanOrEqual(15 * MS);
      expect(clock.now - start).toBeLessThan(15 * MS + LATE);
      expect(performance.now() - started).toBeGreaterThan(14);
    }
  });

  test('step takes interrupts on the way, and fires timers at their time', () => {
    const { arm, vcpu, clock, fired, line } = bench();
    const seen: bigint[] = [];
    vcpu.onIrq(line, () => seen.push(clock.now));
    const start = clock.now;
    arm(0, 5 * MS);
    clock.step('40ms');
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBeGreaterThanOrEqual(Number(start) + 5 * MS);
    expect(fired()).toHaveLength(1);
  });

  test('regression: step to a deadline that passes meanwhile is no bad duration', () => {
    const { arm, clock } = bench();
    for (let n = 0; n < 3000; n++) {
      arm(0, 1000 + (n % 50) * 40);
      try {
        clock.step();
      } catch (error) {
        // It may have fired before step() looked.
        expect(error).toMatchObject({ code: 'DEADLOCK' });
      }
    }
  });

  test('step without a duration: to the next deadline; with no timer armed an error', () => {
    const { arm, clock, fired } = bench();
    arm(0, 10 * MS);
    const { deadline } = clock;
    expect(clock.step()).toBeGreaterThanOrEqual(Number(deadline));
    expect(fired()).toHaveLength(1);
    expect(clock.deadline).toBeUndefined();
    expect(() => clock.step()).toThrow(expect.objectContaining({ code: 'DEADLOCK' }));
  });

  test('waiting with no timer armed is no deadlock: something may come from outside', () => {
    const { vcpu, line } = bench();
    expect(() => vcpu.waitIrq(line, { timeout: '5ms' })).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
  });

  test('nothing stalls: time goes on by itself', () => {
    const { vcpu } = bench(2048);
    for (let n = 0; n < 20_000; n++) vcpu.inb(0x80);
  });

  test('restored, the clock goes on from there, and deadlines keep their distance', () => {
    const { arm, vcpu, machine, clock, fired, line } = bench();
    compute(5);
    arm(0, 100 * MS);
    const { deadline } = clock;
    const snapshot = machine.snapshot();
    const at = clock.now;
    for (let round = 0; round < 2; round++) {
      compute(150);
      vcpu.inb(0x80);
      expect(fired()).toHaveLength(1);
      machine.restore(snapshot);
      const back = clock.now;
      expect(back).toBeLessThan(Number(at) + LATE);
      expect(back).toBeGreaterThanOrEqual(Number(at) - LATE);
      expect([fired(), clock.deadline]).toEqual([[], deadline]);
      vcpu.waitIrq(line);
      expect(clock.now).toBeGreaterThanOrEqual(Number(deadline));
      expect(fired()).toHaveLength(1);
    }
  });

  test('armed in the past: at once', () => {
    const { vcpu, fired } = bench();
    compute(2);
    vcpu.outl(BASE + TICKER.PAST, 1000);
    expect(fired()).toHaveLength(1);
  });
});

describe('two VCPUs and the I/O thread', () => {
  let run: PluginRun;
  const value = async (name: string): Promise<unknown> => {
    const result = await run.run(name);
    expect(result).toMatchObject({ status: 'pass', failures: [] });
    return result.value;
  };
  /** How late a ticker's first timers were, ns. */
  const lateness = async (): Promise<number[]> => {
    const context = (await run.lane()).machine.context('ticker0');
    return context === undefined
      ? []
      : firedOf(context).map((item) => Number(/\/(\d+)/.exec(item)?.[1]) - Number(/@(\d+)/.exec(item)?.[1]));
  };
  beforeAll(async () => {
    run = await PluginRun.load('realtime', { clock: 'realtime' });
    await run.run('ok');
  });
  afterAll(() => run.dispose());

  test('timers fire on the I/O thread while the VCPUs compute', async () => {
    expect(await value('io-thread')).toBe(1);
    // The next access would have come 390 ms later.
    expect((await lateness())[0]).toBeLessThan(300 * MS);
    expect(await value('io-thread/periodic')).toBeGreaterThanOrEqual(30);
    expect(median(await lateness())).toBeLessThan(200 * MS);
  });

  test('regression: a timer that comes again faster than it can be fired does not keep the VCPUs from the lock', async () => {
    expect(await value('storm')).toBeGreaterThan(0);
  });

  test('a case starts at the instant of the sealed machine, whatever went before', async () => {
    expect(await value('first-instant')).toBeLessThan(100 * MS);
  });

  test("regression: the time that hooks and threads take is not the case's", async () => {
    const hooks = createHooks();
    hooks.caseStart.tapPromise(
      { name: 'slow', plugin: 'test' },
      () => new Promise((resolve) => setTimeout(resolve, 2000)),
    );
    await using slow = await PluginRun.load('realtime', { clock: 'realtime', hooks });
    for (let n = 0; n < 2; n++) {
      const result = await slow.run('first-instant');
      expect(result.status).toBe('pass');
      // The other VCPU's thread may take its time to start.
      expect(result.value).toBeLessThan(1900 * MS);
    }
  });

  test('regression: a VCPU that only reads RAM hears another one', async () => {
    expect(await value('in-ram')).toBe(1);
  });

  test('a sleeping VCPU hears another one at once', async () => {
    // A lost wake-up costs 50 ms, and there are 80 of them.
    expect(await value('ping-pong')).toBeLessThan(2500);
  });

  test('a sleeping VCPU hears of a timer that another one arms', async () => {
    // Who does not hear of it looks up to 50 ms later; a loaded computer is that late now and then, but not three times of four.
    const late = ((await value('armed-by-another')) as number[]).toSorted((a, b) => a - b);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    expect(late[late.length >> 2]).toBeLessThan(5 * MS);
  });

  test('time is one for both, and goes forwards', async () => {
    await value('monotonic');
  });

  test('a restore moves the clock, and wakes who sleeps', async () => {
    const { back, late, forth } = (await value('restore')) as { back: number; late: number; forth: number };
    // Back to within what the calls themselves take; the deadline is kept as it was.
    expect(Math.abs(back)).toBeLessThan(LATE);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(LATE);
    expect(forth).toBeLessThan(LATE);
  });

  test('regression: ticks are delivered while the case runs, put together', async () => {
    const hooks = createHooks();
    const ticks: { now: bigint; instants: number }[] = [];
    hooks.tick.tap({ name: 'count', plugin: 'test' }, ({ now, instants }) => void ticks.push({ now, instants }));
    await using counted = await PluginRun.load('realtime', { clock: 'realtime', hooks });
    const result = await counted.run('ticks');
    expect(result).toMatchObject({ status: 'pass' });
    const instants = ticks.reduce((sum, tick) => sum + tick.instants, 0);
    expect(instants).toBe(result.value);
    expect(instants).toBeGreaterThanOrEqual(149);
    // Every 20 ms, more or less.
    expect(ticks.length).toBeGreaterThan(3);
    expect(ticks.length).toBeLessThan(instants);
    expect(ticks.map(({ now }) => now)).toEqual(ticks.map(({ now }) => now).toSorted((a, b) => Number(a - b)));
  });
});
