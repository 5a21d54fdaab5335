import { describe, expect, test } from 'vitest';
import {
  BRIDGE,
  BRIDGE_CONTROL,
  busMaster,
  definePciBridge,
  definePciFunction,
  setIntx,
  type DeviceRef,
  type MachineBuilder,
} from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { machineContract } from '../../../host/src/contract/contract.ts';
import { testMachine } from '../../../test/support/machine.ts';

const { COMMAND, HEADER } = pci;

/** Ports of the probe. */
const LEVEL = 0;
const DMA_WRITE = 4;
const DMA_READ = 8;

/** A function with a BAR of each kind; a memory BAR reads as its letter and the offset. */
const probe = definePciFunction(
  {
    type: 'probe',
    description: 'a function for the tests of the bridge',
    state: { last: 'u32' },
    pci: {
      vendor: 0xabcd,
      device: 0x0001,
      classCode: 0xff_0000,
      interruptPin: 1,
      bars: {
        ports: { bar: 0, kind: 'io', size: 0x1000, access: { max: 4 } },
        memory: { bar: 1, kind: 'memory32', size: 2 ** 21, access: { max: 4 } },
        long: { bar: 2, kind: 'memory64', size: 2 ** 21, prefetchable: true, access: { max: 4 } },
      },
    },
  },
  {
    regions: {
      ports: {
        read: ({ state }, offset) => (offset === DMA_READ ? state.last : offset & 0xff),
        write(device, offset, value) {
          if (offset === LEVEL) setIntx(device, value !== 0);
          if (offset === DMA_WRITE) busMaster(device)?.writel(value, 0x1234_5678);
          if (offset === DMA_READ) device.state.last = busMaster(device)?.readl(value) ?? 0;
        },
      },
      memory: {
        read: (_device, offset) => 0x4d00_0000 + offset,
        write: ({ state }, _offset, value) => void (state.last = value),
      },
      long: { read: (_device, offset) => 0x4c00_0000 + offset, write: () => {} },
    },
  },
);

/** A function at ports that no software can move. */
const fixed = definePciFunction(
  {
    type: 'fixed',
    description: 'a function at fixed ports',
    pci: { vendor: 0xabcd, device: 0x0003, classCode: 0xff_0000 },
    regions: () => ({ ports: { space: 'io', base: 0xd800, size: 4, priority: 2 } }),
  },
  { regions: { ports: { read: () => 0x5a, write: () => {} } } },
);

/** A bridge that decodes 32 bits of I/O, and has no prefetchable window. */
const other = definePciBridge({
  type: 'other',
  description: 'another bridge',
  pci: { vendor: 0xabcd, device: 0x0002, ioBits: 32, prefetchBits: 0 },
});

type Bus = { bridge: DeviceRef; inner: DeviceRef };

/** bridge0 in slot 5; behind it fn0 in slot 1 and bridge1 in slot 2; behind that fn1 in slot 3. */
function build(add: (m: MachineBuilder, bus: Bus) => void = () => {}) {
  const machine = testMachine(
    (m) => {
      m.ram(0, 0xa_0000);
      const root = m.add('i440fx-pcihost');
      const bridge = m.add('pci-bridge', { bus: root, slot: 5 });
      m.add(probe, { id: 'fn0', bus: bridge, slot: 1 });
      const inner = m.add('pci-bridge', { bus: bridge, slot: 2 });
      m.add(probe, { id: 'fn1', bus: inner, slot: 3 });
      add(m, { bridge, inner });
    },
    { devices: [probe, fixed, other] },
  );
  const host = pci.host(machine.vcpu);
  const at = (bus: number, slot: number): pci.PciFunction => {
    const found = host.at({ bus, slot });
    if (found === undefined) throw new Error(`nobody at ${bus}:${slot}`);
    return found;
  };
  const vendors = (...buses: number[]): number[] =>
    buses.map(
      (bus) =>
        Array.from({ length: 32 }, (_, slot) => host.read({ bus, slot }, 0, 2)).filter((id) => id !== 0xffff).length,
    );
  return { ...machine, host, at, vendors };
}

/** Buses 1 and 2, windows of both bridges wide open, and the functions' decoding on. */
function ready(add?: (m: MachineBuilder, bus: Bus) => void) {
  const machine = build(add);
  const { at } = machine;
  number(at(0, 5), 0, 1, 2);
  number(at(1, 2), 1, 2, 2);
  for (const bridge of [at(0, 5), at(1, 2)]) {
    open(bridge, {
      io: [0xc000, 0xdfff],
      memory: [0xe000_0000, 0xe7ff_ffff],
      prefetch: [0x10_0000_0000, 0x10_3fff_ffff],
    });
    bridge.enable({ io: true, memory: true, master: true });
  }
  const [fn0, fn1] = [at(1, 1), at(2, 3)];
  fn0.setBar(0, 0xc000);
  fn0.setBar(1, 0xe000_0000);
  fn0.setBar(2, 0x10_0000_0000);
  fn1.setBar(0, 0xd000);
  fn1.setBar(1, 0xe020_0000);
  fn1.setBar(2, 0x10_0020_0000);
  for (const fn of [fn0, fn1]) fn.enable({ io: true, memory: true, master: true });
  return { ...machine, outer: at(0, 5), inner: at(1, 2), fn0, fn1 };
}

function number(bridge: pci.PciFunction, primary: number, secondary: number, subordinate: number): void {
  bridge.writeb(BRIDGE.PRIMARY_BUS, primary);
  bridge.writeb(BRIDGE.SECONDARY_BUS, secondary);
  bridge.writeb(BRIDGE.SUBORDINATE_BUS, subordinate);
}

type Window = readonly [first: number, last: number];

function open(
  bridge: pci.PciFunction,
  { io, memory, prefetch }: { io?: Window; memory?: Window; prefetch?: Window },
): void {
  if (io !== undefined) {
    bridge.writeb(BRIDGE.IO_BASE, (io[0] >>> 8) & 0xf0);
    bridge.writeb(BRIDGE.IO_LIMIT, (io[1] >>> 8) & 0xf0);
    bridge.writew(BRIDGE.IO_BASE_UPPER, io[0] >>> 16);
    bridge.writew(BRIDGE.IO_LIMIT_UPPER, io[1] >>> 16);
  }
  if (memory !== undefined) {
    bridge.writew(BRIDGE.MEMORY_BASE, memory[0] >>> 16);
    bridge.writew(BRIDGE.MEMORY_LIMIT, memory[1] >>> 16);
  }
  if (prefetch !== undefined) {
    bridge.writew(BRIDGE.PREFETCH_BASE, (prefetch[0] % 2 ** 32) >>> 16);
    bridge.writew(BRIDGE.PREFETCH_LIMIT, (prefetch[1] % 2 ** 32) >>> 16);
    bridge.writel(BRIDGE.PREFETCH_BASE_UPPER, Math.floor(prefetch[0] / 2 ** 32));
    bridge.writel(BRIDGE.PREFETCH_LIMIT_UPPER, Math.floor(prefetch[1] / 2 ** 32));
  }
}

const FLOATING = 0xffff_ffff;

describe('header', () => {
  test('header/values', () => {
    const bridge = build().at(0, 5);
    const dwords = Array.from({ length: 64 }, (_, n) => bridge.readl(4 * n));
    expect(dwords.slice(0, 16)).toEqual([
      0x0001_1b36, 0, 0x0604_0000, 0x0001_0000, 0, 0, 0, 0, 0, 0x0001_0001, 0, 0, 0, 0, 0, 0,
    ]);
    expect(dwords.slice(16).every((dword) => dword === 0)).toBe(true);
  });

  test('header/masks', () => {
    const bridge = build().at(0, 5);
    for (let offset = 0; offset < 256; offset += 4) bridge.writel(offset, 0xffff_ffff);
    // What can be written is what QEMU 7.2 lets be written, but for PERR#'s enable in COMMAND and its BAR.
    expect(Array.from({ length: 16 }, (_, n) => bridge.readl(4 * n))).toEqual([
      0x0001_1b36,
      0x0000_0547,
      0x0604_0000,
      0x0001_00ff,
      0,
      0,
      0xffff_ffff,
      0x0000_f0f0,
      0xfff0_fff0,
      0xfff1_fff1,
      FLOATING,
      FLOATING,
      0,
      0,
      0,
      0x0bff_00ff,
    ]);
  });

  test('header/other-decodings', () => {
    const bridge = build((m, { bridge: bus }) => m.add(other, { bus, slot: 9, multifunction: true }));
    number(bridge.at(0, 5), 0, 1, 1);
    const fn = bridge.at(1, 9);
    expect(fn.readb(HEADER.HEADER_TYPE)).toBe(0x81);
    for (let offset = 0x10; offset < 0x3c; offset += 4) fn.writel(offset, 0xffff_ffff);
    expect(Array.from({ length: 11 }, (_, n) => fn.readl(0x10 + 4 * n))).toEqual([
      0, 0, 0xffff_ffff, 0x0000_f1f1, 0xfff0_fff0, 0, 0, 0, 0xffff_ffff, 0, 0,
    ]);
  });

  test('header/reset', () => {
    for (const kind of ['warm', 'cold'] as const) {
      const { machine, at, vendors } = ready();
      machine.reset(kind);
      expect(at(0, 5).readl(0x18)).toBe(0);
      expect(at(0, 5).readl(HEADER.COMMAND)).toBe(0);
      expect(vendors(0, 1, 2)).toEqual([1, 0, 0]);
    }
  });
});

describe('configuration cycles', () => {
  test('config/none-without-numbers', () => {
    const { vendors } = build();
    expect(vendors(0, 1, 2, 255)).toEqual([1, 0, 0, 0]);
  });

  test('config/to-the-secondary-bus', () => {
    const { at, host, vendors } = build();
    number(at(0, 5), 0, 7, 7);
    expect(vendors(0, 6, 7, 8)).toEqual([1, 0, 2, 0]);
    host.write({ bus: 7, slot: 1 }, HEADER.INTERRUPT_LINE, 0x5a, 1);
    expect(at(7, 1).interruptLine).toBe(0x5a);
    number(at(0, 5), 0, 200, 255);
    expect(vendors(7, 200)).toEqual([0, 2]);
    expect(at(200, 1).interruptLine).toBe(0x5a);
  });

  test('config/up-to-the-subordinate-bus', () => {
    const { at, vendors } = build();
    number(at(0, 5), 0, 1, 4);
    number(at(1, 2), 1, 4, 4);
    expect(vendors(1, 2, 3, 4)).toEqual([2, 0, 0, 1]);
    at(0, 5).writeb(BRIDGE.SUBORDINATE_BUS, 3);
    expect(vendors(1, 4)).toEqual([2, 0]);
  });

  test('config/a-nested-bridge-of-the-same-number-gets-nothing', () => {
    const { at, vendors } = build();
    number(at(0, 5), 0, 1, 4);
    number(at(1, 2), 1, 1, 4);
    expect(vendors(1)).toEqual([2]);
  });

  test('config/of-two-bridges-of-one-number-one-answers', () => {
    const { at, vendors } = build((m) => {
      const root = m.get('pci0');
      m.add(probe, { id: 'fn2', bus: m.add('pci-bridge', { bus: root, slot: 6 }), slot: 1 });
    });
    for (const slot of [5, 6]) number(at(0, slot), 0, 1, 1);
    expect(vendors(1)).toEqual([2]);
    number(at(0, 6), 0, 2, 2);
    expect(vendors(1, 2)).toEqual([2, 1]);
  });

  test('config/needs-no-enable', () => {
    const { at, vendors } = build();
    number(at(0, 5), 0, 1, 1);
    expect(at(0, 5).readw(HEADER.COMMAND)).toBe(0);
    expect(vendors(1)).toEqual([2]);
  });
});

describe('windows', () => {
  test('window/io', () => {
    const { vcpu, outer } = ready();
    expect([0xc001, 0xcfff, 0xd001].map((port) => vcpu.inb(port))).toEqual([0x01, 0xff, 0x01]);
    open(outer, { io: [0xc000, 0xcfff] });
    expect([vcpu.inb(0xc001), vcpu.inb(0xd001)]).toEqual([1, 0xff]);
    open(outer, { io: [0xd000, 0xdfff] });
    expect([vcpu.inb(0xc001), vcpu.inb(0xd001)]).toEqual([0xff, 1]);
  });

  test('window/memory', () => {
    const { vcpu, outer } = ready();
    expect([0xe000_0004, 0xe020_0004].map((at) => vcpu.readl(at))).toEqual([0x4d00_0004, 0x4d00_0004]);
    open(outer, { memory: [0xe020_0000, 0xe03f_ffff] });
    expect([0xe000_0004, 0xe020_0004].map((at) => vcpu.readl(at))).toEqual([FLOATING, 0x4d00_0004]);
  });

  test('window/prefetchable-above-4-gib', () => {
    const { vcpu, outer } = ready();
    expect([0x10_0000_0004, 0x10_0020_0004].map((at) => vcpu.readl(at))).toEqual([0x4c00_0004, 0x4c00_0004]);
    outer.writel(BRIDGE.PREFETCH_BASE_UPPER, 0x11);
    expect(vcpu.readl(0x10_0000_0004)).toBe(FLOATING);
    outer.writel(BRIDGE.PREFETCH_LIMIT_UPPER, 0x11);
    expect(vcpu.readl(0x10_0000_0004)).toBe(FLOATING);
    outer.writel(BRIDGE.PREFETCH_BASE_UPPER, 0x0f);
    expect(vcpu.readl(0x10_0000_0004)).toBe(0x4c00_0004);
  });

  test('window/a-region-is-seen-in-the-part-of-it-that-lies-in-one', () => {
    const { vcpu, outer } = ready();
    open(outer, { memory: [0xe010_0000, 0xe02f_ffff] });
    const seen = [0xe000_0000, 0xe00f_fffc, 0xe010_0000, 0xe01f_fffc, 0xe020_0000, 0xe02f_fffc, 0xe030_0000];
    expect(seen.map((at) => vcpu.readl(at))).toEqual([
      FLOATING,
      FLOATING,
      0x4d10_0000,
      0x4d1f_fffc,
      0x4d00_0000,
      0x4d0f_fffc,
      FLOATING,
    ]);
    // Two bytes from nobody, two from the region, at their own offsets.
    expect(vcpu.readl(0xe00f_fffe)).toBe(0x0000_ffff);
    // A part on each side of a gap.
    open(outer, { memory: [0xe000_0000, 0xe00f_ffff], prefetch: [0xe030_0000, 0xe03f_ffff] });
    expect([0xe000_0000, 0xe010_0000, 0xe020_0000, 0xe030_0000].map((at) => vcpu.readl(at))).toEqual([
      0x4d00_0000,
      FLOATING,
      FLOATING,
      0x4d10_0000,
    ]);
  });

  test('window/closed-when-its-base-is-above-its-limit', () => {
    const { vcpu, outer } = ready();
    open(outer, {
      io: [0xd000, 0xcfff],
      memory: [0xe010_0000, 0xe00f_ffff],
      prefetch: [0x10_0010_0000, 0x10_000f_ffff],
    });
    expect([vcpu.inb(0xc001), vcpu.inb(0xd001)]).toEqual([0xff, 0xff]);
    expect([0xe000_0000, 0xe010_0000, 0x10_0000_0000].map((at) => vcpu.readl(at))).toEqual([
      FLOATING,
      FLOATING,
      FLOATING,
    ]);
  });

  test('window/by-the-command-register-of-each-bridge-on-the-way', () => {
    const { vcpu, outer, inner } = ready();
    const look = (): boolean[] => [
      vcpu.inb(0xc001) === 1,
      vcpu.readl(0xe000_0000) !== FLOATING,
      vcpu.inb(0xd001) === 1,
      vcpu.readl(0xe020_0000) !== FLOATING,
      vcpu.readl(0x10_0020_0000) !== FLOATING,
    ];
    expect(look()).toEqual([true, true, true, true, true]);
    inner.enable({ io: false });
    expect(look()).toEqual([true, true, false, true, true]);
    inner.enable({ io: true, memory: false });
    expect(look()).toEqual([true, true, true, false, false]);
    inner.enable({ memory: true });
    outer.enable({ memory: false });
    expect(look()).toEqual([true, false, true, false, false]);
    outer.enable({ memory: true, io: false });
    expect(look()).toEqual([false, true, false, true, true]);
  });

  test('window/of-zero-is-the-first-unit', () => {
    const { vcpu, outer, at } = ready((m, { bridge }) => m.add('pvpanic-pci', { bus: bridge, slot: 9 }));
    open(outer, { memory: [0, 0] });
    const fn = at(1, 9);
    fn.enable({ memory: true });
    fn.setBar(0, 0xf_fff0);
    expect(vcpu.readb(0xf_fff0)).toBe(7);
    fn.setBar(0, 0x10_0000);
    expect(vcpu.readb(0x10_0000)).toBe(0xff);
  });

  test('window/snapshot-and-restore', () => {
    const { vcpu, machine, outer } = ready();
    const snapshot = machine.snapshot();
    open(outer, { memory: [0xe010_0000, 0xe00f_ffff] });
    expect(vcpu.readl(0xe000_0000)).toBe(FLOATING);
    machine.restore(snapshot);
    expect(vcpu.readl(0xe000_0000)).toBe(0x4d00_0000);
    open(outer, { memory: [0xe010_0000, 0xe7ff_ffff] });
    expect([0xe000_0000, 0xe010_0000].map((at) => vcpu.readl(at))).toEqual([FLOATING, 0x4d10_0000]);
    machine.restore(snapshot);
    expect(vcpu.readl(0xe000_0000)).toBe(0x4d00_0000);
  });

  test('window/32-bit-io-is-out-of-reach', () => {
    const { vcpu, at, inner } = ready((m, { bridge }) => {
      m.add(probe, { id: 'fn2', bus: m.add(other, { bus: bridge, slot: 9 }), slot: 1 });
    });
    inner.enable({ io: false });
    const bridge = at(1, 9);
    number(at(0, 5), 0, 1, 3);
    number(bridge, 1, 3, 3);
    open(bridge, { io: [0x1_c000, 0x1_dfff] });
    bridge.enable({ io: true });
    const fn = at(3, 1);
    fn.setBar(0, 0xd000);
    fn.enable({ io: true });
    expect(vcpu.inb(0xd001)).toBe(0xff);
    open(bridge, { io: [0xc000, 0x1_dfff] });
    expect(vcpu.inb(0xd001)).toBe(1);
  });

  test('window/isa-enable-leaves-three-quarters-of-each-kib', () => {
    const { vcpu, outer } = ready();
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.ISA.mask);
    const ports = [0xc000, 0xc0fc, 0xc100, 0xc3fc, 0xc400, 0xc4fc, 0xc500, 0xcffc];
    expect(ports.map((port) => vcpu.inb(port) !== 0xff)).toEqual([true, true, false, false, true, true, false, false]);
    expect(vcpu.readl(0xe000_0000)).toBe(0x4d00_0000);
    outer.writew(BRIDGE.CONTROL, 0);
    expect(vcpu.inb(0xc100)).toBe(0);
  });

  test('window/vga-enable', () => {
    const { vcpu, outer, fn0 } = ready();
    fn0.setBar(1, 0x2_0000);
    fn0.setBar(0, 0);
    fn0.writel(HEADER.BAR0 + 4, 0);
    fn0.writel(HEADER.BAR0, 0x1000);
    const ports = [0x13b0, 0x13bb, 0x13bc, 0x13bf, 0x13c0, 0x13df, 0x13e0, 0x17b0, 0x1fdf];
    const answers = (): boolean[] => ports.map((port) => vcpu.inb(port) !== 0xff);
    expect(answers().some(Boolean)).toBe(false);
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.VGA.mask);
    expect(answers()).toEqual([true, true, false, false, true, true, false, true, true]);
    // All 16 bits decoded: none of these is VGA's.
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.VGA.mask | BRIDGE_CONTROL.VGA_16.mask);
    expect(answers().some(Boolean)).toBe(false);
  });

  test('window/vga-enable-memory', () => {
    const { vcpu, outer, at } = ready((m, { bridge }) => m.add('pvpanic-pci', { bus: bridge, slot: 9 }));
    const fn = at(1, 9);
    fn.setBar(0, 0xb_8000);
    fn.enable({ memory: true });
    expect(vcpu.readb(0xb_8000)).toBe(0xff);
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.VGA.mask);
    expect(vcpu.readb(0xb_8000)).toBe(7);
    fn.setBar(0, 0xc_8000);
    expect(vcpu.readb(0xc_8000)).toBe(0xff);
  });
});

describe('DMA from behind', () => {
  const write = ({ vcpu }: ReturnType<typeof ready>, port: number, address: number): void =>
    vcpu.outl(port + DMA_WRITE, address);
  const read = ({ vcpu }: ReturnType<typeof ready>, port: number, address: number): number => {
    vcpu.outl(port + DMA_READ, address);
    return vcpu.inl(port + DMA_READ);
  };

  test('dma/each-bridge-must-be-a-bus-master', () => {
    const machine = ready();
    const { vcpu, outer, inner, events } = machine;
    write(machine, 0xd000, 0x1000);
    expect(vcpu.readl(0x1000)).toBe(0x1234_5678);
    events();
    for (const [n, bridge] of [inner, outer].entries()) {
      bridge.enable({ master: false });
      vcpu.writel(0x1000, 0);
      write(machine, 0xd000, 0x1000);
      expect(vcpu.readl(0x1000)).toBe(0);
      expect(read(machine, 0xd000, 0x1000)).toBe(FLOATING);
      const name = n === 0 ? 'bridge1' : 'bridge0';
      expect(events()).toMatchObject(
        Array.from({ length: 2 }, () => ({
          kind: 'guestError',
          device: 'fn1',
          message: `DMA of 4 bytes at 0x1000: '${name}' does not forward it`,
        })),
      );
      // What is between the two is not asked.
      write(machine, 0xc000, 0x1000);
      expect(vcpu.readl(0x1000)).toBe(n === 0 ? 0x1234_5678 : 0);
      bridge.enable({ master: true });
      events();
    }
    write(machine, 0xd000, 0x1000);
    expect(vcpu.readl(0x1000)).toBe(0x1234_5678);
  });

  test('dma/to-a-peer-in-the-window-needs-no-bus-master', () => {
    const machine = ready();
    const { vcpu, outer, events } = machine;
    outer.enable({ master: false });
    write(machine, 0xd000, 0xe000_0000);
    expect(read(machine, 0xd000, 0xe000_0010)).toBe(0x4d00_0010);
    expect(vcpu.inl(0xc000 + DMA_READ)).toBe(0x1234_5678);
    expect(events()).toEqual([]);
    // Half in it, half before: it does not stay on this side.
    expect(read(machine, 0xd000, 0xdfff_fffe)).toBe(FLOATING);
    expect(events()).toMatchObject([{ device: 'fn1' }]);
    expect(read(machine, 0xd000, 0xe7ff_fffe)).toBe(FLOATING);
    expect(events()).toMatchObject([{ device: 'fn1' }]);
  });

  test('dma/the-bridge-is-not-entered', () => {
    const machine = ready();
    const { bound, outer } = machine;
    outer.enable({ master: false });
    write(machine, 0xd000, 0x1000);
    write(machine, 0xd000, 0xe020_0000);
    expect(bound.bus.fault).toBeUndefined();
  });
});

describe('INTx from behind', () => {
  /** Lines 0 to 3 of bus 0 that are high. */
  const high = ({ machine }: ReturnType<typeof ready>): number[] =>
    [0, 1, 2, 3].filter((n) => machine.irq('pci0', n).level);

  test('intx/by-the-slots-of-device-and-bridges', () => {
    const machine = ready();
    const { vcpu } = machine;
    // Slot 1 INTA# is INTB# of the bridge; its slot is 5, and slot 1 INTA# is line 0 of bus 0.
    vcpu.outb(0xc000 + LEVEL, 1);
    expect(high(machine)).toEqual([(1 + 5 - 1) % 4]);
    vcpu.outb(0xc000 + LEVEL, 0);
    expect(high(machine)).toEqual([]);
    // Slot 3 behind slot 2 behind slot 5.
    vcpu.outb(0xd000 + LEVEL, 1);
    expect(high(machine)).toEqual([(3 + 2 + 5 - 1) % 4]);
    expect(machine.machine.irq('bridge1', 3).level).toBe(true);
    expect(machine.machine.irq('bridge0', 1).level).toBe(true);
  });

  test('intx/shared-on-the-way', () => {
    const machine = ready();
    const { vcpu } = machine;
    vcpu.outb(0xc000 + LEVEL, 1);
    vcpu.outb(0xd000 + LEVEL, 1);
    expect(high(machine)).toEqual([1]);
    vcpu.outb(0xc000 + LEVEL, 0);
    expect(high(machine)).toEqual([1]);
    vcpu.outb(0xd000 + LEVEL, 0);
    expect(high(machine)).toEqual([]);
  });

  test('intx/does-not-ask-the-command-register', () => {
    const machine = ready();
    const { vcpu, outer } = machine;
    vcpu.outb(0xc000 + LEVEL, 1);
    outer.writew(HEADER.COMMAND, COMMAND.INTX_DISABLE.mask);
    expect(high(machine)).toEqual([1]);
  });
});

describe('reset of the bus behind', () => {
  test('reset/all-that-is-behind-and-nothing-else', () => {
    const { vcpu, outer, fn0, machine, vendors, at } = ready();
    fn0.interruptLine = 0x55;
    vcpu.outb(0xc000 + LEVEL, 1);
    const before = outer.readl(0x18);
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
    expect(machine.irq('pci0', 1).level).toBe(false);
    expect(machine.irq('bridge0', 'rst').level).toBe(true);
    expect(vendors(0, 1, 2)).toEqual([1, 0, 0]);
    expect(vcpu.readl(0xe000_0000)).toBe(FLOATING);
    outer.writew(BRIDGE.CONTROL, 0);
    expect(outer.readl(0x18)).toBe(before);
    expect(vendors(0, 1, 2)).toEqual([1, 2, 0]);
    expect(at(1, 1).interruptLine).toBe(0);
    expect(at(1, 1).readw(HEADER.COMMAND)).toBe(0);
    expect(at(1, 2).readl(0x18)).toBe(0);
  });

  test('reset/nothing-behind-answers-until-it-ends', () => {
    const { vcpu, outer } = ready((m, { bridge }) => m.add(fixed, { bus: bridge, slot: 9 }));
    outer.enable({ io: false });
    expect(vcpu.inb(0xd800)).toBe(0xff);
    outer.enable({ io: true });
    expect(vcpu.inb(0xd800)).toBe(0x5a);
    outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
    expect(vcpu.inb(0xd800)).toBe(0xff);
    outer.writew(BRIDGE.CONTROL, 0);
    expect(vcpu.inb(0xd800)).toBe(0x5a);
  });

  test('reset/of-an-inner-bus-leaves-the-outer', () => {
    const { vcpu, inner, fn0 } = ready();
    inner.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
    inner.writew(BRIDGE.CONTROL, 0);
    expect(fn0.bar(0)?.address).toBe(0xc000);
    expect([vcpu.inb(0xc001), vcpu.inb(0xd001)]).toEqual([1, 0xff]);
  });

  test('reset/once-however-often-the-bit-is-written', () => {
    const { outer, machine } = ready();
    const line = machine.irq('bridge0', 'rst');
    const before = line.edges;
    for (let n = 0; n < 3; n++) outer.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
    expect(line.edges - before).toBe(1);
    machine.reset();
    expect(line.level).toBe(false);
  });
});

describe('what is on a bus', () => {
  test('place/one-slot-on-each-bus', () => {
    expect(() =>
      build((m, { bridge, inner }) => {
        m.add(probe, { bus: bridge, slot: 3 });
        m.add(probe, { bus: inner, slot: 1 });
      }),
    ).not.toThrow();
    expect(() => build((m, { bridge }) => m.add(probe, { bus: bridge, slot: 2 }))).toThrow(
      /slot 2, function 0 of 'bridge0' is taken by 'bridge1'/,
    );
  });

  test('place/further-functions-by-bus', () => {
    expect(() => build((m, { inner }) => m.add(probe, { bus: inner, slot: 1, function: 1 }))).toThrow(
      /function 1 of slot 1 of 'bridge1', which has no function 0/,
    );
  });

  test('place/which-bus-must-be-said', () => {
    expect(() => build((m) => m.add(probe, { slot: 9 }))).toThrow(/there are 3 buses of the kind 'pci'; say which/);
  });

  test('pc/has-one-if-asked-for', () => {
    const { vcpu, machine } = testMachine((m) => {
      const { pci: root } = m.pc({ 'pci-bridge': true });
      m.add('edu', { bus: m.get('bridge0'), slot: 1 });
      m.add('edu', { bus: root, slot: 9 });
    });
    expect(machine.get('bridge0').properties).toMatchObject({ slot: 5 });
    expect(pci.host(vcpu).find({ classCode: 0x0604 })).toMatchObject({ slot: 5 });
  });
});

describe('definePciBridge', () => {
  const answer = { read: () => 0, write: () => {} };
  const identity = { vendor: 1, device: 2 };

  test('bars/only-two', () => {
    const define = (bar: 1 | 2, kind: 'memory32' | 'memory64'): unknown =>
      definePciBridge(
        { type: 'x', description: '', pci: { ...identity, bars: { bar: { bar, kind, size: 16 } } } },
        { regions: { bar: answer } },
      );
    expect(() => define(2, 'memory32')).toThrow(/BAR 'bar' is 2; a bridge has 0 and 1/);
    expect(() => define(1, 'memory64')).toThrow(/no BAR after it: expected 0 to 0/);
    expect(() => define(1, 'memory32')).not.toThrow();
  });

  test('rom/at-its-own-offset', () => {
    const rom = definePciBridge(
      { type: 'x', description: '', pci: { ...identity, bars: { rom: { bar: 'rom', kind: 'memory32', size: 2048 } } } },
      { regions: { rom: { read: (_device, offset) => offset & 0xff, write: () => {} } } },
    );
    const { vcpu } = testMachine(
      (m) => {
        const bus = m.add('i440fx-pcihost');
        m.add(rom, { bus, slot: 1 });
      },
      { devices: [rom] },
    );
    const [fn] = pci.host(vcpu).scan();
    fn?.writel(BRIDGE.ROM_BAR, 0xe000_0001);
    fn?.enable({ memory: true });
    expect(vcpu.readb(0xe000_0012)).toBe(0x12);
    expect(fn?.readl(HEADER.ROM_BAR)).toBe(0);
  });
});

describe('a bridge with a function behind it holds the contract', () => {
  const checks = machineContract((m) => {
    m.ram(0, 0x1000);
    const root = m.add('i440fx-pcihost');
    const bridge = m.add('pci-bridge', { bus: root, slot: 0 });
    m.add('pci-testdev', { bus: bridge, slot: 0 });
  });
  test.each(checks)('$name', ({ run }) => run());
});
