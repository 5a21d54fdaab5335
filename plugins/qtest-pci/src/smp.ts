import { first, hex, spinLock, states, type Vcpu } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { driver, ID, LIVENESS } from './edu-driver.ts';
import { bus, configAddress, type Bus, type Cases, type Context } from './support.ts';

/**
 * Several VCPUs on one bus. An access is whole, and what one changes counts for the next access of every other. A pair of accesses is not:
 * CONFIG_ADDRESS and CONFIG_DATA want a guard.
 */

const { CONFIG_ADDRESS, CONFIG_DATA, HEADER } = pci;

const ROUNDS = 48;
/** So many that VCPUs which run truly in parallel would lose some without a lock. */
const WRITES = 2000;

/** Words of the buffer that the VCPUs share; the first is the guard's. */
const MOVES = 1;
const DONE = 2;
const READY = 3;

/** Registers that keep what is written, each in a device of its own: the two 8259As, the host bridge, the PIIX3's ELCR. */
const REGISTERS: readonly {
  port: number;
  mask: number;
  read(vcpu: Vcpu): number;
  write(vcpu: Vcpu, value: number): void;
}[] = [
  { port: 0x21, mask: 0xff, read: (vcpu) => vcpu.inb(0x21), write: (vcpu, value) => vcpu.outb(0x21, value) },
  {
    port: CONFIG_ADDRESS,
    mask: 0x80ff_fffc,
    read: (vcpu) => vcpu.inl(CONFIG_ADDRESS),
    write: (vcpu, value) => vcpu.outl(CONFIG_ADDRESS, value),
  },
  { port: 0xa1, mask: 0xff, read: (vcpu) => vcpu.inb(0xa1), write: (vcpu, value) => vcpu.outb(0xa1, value) },
  { port: 0x4d1, mask: 0xde, read: (vcpu) => vcpu.inb(0x4d1), write: (vcpu, value) => vcpu.outb(0x4d1, value) },
];

/** The pci-testdev's header, and a test that counts every write of its byte. */
const TEST = 0;
const WIDTH = 1;
const OFFSET = 4;
const COUNT = 12;
const WILDCARD = 1;

/** What each VCPU does first: one after the other, as it takes configuration accesses; then all go on at once. */
function inTurn<T>(context: Context, prepare: (on: Bus) => T): T {
  const prepared = spinLock(context)(() => prepare(bus(context)));
  context.vcpu.barrier();
  return prepared;
}

/** A window that VCPU 0 moves back and forth, while the others look where it is. */
interface Moving {
  readonly places: readonly [number, number];
  move(place: number): void;
  /** Reads what is only there where the window is. */
  look(place: number): number;
  readonly there: number;
  readonly floating: number;
}

function moves({ vcpu, shared, assert }: Context, { places, move, look, there, floating }: Moving): void {
  const words = new Int32Array(shared);
  /** After n moves. */
  const place = (n: number): number => places[n & 1] ?? 0;
  if (vcpu.index === 0) {
    for (let n = 1; n <= ROUNDS; n++) {
      // Odd while it moves.
      Atomics.add(words, MOVES, 1);
      move(place(n));
      Atomics.add(words, MOVES, 1);
      for (let i = 0; i < 4; i++)
        assert.equal(look(place(n)), there, `6.2.5.1: the mover finds it at ${hex(place(n))}`);
    }
    Atomics.store(words, DONE, 1);
    return;
  }
  for (let last = false; !last;) {
    last = Atomics.load(words, DONE) === 1;
    const before = Atomics.load(words, MOVES);
    const [now, old] = [place(before >> 1), place((before >> 1) + 1)];
    for (const [at, expected] of [
      [now, there],
      [old, floating],
    ] as const) {
      const found = look(at);
      const stood = (before & 1) === 0 && Atomics.load(words, MOVES) === before;
      if (stood) assert.equal(found, expected, `6.2.5.1: VCPU ${vcpu.index} at ${hex(at)}, after ${before >> 1} moves`);
    }
  }
}

function casesOf(vcpus: number): Cases {
  const path = `smp/${vcpus}`;
  const several = { vcpus, requires: ['multi-vcpu'] } as const;
  return {
    [`${path}/pio/different-devices`]: states(
      'VCPUs on devices of their own do not meet.',
      (context) => {
        const { vcpu, assert } = context;
        inTurn(context, (on) => on.one('piix3'));
        const register = REGISTERS[vcpu.index];
        if (register === undefined) return;
        for (let n = 0; n < ROUNDS; n++) {
          const value = (Math.imul(n, 0x0505_0505) & register.mask) >>> 0;
          register.write(vcpu, value);
          assert.equal(register.read(vcpu), value, `port ${hex(register.port)}, round ${n}`);
        }
      },
      several,
    ),

    [`${path}/pio/one-device`]: states(
      'Of the writes of several VCPUs to one device not one is lost.',
      (context) => {
        const { vcpu, shared, assert } = context;
        const { address } = inTurn(context, (on) => on.one('pci-testdev').map(1));
        if (vcpu.index === 0) vcpu.outb(address + TEST, WILDCARD);
        vcpu.barrier();
        const at = address + vcpu.inl(address + OFFSET);
        // Closer together than a barrier lets them go.
        const words = new Int32Array(shared);
        Atomics.add(words, READY, 1);
        while (Atomics.load(words, READY) < vcpus) vcpu.pause();
        for (let n = 0; n < WRITES; n++) vcpu.outb(at, n & 0xff);
        vcpu.barrier();
        assert.equal(vcpu.inl(address + COUNT), vcpus * WRITES, 'pci-testdev.rst: the count');
      },
      several,
    ),

    [`${path}/config/address-whole`]: states(
      'CONFIG_ADDRESS holds what one VCPU has written, never parts of two.',
      (context) => {
        const { vcpu, assert } = context;
        const written = (index: number): number => configAddress({ slot: 4 + index, function: index }, 0x44 * index);
        vcpu.outl(CONFIG_ADDRESS, written(vcpu.index));
        vcpu.barrier();
        for (let n = 0; n < ROUNDS; n++) {
          vcpu.outl(CONFIG_ADDRESS, written(vcpu.index));
          const read = vcpu.inl(CONFIG_ADDRESS);
          const whole = Array.from({ length: vcpus }, (_, index) => written(index)).includes(read);
          assert(whole, `3.2.2.3.2: ${hex(read, 8)} is none of what was written`);
        }
      },
      several,
    ),

    [`${path}/config/guarded`]: states(
      'Under a guard each VCPU has the pair CONFIG_ADDRESS and CONFIG_DATA to itself.',
      (context) => {
        const { vcpu, assert } = context;
        const guard = spinLock(context);
        const fn = inTurn(context, (on) => first(on.all('edu', vcpus).slice(vcpu.index)));
        for (let n = 0; n < ROUNDS; n++) {
          const value = (n * vcpus + vcpu.index) & 0xff;
          guard(() => fn.writeb(HEADER.INTERRUPT_LINE, value));
          const read = guard(() => fn.readb(HEADER.INTERRUPT_LINE));
          assert.equal(read, value, `3.2.2.3.2: VCPU ${vcpu.index}, round ${n}`);
        }
      },
      several,
    ),

    [`${path}/config/unguarded`]: states(
      'Without a guard CONFIG_DATA is of whatever function was addressed last, and whole all the same.',
      (context) => {
        const { vcpu, assert } = context;
        const { slot, function: fn } = inTurn(context, (on) => {
          const functions = on.all('edu', vcpus).slice(0, vcpus);
          for (const [n, item] of functions.entries()) item.writel(HEADER.BAR0, 0xe000_0000 + n * 0x0110_0000);
          return first(functions.slice(vcpu.index));
        });
        let others = 0;
        for (let n = 0; n < ROUNDS; n++) {
          vcpu.outl(CONFIG_ADDRESS, configAddress({ slot, function: fn }, HEADER.BAR0));
          const whose = (vcpu.inl(CONFIG_DATA) - 0xe000_0000) / 0x0110_0000;
          assert(Number.isInteger(whose) && whose >= 0 && whose < vcpus, `3.2.2.3.2: a BAR as it is (${whose})`);
          if (whose !== vcpu.index) others++;
        }
        // How often a guard was missed.
        return vcpu.index === 0 ? { others } : undefined;
      },
      several,
    ),

    [`${path}/bar/memory-move-visible`]: states(
      'A memory BAR that one VCPU has moved is there, and no more where it was, at the next access of every other.',
      (context) => {
        const { vcpu } = context;
        const places = [0xe000_0000, 0xe800_0000] as const;
        const fn = inTurn(context, (on) => {
          const edu = on.one('edu');
          edu.setBar(0, places[0]);
          edu.enable({ memory: true });
          return edu;
        });
        moves(context, {
          places,
          move: (place) => fn.setBar(0, place),
          look: (place) => vcpu.readl(place + ID),
          there: 0x0100_00ed,
          floating: 0xffff_ffff,
        });
      },
      several,
    ),

    [`${path}/bar/io-move-visible`]: states(
      'An I/O BAR that one VCPU has moved is there, and no more where it was, at the next access of every other.',
      (context) => {
        const { vcpu } = context;
        const places = [0xc000, 0xd000] as const;
        const fn = inTurn(context, (on) => {
          const testdev = on.one('pci-testdev');
          testdev.setBar(1, places[0]);
          testdev.enable({ io: true });
          vcpu.outb(places[0] + TEST, 0);
          return testdev;
        });
        moves(context, {
          places,
          move: (place) => fn.setBar(1, place),
          look: (place) => vcpu.inb(place + WIDTH),
          there: 1,
          floating: 0xff,
        });
      },
      several,
    ),

    [`${path}/intx/wakes`]: states(
      'A device that one VCPU has interrupt wakes all that wait for its line.',
      (context) => {
        const { vcpu, clock, assert } = context;
        const { dev, line } = inTurn(context, (on) => {
          const edu = driver(vcpu, on.one('edu'));
          return { dev: edu, line: on.pirq((edu.fn.slot - 1) & 3) };
        });
        for (let n = 0; n < 4; n++) {
          if (vcpu.index === 0) {
            clock.step('1ms');
            dev.raise();
          } else {
            vcpu.waitIrq(line);
          }
          assert(line.level, '2.2.6: asserted, for every VCPU');
          vcpu.barrier();
          if (vcpu.index === 0) dev.acknowledge();
          vcpu.barrier();
          assert(!line.level, '2.2.6: and no more');
          vcpu.barrier();
        }
      },
      several,
    ),

    [`${path}/mmio/one-device`]: states(
      'What one VCPU writes to a device, every other reads.',
      (context) => {
        const { vcpu, assert } = context;
        const dev = inTurn(context, (on) => driver(vcpu, on.one('edu')));
        for (let n = 0; n < 4 * vcpus; n++) {
          if (n % vcpus === vcpu.index) dev.write(LIVENESS, n);
          vcpu.barrier();
          assert.equal(dev.read(LIVENESS), ~n >>> 0, `edu.rst: what VCPU ${n % vcpus} has written, inverted`);
          vcpu.barrier();
        }
      },
      several,
    ),
  };
}

export const smp: Cases = { ...casesOf(2), ...casesOf(4) };
