import { describe, expect, test } from 'vitest';
import {
  busMaster,
  bytes,
  definePciFunction,
  msiEnabled,
  property,
  register,
  ro,
  rw,
  sendMsi,
  setIntx,
  w1c,
  type MachineBuilder,
} from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { BoundMachine } from './bound-machine.ts';
import { OWNER } from './control.ts';
import { testMachine, knownDevices } from '../../test/support/machine.ts';

const { COMMAND, HEADER, STATUS } = pci;

const MSI_AT = 0x40;
const VENDOR_AT = 0x50;

/** Offsets in the BAR `ports`. */
const LEVEL = 0;
const SEND_MSI = 1;
const DMA_WRITE = 4;

/** A function with everything: each BAR reads as its name's letter and the offset's low bits, and keeps what is written last. */
const everything = definePciFunction(
  {
    type: 'everything',
    idPrefix: 'fn',
    description: 'a function for the tests of the framework',
    properties: { tag: property.number({ max: 255, default: 0x70 }) },
    state: { last: 'u32', cells: bytes(16) },
    pci: {
      vendor: 0xabcd,
      device: 0x1234,
      revision: 7,
      classCode: 0x12_3456,
      subsystemVendor: 0x1111,
      subsystem: 0x2222,
      interruptPin: 1,
      bars: {
        ports: { bar: 0, kind: 'io', size: 16, access: { max: 4 } },
        memory: { bar: 1, kind: 'memory32', size: 4096, access: { max: 4 } },
        long: { bar: 2, kind: 'memory64', size: 256, prefetchable: true, access: { max: 4 } },
        rom: { bar: 'rom', kind: 'memory32', size: 2048 },
      },
      capabilities: [
        { kind: 'msi', offset: MSI_AT, vectors: 4 },
        { kind: 'vendor', offset: VENDOR_AT, content: [6, 0xaa, 0xbb, 0xcc], writable: [0, 0x0f] },
      ],
      registers: [
        register('OWN', {
          offset: 0x60,
          width: 32,
          reset: 0xff00_0001,
          fields: { FLAGS: w1c(31, 24), RW: rw(15, 8), RO: ro(7, 0) },
        }),
      ],
    },
    registers: {},
  },
  {
    regions: {
      ports: {
        read: ({ state }, offset) => state.cells.get(offset),
        write(device, offset, value) {
          if (offset === LEVEL) setIntx(device, value !== 0 && !msiEnabled(device, MSI_AT));
          else if (offset === SEND_MSI) device.state.last = Number(sendMsi(device, MSI_AT, value));
          else if (offset === DMA_WRITE) busMaster(device)?.writel(value, 0x1234_5678);
          device.state.cells.set(offset, value & 0xff);
        },
      },
      memory: {
        read: ({ properties }, offset) => properties.tag * 0x0101_0000 + offset,
        write: ({ state }, _offset, value) => void (state.last = value),
      },
      long: {
        read: (_device, offset) => 0x4c00 + offset,
        write: ({ state }, _offset, value) => void (state.last = value),
      },
      rom: { read: (_device, offset) => offset & 0xff, write: (device) => device.guestError('write to the ROM') },
    },
  },
);

const RAM = 0x1_0000;

function build(add: (m: MachineBuilder) => void = (m) => void m.add(everything, { slot: 3 })) {
  const machine = testMachine(
    (m) => {
      m.ram(0, RAM);
      m.add('i440fx-pcihost');
      add(m);
    },
    { devices: [everything] },
  );
  const host = pci.host(machine.vcpu);
  const at = (slot: number, fn = 0): pci.PciFunction => {
    const found = host.at({ slot, function: fn });
    if (found === undefined) throw new Error(`nobody at ${slot}.${fn}`);
    return found;
  };
  return { ...machine, host, at };
}

describe('configuration space', () => {
  test('header/values', () => {
    const { at } = build();
    const fn = at(3);
    const dwords = Array.from({ length: 16 }, (_, n) => fn.readl(4 * n));
    expect(dwords).toEqual([
      0x1234_abcd, 0x0010_0000, 0x1234_5607, 0, 1, 0, 0xc, 0, 0, 0, 0, 0x2222_1111, 0, 0x40, 0, 0x0000_0100,
    ]);
  });

  test('header/masks', () => {
    const { at } = build();
    const fn = at(3);
    for (let offset = 0; offset < 256; offset += 4) fn.writel(offset, 0xffff_ffff);
    const header = Array.from({ length: 16 }, (_, n) => fn.readl(4 * n));
    expect(header).toEqual([
      0x1234_abcd, 0x0010_0547, 0x1234_5607, 0x0000_00ff, 0xffff_fff1, 0xffff_f000, 0xffff_ff0c, 0xffff_ffff, 0, 0, 0,
      0x2222_1111, 0xffff_f801, 0x40, 0, 0x0000_01ff,
    ]);
  });

  test('registers/rw-ro-w1c', () => {
    const { at } = build();
    const fn = at(3);
    expect(fn.readl(0x60)).toBe(0xff00_0001);
    fn.writel(0x60, 0x0fff_abff);
    expect(fn.readl(0x60)).toBe(0xf000_ab01);
    fn.writeb(0x61, 0x12);
    expect(fn.readl(0x60)).toBe(0xf000_1201);
    fn.writew(0x62, 0x8000);
    expect(fn.readl(0x60)).toBe(0x7000_1201);
  });

  test('registers/a-space-without-them-reads-as-zero-and-keeps-nothing', () => {
    const { at } = build();
    const fn = at(3);
    fn.writel(0x80, 0xffff_ffff);
    expect(fn.readl(0x80)).toBe(0);
  });

  test('reset/both-kinds-give-what-power-on-gives', () => {
    for (const kind of ['warm', 'cold'] as const) {
      const { at, machine, vcpu } = build();
      const fn = at(3);
      const before = Array.from({ length: 64 }, (_, n) => fn.readl(4 * n));
      fn.setBar(0, 0xc000);
      fn.enable({ io: true });
      for (let offset = 0x3c; offset < 256; offset += 4) fn.writel(offset, 0xffff_ffff);
      machine.reset(kind);
      expect(Array.from({ length: 64 }, (_, n) => fn.readl(4 * n))).toEqual(before);
      expect(vcpu.inb(0xc000)).toBe(0xff);
    }
  });

  test('multifunction/is-a-property', () => {
    const { host, at } = build((m) => {
      m.add(everything, { slot: 4, multifunction: true });
      m.add(everything, { slot: 4, function: 5 });
    });
    expect(at(4).readb(HEADER.HEADER_TYPE)).toBe(0x80);
    expect(host.scan().map(({ slot, function: fn }) => `${slot}.${fn}`)).toEqual(['4.0', '4.5']);
  });

  test('place/two-functions-at-one-are-refused', () => {
    const twice = (): unknown =>
      build((m) => {
        m.add(everything, { slot: 4 });
        m.add(everything, { slot: 4 });
      });
    expect(twice).toThrow(/device 'fn1': slot 4, function 0 of 'pci0' is taken by 'fn0'/);
  });

  test('place/a-function-without-the-first-of-its-slot-is-refused', () => {
    expect(() => build((m) => m.add(everything, { slot: 4, function: 1 }))).toThrow(/'fn0'.*slot 4.*no function 0/);
    const single = (): unknown =>
      build((m) => {
        m.add(everything, { slot: 4, function: 1 });
        m.add(everything, { slot: 4 });
      });
    expect(single).toThrow(/give 'fn1' the property multifunction: true/);
  });

  test('place/out-of-range', () => {
    expect(() => build((m) => m.add(everything, { slot: 32 }))).toThrow(
      /property 'slot' is 32; expected an integer from 0 to 31/,
    );
    expect(() => build((m) => m.add(everything, { slot: 0, function: 8 }))).toThrow(/property 'function' is 8/);
  });
});

describe('BARs', () => {
  test('sizing/every-kind', () => {
    const { at } = build();
    const bars = at(3).bars();
    expect(bars).toEqual([
      { bar: 0, kind: 'io', size: 16, prefetchable: false, address: 0 },
      { bar: 1, kind: 'memory32', size: 4096, prefetchable: false, address: 0 },
      { bar: 2, kind: 'memory64', size: 256, prefetchable: true, address: 0 },
      { bar: 'rom', kind: 'memory32', size: 2048, prefetchable: false, address: 0 },
    ]);
  });

  test('decoding/by-the-command-register', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.setBar(0, 0xc100);
    fn.setBar(1, 0xe000_0000);
    expect(vcpu.inb(0xc102)).toBe(0xff);
    expect(vcpu.readl(0xe000_0000)).toBe(0xffff_ffff);
    fn.enable({ io: true });
    vcpu.outb(0xc102, 0x5a);
    expect(vcpu.inb(0xc102)).toBe(0x5a);
    expect(vcpu.readl(0xe000_0010)).toBe(0xffff_ffff);
    fn.enable({ io: false, memory: true });
    expect(vcpu.inb(0xc102)).toBe(0xff);
    expect(vcpu.readl(0xe000_0010)).toBe(0x7070_0010);
    fn.enable({ memory: false });
    expect(vcpu.readl(0xe000_0010)).toBe(0xffff_ffff);
  });

  test('decoding/ends-and-begins-at-the-edges', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.setBar(0, 0xc100);
    fn.setBar(1, 0xe000_0000);
    fn.enable({ io: true, memory: true });
    expect([0xc0ff, 0xc100, 0xc10f, 0xc110].map((port) => vcpu.inb(port))).toEqual([0xff, 0, 0, 0xff]);
    expect(vcpu.readl(0xdfff_fffc)).toBe(0xffff_ffff);
    expect(vcpu.readl(0xe000_0ffc)).toBe(0x7070_0ffc);
    expect(vcpu.readl(0xe000_1000)).toBe(0xffff_ffff);
    // An access over the edge: two bytes here, two from nobody.
    expect(vcpu.readl(0xe000_0ffe) >>> 16).toBe(0xffff);
  });

  test('moving/takes-effect-before-the-next-access', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.enable({ memory: true });
    for (const address of [0xe000_0000, 0xe000_1000, 0xf000_0000, 0xe000_0000]) {
      fn.setBar(1, address);
      expect(vcpu.readl(address + 4)).toBe(0x7070_0004);
      for (const other of [0xe000_0000, 0xe000_1000, 0xf000_0000]) {
        if (other !== address) expect(vcpu.readl(other + 4)).toBe(0xffff_ffff);
      }
    }
  });

  test('moving/a-64-bit-one-above-4-gib', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.enable({ memory: true });
    fn.setBar(2, 0x12_3456_7800);
    expect(fn.readl(0x18)).toBe(0x3456_780c);
    expect(fn.readl(0x1c)).toBe(0x12);
    expect(vcpu.readl(0x12_3456_7804)).toBe(0x4c04);
    expect(vcpu.readl(0x12_3456_7900)).toBe(0xffff_ffff);
    expect(vcpu.readl(0x3456_7804)).toBe(0xffff_ffff);
  });

  test('moving/nowhere', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.enable({ io: true, memory: true });
    expect(vcpu.inb(0x0)).toBe(0xff);
    // RAM, which the BAR would hide if 0 were an address.
    expect(vcpu.readl(0)).toBe(0);
    fn.writel(HEADER.BAR0 + 4, 0xffff_ffff);
    expect(vcpu.readl(0xffff_f000)).toBe(0xffff_ffff);
    fn.writel(HEADER.BAR0, 0xffff_ffff);
    fn.writel(HEADER.BAR0, 0x1_c000);
    expect(vcpu.inb(0xc000)).toBe(0xff);
    fn.writel(HEADER.BAR0 + 8, 0xffff_ffff);
    fn.writel(HEADER.BAR0 + 12, 0xffff_ffff);
    expect(vcpu.readl(0xffff_ff00)).toBe(0xffff_ffff);
    fn.writel(HEADER.BAR0, 0xfff0);
    expect(vcpu.inb(0xffff)).toBe(0);
  });

  test('overlap/ram-hides-a-bar', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    vcpu.writel(0x2004, 0xcafe_f00d);
    fn.enable({ memory: true });
    fn.setBar(1, 0x2000);
    expect(vcpu.readl(0x2004)).toBe(0xcafe_f00d);
    vcpu.writel(0x2004, 0xcafe_f00e);
    fn.setBar(1, 0x8000_0000);
    expect(vcpu.readl(0x2004)).toBe(0xcafe_f00e);
    expect(vcpu.readl(0x8000_0004)).toBe(0x7070_0004);
  });

  test('overlap/the-host-bridge-answers-before-a-bar', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    fn.enable({ io: true });
    fn.setBar(0, 0xcf0);
    expect(fn.readl(0)).toBe(0x1234_abcd);
    expect(vcpu.inb(0xcf2)).toBe(0);
    expect(vcpu.inb(0xcf9)).toBe(0);
    fn.setBar(0, 0xc000);
    expect(vcpu.inb(0xcf2)).toBe(0xff);
  });

  test('overlap/the-first-of-the-machine-answers', () => {
    const { at, vcpu } = build((m) => {
      m.add(everything, { slot: 3, tag: 0x11 });
      m.add(everything, { slot: 4, tag: 0x22 });
    });
    for (const slot of [4, 3]) {
      at(slot).setBar(1, 0xe000_0000);
      at(slot).enable({ memory: true });
    }
    expect(vcpu.readl(0xe000_0000)).toBe(0x1111_0000);
    at(3).enable({ memory: false });
    expect(vcpu.readl(0xe000_0000)).toBe(0x2222_0000);
    at(3).enable({ memory: true });
    at(3).setBar(1, 0xe000_1000);
    expect([0xe000_0000, 0xe000_1000].map((address) => vcpu.readl(address))).toEqual([0x2222_0000, 0x1111_0000]);
  });

  test('rom/needs-both-enables', () => {
    const { at, vcpu, events } = build();
    const fn = at(3);
    fn.writel(HEADER.ROM_BAR, 0xd000_0001);
    expect(vcpu.readb(0xd000_0012)).toBe(0xff);
    fn.enable({ memory: true });
    expect(vcpu.readb(0xd000_0012)).toBe(0x12);
    events();
    vcpu.writeb(0xd000_0000, 1);
    expect(events()).toMatchObject([{ device: 'fn0', message: 'write to the ROM' }]);
    fn.writel(HEADER.ROM_BAR, 0xd000_0000);
    expect(vcpu.readb(0xd000_0012)).toBe(0xff);
  });

  test('bindings/another-one-sees-a-move-at-its-next-look', () => {
    const { at, bound, vcpu } = build();
    const registry = new Map(
      [...knownDevices([{ name: 'test', url: import.meta.url, devices: [everything] }])].map(
        ([type, { definition }]) => [type, definition],
      ),
    );
    const other = new BoundMachine(bound.handle, registry, OWNER.IO);
    const read = (address: number): number => {
      other.bus.refresh();
      return other.bus.memoryRead(address, 4, { kind: 'host', index: 0 });
    };
    const fn = at(3);
    fn.setBar(1, 0xe000_0000);
    expect(read(0xe000_0000)).toBe(0xffff_ffff);
    fn.enable({ memory: true });
    expect(read(0xe000_0000)).toBe(0x7070_0000);
    fn.setBar(1, 0xe100_0000);
    expect([0xe000_0000, 0xe100_0000].map(read)).toEqual([0xffff_ffff, 0x7070_0000]);
    // And the other way round.
    other.bus.configWrite((3 << 15) | 0x14, 0xe200_0000, 4, { kind: 'host', index: 0 });
    expect(vcpu.readl(0xe200_0000)).toBe(0x7070_0000);
    expect(vcpu.readl(0xe100_0000)).toBe(0xffff_ffff);
  });

  test('snapshot/a-restore-puts-them-back', () => {
    const { at, machine, vcpu } = build();
    const fn = at(3);
    fn.setBar(1, 0xe000_0000);
    fn.enable({ memory: true });
    const snapshot = machine.snapshot();
    fn.setBar(1, 0xe100_0000);
    machine.restore(snapshot);
    expect([0xe000_0000, 0xe100_0000].map((address) => vcpu.readl(address))).toEqual([0x7070_0000, 0xffff_ffff]);
  });
});

describe('INTx', () => {
  const raise = (vcpu: ReturnType<typeof build>['vcpu'], base: number, level: number): void =>
    vcpu.outb(base + LEVEL, level);

  test('swizzle/the-line-follows-from-the-slot', () => {
    const { at, vcpu, machine } = build((m) => {
      for (let slot = 1; slot <= 5; slot++) m.add(everything, { slot });
    });
    for (let slot = 1; slot <= 5; slot++) {
      const { address } = at(slot).map(0);
      raise(vcpu, address, 1);
      const high = [0, 1, 2, 3].filter((line) => machine.irq('pci0', line).level);
      expect(high).toEqual([(slot - 1) % 4]);
      raise(vcpu, address, 0);
    }
  });

  test('sharing/the-line-is-high-while-anyone-asks', () => {
    const { at, vcpu, machine } = build((m) => {
      m.add(everything, { slot: 2 });
      m.add(everything, { slot: 6 });
    });
    const [a, b] = [at(2).map(0).address, at(6).map(0).address];
    const line = machine.irq('pci0', 1);
    raise(vcpu, a, 1);
    raise(vcpu, b, 1);
    expect(line).toMatchObject({ level: true, edges: 1 });
    raise(vcpu, a, 0);
    expect(line.level).toBe(true);
    raise(vcpu, b, 0);
    expect(line).toMatchObject({ level: false, edges: 1 });
  });

  test('disable/the-pin-falls-and-the-status-stays', () => {
    const { at, vcpu, machine } = build();
    const fn = at(3);
    raise(vcpu, fn.map(0).address, 1);
    expect(STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS))).toBe(true);
    fn.enable({ intx: false });
    expect(machine.irq('fn0', 'intx').level).toBe(false);
    expect(STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS))).toBe(true);
    fn.enable({ intx: true });
    expect(machine.irq('fn0', 'intx').level).toBe(true);
    expect(machine.irq('pci0', 2)).toMatchObject({ level: true, edges: 2 });
  });

  test('reset/lowers-it', () => {
    const { at, vcpu, machine } = build();
    const fn = at(3);
    raise(vcpu, fn.map(0).address, 1);
    machine.reset();
    expect(machine.irq('pci0', 2).level).toBe(false);
    expect(STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS))).toBe(false);
  });
});

describe('bus mastering', () => {
  test('dma/only-with-the-enable', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    const { address } = fn.map(0);
    vcpu.outl(address + DMA_WRITE, 0x3000);
    expect(vcpu.readl(0x3000)).toBe(0);
    fn.enable({ master: true });
    vcpu.outl(address + DMA_WRITE, 0x3000);
    expect(vcpu.readl(0x3000)).toBe(0x1234_5678);
    fn.enable({ master: false });
    vcpu.outl(address + DMA_WRITE, 0x3004);
    expect(vcpu.readl(0x3004)).toBe(0);
  });

  test('dma/out-of-ram-is-reported', () => {
    const { at, vcpu, events } = build();
    const fn = at(3);
    fn.enable({ master: true });
    vcpu.outl(fn.map(0).address + DMA_WRITE, 0x9000_0000);
    expect(events()).toMatchObject([
      { kind: 'guestError', message: expect.stringMatching(/0x90000000: no device answers/) },
    ]);
  });

  test('dma/into-its-own-bar-is-refused', () => {
    const { at, vcpu, events, bound } = build();
    const fn = at(3);
    fn.enable({ master: true });
    const memory = fn.map(1).address;
    const ports = fn.map(0).address;
    vcpu.outl(ports + DMA_WRITE, memory);
    // Half in it, half before.
    vcpu.outl(ports + DMA_WRITE, memory - 2);
    fn.enableMsi({ address: memory, data: 0 });
    vcpu.outb(ports + SEND_MSI, 0);
    expect(events().map(({ device, message }) => [device, message])).toEqual([
      ['fn0', 'DMA write of 4 bytes at 0xe0000000, in its own BAR, refused'],
      ['fn0', 'DMA write of 4 bytes at 0xdffffffe, in its own BAR, refused'],
      ['fn0', 'DMA write of 4 bytes at 0xe0000000, in its own BAR, refused'],
    ]);
    expect(bound.bus.fault).toBeUndefined();
  });

  test('dma/into-another-function', () => {
    const { at, vcpu, events } = build((m) => {
      m.add(everything, { slot: 3 });
      m.add(everything, { slot: 4 });
    });
    const fn = at(3);
    fn.enable({ master: true });
    const { address } = at(4).map(1);
    vcpu.outl(fn.map(0).address + DMA_WRITE, address);
    expect(events()).toEqual([]);
  });
});

describe('MSI', () => {
  test('capability/table', () => {
    const { at } = build();
    const fn = at(3);
    expect(fn.capabilities()).toEqual([
      { id: 0x05, offset: MSI_AT },
      { id: 0x09, offset: VENDOR_AT },
    ]);
    expect(fn.readl(MSI_AT)).toBe(0x0084_5005);
    fn.writel(MSI_AT, 0xffff_ffff);
    expect(fn.readl(MSI_AT)).toBe(0x00f5_5005);
    for (const [offset, value] of [
      [4, 0xffff_fffc],
      [8, 0xffff_ffff],
      [12, 0x0000_ffff],
    ] as const) {
      fn.writel(MSI_AT + offset, 0xffff_ffff);
      expect(fn.readl(MSI_AT + offset)).toBe(value);
    }
  });

  test('capability/vendor-specific', () => {
    const { at } = build();
    const fn = at(3);
    expect(fn.readl(VENDOR_AT)).toBe(0xaa06_0009);
    fn.writel(VENDOR_AT, 0xffff_ffff);
    fn.writel(VENDOR_AT + 4, 0xffff_ffff);
    expect(fn.readl(VENDOR_AT)).toBe(0xaf06_0009);
    expect(fn.readl(VENDOR_AT + 4)).toBe(0x0000_ccbb);
  });

  test('send/a-write-to-memory-with-the-vector-in-its-low-bits', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    const { address } = fn.map(0);
    fn.enable({ master: true });
    fn.enableMsi({ address: 0x4000, data: 0x4140, vectors: 4 });
    vcpu.outb(address + SEND_MSI, 3);
    expect(vcpu.readl(0x4000)).toBe(0x4143);
    vcpu.outb(address + SEND_MSI, 7);
    expect(vcpu.readl(0x4000)).toBe(0x4143);
    fn.enableMsi({ address: 0x4004, data: 0x4141, vectors: 1 });
    vcpu.outb(address + SEND_MSI, 2);
    expect(vcpu.readl(0x4004)).toBe(0x4141);
  });

  test('send/more-vectors-than-the-part-has-are-not-given', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    const { address } = fn.map(0);
    fn.enable({ master: true });
    fn.enableMsi({ address: 0x4000, data: 0 });
    // 32 of its 4.
    fn.writew(MSI_AT + 2, 0x51);
    vcpu.outb(address + SEND_MSI, 0x1f);
    expect(vcpu.readl(0x4000)).toBe(3);
  });

  test('send/not-without-bus-mastering', () => {
    const { at, vcpu } = build();
    const fn = at(3);
    const { address } = fn.map(0);
    fn.enableMsi({ address: 0x4000, data: 0x77 });
    vcpu.outb(address + SEND_MSI, 0);
    expect(vcpu.readl(0x4000)).toBe(0);
    fn.enable({ master: true });
    vcpu.outb(address + SEND_MSI, 0);
    expect(vcpu.readl(0x4000)).toBe(0x77);
    fn.disableMsi();
    vcpu.writel(0x4000, 0);
    vcpu.outb(address + SEND_MSI, 0);
    expect(vcpu.readl(0x4000)).toBe(0);
  });

  test('send/nowhere-is-reported', () => {
    const { at, vcpu, events } = build();
    const fn = at(3);
    const { address } = fn.map(0);
    fn.enable({ master: true });
    fn.enableMsi({ address: 0xfffff_0000_0000, data: 0x77 });
    vcpu.outb(address + SEND_MSI, 0);
    expect(events()).toMatchObject([{ kind: 'guestError' }]);
    // The last of 64 bits, and the first that the memory space has not.
    for (const high of [0xffff_ffff, 0x0020_0000]) {
      fn.writel(MSI_AT + 8, high);
      vcpu.outb(address + SEND_MSI, 0);
      expect(events()).toMatchObject([{ kind: 'guestError', message: expect.stringMatching(/no such address/) }]);
    }
  });
});

describe('a command register of random values', () => {
  test('never-throws', () => {
    const { at, vcpu, bound } = build();
    const fn = at(3);
    let seed = 1;
    const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0);
    for (let n = 0; n < 5000; n++) {
      fn.writel((random() >>> 8) & 0xfc, random());
      vcpu.readl(random());
      vcpu.inl(random() & 0xfffc);
      if (n % 100 === 0) fn.writew(HEADER.COMMAND, COMMAND.IO.mask | COMMAND.MEMORY.mask);
    }
    expect(bound.bus.fault).toBeUndefined();
  });
});
