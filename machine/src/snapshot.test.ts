import type { AnyDeviceDefinition, Machine, MachineBuilder, Snapshot, Vcpu } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { driver, listener, mapper, TICKER, ticker } from '../../test/support/devices.ts';
import { Builder } from './builder.ts';
import { createMachine } from './create.ts';
import { restorePristine } from './snapshot.ts';
import { testMachine, knownDevices } from '../../test/support/machine.ts';
import { registryOf } from './catalog.ts';

const DEVICES: readonly AnyDeviceDefinition[] = [ticker, driver, listener, mapper];
const TICKER_BASE = 0x200;
const DRIVER = 0x400;
const PAGE = 4096;

const init = (m: MachineBuilder): void => {
  m.ram(0, 16 * PAGE);
  m.rom(0x10_0000, Uint8Array.of(1, 2, 3));
  m.load(3 * PAGE, Uint8Array.of(0xaa, 0xbb));
  const isa = m.add('isa-bus');
  m.add(ticker, { base: TICKER_BASE });
  const out = m.add(driver, { base: DRIVER });
  const listens = m.add(listener, { base: 0x500 });
  m.add(mapper, { base: 0x600 });
  m.connect(m.output(out, 'out', 0), m.input(listens, 'in', 0));
  m.connect(m.output(out, 'out', 1), m.line(isa, 7));
};
const bench = () => testMachine(init, { devices: DEVICES });

const arm = (vcpu: Vcpu, n: number, ns: number): void => vcpu.outl(TICKER_BASE + TICKER.ARM + 4 * n, ns);
const count = (vcpu: Vcpu): number => vcpu.inl(TICKER_BASE + TICKER.FIRED);
const around = (machine: Machine, run: (before: Snapshot) => void): void => run(machine.snapshot());

describe('a snapshot holds', () => {
  test('registers, levels, edges and drivers of lines', () => {
    const { vcpu, machine } = bench();
    vcpu.outb(DRIVER + 0, 1);
    vcpu.outb(DRIVER + 1, 1);
    vcpu.outb(DRIVER + 1, 0);
    vcpu.outb(DRIVER + 1, 1);
    around(machine, (before) => {
      vcpu.outb(DRIVER + 0, 0);
      vcpu.outb(DRIVER + 1, 0);
      expect(machine.irq('isa0', 7)).toMatchObject({ level: false, edges: 2 });
      machine.restore(before);
      expect(machine.irq('isa0', 7)).toMatchObject({ level: true, edges: 2 });
      expect(vcpu.inb(0x500)).toBe((1 << 1) | 1);
      // The wired OR still knows who drives it.
      vcpu.outb(DRIVER + 1, 0);
      expect(machine.irq('isa0', 7).level).toBe(false);
      expect(vcpu.inb(DRIVER)).toBe(1);
    });
  });

  test('the clock and its deadlines', () => {
    const { vcpu, machine, clock } = bench();
    clock.step(1000n);
    arm(vcpu, 0, 50);
    arm(vcpu, 2, 500);
    around(machine, (before) => {
      clock.step(60n);
      arm(vcpu, 1, 1);
      expect([clock.now, clock.deadline, count(vcpu)]).toEqual([1060n, 1061n, 1]);
      machine.restore(before);
      expect([clock.now, clock.deadline, count(vcpu)]).toEqual([1000n, 1050n, 0]);
      expect(clock.step()).toBe(1050n);
      expect(clock.step()).toBe(1500n);
      expect(clock.deadline).toBeUndefined();
      machine.restore(before);
      clock.step(49n);
      expect(count(vcpu)).toBe(0);
      clock.step(1n);
      expect(count(vcpu)).toBe(1);
    });
  });

  test('RAM, by the pages that have been written: by VCPU, in bulk, over page borders', () => {
    const { vcpu, machine } = bench();
    vcpu.writeb(5 * PAGE, 0x55);
    const before = machine.snapshot();
    vcpu.writeb(5 * PAGE, 0x66);
    vcpu.writel(6 * PAGE - 2, 0x4433_2211);
    vcpu.writel(7 * PAGE, 0x77);
    vcpu.writew(8 * PAGE, 0x88);
    vcpu.writeq(9 * PAGE - 4, 2n ** 64n - 1n);
    vcpu.write(11 * PAGE - 1, new Uint8Array(PAGE + 2).fill(9));
    vcpu.writeb(3 * PAGE, 0);
    const after = machine.snapshot();
    machine.restore(before);
    const ram = (): Uint8Array => vcpu.read(0, 16 * PAGE);
    const expected = new Uint8Array(16 * PAGE);
    expected[5 * PAGE] = 0x55;
    expected.set([0xaa, 0xbb], 3 * PAGE);
    expect(ram()).toEqual(expected);
    machine.restore(after);
    expected[5 * PAGE] = 0x66;
    expected.set([0x11, 0x22, 0x33, 0x44], 6 * PAGE - 2);
    expected[7 * PAGE] = 0x77;
    expected[8 * PAGE] = 0x88;
    expected.fill(0xff, 9 * PAGE - 4, 9 * PAGE + 4);
    expected.fill(9, 11 * PAGE - 1, 12 * PAGE + 1);
    expected[3 * PAGE] = 0;
    expect(ram()).toEqual(expected);
  });

  test('its size: the state, and the pages that differ from the sealed machine', () => {
    const { vcpu, machine } = bench();
    const empty = machine.snapshot().size;
    expect(vcpu.read(0, 16 * PAGE)).toHaveLength(16 * PAGE);
    expect(machine.snapshot().size).toBe(empty);
    vcpu.writeb(0, 1);
    vcpu.writel(2 * PAGE - 2, 1);
    expect(machine.snapshot().size).toBe(empty + 3 * PAGE);
  });

  test('the memory map', () => {
    const { vcpu, machine } = bench();
    vcpu.writel(0x800, 0x1111_1111);
    vcpu.outl(0x604, 0x800);
    vcpu.outl(0x600, 0x3000);
    around(machine, (mapped) => {
      vcpu.outl(0x604, 0);
      vcpu.outl(0x600, 0);
      expect([vcpu.readl(0x800), vcpu.inb(0x3000)]).toEqual([0x1111_1111, 0xff]);
      machine.restore(mapped);
      expect([vcpu.readl(0x800), vcpu.inb(0x3000)]).toEqual([0xa5a5_a5a5, 0xa5]);
    });
  });

  test('it can be restored again and again, in any order', () => {
    const { vcpu, machine, clock } = bench();
    const shots = [1, 2, 3].map((n) => {
      vcpu.writeb(n * PAGE, n);
      vcpu.outb(DRIVER, n & 1);
      clock.step(BigInt(n));
      return { n, snapshot: machine.snapshot() };
    });
    for (const n of [3, 1, 2, 2, 1, 3]) {
      const shot = shots.find((item) => item.n === n);
      if (shot === undefined) continue;
      machine.restore(shot.snapshot);
      expect(clock.now).toBe([0n, 1n, 3n, 6n][n]);
      expect([1, 2].map((page) => vcpu.readb(page * PAGE))).toEqual([1, n >= 2 ? 2 : 0]);
      expect(vcpu.inb(DRIVER)).toBe(n & 1);
    }
  });

  test('property: whatever is done between, the same follows as before', () => {
    const op = fc.record({ what: fc.nat(6), a: fc.nat(15), b: fc.nat(0xff) });
    const ops = fc.array(op, { maxLength: 25 });
    fc.assert(
      fc.property(ops, ops, ops, (first, between, after) => {
        const { vcpu, machine, clock } = bench();
        const run = (list: readonly { what: number; a: number; b: number }[]): unknown[] =>
          list.map(({ what, a, b }) => {
            switch (what) {
              case 0:
                return arm(vcpu, a & 3, b);
              case 1:
                return clock.step(BigInt(b));
              case 2:
                return vcpu.outb(DRIVER + (a & 3), b & 1);
              case 3:
                return vcpu.writel(a * PAGE - (a === 0 ? 0 : 2), b * 0x0101_0101);
              case 4:
                return vcpu.outl(0x604, (a & 1) * 0x800);
              case 5:
                return [
                  vcpu.readl(0x800),
                  vcpu.readb(a * PAGE),
                  vcpu.inb(0x500),
                  count(vcpu),
                  machine.irq('isa0', 7).edges,
                ];
              default:
                return [clock.now, clock.deadline];
            }
          });
        const look = (): unknown[] => [run(after), clock.now, clock.deadline, count(vcpu), vcpu.read(0, 16 * PAGE)];
        run(first);
        const snapshot = machine.snapshot();
        const expected = look();
        run(between);
        machine.restore(snapshot);
        expect(look()).toEqual(expected);
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});

describe('edges over a restore', () => {
  test('an edge count that a restore turns back is no edge', () => {
    const { vcpu, machine } = bench();
    let calls = 0;
    vcpu.onIrq(7, () => calls++);
    const before = machine.snapshot();
    vcpu.outb(DRIVER + 1, 1);
    expect(calls).toBe(1);
    machine.restore(before);
    vcpu.inb(0x80);
    expect(calls).toBe(1);
  });

  test('regression: the first edge after a restore is one, though the count is what it was before it', () => {
    const { vcpu, machine } = bench();
    const seen: number[] = [];
    const before = machine.snapshot();
    vcpu.onIrq(7, () => seen.push(machine.irq('isa0', 7).edges));
    vcpu.outb(DRIVER + 1, 1);
    machine.restore(before);
    vcpu.outb(DRIVER + 1, 1);
    expect(seen).toEqual([1, 1]);
  });

  test('a level that comes with the restore is high, and has not risen', () => {
    const { vcpu, machine } = bench();
    vcpu.outb(DRIVER + 1, 1);
    const high = machine.snapshot();
    vcpu.outb(DRIVER + 1, 0);
    let calls = 0;
    vcpu.onIrq(7, () => calls++);
    machine.restore(high);
    vcpu.inb(0x80);
    expect(calls).toBe(0);
    expect(vcpu.waitIrq(7)).toBe(0n);
  });

  test('restore in a handler: what had risen beside it is forgotten', () => {
    const { vcpu, machine } = bench();
    const before = machine.snapshot();
    const seen: string[] = [];
    vcpu.onIrq(machine.irq('ticker0', 'irq', 0), () => {
      seen.push('first');
      machine.restore(before);
    });
    vcpu.onIrq(machine.irq('ticker0', 'irq', 1), () => seen.push('second'));
    // Both rise in one access: 0 fires at once, and then 1.
    vcpu.outl(TICKER_BASE + TICKER.ARM + 4, 10);
    vcpu.outl(TICKER_BASE + TICKER.ARM + 0, 10);
    vcpu.poll(() => seen.length > 0, { step: 10n });
    expect(seen).toEqual(['first']);
  });
});

describe('reset', () => {
  test('cold: state zero, timers off, lines low and never risen; RAM and the clock stay', () => {
    const { vcpu, machine, clock } = bench();
    clock.step(100n);
    vcpu.writeb(0, 0x77);
    vcpu.outb(DRIVER + 1, 1);
    arm(vcpu, 0, 10);
    vcpu.outl(0x600, 0x3000);
    machine.reset('cold');
    expect(machine.irq('isa0', 7)).toMatchObject({ level: false, edges: 0 });
    expect([clock.now, clock.deadline, vcpu.readb(0), vcpu.inb(0x3000)]).toEqual([100n, undefined, 0x77, 0xff]);
    let calls = 0;
    vcpu.onIrq(7, () => calls++);
    vcpu.outb(DRIVER + 1, 1);
    expect(calls).toBe(1);
    machine.reset('cold');
    vcpu.outb(DRIVER + 1, 1);
    expect(calls).toBe(2);
  });

  test('warm: what devices do with it', () => {
    const { vcpu, machine, clock } = bench();
    vcpu.outb(DRIVER + 1, 1);
    arm(vcpu, 0, 10);
    vcpu.outl(0x600, 0x3000);
    machine.reset();
    expect([clock.deadline, vcpu.inb(0x3000)]).toEqual([undefined, 0xff]);
    // The driver keeps its pins: it has no state but the lines.
    expect(machine.irq('isa0', 7)).toMatchObject({ level: true, edges: 1 });
  });
});

describe('what is not a snapshot of this machine', () => {
  test('is refused', () => {
    const one = bench();
    const other = bench();
    const snapshot = other.machine.snapshot();
    expect(() => one.machine.restore(snapshot)).toThrow(TypeError);
    expect(() => one.machine.restore({ size: 1 } as never)).toThrow(TypeError);
    expect(() => one.machine.restore(undefined as never)).toThrow(TypeError);
    expect(one.clock.step(1n)).toBe(1n);
  });
});

describe('the pristine state', () => {
  test('everything is as it was sealed, byte for byte', () => {
    const known = knownDevices([{ name: 'test', url: import.meta.url, devices: DEVICES }]);
    const builder = new Builder('virtual', known);
    init(builder);
    const registry = registryOf(known);
    const machine = createMachine(builder, registry);
    const { layout } = machine.blueprint;
    const { buffer } = machine.handle.memory;
    const bytes = (): Uint8Array[] => [
      new Uint8Array(buffer, layout.state, layout.stateBytes).slice(),
      new Uint8Array(buffer, layout.ram, layout.ramBytes).slice(),
      new Uint8Array(buffer, layout.dirty, layout.ramBytes / PAGE).slice(),
    ];
    const sealed = bytes();
    machine.lock.acquire();
    const host = { kind: 'host', index: 0 } as const;
    for (let round = 0; round < 3; round++) {
      machine.bus.refresh();
      machine.bus.ioWrite(TICKER_BASE, 100, 4, host);
      machine.bus.ioWrite(DRIVER + 1, 1, 1, host);
      machine.bus.ioWrite(0x604, 0x800, 4, host);
      machine.bus.memoryWriteBulk(3 * PAGE - 1, new Uint8Array(2 * PAGE).fill(round + 1), host);
      machine.time.set(50n);
      expect(bytes()).not.toEqual(sealed);
      restorePristine(machine);
      expect(bytes()).toEqual(sealed);
    }
    machine.lock.release();
  });
});
