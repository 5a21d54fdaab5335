import type { AnyDeviceDefinition, Register } from '@qtest/sdk';
import { pci } from '@qtest/sdk/drivers';
import type { Random } from '../contract/random.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import { OP } from '../vcpu/trace.ts';
import { allOnes, stepBy, type Access } from './access.ts';
import type { Ignored } from './ignored.ts';
import type { Setup } from './setup.ts';

type Size = 1 | 2 | 4;
const SIZES: readonly [Size, ...Size[]] = [1, 2, 4];

/** Accesses to one device before it is another one's turn, at most. */
const BURST = 24;
/** One access in so many is a step of the clock. */
const STEPS = 100;
/** Longest step: 2³⁴ ns, 17 s. */
const LONGEST_STEP = 34;

/** What is written to a device's registers again and again. */
const PATTERNS = [0, 0xffff_ffff, 0x5555_5555, 0xaaaa_aaaa];

/** Bits of a function's command register without which it does not answer. */
const ANSWERS = 0x3;

/** A register, or where one may be. */
interface Spot {
  readonly offset: number;
  readonly size: Size;
}

interface Pair {
  readonly index: Spot;
  readonly data: Spot;
  /** Indices of the registers. */
  readonly registers: readonly number[];
  /** Bits of the index that select nothing. */
  readonly others: number;
}

/** A region of a device. */
interface Region {
  readonly io: boolean;
  readonly base: number;
  readonly size: number;
  /** Sizes that it takes. */
  readonly sizes: readonly [Size, ...Size[]];
  readonly spots: readonly Spot[];
  readonly pair: Pair | undefined;
}

/** What one device can be accessed by. */
type Reach =
  | { readonly kind: 'region'; readonly region: Region }
  | {
      readonly kind: 'config';
      readonly select: number;
      readonly spots: readonly Spot[];
      readonly bars: ReadonlyMap<number, number>;
    };

export interface GeneratorOptions {
  /** A machine that is set up. */
  readonly bound: BoundMachine;
  readonly registry: Registry;
  readonly setup: Setup;
  /** Indices of the devices, in the blueprint. */
  readonly devices: readonly number[];
  /** What is not to be accessed at all. */
  readonly ignored: Ignored;
  /** The sequence moves the clock too. */
  readonly steps: boolean;
}

/** Accesses to devices, made from their register tables. */
export class Generator {
  readonly #devices: readonly (readonly Reach[])[];
  readonly #steps: boolean;

  constructor(options: GeneratorOptions) {
    this.#steps = options.steps;
    this.#devices = options.devices.map((index) => reachesOf(index, options)).filter(({ length }) => length > 0);
  }

  /** There is nothing that could be accessed. */
  get isEmpty(): boolean {
    return this.#devices.length === 0;
  }

  /** Accesses, `count` or a few more. */
  next(random: Random, count: number): Access[] {
    const made: Access[] = [];
    while (made.length < count) {
      const device = this.#devices[random.below(this.#devices.length)] ?? [];
      for (let n = 1 + random.below(BURST); n > 0; n--) {
        const reach = device[random.below(device.length)];
        if (reach === undefined) break;
        if (this.#steps && random.once(STEPS)) {
          made.push(stepBy(Math.floor(2 ** ((random.next() / 2 ** 32) * LONGEST_STEP))));
        } else if (reach.kind === 'config') configure(made, random, reach);
        else access(made, random, reach.region);
      }
    }
    return made;
  }
}

/**
 * An access to a region, which it does not leave, in a size that its handlers take. How a wider one is split belongs to the bus, and not to
 * the device: QEMU gives all its parts to the region in which it begins, and reads memory as 0 where an access is refused.
 */
function access(made: Access[], random: Random, region: Region): void {
  const { base, size: length, sizes, spots, pair } = region;
  if (pair !== undefined && !random.once(8)) {
    const { index, data, registers, others } = pair;
    const register = registers[random.below(registers.length)] ?? 0;
    const value = random.once(8) ? register | (random.below(0x100) & others) : register;
    made.push({ op: region.io ? OP.OUT : OP.WRITE, size: index.size, address: base + index.offset, value });
    push(made, random, region, base + data.offset, data.size);
    return;
  }
  // Beside the registers too, but for an index, which any value selects something by.
  const beside = pair === undefined && random.once(16);
  const spot = beside ? undefined : spots[random.below(spots.length)];
  if (spot === undefined && pair !== undefined) return;
  const size = spot === undefined || random.once(12) ? random.pick(sizes) : spot.size;
  const offset = spot?.offset ?? random.below(length);
  const aligned = region.io ? offset : offset - (offset % size);
  if (aligned + size <= length && sizes.includes(size)) push(made, random, region, base + aligned, size);
}

function push(made: Access[], random: Random, { io }: Region, address: number, size: Size): void {
  if (random.once(2)) made.push({ op: io ? OP.IN : OP.READ, size, address, value: 0 });
  else made.push({ op: io ? OP.OUT : OP.WRITE, size, address, value: valueFor(random, size) });
}

/** An access to a register of a function's configuration space: beside those, QEMU's is RAM. Its BARs stay where they are: over other devices, they would be what is tested. */
function configure(made: Access[], random: Random, { select, spots, bars }: Extract<Reach, { kind: 'config' }>): void {
  const spot = spots[random.below(spots.length)];
  if (spot === undefined) return;
  const { offset, size } = spot;
  const port = pci.CONFIG_DATA + (offset & 3);
  made.push({ op: OP.OUT, size: 4, address: pci.CONFIG_ADDRESS, value: (select | (offset & 0xfc)) >>> 0 });
  const bar = bars.get(offset & 0xfc);
  if (random.once(2) || (bar !== undefined && size !== 4)) {
    made.push({ op: OP.IN, size, address: port, value: 0 });
  } else if (bar !== undefined) {
    made.push(
      { op: OP.OUT, size, address: port, value: allOnes(size) },
      { op: OP.IN, size, address: port, value: 0 },
      { op: OP.OUT, size, address: port, value: bar },
    );
  } else {
    const answers = offset === pci.HEADER.COMMAND && !random.once(8) ? ANSWERS : 0;
    made.push({ op: OP.OUT, size, address: port, value: (valueFor(random, size) | answers) >>> 0 });
  }
}

function valueFor(random: Random, size: Size): number {
  const all = allOnes(size);
  switch (random.below(5)) {
    case 0:
      return ((PATTERNS[random.below(PATTERNS.length)] ?? 0) & all) >>> 0;
    case 1:
      return 2 ** random.below(8 * size);
    case 2:
      return random.below(16);
    default:
      return random.next() % (all + 1);
  }
}

function reachesOf(index: number, { bound, registry, setup, ignored }: GeneratorOptions): Reach[] {
  const { id = '', type = '' } = bound.blueprint.devices[index] ?? {};
  const definition: AnyDeviceDefinition | undefined = registry.get(type);
  const reaches: Reach[] = [];
  for (const { space, target } of bound.bus.targetsOf(index)) {
    const base = target.locate()?.base;
    // Configuration space is reached by a function's own accesses, and what lies above 4 GiB by nothing.
    if (base === undefined || base >= 2 ** 32) continue;
    const bank = definition?.schema.registers?.[target.region.slice(id.length + 1)];
    const isWanted = (register: Register): boolean => !ignored.isWhole(index, register);
    const spots = (bank?.registers ?? []).filter(isWanted).map(spotOf);
    if (space === 'config') {
      const fn = setup.functions.find(({ config }) => config === base);
      if (fn !== undefined) reaches.push({ kind: 'config', select: fn.select, spots, bars: fn.bars });
      continue;
    }
    const io = space === 'io';
    if (io && base >= pci.CONFIG_ADDRESS && base < pci.CONFIG_DATA + 4 && target.min === 4) continue;
    if (io && base === pci.CONFIG_DATA) continue;
    const { indexed } = bank ?? {};
    const [size = 1, ...sizes] = SIZES.filter((one) => (target.sizes & one) !== 0);
    const portAt = (offset: number): Spot => {
      const register = bank?.registers.find((one) => one.offset === offset);
      return register === undefined ? { offset, size } : spotOf(register);
    };
    const pair = indexed && {
      index: portAt(indexed.index),
      data: portAt(indexed.data),
      registers: indexed.registers.filter(isWanted).map(({ offset }) => offset),
      others: 0xff & ~indexed.mask,
    };
    reaches.push({ kind: 'region', region: { io, base, size: target.size, sizes: [size, ...sizes], spots, pair } });
  }
  return reaches;
}

function spotOf({ offset, width }: Register): Spot {
  return { offset, size: width === 8 ? 1 : width === 16 ? 2 : 4 };
}
