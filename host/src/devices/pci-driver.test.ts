import { describe, expect, test } from 'vitest';
import { definePciFunction, type MachineBuilder } from '@qtest/sdk';
import { pci } from '@qtest/sdk/drivers';
import { testMachine } from '../machine/testing.ts';

/** The driver of PCI on the machine itself. */

const { HEADER, COMMAND } = pci;
const answer = { read: (_device: unknown, offset: number) => offset & 0xff, write: () => {} };

const large = definePciFunction(
  {
    type: 'large',
    description: 'a function with large BARs',
    pci: {
      vendor: 0x1111,
      device: 0x2222,
      classCode: 0x02_0000,
      bars: {
        half: { bar: 0, kind: 'memory32', size: 2 ** 28 },
        more: { bar: 1, kind: 'memory32', size: 2 ** 28 },
        long: { bar: 2, kind: 'memory64', size: 2 ** 33 },
        ports: { bar: 4, kind: 'io', size: 4096 },
        rom: { bar: 'rom', kind: 'memory32', size: 2 ** 16 },
      },
    },
  },
  { regions: { half: answer, more: answer, long: answer, ports: answer, rom: answer } },
);

function build(add: (m: MachineBuilder) => void = () => {}, configAddress: 'qemu' | 'strict' = 'qemu') {
  const machine = testMachine(
    (m) => {
      m.ram(0, 0x1_0000);
      m.add('i440fx-pcihost', { configAddress });
      m.add('i440fx');
      add(m);
    },
    { devices: [large] },
  );
  return { ...machine, host: pci.host(machine.vcpu) };
}

describe('pci driver', () => {
  test('scan/in-order', () => {
    const { host } = build((m) => {
      m.add('edu', { slot: 31 });
      m.add('pci-testdev', { slot: 4, multifunction: true });
      m.add('edu', { slot: 4, function: 7 });
    });
    expect(host.scan().map(({ slot, function: fn, vendor }) => [slot, fn, vendor])).toEqual([
      [0, 0, 0x8086],
      [4, 0, 0x1b36],
      [4, 7, 0x1234],
      [31, 0, 0x1234],
    ]);
  });

  test('scan/an-empty-bus', () => {
    const { vcpu } = testMachine((m) => void m.add('i440fx-pcihost'));
    expect(pci.host(vcpu).scan()).toEqual([]);
    expect(() => pci.host(vcpu).find({ vendor: 1 })).toThrow('no PCI function with vendor 0x1; there are none');
  });

  test('scan/no-host-bridge', () => {
    const { vcpu } = testMachine(() => {});
    expect(pci.host(vcpu).scan()).toEqual([]);
  });

  test('find/by-id-and-class', () => {
    const { host } = build((m) => {
      m.add('edu', { slot: 3 });
      m.add('edu', { slot: 4 });
    });
    expect(host.find({ vendor: 0x1234 })).toMatchObject({ slot: 3 });
    expect(host.find({ vendor: 0x8086, device: 0x1237 })).toMatchObject({ slot: 0, function: 0, bus: 0 });
    expect(host.find({ classCode: 0x0600 })).toMatchObject({ slot: 0 });
    expect(host.find({ classCode: 0x00_ff00 })).toMatchObject({ slot: 3 });
    expect(() => host.find({ device: 0x11e8, classCode: 0x0600 })).toThrow(
      'no PCI function with device 0x11e8, classCode 0x600; there are 8086:1237 at 00.0, 1234:11e8 at 03.0, 1234:11e8 at 04.0',
    );
  });

  test('at/nobody', () => {
    const { host } = build();
    expect(host.at({ slot: 1 })).toBeUndefined();
    expect(host.at({ bus: 1, slot: 0 })).toBeUndefined();
    expect(host.read({ slot: 1 }, 0, 4)).toBe(0xffff_ffff);
  });

  test.each(['qemu', 'strict'] as const)('config/sizes/%s', (configAddress) => {
    const { host } = build(undefined, configAddress);
    const fn = host.find({ vendor: 0x8086 });
    fn.writel(0x5c, 0x3322_1100);
    expect([0, 1, 2, 3].map((i) => fn.readb(0x5c + i))).toEqual([0, 0x11, 0x22, 0x33]);
    expect([0, 2].map((i) => fn.readw(0x5c + i))).toEqual([0x1100, 0x3322]);
    fn.writeb(0x5f, 0x01);
    fn.writew(0x5c, 0x2031);
    expect(fn.readl(0x5c)).toBe(0x0122_2031);
  });

  test('config/bad-arguments', () => {
    const { host } = build();
    const fn = host.find({ vendor: 0x8086 });
    expect(() => fn.readw(1)).toThrow(/offset 0x1: 2 bytes must be aligned/);
    expect(() => fn.readl(256)).toThrow(/PCI offset 256: expected an integer from 0 to 252/);
    expect(() => host.read({ slot: 32 }, 0, 1)).toThrow(/PCI slot 32: expected an integer from 0 to 31/);
    expect(() => host.read({ slot: 0, function: 8 }, 0, 1)).toThrow(/PCI function 8/);
    expect(() => host.read({ slot: 0, bus: 256 }, 0, 1)).toThrow(/PCI bus 256/);
    expect(() => fn.bar(6)).toThrow(/PCI BAR 6/);
    expect(() => fn.writeb(0x3c, 256)).toThrow(RangeError);
  });

  test('bar/probing-leaves-everything-as-it-was', () => {
    const { host, vcpu } = build((m) => m.add(large, { slot: 2 }));
    const fn = host.find({ vendor: 0x1111 });
    fn.setBar(0, 0x8000_0000);
    fn.setBar(2, 0x12_0000_0000);
    fn.writel(HEADER.ROM_BAR, 0x9000_0001);
    fn.enable({ io: true, memory: true, master: true });
    const before = Array.from({ length: 16 }, (_, n) => fn.readl(4 * n));
    expect(fn.bars()).toEqual([
      { bar: 0, kind: 'memory32', size: 2 ** 28, prefetchable: false, address: 0x8000_0000 },
      { bar: 1, kind: 'memory32', size: 2 ** 28, prefetchable: false, address: 0 },
      { bar: 2, kind: 'memory64', size: 2 ** 33, prefetchable: false, address: 0x12_0000_0000 },
      { bar: 4, kind: 'io', size: 4096, prefetchable: false, address: 0 },
      { bar: 'rom', kind: 'memory32', size: 2 ** 16, prefetchable: false, address: 0x9000_0000 },
    ]);
    expect(Array.from({ length: 16 }, (_, n) => fn.readl(4 * n))).toEqual(before);
    expect(vcpu.readb(0x8000_0004)).toBe(4);
    expect(fn.bar(3)).toBeUndefined();
    expect(fn.bar(5)).toBeUndefined();
  });

  test('bar/assignment', () => {
    const { host, vcpu } = build((m) => {
      m.add(large, { slot: 2 });
      m.add('pci-testdev', { slot: 3 });
    });
    const test = host.find({ vendor: 0x1b36 });
    const fn = host.find({ vendor: 0x1111 });
    expect(test.map(1).address).toBe(0xc000);
    expect(fn.map(4).address).toBe(0xd000);
    expect(test.map(0).address).toBe(0xe000_0000);
    // Aligned to their size, and the second does not fit any more.
    expect(fn.map('rom').address).toBe(0xe001_0000);
    expect(vcpu.readb(0xe001_0007)).toBe(7);
    expect(() => fn.map(0)).toThrow(/PCI function 00:02.0, BAR 0: no 268435456 bytes are left below 0x100000000/);
    expect(fn.readw(HEADER.COMMAND)).toBe(COMMAND.IO.mask | COMMAND.MEMORY.mask);
    // What has an address keeps it.
    expect(test.map(1).address).toBe(0xc000);
    expect(() => test.map(2)).toThrow(/PCI function 00:03.0 has no BAR 2/);
  });

  test('bar/setting-what-it-cannot-hold', () => {
    const { host } = build((m) => m.add(large, { slot: 2 }));
    const fn = host.find({ vendor: 0x1111 });
    for (const address of [2 ** 32, -1, 0.5, Number.NaN])
      expect(() => fn.setBar(0, address)).toThrow(/BAR 0 cannot hold/);
    fn.setBar(2, 2 ** 40);
    expect(fn.bar(2)?.address).toBe(2 ** 40);
  });

  test('capabilities/walk', () => {
    const { host } = build((m) => m.add('edu', { slot: 2 }));
    expect(host.find({ vendor: 0x1234 }).capability(pci.CAPABILITY.MSI)).toBe(0x40);
    expect(host.find({ vendor: 0x1234 }).capability(pci.CAPABILITY.MSIX)).toBeUndefined();
    expect(host.find({ vendor: 0x8086 }).capabilities()).toEqual([]);
  });

  test('msi/errors', () => {
    const { host } = build((m) => m.add('edu', { slot: 2 }));
    expect(() => host.find({ vendor: 0x8086 }).enableMsi({ address: 0, data: 0 })).toThrow(
      /00:00.0 has no MSI capability/,
    );
    expect(() => host.find({ vendor: 0x8086 }).disableMsi()).toThrow(/has no MSI capability/);
    const fn = host.find({ vendor: 0x1234 });
    expect(() => fn.enableMsi({ address: 0, data: 0, vectors: 2 })).toThrow(/has 1 MSI vectors, not 2/);
    expect(() => fn.enableMsi({ address: 2, data: 0 })).toThrow(/cannot be sent to the address 2/);
    expect(() => fn.enableMsi({ address: 0, data: 0x1_0000 })).toThrow(RangeError);
  });

  test('interrupt-line', () => {
    const { host } = build((m) => m.add('edu', { slot: 2 }));
    const fn = host.find({ vendor: 0x1234 });
    expect(fn.interruptLine).toBe(0);
    fn.interruptLine = 11;
    expect(fn.readb(HEADER.INTERRUPT_LINE)).toBe(11);
    expect(fn.interruptPin).toBe(1);
  });
});
