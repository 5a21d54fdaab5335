import { describe, expect, test } from 'vitest';
import { definePciFunction, setIntx, type MachineBuilder } from '@qtest/sdk';
import { guestMemory, pci } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

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

/** A BAR of each kind, each of which reads as its letter, and an INTC pin. */
const card = definePciFunction(
  {
    type: 'card',
    description: 'a function for the tests of bridges',
    pci: {
      vendor: 0x3333,
      device: 0x4444,
      classCode: 0x02_0000,
      interruptPin: 3,
      bars: {
        ports: { bar: 0, kind: 'io', size: 64 },
        memory: { bar: 1, kind: 'memory32', size: 2 ** 14 },
        long: { bar: 2, kind: 'memory64', size: 2 ** 24, prefetchable: true },
        near: { bar: 4, kind: 'memory64', size: 2 ** 12 },
        rom: { bar: 'rom', kind: 'memory32', size: 2 ** 12 },
      },
    },
  },
  {
    regions: {
      ports: { read: () => 0x69, write: (device, _offset, value) => setIntx(device, value !== 0) },
      memory: { read: () => 0x6d, write: () => {} },
      long: { read: () => 0x6c, write: () => {} },
      near: { read: () => 0x6e, write: () => {} },
      rom: { read: () => 0x72, write: () => {} },
    },
  },
);

/** Cards on bus 0, behind bridge0, behind bridge1 behind that, and behind bridge2 beside; bridge3 has nobody behind it. */
function bridged() {
  const machine = testMachine(
    (m) => {
      m.ram(0, 0x1_0000);
      const root = m.add('i440fx-pcihost');
      m.add('piix3', { bus: root });
      m.add(card, { id: 'card0', bus: root, slot: 3 });
      const outer = m.add('pci-bridge', { bus: root, slot: 4 });
      const inner = m.add('pci-bridge', { bus: outer, slot: 6 });
      const beside = m.add('pci-bridge', { bus: root, slot: 7 });
      m.add('pci-bridge', { bus: root, slot: 8 });
      m.add(card, { id: 'card1', bus: outer, slot: 1 });
      m.add(card, { id: 'card2', bus: inner, slot: 2 });
      m.add(card, { id: 'card3', bus: beside, slot: 0 });
    },
    { devices: [card] },
  );
  const host = pci.host(machine.vcpu);
  const cards = (): pci.PciFunction[] => host.scan().filter(({ vendor }) => vendor === 0x3333);
  return { ...machine, host, cards };
}

const places = (functions: readonly pci.PciFunction[]): string[] => functions.map(({ bus, slot }) => `${bus}.${slot}`);

describe('pci driver behind bridges', () => {
  test('enumerate/depth-first', () => {
    const { host } = bridged();
    expect(places(host.scan())).toEqual(['0.1', '0.3', '0.4', '0.7', '0.8']);
    const all = ['0.1', '0.3', '0.4', '1.1', '1.6', '2.2', '0.7', '3.0', '0.8'];
    expect(places(host.enumerate())).toEqual(all);
    const numbers = host
      .scan()
      .filter(pci.isBridge)
      .map((fn) => fn.readl(0x18));
    expect(numbers).toEqual([0x02_01_00, 0x02_02_01, 0x03_03_00, 0x04_04_00]);
    // Again, over numbers that are there already, and over ones that clash.
    expect(places(host.enumerate())).toEqual(all);
    host.at({ slot: 7 })?.writel(0x18, 0x02_01_00);
    expect(places(host.enumerate())).toEqual(all);
  });

  test('enumerate/over-numbers-that-clash-and-a-reset', () => {
    const { vcpu } = testMachine(
      (m) => {
        const root = m.add('i440fx-pcihost');
        m.add(card, { bus: m.add('pci-bridge', { bus: root, slot: 1 }), slot: 1 });
        const second = m.add('pci-bridge', { bus: root, slot: 2 });
        m.add(card, { bus: m.add('pci-bridge', { bus: second, slot: 3 }), slot: 4 });
      },
      { devices: [card] },
    );
    const host = pci.host(vcpu);
    const all = ['0.1', '1.1', '0.2', '2.3', '3.4'];
    expect(places(host.enumerate())).toEqual(all);
    // The second as if it were the first, so that what is behind it is seen on bus 1, too.
    host.at({ slot: 2 })?.writel(0x18, 0x02_01_00);
    expect(places(host.enumerate())).toEqual(all);
    host.at({ slot: 2 })?.writew(pci.BRIDGE.CONTROL, pci.BRIDGE_CONTROL.RESET.mask);
    expect(places(host.enumerate())).toEqual(all);
  });

  test('enumerate/without-a-bridge', () => {
    const { host } = build((m) => m.add('edu', { slot: 3 }));
    expect(places(host.enumerate())).toEqual(['0.0', '0.3']);
  });

  test.each([false, true])('assign/everything-answers/above-4g-%s', (above4g) => {
    const { host, vcpu, cards } = bridged();
    host.enumerate();
    host.assign({ above4g });
    const taken: [number, number][] = [];
    const reads = cards().map((fn) =>
      fn.bars().map(({ bar, kind, address, size }) => {
        if (kind !== 'io') {
          expect(taken.some(([start, end]) => address < end && start < address + size)).toBe(false);
          taken.push([address, address + size]);
        }
        expect(address % size).toBe(0);
        expect(address >= 2 ** 32).toBe(above4g && bar === 2);
        expect(fn.map(bar).address).toBe(address);
        const read = (at: number): number => (kind === 'io' ? vcpu.inb(at) : vcpu.readb(at));
        return [read(address), read(address + size - 1)];
      }),
    );
    const each = [0x69, 0x6d, 0x6c, 0x6e, 0x72].map((letter) => [letter, letter]);
    expect(reads).toEqual([each, each, each, each]);
  });

  test('assign/functions-answer-as-before', () => {
    const { host, cards } = bridged();
    host.enumerate();
    const [one, other] = cards();
    one?.enable({ io: true, memory: true });
    host.assign();
    expect([one, other].map((fn) => fn?.readw(HEADER.COMMAND))).toEqual([COMMAND.IO.mask | COMMAND.MEMORY.mask, 0]);
    expect(host.scan().find(pci.isBridge)?.readw(HEADER.COMMAND)).toBe(7);
  });

  test('assign/a-window-with-nobody-behind-it-is-closed', () => {
    const { host } = bridged();
    host.enumerate();
    host.assign();
    const empty = host.at({ slot: 8 });
    expect([0x1c, 0x20, 0x24].map((offset) => empty?.readl(offset))).toEqual([0x0000_00f0, 0x0000_fff0, 0x0001_fff1]);
  });

  test('assign/of-bars-that-do-not-fit-below-4-gib', () => {
    const { host } = build((m) => m.add(large, { slot: 2 }));
    expect(() => host.assign()).toThrow(
      /the BARs want .* bytes of memory; there is room from 0xe0000000 to 0xffffffff/,
    );
    const many = testMachine(
      (m) => {
        m.ram(0, 0x1_0000);
        const root = m.add('i440fx-pcihost');
        for (let slot = 1; slot < 31; slot++) m.add(card, { bus: root, slot });
        const bridge = m.add('pci-bridge', { bus: root, slot: 31 });
        for (let slot = 0; slot < 2; slot++) m.add(card, { bus: bridge, slot });
      },
      { devices: [card] },
    );
    const other = pci.host(many.vcpu);
    other.enumerate();
    other.assign();
    // 32 of 16 MiB are all that there is below.
    const long = other
      .scan()
      .filter(({ vendor }) => vendor === 0x3333)
      .map((fn) => fn.map(2).address);
    expect(long.every((address) => address >= 2 ** 32)).toBe(true);
    expect(long.map((address) => many.vcpu.readb(address))).toEqual(long.map(() => 0x6c));
  });

  test('map/behind-a-bridge-needs-an-address', () => {
    const { host, cards } = bridged();
    host.enumerate();
    const behind = cards().find(({ bus }) => bus === 2);
    expect(() => behind?.map(0)).toThrow(
      /PCI function 02:02.0, BAR 0: it is behind a bridge and has no address; call assign\(\)/,
    );
    // After assign(), what is given out is beside what has been.
    host.assign();
    const taken = host.scan().flatMap((fn) => fn.bars().map(({ address }) => address));
    const first = host.at({ slot: 3 });
    first?.setBar(0, 0);
    expect(taken).not.toContain(first?.map(0).address);
  });

  test('bars/of-a-bridge-are-two', () => {
    const { host } = bridged();
    host.enumerate();
    const bridge = host.at({ slot: 4 });
    const numbers = bridge?.readl(0x18);
    expect(bridge?.bars()).toEqual([]);
    expect(bridge?.readl(0x18)).toBe(numbers);
    expect(() => bridge?.bar(2)).toThrow(/PCI BAR 2: expected an integer from 0 to 1/);
  });

  test('intx/through-bridges', () => {
    const { host, vcpu, machine, cards } = bridged();
    host.enumerate();
    host.assign();
    const lines = cards().map((fn) => host.intx(fn)?.pirq);
    const high = cards().map((fn) => {
      const { address } = fn.map(0);
      vcpu.outb(address, 1);
      const found = [0, 1, 2, 3].filter((n) => machine.irq('pci0', n).level);
      vcpu.outb(address, 0);
      return found;
    });
    expect(high).toEqual(lines.map((line) => [line]));
    // INTC# in slot 3; in slot 1 behind 4; in slot 2 behind 6 behind 4; in slot 0 behind 7.
    expect(lines).toEqual([(2 + 3 - 1) & 3, (2 + 1 + 4 - 1) & 3, (2 + 2 + 6 + 4 - 1) & 3, (2 + 0 + 7 - 1) & 3]);
  });

  test('intx/to-an-isa-irq', () => {
    const { host, vcpu, machine, cards } = bridged();
    host.enumerate();
    host.assign();
    const [, card1] = cards();
    if (card1 === undefined) throw new Error('nobody');
    expect(host.intx(card1)).toEqual({ pirq: 2, irq: undefined });
    host.route(2, 11);
    expect(host.intx(card1)).toEqual({ pirq: 2, irq: 11 });
    vcpu.outb(card1.map(0).address, 1);
    expect(machine.irq('isa0', 11).level).toBe(true);
    host.route(2, undefined);
    expect(host.intx(card1)?.irq).toBeUndefined();
    expect(machine.irq('isa0', 11).level).toBe(false);
    expect(() => host.route(4, 11)).toThrow(/PCI PIRQ 4/);
    expect(() => host.route(0, 16)).toThrow(/PCI IRQ 16/);
  });

  test('intx/none', () => {
    const { host } = build((m) => {
      m.add('pci-testdev', { slot: 3 });
      m.add('edu', { slot: 4 });
    });
    expect(host.intx(host.find({ vendor: 0x1b36 }))).toBeUndefined();
    expect(host.intx(host.find({ vendor: 0x1234 }))).toEqual({ pirq: 3, irq: undefined });
    expect(() => host.route(0, 11)).toThrow(/there is no PIIX3 or PIIX4/);
  });

  test('msix/errors', () => {
    const { host } = build((m) => m.add('edu', { slot: 2 }));
    expect(() => host.find({ vendor: 0x1234 }).enableMsix()).toThrow(/00:02.0 has no MSI-X capability/);
  });
});

test('guest-memory/of-a-pc', () => {
  const { vcpu } = testMachine((m) => void m.pc({ ram: 20 * 2 ** 20 }));
  const pages = guestMemory.pages(vcpu);
  expect(pages.available).toBe(19 * 2 ** 20);
  const address = pages.alloc(pages.available);
  vcpu.writel(address, 0x1234_5678);
  vcpu.writel(address + 19 * 2 ** 20 - 4, 0x8765_4321);
  expect([vcpu.readl(address), vcpu.readl(0x13f_fffc)]).toEqual([0x1234_5678, 0x8765_4321]);
  const small = testMachine((m) => void m.pc({ ram: 8 * 2 ** 20 }));
  expect(guestMemory.ramEnd(small.vcpu)).toBe(8 * 2 ** 20);
});
