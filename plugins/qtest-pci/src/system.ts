import { pci } from '@qtest/parts/pc';
import { BUFFER, driver, edu, IRQ_STATUS, LIVENESS } from './edu-driver.ts';
import {
  bus,
  configAddress,
  hex,
  name,
  random,
  states,
  type Bus,
  type Cases,
  type Context,
  type PciFunction,
} from './support.ts';

const { CONFIG_ADDRESS, HEADER } = pci;

/** Reset control of the PIIX3 (82371SB, 2.6.3): RCPU resets as it goes from 0 to 1, SRST chooses a hard reset. */
const RC = 0xcf9;
const RCPU = 0x04;
const SRST = 0x02;

/** Devices, without the chipset: base class 6 is bridges (appendix D). */
function devicesOf(on: Bus): PciFunction[] {
  return on.host.scan().filter(({ classCode }) => classCode >>> 16 !== 0x06);
}

/** What a PC's BIOS leaves behind: every BAR has an address, every function answers. */
function biosSetup(on: Bus): { fn: PciFunction; bars: readonly pci.PciBar[] }[] {
  return devicesOf(on).map((fn) => {
    const bars = fn.bars().map(({ bar }) => fn.map(bar));
    if (fn.interruptPin > 0) fn.interruptLine = 11;
    return { fn, bars };
  });
}

function image(fn: PciFunction): number[] {
  return Array.from({ length: 64 }, (_, n) => fn.readl(4 * n));
}

/** A machine that is far from its reset state; then `reset`, and what must be as after one. */
function resets(context: Context, reset: (on: Bus) => void): void {
  const { assert, vcpu } = context;
  const { dev, on } = edu(context);
  const fresh = on.host.scan().map((fn) => ({ fn, before: image(fn) }));
  // The edu has been mapped already.
  const clean = fresh.map(({ fn, before }) =>
    fn.slot === dev.fn.slot && fn.function === dev.fn.function ? undefined : before,
  );
  const setup = biosSetup(on);
  const place = dev.fn.bar(0)?.address ?? 0;
  on.one('piix3').writel(0x60, 0x0b0b_0b0b);
  on.one('i440fx').writel(0x5c, 0x3333_3333);
  dev.raise();
  vcpu.writel(RAM, 0x1234_5678);
  reset(on);
  for (const { bars } of setup) {
    for (const { kind, address } of bars) {
      const read = kind === 'io' ? vcpu.inb(address) : vcpu.readb(address);
      assert.equal(read, 0xff, `4.3.2, 6.2.2: after RST# nobody answers at ${hex(address)}`);
    }
  }
  for (const [n, { fn }] of fresh.entries()) {
    if (clean[n] !== undefined) assert.deepEqual(image(fn), clean[n], `6.1: ${name(fn)} is as at the start`);
    else {
      assert.equal(fn.readw(HEADER.COMMAND), 0, '6.2.2: the command register is 0 after RST#');
      assert.equal(fn.readl(HEADER.BAR0), 0, 'QEMU: a BAR is 0 after RST#');
    }
  }
  for (let irq = 0; irq < 16; irq++) assert(!on.irq(irq).level, `2.2.6: no IRQ is left (${irq})`);
  for (let line = 0; line < 4; line++) assert(!on.pirq(line).level, `2.2.6: no line is left (${line})`);
  assert.equal(vcpu.readl(RAM), 0x1234_5678, 'RAM keeps its contents');
  // Nothing is left of the request: not even when it answers again.
  dev.fn.setBar(0, place);
  dev.fn.enable({ memory: true });
  assert.equal(dev.read(IRQ_STATUS), 0, 'edu: no request');
}

const RAM = 0x1_0000;

export const system: Cases = {
  'reset/cf9': states('RCPU of port CF9h, going to 1, resets every function before the next access.', (context) => {
    const { vcpu, assert } = context;
    resets(context, (on) => {
      on.one('piix3');
      vcpu.outb(RC, SRST);
      vcpu.outb(RC, SRST | RCPU);
      assert.equal(vcpu.inb(RC), 0, '82371SB, RC: the register is reset too');
    });
  }),

  'reset/cf9-soft': states('RCPU without SRST resets too.', (context) => {
    const { vcpu } = context;
    // There is no processor that could be reset alone.
    resets(context, () => vcpu.outb(RC, RCPU));
  }),

  'reset/line': states('The reset line does what RCPU does.', (context) => {
    const { machine } = context;
    resets(context, () => machine.reset());
  }),

  'reset/cf9-srst-alone': states('SRST alone resets nothing, and reads back.', (context) => {
    const { vcpu, assert } = context;
    const { dev, on } = edu(context);
    on.one('piix3');
    dev.write(LIVENESS, 0);
    vcpu.outb(RC, SRST);
    assert.equal(vcpu.inb(RC), SRST, '82371SB, RC: bit 1 is read/write');
    assert.equal(dev.read(LIVENESS), 0xffff_ffff, '82371SB, RC: only a rise of bit 2 resets');
    vcpu.outb(RC, 0xfb & ~SRST);
    assert.equal(vcpu.inb(RC), 0, '82371SB, RC: the other bits are reserved');
  }),

  'reset/cf9-not-by-dword': states(
    'A dword to CF8h is CONFIG_ADDRESS whole: its second byte is no write to CF9h.',
    (context) => {
      const { vcpu, assert } = context;
      const { dev, on } = edu(context);
      on.one('piix3');
      dev.write(LIVENESS, 0x55);
      vcpu.outl(CONFIG_ADDRESS, configAddress({ slot: 0, function: RCPU | SRST }, 0));
      assert.equal(vcpu.inb(RC), 0, '3.2.2.3.2: the PIIX3 has not seen it');
      assert.equal(dev.read(LIVENESS), ~0x55 >>> 0, '3.2.2.3.2: nothing was reset');
    },
  ),

  'pc/enumeration': states('A scan finds each function once, in the order of the addresses.', (context) => {
    const { assert, machine } = context;
    const on = bus(context);
    // Those behind a bridge follow it.
    const found = on.host.enumerate().map(({ bus: n, slot, function: fn }) => n * 256 + slot * 8 + fn);
    const first = found.filter((place) => place < 256);
    assert.deepEqual(
      first,
      first.toSorted((a, b) => a - b),
      '3.2.2.3.2: by device, then by function',
    );
    assert.equal(new Set(found).size, found.length, '3.2.2.3.2: each one once');
    const there = machine.devices.filter(({ properties }) => 'slot' in properties).length;
    assert(found.length >= there, `each of the ${there} devices that were given a slot is found (${found.length})`);
  }),

  'pc/bios-setup': states('With all BARs assigned, everything answers at its place.', (context) => {
    const { assert, vcpu } = context;
    const on = bus(context);
    const setup = biosSetup(on);
    const taken: { space: string; start: number; end: number; who: string }[] = [];
    for (const { fn, bars } of setup) {
      for (const { bar, kind, address, size } of bars) {
        assert.equal(address % size, 0, `6.2.5.1: BAR ${bar} of ${name(fn)} is aligned to its size`);
        const space = kind === 'io' ? 'io' : 'memory';
        const clash = taken.find(
          (other) => other.space === space && address < other.end && other.start < address + size,
        );
        assert.equal(clash?.who, undefined, `6.2.5.1: BAR ${bar} of ${name(fn)} has its addresses to itself`);
        taken.push({ space, start: address, end: address + size, who: name(fn) });
        assert.equal(fn.bar(bar)?.address, address, `6.2.5.1: BAR ${bar} of ${name(fn)} reads back`);
      }
    }
    for (const fn of on.all('edu', 0)) {
      const dev = driver(vcpu, fn);
      assert.equal(dev.read(0), 0x0100_00ed, `edu.rst: ${name(fn)} answers`);
      fn.enable({ master: true });
      vcpu.writel(RAM, 0x0dd_ba11);
      dev.dma({ from: RAM, to: BUFFER, count: 4 });
    }
    for (const fn of on.all('pci-testdev', 0)) {
      const [memory, ports] = [fn.map(0).address, fn.map(1).address];
      vcpu.outb(ports, 0);
      assert.equal(vcpu.readb(memory + 1), 1, `pci-testdev.rst: ${name(fn)} answers at its ports and in memory`);
    }
    for (const fn of on.all('pvpanic-pci', 0)) {
      assert.equal(vcpu.readb(fn.map(0).address) & ~7, 0, `pvpanic.rst: ${name(fn)} answers`);
    }
    return { functions: setup.length, bars: taken.length };
  }),

  'random/config-writes': states(
    'Whatever is written where, each bit of a device’s configuration space keeps to its kind.',
    (context) => {
      const { assert, options } = context;
      const on = bus(context);
      const next = random(options.seed);
      for (const fn of devicesOf(on)) {
        const start = image(fn);
        // Bits that can be written, found with all decoding off.
        const writable = start.map((_, n) => {
          const offset = 4 * n;
          fn.writel(offset, 0xffff_ffff);
          const ones = fn.readl(offset);
          fn.writel(offset, 0);
          const mask = (ones ^ fn.readl(offset)) >>> 0;
          fn.writel(offset, start[n] ?? 0);
          return mask;
        });
        assert.deepEqual(image(fn), start, `6.1: ${name(fn)} can be put back`);
        const model = new DataView(new ArrayBuffer(256));
        const masks = new DataView(new ArrayBuffer(256));
        for (const [n, dword] of start.entries()) {
          model.setUint32(4 * n, dword, true);
          masks.setUint32(4 * n, writable[n] ?? 0, true);
        }
        for (let n = 0; n < 500; n++) {
          const size = ([1, 2, 4] as const)[next() % 3] ?? 1;
          const offset = (next() % (256 / size)) * size;
          const value = size === 4 ? next() : next() & (2 ** (8 * size) - 1);
          on.host.write(fn, offset, value, size);
          for (let i = 0; i < size; i++) {
            const mask = masks.getUint8(offset + i);
            const kept = model.getUint8(offset + i) & ~mask;
            model.setUint8(offset + i, kept | ((value >>> (8 * i)) & mask));
          }
          const at = offset & 0xfc;
          assert.equal(
            fn.readl(at),
            model.getUint32(at, true),
            `6.1: ${name(fn)}, ${size} bytes ${hex(value)} to ${hex(offset)}, seed ${options.seed}, write ${n}`,
          );
        }
        assert.deepEqual(
          image(fn),
          start.map((_, n) => model.getUint32(4 * n, true)),
          `6.1: no write to ${name(fn)} reached another register`,
        );
        fn.writew(HEADER.COMMAND, 0);
      }
    },
  ),

  'random/bar-moves': states('Wherever two BARs are moved, each answers at its place and nowhere else.', (context) => {
    const { assert, vcpu, options, skip } = context;
    const on = bus(context);
    const next = random(options.seed);
    const [one, other] = on.all('edu', 2);
    if (one === undefined || other === undefined) return skip('it takes two');
    const size = 0x10_0000;
    for (const fn of [one, other]) fn.enable({ memory: true });
    for (let n = 0; n < 200; n++) {
      const a = 0xe000_0000 + (next() % 128) * size;
      const b = 0xe800_0000 + (next() % 120) * size;
      one.setBar(0, a);
      other.setBar(0, b);
      vcpu.writel(a + LIVENESS, n);
      vcpu.writel(b + LIVENESS, ~n >>> 0);
      assert.equal(vcpu.readl(a + LIVENESS), ~n >>> 0, `6.2.5.1: one at ${hex(a)}, seed ${options.seed}, move ${n}`);
      assert.equal(vcpu.readl(b + LIVENESS), n, `6.2.5.1: the other at ${hex(b)}, seed ${options.seed}, move ${n}`);
      const free = 0xe000_0000 + (next() % 240) * size;
      if (free !== a && free !== b) assert.equal(vcpu.readl(free), 0xffff_ffff, `6.2.5.1: nobody at ${hex(free)}`);
    }
  }),

  'snapshot/round-trip': states(
    'A machine that is restored has its BARs, routes and requests where they were.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const { dev, on } = edu(context);
      const line = (dev.fn.slot - 1) & 3;
      const piix3 = on.one('piix3');
      const address = dev.fn.bar(0)?.address ?? 0;
      piix3.writeb(0x60 + line, 11);
      dev.raise(0x30);
      const snapshot = machine.snapshot();
      const before = on.host.scan().map(image);
      dev.acknowledge();
      piix3.writeb(0x60 + line, 0x80);
      dev.fn.setBar(0, address + 0x0100_0000);
      assert.equal(vcpu.readl(address), 0xffff_ffff, 'moved away');
      machine.restore(snapshot);
      assert.equal(dev.read(IRQ_STATUS), 0x30, 'the BAR is back at once, and the request with it');
      assert(on.irq(11).level, 'so are route and IRQ');
      assert.deepEqual(on.host.scan().map(image), before, 'every configuration space is as it was');
      dev.acknowledge();
      assert(!on.irq(11).level, 'and it goes on from there');
    },
    { requires: ['snapshot'] },
  ),
};
