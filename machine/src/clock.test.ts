import type { Vcpu } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firedOf, ON_FIRE, TICKER, ticker, TIMERS } from '../../test/support/devices.ts';
import { LAST_INSTANT } from './timekeeper.ts';
import { testMachine } from '../../test/support/machine.ts';

const BASE = 0x200;

function bench(stallLimit?: number) {
  const harness = testMachine(
    (m) => {
      m.ram(0, 0x1000);
      m.add(ticker, { base: BASE });
    },
    { devices: [ticker], ...(stallLimit !== undefined && { stallLimit }) },
  );
  const { vcpu, machine, bound } = harness;
  const context = bound.context('ticker0');
  if (context === undefined) throw new Error('no ticker');
  return {
    ...harness,
    arm: (n: number, ns: number): void => vcpu.outl(BASE + TICKER.ARM + 4 * n, ns),
    past: (n: number, ns: number): void => vcpu.outl(BASE + TICKER.PAST + 4 * n, ns),
    cancel: (n: number): void => vcpu.outl(BASE + TICKER.CANCEL + 4 * n, 0),
    onFire: (n: number, action: number, operand = 0): void =>
      vcpu.outl(BASE + TICKER.ON_FIRE + 4 * n, action + operand * 256),
    fired: (): string[] => firedOf(context),
    forget: (): void => vcpu.outl(BASE + TICKER.FIRED, 0),
    line: (n: number) => machine.irq('ticker0', 'irq', n),
  };
}

describe('step', () => {
  test('time stands still until it is told to move', () => {
    const { vcpu, clock } = bench();
    for (let n = 0; n < 5000; n++) vcpu.inl(BASE + TICKER.FIRED);
    expect(clock.now).toBe(0n);
    expect(clock.kind).toBe('virtual');
    expect(clock.step(5n)).toBe(5n);
    expect(clock.step('1us')).toBe(1005n);
    expect(clock.step(0n)).toBe(1005n);
    expect(clock.now).toBe(1005n);
    expect(vcpu.inl(BASE + TICKER.NOW)).toBe(1005);
  });

  test('a timer fires at its deadline: 1 ns before it does not', () => {
    const { arm, clock, fired } = bench();
    arm(0, 1000);
    expect(clock.deadline).toBe(1000n);
    clock.step(999n);
    expect(fired()).toEqual([]);
    clock.step(1n);
    expect(fired()).toEqual(['0@1000']);
    expect(clock.deadline).toBeUndefined();
    clock.step(1n);
    expect(fired()).toEqual(['0@1000']);
  });

  test('a long step stops at each deadline, in their order', () => {
    const { arm, clock, fired } = bench();
    arm(2, 300);
    arm(0, 700);
    arm(3, 100);
    arm(1, 700);
    clock.step('1us');
    expect(fired()).toEqual(['3@100', '2@300', '0@700', '1@700']);
    expect(clock.now).toBe(1000n);
  });

  test('equal deadlines fire in the order of the blueprint, however they were armed', () => {
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 3, 1],
    ]) {
      const { arm, clock, fired } = bench();
      for (const n of order) arm(n, 50);
      clock.step(50n);
      expect(fired()).toEqual(['0@50', '1@50', '2@50', '3@50']);
    }
  });

  test('equal deadlines of two devices: the one that was added first', () => {
    const { vcpu, clock, bound } = testMachine(
      (m) => {
        m.add(ticker, { base: 0x200, id: 'first' });
        m.add(ticker, { base: 0x300, id: 'second' });
      },
      { devices: [ticker] },
    );
    const order: string[] = [];
    for (const id of ['second', 'first']) {
      const line = bound.blueprint.lines.findIndex(({ name }) => name === `${id}.irq[0]`);
      bound.lines.attach(line, 0, (_pin, level) => void (level && order.push(id)));
    }
    vcpu.outl(0x300, 10);
    vcpu.outl(0x200, 10);
    clock.step(10n);
    expect(order).toEqual(['first', 'second']);
  });

  test('without a duration: to the next deadline', () => {
    const { arm, clock, fired } = bench();
    arm(0, 500);
    arm(1, 200);
    expect(clock.step()).toBe(200n);
    expect(clock.step()).toBe(500n);
    expect(fired()).toEqual(['1@200', '0@500']);
    expect(() => clock.step()).toThrow(
      expect.objectContaining({ code: 'DEADLOCK', message: expect.stringContaining('no timer is armed') }),
    );
  });

  test.each([2n ** 31n, 2n ** 32n, 2n ** 33n - 2n ** 31n, 2n ** 52n, 2n ** 53n, 2n ** 62n])(
    'deadlines on both sides of %i ns',
    (border) => {
      const { arm, clock, vcpu, line } = bench();
      clock.step(border - 10n);
      const seen: [number, bigint][] = [];
      for (const n of [0, 1, 2, 3]) vcpu.onIrq(line(n), () => seen.push([n, clock.now - border]));
      for (const [n, ns] of [14, 9, 10, 11].entries()) arm(n, ns);
      expect(clock.deadline).toBe(border - 1n);
      clock.step(100n);
      expect(seen).toEqual([
        [1, -1n],
        [2, 0n],
        [3, 1n],
        [0, 4n],
      ]);
    },
  );

  test('a periodic timer keeps its phase', () => {
    const { arm, onFire, clock, fired } = bench();
    onFire(0, ON_FIRE.AGAIN, 300);
    arm(0, 100);
    clock.step('1us');
    expect(fired()).toEqual(['0@100', '0@400', '0@700', '0@1000']);
  });

  test('cancelled and moved timers do not fire; a moved one fires at its new time', () => {
    const { arm, cancel, clock, fired } = bench();
    arm(0, 100);
    arm(1, 100);
    arm(2, 100);
    cancel(0);
    arm(1, 250);
    expect(clock.deadline).toBe(100n);
    cancel(2);
    expect(clock.deadline).toBe(250n);
    arm(1, 40);
    expect(clock.deadline).toBe(40n);
    clock.step(1000n);
    expect(fired()).toEqual(['1@40']);
    cancel(1);
    expect(clock.deadline).toBeUndefined();
  });

  test('cancel inside a callback: the other timer of that instant does not fire', () => {
    const { arm, onFire, clock, fired } = bench();
    onFire(0, ON_FIRE.CANCEL, 2);
    for (const n of [0, 1, 2]) arm(n, 100);
    clock.step(100n);
    expect(fired()).toEqual(['0@100', '1@100']);
    expect(clock.deadline).toBeUndefined();
  });

  test('a timer that cancels itself in its own callback', () => {
    const { arm, onFire, clock, fired } = bench();
    onFire(1, ON_FIRE.CANCEL, 1);
    arm(1, 5);
    clock.step(10n);
    expect(fired()).toEqual(['1@5']);
  });

  test.each([1, 1000])('armed in the past, by %i ns: fires at once, after the access', (ns) => {
    const { past, clock, fired } = bench();
    clock.step(5000n);
    past(0, ns);
    expect(fired()).toEqual([`0@${5000 - ns}/5000`]);
    expect(clock.now).toBe(5000n);
  });

  test('armed for now, and for before the start', () => {
    const { arm, past, clock, fired } = bench();
    clock.step(10n);
    arm(0, 0);
    past(1, 50);
    expect(fired()).toEqual(['0@10', '1@0/10']);
  });

  test('regression: armed beyond the last instant, it waits there and does not come back from before the start', () => {
    const { vcpu, clock, fired } = bench();
    clock.step(10n);
    vcpu.outl(BASE + TICKER.FOREVER, 0);
    clock.step('1h');
    expect(fired()).toEqual([]);
    expect(clock.deadline).toBe(LAST_INSTANT);
  });

  test('regression: a step beyond the last instant is a RangeError, and time stays where it is', () => {
    const { clock } = bench();
    expect(clock.step(LAST_INSTANT - 5n)).toBe(LAST_INSTANT - 5n);
    expect(() => clock.step(6n)).toThrow(RangeError);
    expect(clock.now).toBe(LAST_INSTANT - 5n);
    expect(clock.step(5n)).toBe(LAST_INSTANT);
  });

  test.each([-1n, 2n ** 63n, '5', '1.5ns', '-1s', 5, 1.5, null])('a bad duration (%s) is a RangeError', (duration) => {
    const { clock } = bench();
    expect(() => clock.step(duration as never)).toThrow(RangeError);
    expect(clock.now).toBe(0n);
  });

  test('the VCPU takes its interrupts at each stop, at the time of the stop', () => {
    const { arm, onFire, clock, vcpu, line } = bench();
    const seen: bigint[] = [];
    onFire(0, ON_FIRE.AGAIN, 100);
    arm(0, 100);
    vcpu.onIrq(line(0), () => seen.push(clock.now));
    clock.step(350n);
    expect(seen).toEqual([100n, 200n, 300n]);
    expect(clock.now).toBe(350n);
  });

  test('a handler may step time itself; the step goes on from there', () => {
    const { arm, clock, vcpu, line, fired } = bench();
    arm(0, 100);
    arm(1, 120);
    arm(2, 190);
    vcpu.onIrq(line(0), () => void clock.step(50n));
    expect(clock.step(110n)).toBe(150n);
    expect(fired()).toEqual(['0@100', '1@120']);
    clock.step(40n);
    expect(fired()).toEqual(['0@100', '1@120', '2@190']);
  });

  test('a storm of timers at one instant ends as a fault of the device', () => {
    const { arm, onFire, clock, bound } = bench();
    onFire(3, ON_FIRE.AGAIN, 0);
    arm(3, 100);
    clock.step(200n);
    expect(bound.bus.fault).toMatchObject({
      device: 'ticker0',
      message: expect.stringContaining("timer 't3' is armed again and again"),
    });
    expect(clock.now).toBe(200n);
    expect(clock.deadline).toBeUndefined();
  });

  test('a timer that goes back in time for ever ends as one, too', () => {
    const { arm, onFire, clock, bound } = bench();
    onFire(3, ON_FIRE.EARLIER);
    arm(3, 100);
    arm(0, 150);
    clock.step(200n);
    expect(bound.bus.fault).toMatchObject({ device: 'ticker0' });
    expect(clock.now).toBe(200n);
  });

  test('a callback that throws is a fault, and the timers after it fire', () => {
    const { arm, onFire, clock, bound, fired } = bench();
    onFire(0, ON_FIRE.THROW);
    arm(0, 10);
    arm(1, 10);
    arm(2, 20);
    clock.step(30n);
    expect(bound.bus.fault).toMatchObject({ device: 'ticker0', message: 'Error: ticker: a timer throws' });
    expect(fired()).toEqual(['0@10', '1@10', '2@20']);
  });

  test('property: what fires, when and in which order, is what a list of deadlines says', () => {
    const op = fc.oneof(
      fc.record({ kind: fc.constant('arm' as const), n: fc.nat(TIMERS - 1), ns: fc.nat(60) }),
      fc.record({ kind: fc.constant('cancel' as const), n: fc.nat(TIMERS - 1) }),
      fc.record({ kind: fc.constant('step' as const), ns: fc.nat(40) }),
      fc.record({ kind: fc.constant('period' as const), n: fc.nat(TIMERS - 1), ns: fc.integer({ min: 1, max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 30 }), (ops) => {
        const { arm, cancel, onFire, clock, fired, forget } = bench();
        const deadlines: (number | undefined)[] = Array.from({ length: TIMERS });
        const periods: (number | undefined)[] = Array.from({ length: TIMERS });
        let now = 0;
        const due = (until: number): string[] => {
          const found: string[] = [];
          for (;;) {
            let first = -1;
            for (let n = 0; n < TIMERS; n++) {
              const at = deadlines[n];
              if (at !== undefined && at <= until && (first < 0 || at < (deadlines[first] ?? 0))) first = n;
            }
            const at = deadlines[first];
            if (at === undefined) break;
            now = Math.max(now, at);
            found.push(`${first}@${at}${at === now ? '' : `/${now}`}`);
            const period = periods[first];
            deadlines[first] = period === undefined ? undefined : at + period;
          }
          now = Math.max(now, until);
          return found;
        };
        for (const item of ops) {
          forget();
          let expected: string[] = [];
          if (item.kind === 'arm') {
            arm(item.n, item.ns);
            deadlines[item.n] = now + item.ns;
            expected = due(now);
          } else if (item.kind === 'cancel') {
            cancel(item.n);
            deadlines[item.n] = undefined;
          } else if (item.kind === 'period') {
            onFire(item.n, ON_FIRE.AGAIN, item.ns);
            periods[item.n] = item.ns;
          } else {
            clock.step(BigInt(item.ns));
            expected = due(now + item.ns);
          }
          expect(fired()).toEqual(expected);
          expect(clock.now).toBe(BigInt(now));
          const armed = deadlines.filter((at) => at !== undefined);
          expect(clock.deadline).toBe(armed.length === 0 ? undefined : BigInt(Math.min(...armed)));
        }
      }),
      { numRuns: 150, seed: 11 },
    );
  });
});

describe('waiting, alone', () => {
  test('waitIrq goes to the instant of the rise and gives the time waited', () => {
    const { arm, vcpu, clock, line, fired } = bench();
    clock.step(1000n);
    arm(1, 250);
    arm(0, 500);
    expect(vcpu.waitIrq(line(0))).toBe(500n);
    expect(clock.now).toBe(1500n);
    expect(fired()).toEqual(['1@1250', '0@1500']);
  });

  test('an explicit time-out is a deadline: not before, not after', () => {
    const { arm, vcpu, clock, line } = bench();
    arm(0, 100);
    expect(() => vcpu.waitIrq(line(0), { timeout: 99n })).toThrow(
      expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('99ns') }),
    );
    expect(clock.now).toBe(99n);
    expect(vcpu.waitIrq(line(0), { timeout: 1n })).toBe(1n);
  });

  test('what happens at the very instant of the time-out is in time', () => {
    const { arm, vcpu, line } = bench();
    arm(0, 100);
    expect(vcpu.waitIrq(line(0), { timeout: 100n })).toBe(100n);
  });

  test('an explicit time-out with no timer armed', () => {
    const { vcpu, clock, line } = bench();
    expect(() => vcpu.waitIrq(line(0), { timeout: '3s' })).toThrow(
      expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('ticker0.irq[0]') }),
    );
    expect(clock.now).toBe(3_000_000_000n);
    expect(() => vcpu.waitIrq(line(0), { timeout: 0n })).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
    expect(clock.now).toBe(3_000_000_000n);
  });

  test('the default time-out is 10 s of machine time while timers go on', () => {
    const { arm, onFire, vcpu, clock, line } = bench();
    onFire(1, ON_FIRE.AGAIN, 10_000_000);
    arm(1, 10_000_000);
    expect(() => vcpu.waitIrq(line(0))).toThrow(
      expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('10s') }),
    );
    expect(clock.now).toBe(10_000_000_000n);
  });

  test('no time-out, no timer: fails at once, naming poll', () => {
    const { vcpu, clock, line } = bench();
    const deadlock = expect.objectContaining({
      code: 'DEADLOCK',
      message: expect.stringMatching(/every VCPU waits and no timer is armed.*vcpu\.poll/),
    });
    expect(() => vcpu.waitIrq(line(0))).toThrow(deadlock);
    expect(() => vcpu.idle()).toThrow(deadlock);
    expect(clock.now).toBe(0n);
    // The VCPU goes on: such an error can be caught.
    expect(vcpu.inl(BASE + TICKER.FIRED)).toBe(0);
    expect(clock.step(5n)).toBe(5n);
  });

  test('a line that is high already is not waited for', () => {
    const { vcpu, clock, setLine } = busBench();
    setLine('isa0', 3, true);
    expect(vcpu.waitIrq(3)).toBe(0n);
    expect(clock.now).toBe(0n);
  });

  test('a pulse counts, though the line is low again', () => {
    const { arm, vcpu, line } = bench();
    arm(0, 10);
    expect(vcpu.waitIrq(line(0))).toBe(10n);
    expect(line(0).level).toBe(false);
    expect(line(0).edges).toBe(1);
  });

  test('idle: until a handler has been run', () => {
    const { arm, vcpu, clock, line } = bench();
    let handled = 0;
    vcpu.onIrq(line(2), () => handled++);
    arm(0, 10);
    arm(2, 30);
    arm(1, 20);
    expect(vcpu.idle()).toBe(30n);
    expect([handled, clock.now]).toEqual([1, 30n]);
  });

  test('idle inside a handler ends at its time-out: handlers do not nest', () => {
    const { arm, vcpu, clock, line } = bench();
    const seen: string[] = [];
    vcpu.onIrq(line(0), () => {
      arm(1, 10);
      try {
        vcpu.idle({ timeout: 50n });
        seen.push('woken');
      } catch {
        seen.push(`timeout at ${clock.now}`);
      }
    });
    vcpu.onIrq(line(1), () => seen.push(`line 1 at ${clock.now}`));
    arm(0, 100);
    clock.step(100n);
    expect(seen).toEqual(['timeout at 150', 'line 1 at 150']);
  });

  test('a wait whose time-out lies beyond the last instant ends there', () => {
    const { vcpu, clock, line } = bench();
    clock.step(LAST_INSTANT - 10n);
    expect(() => vcpu.waitIrq(line(0), { timeout: '1h' })).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
    expect(clock.now).toBe(LAST_INSTANT);
  });

  test('a barrier of one opens at once', () => {
    const { vcpu, clock } = bench();
    vcpu.barrier();
    vcpu.barrier();
    expect(clock.now).toBe(0n);
  });
});

function busBench() {
  return testMachine((m) => void m.add('isa-bus'));
}

describe('poll', () => {
  test('moves time in steps until the condition is true', () => {
    const { arm, vcpu, clock } = bench();
    arm(0, 3500);
    expect(vcpu.poll(() => vcpu.inl(BASE + TICKER.FIRED) > 0)).toBe(4000n);
    expect(clock.now).toBe(4000n);
  });

  test('its step and time-out; the last step is cut, and the condition looked at once more', () => {
    const { vcpu, clock } = bench();
    const looks: bigint[] = [];
    const never = (): boolean => {
      looks.push(clock.now);
      return false;
    };
    expect(() => vcpu.poll(never, { timeout: 25n, step: 10n })).toThrow(
      expect.objectContaining({ code: 'TIMEOUT', message: expect.stringContaining('25ns') }),
    );
    expect(looks).toEqual([0n, 10n, 20n, 25n]);
  });

  test('true at once: time stays', () => {
    const { vcpu, clock } = bench();
    expect(vcpu.poll(() => true)).toBe(0n);
    expect(clock.now).toBe(0n);
  });

  test('a step of 0 is a RangeError', () => {
    const { vcpu } = bench();
    expect(() => vcpu.poll(() => false, { step: 0n })).toThrow(RangeError);
  });

  test('what the condition throws comes out as it is', () => {
    const { vcpu, clock } = bench();
    expect(() =>
      vcpu.poll(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(clock.step(1n)).toBe(1n);
  });
});

describe('stall', () => {
  const LIMIT = 4096;
  const stalled = expect.objectContaining({
    code: 'STALLED',
    message: expect.stringMatching(/device accesses while the virtual clock stood still at .*vcpu\.poll/),
  });

  const ACCESSES: Readonly<Record<string, (vcpu: Vcpu) => unknown>> = {
    bytes: (vcpu) => vcpu.inb(0x80),
    longs: (vcpu) => vcpu.inl(BASE + TICKER.FIRED),
    writes: (vcpu) => vcpu.outb(0x80, 0),
    memory: (vcpu) => vcpu.readl(0x8000_0000),
  };

  test.each(Object.entries(ACCESSES))('accesses for ever at one instant: %s', (_what, access) => {
    const { vcpu } = bench(LIMIT);
    const run = (count: number): void => {
      for (let n = 0; n < count; n++) access(vcpu);
    };
    run(LIMIT / 2);
    expect(() => run(LIMIT * 3)).toThrow(stalled);
  });

  test('not while time moves, however slowly', () => {
    const { vcpu, clock } = bench(LIMIT);
    for (let n = 0; n < LIMIT * 4; n++) {
      vcpu.inb(0x80);
      if (n % (LIMIT / 4) === 0) clock.step(1n);
    }
    expect(clock.now).toBe(16n);
  });

  test('RAM does not count', () => {
    const { vcpu } = bench(LIMIT);
    for (let n = 0; n < LIMIT * 8; n++) {
      vcpu.writeb(0x10, n & 0xff);
      vcpu.readl(0x10);
      vcpu.readw(0x12);
    }
  });

  test('the VCPU goes on when the error is caught', () => {
    const { vcpu, clock } = bench(LIMIT);
    expect(() => {
      for (;;) vcpu.inb(0x80);
    }).toThrow(stalled);
    expect(clock.step(7n)).toBe(7n);
    for (let n = 0; n < LIMIT / 2; n++) vcpu.inb(0x80);
  });
});
