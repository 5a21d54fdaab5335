import { inspect } from 'node:util';
import type { Vcpu } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { probe } from '../../../test/support/devices.ts';
import { testMachine, type TestMachine } from '../../../test/support/machine.ts';

const bench = (): TestMachine =>
  testMachine(
    (m) => {
      m.ram(0, 0x1000);
      m.add('isa-bus');
      m.add('i8259');
      m.add(probe, { base: 0x100 });
    },
    { devices: [probe] },
  );

/** Neither integers nor in any range. */
const NO_INTEGERS: readonly unknown[] = [
  NaN,
  Infinity,
  -Infinity,
  0.5,
  -1,
  -0.5,
  2 ** 53,
  2 ** 64,
  undefined,
  null,
  '112',
  '0x70',
  [],
  [1],
  {},
  true,
];

const named = (values: readonly unknown[]): [string, unknown][] =>
  values.map((value) => [`${typeof value} ${inspect(value)}`, value]);

let shared: TestMachine | undefined;

/** The call is refused with a RangeError that names it, and nothing has been done. */
function refused(call: string, run: (vcpu: Vcpu) => unknown): void {
  shared ??= bench();
  const { vcpu, bound, clock, events } = shared;
  expect(() => run(vcpu)).toThrow(RangeError);
  expect(() => run(vcpu)).toThrow(call);
  const { state } = bound.context('probe0') as unknown as { state: { calls: number } };
  expect([state.calls, events(), clock.now]).toEqual([0, [], 0n]);
  expect(vcpu.read(0, 0x1000).every((byte) => byte === 0)).toBe(true);
}

describe('ports', () => {
  test.each(named([...NO_INTEGERS, 0x1_0000, -0x1_0000, 0x1_0070]))('%s', (_name, port) => {
    for (const call of ['inb', 'inw', 'inl'] as const) refused(`${call}(`, (vcpu) => vcpu[call](port as number));
    for (const call of ['outb', 'outw', 'outl'] as const) refused(`${call}(`, (vcpu) => vcpu[call](port as number, 0));
  });

  test('the message says what is right', () => {
    const { vcpu } = bench();
    expect(() => vcpu.inb(0x1_0000)).toThrow('inb(0x10000): a port is an integer from 0 to 0xffff');
    expect(() => vcpu.outw(-1, 0)).toThrow('outw(-1): a port is an integer from 0 to 0xffff');
    const text: unknown = '0x70';
    expect(() => vcpu.inb(text as number)).toThrow("inb('0x70'): a port is an integer");
  });
});

describe('values', () => {
  test.each(named(NO_INTEGERS))('%s', (_name, value) => {
    for (const call of ['outb', 'outw', 'outl'] as const)
      refused(`${call}(`, (vcpu) => vcpu[call](0x100, value as number));
    for (const call of ['writeb', 'writew', 'writel'] as const) {
      refused(`${call}(`, (vcpu) => vcpu[call](0, value as number));
      refused(`${call}(`, (vcpu) => {
        vcpu.readl(0);
        vcpu[call](0, value as number);
      });
    }
    refused('fill(', (vcpu) => vcpu.fill(0, 4, value as number));
    refused('writeq(', (vcpu) => vcpu.writeq(0, value as bigint));
  });

  test.each([
    ['outb', 0x100],
    ['outw', 0x1_0000],
    ['outl', 0x1_0000_0000],
    ['writeb', 0x100],
    ['writew', 0x1_0000],
    ['writel', 0x1_0000_0000],
  ] as const)('%s: one more than the width holds', (call, value) => {
    refused(`${call}(`, (vcpu) => vcpu[call](0x100, value));
    const { vcpu } = bench();
    vcpu[call](0x100, value - 1);
  });

  test('writeq takes 64 bits as a bigint', () => {
    for (const value of [-1n, 2n ** 64n]) refused('writeq(', (vcpu) => vcpu.writeq(0, value));
    const { vcpu } = bench();
    vcpu.writeq(0, 2n ** 64n - 1n);
    vcpu.writeq(8, 0n);
    expect([vcpu.readq(0), vcpu.readq(8)]).toEqual([2n ** 64n - 1n, 0n]);
  });

  test('the message says what is right', () => {
    const { vcpu } = bench();
    expect(() => vcpu.outb(0x100, 0x100)).toThrow('outb(…, 0x100): the value is an integer from 0 to 0xff (8 bits)');
    expect(() => vcpu.writel(0, -1)).toThrow('writel(…, -1): the value is an integer from 0 to 0xffffffff (32 bits)');
  });
});

describe('addresses', () => {
  test.each(named(NO_INTEGERS))('%s', (_name, bad) => {
    const address = bad as number;
    // Cold, and after an access that has RAM remembered for the next one.
    for (const before of [(): void => {}, (vcpu: Vcpu): void => void vcpu.readl(0)]) {
      const check = (call: string, run: (vcpu: Vcpu) => unknown): void =>
        refused(call, (vcpu) => {
          before(vcpu);
          run(vcpu);
        });
      for (const call of ['readb', 'readw', 'readl', 'readq'] as const)
        check(`${call}(`, (vcpu) => vcpu[call](address));
      for (const call of ['writeb', 'writew', 'writel'] as const) check(`${call}(`, (vcpu) => vcpu[call](address, 1));
      check('writeq(', (vcpu) => vcpu.writeq(address, 1n));
      check('read(', (vcpu) => vcpu.read(address, 1));
      check('write(', (vcpu) => vcpu.write(address, Uint8Array.of(1)));
      check('fill(', (vcpu) => vcpu.fill(address, 1, 1));
    }
  });

  test('the last address of each width', () => {
    const { vcpu } = bench();
    const top = 2 ** 53;
    expect([vcpu.readb(top - 1), vcpu.readw(top - 2), vcpu.readl(top - 4), vcpu.readq(top - 8)]).toEqual([
      0xff,
      0xffff,
      0xffff_ffff,
      2n ** 64n - 1n,
    ]);
    expect(() => vcpu.readw(top - 1)).toThrow(RangeError);
    expect(() => vcpu.readl(top - 3)).toThrow(RangeError);
    expect(() => vcpu.readq(top - 7)).toThrow(RangeError);
    expect(() => vcpu.writeq(top - 7, 0n)).toThrow(RangeError);
    expect(() => vcpu.read(top - 7, 8)).toThrow(RangeError);
    expect(() => vcpu.write(top - 1, new Uint8Array(2))).toThrow(RangeError);
    expect(vcpu.read(top - 8, 8)).toHaveLength(8);
  });
});

describe('sizes', () => {
  test.each(named([...NO_INTEGERS, 2 ** 31 + 1]))('%s', (_name, size) => {
    refused('read(', (vcpu) => vcpu.read(0, size as number));
    refused('fill(', (vcpu) => vcpu.fill(0, size as number, 0));
  });
});

describe('minus zero', () => {
  test('is zero, everywhere and for every device', () => {
    const { vcpu } = bench();
    vcpu.outb(0x100, -0);
    vcpu.outw(0x102, -0);
    vcpu.outl(0x104, -0);
    expect(vcpu.inl(0x104)).toBe(0);
    for (const cold of [true, false]) {
      if (!cold) vcpu.readl(0);
      vcpu.writeb(-0, 0x11);
      vcpu.writew(-0, 0x2211);
      vcpu.writel(-0, 0x4433_2211);
      expect([vcpu.readb(-0), vcpu.readw(-0), vcpu.readl(-0), vcpu.readq(-0)]).toEqual([
        0x11,
        0x2211,
        0x4433_2211,
        0x4433_2211n,
      ]);
      vcpu.writel(-0, -0);
      expect(vcpu.readl(0)).toBe(0);
    }
    expect(Object.is(vcpu.inb(-0), -0)).toBe(false);
    expect(vcpu.read(-0, -0)).toEqual(new Uint8Array(0));
  });

  test('a device sees offset and value 0, not −0', () => {
    const { vcpu, bound } = testMachine(
      (m) => {
        m.add(probe, { base: 0, max: '4' });
        m.add(probe, { base: 0, space: 'memory', max: '4' });
      },
      { devices: [probe] },
    );
    const seen: number[] = [];
    for (const target of [bound.bus.io.find(0), bound.bus.memory.find(0).target]) expect(target?.base).toBe(0);
    vcpu.outb(-0, -0);
    vcpu.writel(-0, -0);
    const { log } = (bound.context('probe0') as unknown as { state: { log: { get(n: number): number } } }).state;
    seen.push(log.get(1), log.get(3));
    expect(seen.every((value) => Object.is(value, 0))).toBe(true);
  });
});

describe('vectors and IRQs', () => {
  test.each(named([...NO_INTEGERS, 0x100]))('%s', (_name, value) => {
    refused('onInterrupt(', (vcpu) => vcpu.onInterrupt(value as number, () => {}));
  });

  test('an IRQ that the bus does not have', () => {
    for (const irq of [16, -1, 0.5, NaN, 2 ** 53]) {
      refused('IRQ', (vcpu) => vcpu.onIrq(irq, () => {}));
      refused('IRQ', (vcpu) => vcpu.waitIrq(irq));
    }
  });
});

describe('durations', () => {
  test.each(named(['5', '-5s', '1.5ns', '5 s', '', -1n, 2n ** 63n, 5, NaN, []]))('%s', (_name, duration) => {
    refused('duration', (vcpu) => vcpu.waitIrq(3, { timeout: duration as never }));
    refused('duration', (vcpu) => vcpu.idle({ timeout: duration as never }));
    refused('duration', (vcpu) => vcpu.poll(() => true, { timeout: duration as never }));
    refused('duration', (vcpu) => vcpu.poll(() => true, { step: duration as never }));
  });
});
