import type { Vcpu } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { bus, hex, name, partOf, states, type Bus, type Cases, type Context, type PciFunction } from './support.ts';

const { COMMAND, HEADER } = pci;

/** One of the two address spaces in which a BAR can be. */
interface Space {
  readonly name: 'io' | 'memory';
  /** The BAR of the pci-testdev that is in it, and its bytes (QEMU, docs/specs/pci-testdev.rst). */
  readonly testdev: { readonly bar: number; readonly size: number };
  /** Bits of a BAR that are no address; bit 0 tells the space. */
  readonly flags: number;
  /** Two addresses that a BAR can be moved to. */
  readonly places: readonly [number, number];
  /** Beyond what the space can address. */
  readonly end: number;
  read(vcpu: Vcpu, address: number): number;
  write(vcpu: Vcpu, address: number, value: number): void;
}

const IO: Space = {
  name: 'io',
  testdev: { bar: 1, size: 256 },
  flags: 3,
  places: [0xc000, 0xd100],
  end: 0x1_0000,
  read: (vcpu, address) => vcpu.inb(address),
  write: (vcpu, address, value) => vcpu.outb(address, value),
};

const MEMORY: Space = {
  name: 'memory',
  testdev: { bar: 0, size: 4096 },
  flags: 15,
  places: [0xe000_0000, 0xf123_4000],
  end: 2 ** 32,
  read: (vcpu, address) => vcpu.readb(address),
  write: (vcpu, address, value) => vcpu.writeb(address, value),
};

const FLOATING = 0xff;
/** Of the pci-testdev's header: the test's number, and the width of its accesses, 1 while a test is selected. */
const TEST = 0;
const WIDTH = 1;

/** A BAR, and how to see where it answers. */
interface Window {
  readonly fn: PciFunction;
  readonly bar: number;
  readonly size: number;
  /** Whether each of its bytes reads as other than all ones. */
  readonly isFull: boolean;
  /** Whether it answers at an address, with its registers as they were. */
  keeps(address: number): boolean;
  /** Whether it answers at an address; of the pci-testdev it selects a test. */
  at(address: number): boolean;
}

interface Setup extends Window {
  readonly on: Bus;
  /** Where its BAR is in configuration space. */
  readonly offset: number;
  /** Two addresses for it. */
  readonly places: readonly [number, number];
  /** Sets the BAR as a driver does: one dword. */
  move(address: number): void;
  /** Decodes, or no more. */
  decode(on: boolean): void;
}

/** Every BAR in a space. */
function barsIn(on: Bus, { name: space }: Space): { fn: PciFunction; bar: number; size: number; offset: number }[] {
  return on.host.scan().flatMap((fn) =>
    fn.bars().flatMap(({ bar, kind, size }) => {
      const isIn = bar !== 'rom' && (kind === 'io') === (space === 'io');
      return isIn ? [{ fn, bar, size, offset: HEADER.BAR0 + 4 * bar }] : [];
    }),
  );
}

/** The pci-testdev's BAR in a space: its header tells where it is. Bytes that are not in that read as 0. */
function testdevWindow({ vcpu }: Context, fn: PciFunction, space: Space): Window {
  const keeps = (address: number): boolean => space.read(vcpu, address + WIDTH) === 1;
  return {
    fn,
    ...space.testdev,
    isFull: true,
    keeps,
    at(address) {
      space.write(vcpu, address + TEST, 0);
      return keeps(address);
    },
  };
}

/** Any function's BAR of which some byte reads as other than what is there without it. */
function anyWindow({ vcpu, skip }: Context, on: Bus, space: Space): Window {
  const [here, there] = space.places;
  for (const { fn, bar, size } of barsIn(on, space)) {
    fn.setBar(bar, here);
    fn.enable({ [space.name]: true });
    const bytes = Array.from({ length: Math.min(size, 64) }, (_, i) => i);
    const shown = bytes.find((i) => space.read(vcpu, here + i) !== space.read(vcpu, there + i));
    const empty = space.read(vcpu, there + (shown ?? 0));
    fn.enable({ [space.name]: false });
    fn.setBar(bar, 0);
    if (shown === undefined) continue;
    const at = (address: number): boolean => space.read(vcpu, address + shown) !== empty;
    return { fn, bar, size, isFull: false, at, keeps: at };
  }
  return skip(`no function of this machine shows where a BAR of it is in ${space.name} space`);
}

function setup(context: Context, space: Space): Setup {
  const on = bus(context);
  const [testdev] = on.all('pci-testdev', 0);
  const window = testdev === undefined ? anyWindow(context, on, space) : testdevWindow(context, testdev, space);
  const { fn, bar, size } = window;
  const [here, there] = space.places;
  return {
    ...window,
    on,
    offset: HEADER.BAR0 + 4 * bar,
    places: [here - (here % size), there - (there % size)],
    move: (address) => fn.setBar(bar, address),
    decode: (yes) => fn.enable({ [space.name]: yes }),
  };
}

function casesOf(space: Space): Cases {
  const { name: kind, flags, end } = space;
  const path = `bar/${kind}`;
  return {
    [`${path}/kind`]: states(
      `The low bits of a BAR tell ${kind === 'io' ? 'I/O' : '32-bit memory'}, and cannot be written.`,
      (context) => {
        const { assert, skip } = context;
        const all = barsIn(bus(context), space);
        if (all.length === 0) return skip(`no function of this machine has a BAR in ${kind} space`);
        for (const { fn, bar, offset } of all) {
          const told = fn.readl(offset) & flags;
          assert.equal(told & 1, kind === 'io' ? 1 : 0, `6.2.5.1: bit 0 of BAR ${bar} of ${name(fn)}`);
          for (const value of [0, 0xffff_ffff, (space.places[0] | flags) >>> 0, space.places[1]]) {
            fn.writel(offset, value);
            assert.equal(fn.readl(offset) & flags, told, `6.2.5.1: ${name(fn)}, after ${hex(value, 8)} was written`);
          }
        }
      },
    ),

    [`${path}/sizing`]: states('All ones written to a BAR read back as its size, a power of two.', (context) => {
      const { assert, skip } = context;
      const all = barsIn(bus(context), space);
      if (all.length === 0) return skip(`no function of this machine has a BAR in ${kind} space`);
      for (const { fn, bar, offset } of all) {
        fn.writel(offset, 0xffff_ffff);
        const bits = fn.readl(offset) & ~flags;
        const found = (~bits + 1) & (kind === 'io' && bits >>> 16 === 0 ? 0xffff : 0xffff_ffff);
        assert.equal(found & (found - 1), 0, `6.2.5.1: invert, add 1: a power of two (${name(fn)})`);
        if (partOf(fn) === 'pci-testdev')
          assert.equal(found, bar === IO.testdev.bar ? 256 : 4096, 'pci-testdev.rst: the sizes of its BARs');
      }
    }),

    [`${path}/probe-keeps-value`]: states('After sizing, the value written back is the one that counts.', (context) => {
      const { assert } = context;
      const { fn, bar, size, places, move, at, decode } = setup(context, space);
      const [here] = places;
      move(here);
      decode(true);
      assert.equal(fn.bar(bar)?.size, size, '6.2.5.1: the size');
      assert.equal(fn.bar(bar)?.address, here, '6.2.5.1: the original value is there again');
      assert(at(here), '6.2.5.1: the function answers where it did');
    }),

    [`${path}/disabled-by-command`]: states(
      'A BAR answers while its space’s bit in the command register is 1.',
      (context) => {
        const { assert, vcpu } = context;
        const { fn, bar, places, move, at, decode } = setup(context, space);
        const [here] = places;
        move(here);
        assert(!at(here), '6.2.2: at reset the function answers nothing');
        fn.enable({ io: kind !== 'io', memory: kind !== 'memory', master: true });
        assert(!at(here), '6.2.2: the other space’s bit does not count');
        decode(true);
        assert(at(here), '6.2.2: with the bit it answers');
        decode(false);
        assert(!at(here), '6.2.2: without it no more');
        assert.equal(space.read(vcpu, here), FLOATING, '6.1: what nobody answers reads as all ones');
        assert.equal(fn.bar(bar)?.address, here, '6.2.5.1: the BAR keeps its value');
      },
    ),

    [`${path}/enable`]: states('A BAR answers from its address on for its size, and not beside.', (context) => {
      const { assert, vcpu } = context;
      const { fn, bar, size, isFull, places, move, at, decode } = setup(context, space);
      // The others stay where nothing is.
      for (const other of fn.bars()) if (other.bar !== bar) fn.setBar(other.bar, 0);
      const address = places[0] + size;
      move(address);
      decode(true);
      for (const edge of [address - 2, address - 1, address + size, address + size + 1]) {
        assert.equal(space.read(vcpu, edge), FLOATING, `6.2.5.1: nothing answers at ${hex(edge)}`);
      }
      assert(at(address), `6.2.5.1: it answers at ${hex(address)}`);
      for (let i = 0; isFull && i < size; i++) {
        assert.notEqual(space.read(vcpu, address + i), FLOATING, `6.2.5.1: it answers at ${hex(address + i)}`);
      }
    }),

    [`${path}/move`]: states(
      'A BAR that is moved answers at its new address, with its registers as they were.',
      (context) => {
        const { assert, vcpu } = context;
        const { places, move, at, keeps, decode } = setup(context, space);
        const [here, there] = places;
        move(here);
        decode(true);
        assert(at(here), '6.2.5.1: it answers at the first address');
        decode(false);
        move(there);
        decode(true);
        assert(keeps(there), '6.2.5.1: it answers at the other, with its registers as they were');
        assert.equal(space.read(vcpu, here + WIDTH), FLOATING, '6.2.5.1: nothing is left at the old address');
      },
    ),

    [`${path}/move-takes-effect-at-once`]: states(
      'The access after the write to a BAR finds it moved, decoded all the while.',
      (context) => {
        const { assert } = context;
        const { size, places, move, at, decode } = setup(context, space);
        const [here, there] = places;
        decode(true);
        let before = there;
        for (let n = 0; n < 32; n++) {
          const address = here + n * size;
          move(address);
          assert(at(address), `6.2.5.1: it answers at ${hex(address)}`);
          assert(!at(before), `6.2.5.1: and no more at ${hex(before)}`);
          before = address;
        }
      },
    ),

    [`${path}/move-by-bytes`]: states('A BAR can be written in bytes: each moves it by its lane.', (context) => {
      const { assert } = context;
      const { fn, offset, size, places, move, at, decode } = setup(context, space);
      const [here, there] = places;
      move(here);
      decode(true);
      const told = fn.readl(offset) & flags;
      let value = here;
      for (let lane = 1; lane < (kind === 'io' ? 2 : 4); lane++) {
        fn.writeb(offset + lane, (there >>> (8 * lane)) & 0xff);
        value = ((value & ~(0xff << (8 * lane))) | (there & (0xff << (8 * lane)))) >>> 0;
        value -= value % size;
        assert.equal(
          fn.readl(offset),
          (value | told) >>> 0,
          `6.1: byte ${lane} is written, the others are as they were`,
        );
        assert(at(value), `6.2.5.1: it answers at ${hex(value)}`);
      }
    }),

    [`${path}/zero-is-unmapped`]: states(
      'A BAR that holds 0 has been given no address: it does not cover what is there.',
      (context) => {
        const { assert, vcpu } = context;
        const { move, decode } = setup(context, space);
        // Up to the master 8259A's mask; its IRR at 20h goes with the time.
        const read = (): number[] => [...Array(0x20).keys(), 0x21].map((address) => space.read(vcpu, address));
        const before = read();
        move(0);
        decode(true);
        assert.deepEqual(
          read(),
          before,
          `6.2.5.1; QEMU: a BAR of 0 decodes nothing, and what answers at ${kind} address 0 still does`,
        );
      },
    ),

    [`${path}/all-ones-is-unmapped`]: states(
      'While a BAR holds all ones for its sizing it covers nothing.',
      (context) => {
        const { assert, vcpu } = context;
        const { fn, offset, size, decode } = setup(context, space);
        // Up to 64 bytes of its size, and the very last.
        const step = Math.max(1, size / 64);
        const addresses = Array.from({ length: size / step }, (_, i) => end - size + step * i).concat(end - 1);
        const before = addresses.map((address) => space.read(vcpu, address));
        decode(true);
        fn.writel(offset, 0xffff_ffff);
        for (const [i, address] of addresses.entries()) {
          assert.equal(
            space.read(vcpu, address),
            before[i],
            `6.2.5.1: sizing must not take the end of the space (${hex(address)})`,
          );
        }
      },
    ),
  };
}

const above: Cases = {
  'bar/io/above-64k': states(
    'An I/O BAR above 64 KiB is out of an x86’s reach: nothing answers 64 KiB lower.',
    (context) => {
      const { assert } = context;
      const { fn, offset, at, decode } = setup(context, IO);
      decode(true);
      fn.writel(offset, 0x1_c000);
      assert.equal(fn.readl(offset), 0x1_c001, '6.2.5.1: all 32 bits of an I/O BAR are there');
      assert(!at(0xc000), '3.2.2.1: all 32 address bits are decoded');
    },
  ),
};

const overlap: Cases = {
  'bar/overlap/ram': states(
    'RAM comes before a BAR: the 440FX sends addresses below the top of memory to DRAM.',
    (context) => {
      const { assert, vcpu } = context;
      const { places, move, decode } = setup(context, MEMORY);
      vcpu.fill(0x8_0000, 0x1000, 0xa5);
      decode(true);
      move(0x8_0000);
      assert.equal(vcpu.readb(0x8_0001), 0xa5, '82441FX 4.1, memory address map: RAM answers');
      vcpu.writeb(0x8_0000, 0x5a);
      move(places[0]);
      assert.equal(vcpu.readb(0x8_0000), 0x5a, '82441FX 4.1: what was written went to RAM');
    },
  ),

  'bar/overlap/isa': states(
    'A BAR comes before ISA: the PIIX3 passes on what nobody on PCI has claimed.',
    (context) => {
      const { assert, vcpu } = context;
      const on = bus(context);
      on.one('piix3');
      on.one('pci-testdev');
      const { move, decode, at } = setup(context, IO);
      // The edge/level control register of the interrupt controller lies in it.
      const elcr = 0x4d0;
      vcpu.outb(elcr, 0x08);
      assert.equal(vcpu.inb(elcr), 0x08, '82371SB, ELCR1: IRQ 3 is level-triggered');
      decode(true);
      move(0x400);
      assert(at(0x400), '3.6.1: positive decoding comes first');
      vcpu.outb(elcr, 0xf8);
      assert.equal(vcpu.inb(elcr), 0, '3.6.1: also where an ISA device is: the pci-testdev reads as 0 there');
      move(0xc000);
      assert.equal(vcpu.inb(elcr), 0x08, '3.6.1: the ISA device is there again, and saw nothing of it');
    },
  ),

  'bar/overlap/host-bridge': states(
    'The host bridge takes CF8h and CFCh itself: a BAR there cannot shut it out.',
    (context) => {
      const { assert } = context;
      bus(context).one('pci-testdev');
      const { fn, bar, move, decode, at } = setup(context, IO);
      decode(true);
      move(0xc00);
      assert.equal(fn.readw(HEADER.VENDOR_ID), fn.vendor, '3.2.2.3.2: configuration accesses go on');
      assert(at(0xc00), '6.2.5.1: the BAR has the ports beside');
      move(0xc000);
      assert.equal(fn.bar(bar)?.address, 0xc000, '3.2.2.3.2: it can be moved away again');
    },
  ),

  'bar/overlap/priority': states(
    'Of two BARs at one address one answers, always the same; moved apart both do.',
    (context) => {
      const { assert, vcpu, skip } = context;
      const on = bus(context);
      const [a, b] = on.all('edu', 2);
      if (a === undefined || b === undefined) return skip('it takes two');
      const [here, there] = [0xe000_0000, 0xe010_0000];
      const LIVENESS = 4;
      // Software must not do this (6.2.5.1), so the specification says not which one it is.
      for (const fn of [a, b]) {
        fn.enable({ memory: true });
        fn.setBar(0, here);
      }
      for (const value of [1, 2, 3, 0xffff]) {
        vcpu.writel(here + LIVENESS, value);
        assert.equal(vcpu.readl(here + LIVENESS), ~value >>> 0, 'one answers both the write and the read');
      }
      b.setBar(0, there);
      const [ofA, ofB] = [vcpu.readl(here + LIVENESS), vcpu.readl(there + LIVENESS)];
      assert.deepEqual(
        [ofA, ofB].toSorted((x, y) => x - y),
        [0, 0xffff_0000],
        'one of them has had every write, the other none',
      );
      b.setBar(0, here);
      assert.equal(vcpu.readl(here + LIVENESS), 0xffff_0000, 'together again, the same one answers');
      a.enable({ memory: false });
      assert.equal(vcpu.readl(here + LIVENESS), ofB, '6.2.2: with the one switched off, the other answers');
      a.enable({ memory: true });
      b.enable({ memory: false });
      assert.equal(vcpu.readl(here + LIVENESS), ofA, '6.2.2: and the other way round');
    },
  ),

  'bar/neighbours': states(
    'BARs side by side do not touch each other, nor does an access across their border.',
    (context) => {
      const { assert, vcpu } = context;
      const on = bus(context);
      const [testdev, pvpanic] = [on.one('pci-testdev'), on.one('pvpanic-pci')];
      testdev.setBar(0, 0xe000_0000);
      pvpanic.setBar(0, 0xe000_1000);
      for (const fn of [testdev, pvpanic]) fn.enable({ memory: true });
      const events = vcpu.readb(0xe000_1000);
      assert.equal(vcpu.readb(0xe000_0fff), 0, '6.2.5.1: the last byte of the first');
      assert.equal(events & ~7, 0, '6.2.5.1: the first byte of the second');
      assert.equal(vcpu.readw(0xe000_0fff), events << 8, '3.2.2.2: an access across the border is a part of each');
    },
  ),

  'bar/rom-is-none': states('Without an expansion ROM its BAR enables nothing.', (context) => {
    const { assert, vcpu } = context;
    const fn =
      bus(context)
        .host.scan()
        .find(
          (one) =>
            !pci.isBridge(one) && one.bars().some(({ kind }) => kind === 'memory32') && one.bar('rom') === undefined,
        ) ?? context.skip('every function of this machine that has memory has a ROM');
    fn.writel(HEADER.ROM_BAR, 0xe800_0001);
    fn.enable({ memory: true });
    assert.equal(fn.readw(HEADER.COMMAND), COMMAND.MEMORY.mask, '6.2.2: memory is enabled');
    assert.equal(vcpu.readl(0xe800_0000), 0xffff_ffff, '6.2.5.2: there is no ROM');
  }),
};

export const bar: Cases = { ...casesOf(IO), ...above, ...casesOf(MEMORY), ...overlap };
