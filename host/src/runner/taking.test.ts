import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ON_FIRE, TICKER, ticker } from '../../../test/support/devices.ts';
import { PluginRun } from '../../testing/run-plugin.ts';
import { BoundMachine, OWNER, registryOf } from '@qtest/machine';
import { knownDevices, testMachine } from '../../../test/support/machine.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** Real time: an instant waits until what the one before has raised is taken. The host is late on purpose, so that it does not matter how late. */

const BASE = 0x200;
const MS = 1_000_000;
/** Instants that are late. */
const LATE = 50;

/** Until machine time has passed `ns`. */
function pass(now: () => bigint, ns: number): void {
  const end = now() + BigInt(ns);
  while (now() < end);
}

/** A VCPU on this thread, and `other`: the same machine as any other thread sees it. */
function bench() {
  const harness = testMachine(
    (m) => {
      m.ram(0, 0x1000);
      const isa = m.add('isa-bus');
      m.add('i8259', { bus: isa });
      m.add('mc146818rtc', { bus: isa, irq: 8 });
      m.add(ticker, { base: BASE });
    },
    { devices: [ticker], clock: 'realtime' },
  );
  const { bound, vcpu, machine, clock } = harness;
  const known = knownDevices([{ name: 'test', url: import.meta.url, devices: [ticker] }]);
  const other = new BoundMachine(bound.handle, registryOf(known), OWNER.IO);
  const line = machine.irq('ticker0', 'irq', 0);
  return {
    ...harness,
    line,
    /** Timer 0 comes every millisecond from now on, and `LATE` of its instants are late already. */
    late(): void {
      vcpu.outl(BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN + MS * 256);
      vcpu.outl(BASE + TICKER.ARM, MS);
      pass(() => clock.now, 1);
      const due = performance.now() + LATE;
      while (performance.now() < due);
    },
    stop: (): void => vcpu.outl(BASE + TICKER.CANCEL, 0),
    /** What another thread fires that looks so often. */
    fireElsewhere(times: number): number {
      const before = line.edges;
      other.lock.acquire();
      for (let n = 0; n < times; n++) other.fireDue();
      other.lock.release();
      return line.edges - before;
    },
  };
}

describe('one VCPU, and another thread that comes to fire timers', () => {
  test('nobody fires an instant while a handler runs; then each is taken by itself', () => {
    const { vcpu, line, late, stop, fireElsewhere } = bench();
    let taken = 0;
    let elsewhere = 0;
    vcpu.onIrq(line, () => {
      taken++;
      elsewhere += fireElsewhere(10);
    });
    late();
    for (let n = 0; n < LATE - 5; n++) vcpu.inb(0x80);
    expect(elsewhere).toBe(0);
    expect(taken).toBe(line.edges);
    expect(taken).toBeGreaterThanOrEqual(LATE - 5);
    stop();
  });

  test('a VCPU that computes does not keep an instant: another thread fires one for each time that it looks', () => {
    const { vcpu, line, late, fireElsewhere } = bench();
    let taken = 0;
    vcpu.onIrq(line, () => taken++);
    late();
    expect(fireElsewhere(10)).toBe(10);
    vcpu.inb(0x80);
    // Ten pulses that nobody has looked at are one interrupt, and the access has brought one more at most.
    expect(taken).toBeLessThanOrEqual(2);
  });

  test('a handler that makes accesses for as long as it takes hears of the next instant', () => {
    const { vcpu, line, late, stop } = bench();
    let seen = 0;
    const off = vcpu.onIrq(line, () => {
      const before = line.edges;
      for (let n = 0; n < 20_000 && line.edges === before; n++) vcpu.inb(0x80);
      seen = line.edges - before;
      off();
    });
    late();
    vcpu.inb(0x80);
    expect(seen).toBe(1);
    stop();
  });

  test('a handler that waits does not keep the time', () => {
    const { vcpu, clock, line, late, stop } = bench();
    let edges = 0;
    const off = vcpu.onIrq(line, () => {
      const before = line.edges;
      clock.step('5ms');
      edges = line.edges - before;
      off();
    });
    late();
    vcpu.inb(0x80);
    expect(edges).toBeGreaterThanOrEqual(LATE);
    stop();
  });

  test('one whose interrupts are masked does not keep the time', () => {
    const { vcpu, clock, line, late, stop } = bench();
    vcpu.onInterrupt(0x20, () => {});
    vcpu.cli();
    late();
    clock.step('1ms');
    expect(line.edges).toBeGreaterThanOrEqual(LATE);
    stop();
  });

  test('a line that stays up does not keep what comes due after it was waited for', () => {
    const { vcpu, line, late, stop, machine } = bench();
    const up = machine.irq('rtc0');
    const outb = (index: number, value: number): void => {
      vcpu.outb(0x70, index);
      vcpu.outb(0x71, value);
    };
    outb(0x0a, 0x2f);
    outb(0x0b, 0x42);
    vcpu.waitIrq(up, { timeout: '2s' });
    outb(0x0a, 0x20);
    expect(up.level).toBe(true);
    late();
    const before = line.edges;
    vcpu.inb(0x80);
    expect(line.edges).toBe(before + 1);
    stop();
  });

  test.each(['waitIrq', 'idle'] as const)('%s: of an RTC whose host is late none is lost', (how) => {
    const { vcpu, clock } = bench();
    const access = (index: number, value?: number): number => {
      vcpu.outb(0x70, index);
      if (value !== undefined) vcpu.outb(0x71, value);
      return value ?? vcpu.inb(0x71);
    };
    let taken = 0;
    const acknowledge = (): void => {
      if ((access(0x0c) & 0x40) !== 0) taken++;
    };
    const off = how === 'idle' ? vcpu.onIrq(8, acknowledge) : undefined;
    access(0x0a, 0x26);
    access(0x0c);
    const before = clock.now;
    access(0x0b, 0x42);
    const after = clock.now;
    const due = (since: bigint): number => Math.floor((Number(clock.now - since) * 1024) / 1e9);
    let expected = 0;
    for (let round = 0; round < 3; round++) {
      pass(() => BigInt(Math.round(performance.now() * MS)), LATE * MS);
      expected = due(after);
      // Until it has caught up.
      do {
        if (how === 'idle') vcpu.idle();
        else {
          vcpu.waitIrq(8);
          acknowledge();
        }
      } while ((clock.deadline ?? 0n) <= clock.now);
    }
    expect(expected).toBeGreaterThanOrEqual(Math.floor((3 * LATE * 1024) / 1000));
    expect(taken).toBeGreaterThanOrEqual(expected - 1);
    expect(taken).toBeLessThanOrEqual(due(before) + 2);
    off?.();
  });
});

describe('two VCPUs and the I/O thread', () => {
  let run: PluginRun;
  const value = async (name: string): Promise<unknown> => {
    const result = await run.run(name);
    expect(result).toMatchObject({ status: 'pass', failures: [] });
    return result.value;
  };
  beforeAll(async () => {
    run = await PluginRun.load('late', { clock: 'realtime' });
    await run.run('ok');
  });
  afterAll(() => run.dispose());

  test('one that waits takes every interrupt, however late', async () => {
    const { taken, edges } = (await value('waiting')) as { taken: number; edges: number };
    expect(edges).toBe(taken);
    expect(taken).toBeGreaterThan(400);
  });

  test('two that wait take every interrupt', async () => {
    expect(await value('both-waiting')).toEqual([0, 0]);
  });

  test('one that computes and never takes an interrupt does not stop the time', async () => {
    const { fired } = (await value('computing')) as { fired: number };
    // 400 have come due; it is waited for once.
    expect(fired).toBeGreaterThan(200);
  });

  test('one that stays in its handler does not cost another one an interrupt', async () => {
    expect(await value('stuck-in-a-handler')).toBe(0);
  });

  test('handlers that are slower than their interrupts do not make time later and later', async () => {
    const { fired, periods } = (await value('slow-handlers')) as { fired: number; periods: number };
    expect(fired).toBeGreaterThan(periods / 2);
  });

  test('one that dies in its handler ends the case, and the next one passes', async () => {
    expect(await run.run('dies-in-a-handler')).toMatchObject({ status: 'crash' });
    expect(await run.run('ok')).toMatchObject({ status: 'pass' });
  });
});
