import type { AnyDeviceDefinition, Register } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import type { Random } from '@qtest/sdk/support';
import { type BoundMachine, type Registry, IO_PORTS, OP } from '@qtest/machine';
import { ALSO, allOnes } from './access.ts';
import type { Ignored } from './ignored.ts';
import type { Sequence } from './sequence.ts';
import type { Bar, Setup } from './setup.ts';
import { fits, type Span } from './spans.ts';

type Size = 1 | 2 | 4;
const SIZES: readonly [Size, ...Size[]] = [1, 2, 4];

/** Accesses to one device before it is another one's turn, at most. */
const BURST = 24;
/** One access in so many is a step of the clock, and one in so many a reset of the machine. */
const STEPS = 100;
const RESETS = 2000;
/** Longest step: 2³⁴ ns, 17 s. */
const LONGEST_STEP = 34;

/** What is written to a device's registers again and again. */
const PATTERNS = [0, 0xffff_ffff, 0x5555_5555, 0xaaaa_aaaa];

/** Bits of a function's command register without which it does not answer. */
const ANSWERS = 0x3;

/** Regions of ours that are several of QEMU's: the size of one. */
const UNITS: Readonly<Record<string, number>> = { 'i8259.elcr': 1 };

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
interface Region extends Span {
  readonly io: boolean;
  /** Where it is at first. */
  readonly base: number;
  readonly spots: readonly Spot[];
  readonly pair: Pair | undefined;
  /** What it moves with; undefined when it stays where it is. */
  readonly bar: Moving | undefined;
}

/** A BAR, and which of its places it has now. */
interface Moving {
  readonly bar: Bar;
  place: number;
}

/** What one device can be accessed by. */
type Reach =
  | { readonly kind: 'region'; readonly region: Region }
  | {
      readonly kind: 'config';
      readonly select: number;
      readonly spots: readonly Spot[];
      readonly bars: ReadonlyMap<number, Moving>;
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
  /** It resets the machine too. */
  readonly resets: boolean;
  /** IRQs that are looked at, a bit each. */
  readonly irqs: number;
}

/** Accesses to devices, made from their register tables. */
export class Generator {
  readonly #options: GeneratorOptions;
  readonly #devices: readonly (readonly Reach[])[];
  readonly #moving: readonly Moving[];

  constructor(options: GeneratorOptions) {
    this.#options = options;
    const moving = new Map<Bar, Moving>(
      options.setup.functions.flatMap(({ bars }) => [...bars.values()].map((bar) => [bar, { bar, place: 0 }])),
    );
    this.#moving = [...moving.values()];
    this.#devices = options.devices
      .map((index) => reachesOf(index, options, moving))
      .filter(({ length }) => length > 0);
  }

  /** There is nothing that could be accessed. */
  get isEmpty(): boolean {
    return this.#devices.length === 0;
  }

  /** How many accesses set the machine up. */
  get setupLength(): number {
    return this.#options.setup.accesses.length;
  }

  /** What a sequence begins with: it sets the machine up. */
  begin(made: Sequence): void {
    for (const one of this.#moving) one.place = 0;
    for (const access of this.#options.setup.accesses) made.add(access);
  }

  /** Makes accesses, so many or a few more. */
  next(random: Random, made: Sequence, count: number): void {
    const { steps, resets, irqs } = this.#options;
    for (const end = made.length + count; made.length < end;) {
      const device = this.#devices[random.below(this.#devices.length)] ?? [];
      for (let n = 1 + random.below(BURST); n > 0; n--) {
        const reach = device[random.below(device.length)];
        if (reach === undefined) break;
        if (steps && random.once(STEPS)) step(made, random);
        else if (reach.kind === 'config') configure(made, random, reach);
        else access(made, random, reach.region);
      }
      if (irqs !== 0) made.push(ALSO.IRQS, 0, 0, irqs);
      if (!resets || !random.once(RESETS / (BURST / 2))) continue;
      made.push(ALSO.RESET, 0, 0, 0);
      if (irqs !== 0) made.push(ALSO.IRQS, 0, 0, irqs);
      this.begin(made);
    }
  }
}

/** A step of the clock; each length is as likely as its double. */
function step(made: Sequence, random: Random): void {
  const ns = Math.floor(2 ** ((random.next() / 2 ** 32) * LONGEST_STEP));
  made.push(OP.STEP, 0, Math.floor(ns / 2 ** 32), ns % 2 ** 32);
}

/** An access to a region, most often to a register of it, in its size; and in every other size, at every offset, that can be compared. */
function access(made: Sequence, random: Random, region: Region): void {
  const { size: length, spots, pair } = region;
  const base = baseOf(region, random);
  if (pair !== undefined && !random.once(8)) {
    const { index, data } = pair;
    made.push(region.io ? OP.OUT : OP.WRITE, index.size, base + index.offset, indexFor(random, pair));
    push(made, random, region, base, data.offset, data.size);
    return;
  }
  const isOdd = random.once(pair === undefined ? 12 : 3);
  // Beside the registers too, but for an index, which any value selects something by.
  const spot = isOdd || (pair === undefined && random.once(16)) ? undefined : spots[random.below(spots.length)];
  if (spot === undefined && pair !== undefined && !isOdd) return;
  const size = spot === undefined ? random.pick(SIZES) : spot.size;
  // An access may begin in front of the region.
  const offset = spot?.offset ?? random.below(length + region.free.before) - region.free.before;
  if (fits(region, offset, size)) push(made, random, region, base, offset, size);
}

/** Where a region is now, and now and then where it is not any more. */
function baseOf({ base, bar }: Region, random: Random): number {
  if (bar === undefined || bar.bar.values.length === 1) return base;
  const { values, mask } = bar.bar;
  return ((values[random.once(16) ? random.below(values.length) : bar.place] ?? 0) & mask) >>> 0;
}

function indexFor(random: Random, { registers, others }: Pair): number {
  const register = registers[random.below(registers.length)] ?? 0;
  return random.once(8) ? register | (random.below(0x100) & others) : register;
}

function push(made: Sequence, random: Random, { io, pair }: Region, base: number, offset: number, size: Size): void {
  const address = base + offset;
  if (random.once(2)) {
    made.push(io ? OP.IN : OP.READ, size, address, 0);
    return;
  }
  let value = valueFor(random, size);
  const index = pair === undefined ? -1 : pair.index.offset - offset;
  if (pair !== undefined && index >= 0 && index < size) {
    // What it selects is a register, as elsewhere.
    const shift = 8 * index;
    value = ((value & ~(0xff << shift)) | (indexFor(random, pair) << shift)) >>> 0;
  }
  made.push(io ? OP.OUT : OP.WRITE, size, address, value);
}

/** An access to a register of a function's configuration space: beside those, QEMU's is RAM. A BAR stays, is sized, or moves to where nothing else is. */
function configure(made: Sequence, random: Random, { select, spots, bars }: Extract<Reach, { kind: 'config' }>): void {
  const spot = spots[random.below(spots.length)];
  if (spot === undefined) return;
  const { offset, size } = spot;
  const port = pci.CONFIG_DATA + (offset & 3);
  made.push(OP.OUT, 4, pci.CONFIG_ADDRESS, (select | (offset & 0xfc)) >>> 0);
  const moving = bars.get(offset & 0xfc);
  if (random.once(2) || (moving !== undefined && size !== 4)) {
    made.push(OP.IN, size, port, 0);
  } else if (moving !== undefined) {
    const { values } = moving.bar;
    if (random.once(2)) {
      made.push(OP.OUT, size, port, allOnes(size));
      made.push(OP.IN, size, port, 0);
    }
    moving.place = random.below(values.length);
    made.push(OP.OUT, size, port, values[moving.place] ?? 0);
  } else {
    const answers = offset === pci.HEADER.COMMAND && !random.once(8) ? ANSWERS : 0;
    made.push(OP.OUT, size, port, (valueFor(random, size) | answers) >>> 0);
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
      return (random.next() & all) >>> 0;
  }
}

function reachesOf(
  index: number,
  { bound, registry, setup, ignored }: GeneratorOptions,
  moving: ReadonlyMap<Bar, Moving>,
): Reach[] {
  const { id = '', type = '' } = bound.blueprint.devices[index] ?? {};
  const definition: AnyDeviceDefinition | undefined = registry.get(type);
  const reaches: Reach[] = [];
  for (const { space, target } of bound.bus.targetsOf(index)) {
    const base = target.locate()?.base;
    // Configuration space is reached by a function's own accesses, and what lies above 4 GiB by nothing.
    if (base === undefined || base >= 2 ** 32) continue;
    const bank = definition?.schema.registers?.[target.region.slice(id.length + 1)];
    const isWanted = (register: Register): boolean => !ignored.isWhole(index, register);
    const registers = bank?.registers ?? [];
    const spots = registers.filter(isWanted).map(spotOf);
    if (space === 'config') {
      const fn = setup.functions.find(({ config }) => config === base);
      if (fn === undefined) continue;
      const bars = new Map<number, Moving>();
      for (const [offset, bar] of fn.bars) bars.set(offset, moving.get(bar) ?? { bar, place: 0 });
      reaches.push({ kind: 'config', select: fn.select, spots, bars });
      continue;
    }
    const io = space === 'io';
    if (io && base >= pci.CONFIG_ADDRESS && base < pci.CONFIG_DATA + 4 && target.min === 4) continue;
    if (io && base === pci.CONFIG_DATA) continue;
    const { indexed } = bank ?? {};
    const size = SIZES.find((one) => (target.sizes & one) !== 0) ?? 1;
    const portAt = (offset: number): Spot => {
      const register = registers.find((one) => one.offset === offset);
      return register === undefined ? { offset, size } : spotOf(register);
    };
    const pair = indexed && {
      index: portAt(indexed.index),
      data: portAt(indexed.data),
      registers: indexed.registers.filter(isWanted).map(({ offset }) => offset),
      others: 0xff & ~indexed.mask,
    };
    const bar = [...moving.values()].find(
      ({ bar: { values, mask } }) => mask !== 0 && ((values[0] ?? 0) & mask) >>> 0 === base,
    );
    const region: Region = {
      io,
      base,
      size: target.size,
      unit: UNITS[`${type}.${target.region.slice(id.length + 1)}`] ?? target.size,
      min: target.min,
      max: target.max,
      strict: target.strict,
      spots,
      pair,
      bar,
      free: io ? freeAround(bound, base, target.size) : { before: 0, after: 0 },
      avoided: registers
        .filter((register) => !isWanted(register))
        .flatMap(({ offset, width }) => Array.from({ length: width / 8 }, (_, n) => offset + n)),
    };
    reaches.push({ kind: 'region', region });
  }
  return reaches;
}

/**
 * Ports of what a PC's board has, and a machine of ours need not have: DMA controllers and their pages, port 92, APM, the coprocessor's,
 * disks, floppy disks.
 */
const BOARD: readonly (readonly [first: number, last: number])[] = [
  ...([
    [0x00, 0x1f],
    [0x7e, 0x92],
    [0xb2, 0xb3],
    [0xc0, 0xdf],
    [0xf0, 0xff],
  ] as const),
  ...([
    [0x170, 0x177],
    [0x1f0, 0x1f7],
    [0x376, 0x377],
    [0x3f0, 0x3f7],
  ] as const),
];

/** Ports beside a region at which nothing answers, as many as an access that touches the region may touch of them. */
function freeAround({ bus }: BoundMachine, base: number, size: number): Span['free'] {
  const isFree = (port: number): boolean =>
    port >= 0 &&
    port < IO_PORTS &&
    bus.io.find(port).device < 0 &&
    !BOARD.some(([first, last]) => port >= first && port <= last);
  const count = (port: (n: number) => number): number => [0, 1, 2].findIndex((n) => !isFree(port(n)));
  const most = (found: number): number => (found < 0 ? 3 : found);
  return { before: most(count((n) => base - 1 - n)), after: most(count((n) => base + size + n)) };
}

function spotOf({ offset, width }: Register): Spot {
  return { offset, size: width === 8 ? 1 : width === 16 ? 2 : 4 };
}
