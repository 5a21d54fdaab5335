import type { AccessSize, AddressRange, Initiator, RegionSpec } from '@qtest/sdk';
import { REACHED } from './tracer.ts';

type Handlers = {
  read(device: unknown, offset: number, size: AccessSize, initiator: Initiator): number;
  write(device: unknown, offset: number, value: number, size: AccessSize, initiator: Initiator): void;
};

/** Where a region lies: what its offsets are counted from, and the parts of it that are seen, behind the windows of bridges. */
export interface Place {
  readonly base: number;
  readonly seen: readonly AddressRange[];
}

/** A region of a device, or of nobody, as the dispatch tables hold it. One class for all, so that its call sites stay fast. */
export class Target {
  /** Index of the device; −1 when none answers. */
  readonly device: number;
  readonly region: string;
  readonly bound: unknown;
  readonly read: Handlers['read'];
  readonly write: Handlers['write'];
  readonly size: number;
  readonly priority: number;
  /** Its handlers take single bytes. */
  readonly takesBytes: boolean;
  /** Sizes that its handlers take, ORed. */
  readonly sizes: number;
  readonly min: number;
  readonly max: number;
  readonly strict: boolean;
  readonly widen: boolean;
  readonly unaligned: boolean;
  readonly transparent: boolean;
  /** Its place in `Bus.targets`, the same on every thread; when it is nobody's, what a trace says in its place. */
  index: number = REACHED.NOBODY;
  /** Where it lies now; changed by a rebuild of the map. */
  base = 0;
  seen: readonly AddressRange[] = [];
  readonly locate: () => Place | undefined;

  constructor(
    device: number,
    region: string,
    spec: RegionSpec,
    bound: unknown,
    handlers: Handlers,
    locate: () => Place | undefined,
  ) {
    this.device = device;
    this.region = region;
    this.bound = bound;
    this.read = handlers.read;
    this.write = handlers.write;
    this.size = spec.size;
    this.priority = spec.priority ?? 0;
    this.min = spec.access?.min ?? 1;
    this.max = spec.access?.max ?? 1;
    this.takesBytes = this.min === 1;
    this.sizes = [1, 2, 4].reduce((sizes, size) => (size >= this.min && size <= this.max ? sizes | size : sizes), 0);
    this.strict = spec.access?.strict ?? false;
    this.widen = spec.access?.widen ?? false;
    this.unaligned = spec.access?.unaligned ?? false;
    this.transparent = spec.access?.transparent ?? false;
    this.locate = locate;
  }
}

/** What answers where no region lies: `value`, or its low bytes. `report` is told of each access. */
export function unmapped(
  value: number,
  report: (address: number, size: number, what: 'read' | 'write') => void,
): Target {
  const handlers: Handlers = {
    read: (_device, address, size) => {
      report(address, size, 'read');
      return value;
    },
    write: (_device, address, _value, size) => report(address, size, 'write'),
  };
  const everywhere: RegionSpec = { space: 'io', size: 2 ** 53, access: { min: 1, max: 4, unaligned: true } };
  return new Target(-1, '', everywhere, undefined, handlers, () => undefined);
}

/** Regions in the order in which they are painted: the last one that covers an address answers. */
function paintOrder(targets: readonly Target[]): Target[] {
  return targets
    .map((target, index) => ({ target, index, place: target.locate() }))
    .filter(({ target, place }) => {
      if (place === undefined) return false;
      target.base = place.base;
      target.seen = place.seen;
      return true;
    })
    .toSorted((a, b) => a.target.priority - b.target.priority || b.index - a.index)
    .map(({ target }) => target);
}

/** Whether two paintings are the same: a map need not be made anew after a restore that moved nothing. */
class Painting {
  #targets: readonly Target[] = [];
  #places: readonly Place[] = [];

  isSame(targets: readonly Target[]): boolean {
    const same =
      targets.length === this.#targets.length &&
      targets.every((target, i) => target === this.#targets[i] && isSamePlace(target, this.#places[i]));
    this.#targets = targets;
    this.#places = targets.map(({ base, seen }) => ({ base, seen }));
    return same;
  }
}

function isSamePlace({ base, seen }: Place, other: Place | undefined): boolean {
  return (
    base === other?.base &&
    seen.length === other.seen.length &&
    seen.every((part, i) => part.base === other.seen[i]?.base && part.end === other.seen[i]?.end)
  );
}

export const IO_PORTS = 0x1_0000;

/** The `io` address space: for each port, who answers. */
export class IoMap {
  readonly #nobody: Target;
  /**
   * For each port who answers, up to the last one at which somebody has: to make all 65 536 for each machine, and to sweep them away, takes
   * a sixth of its start. It stays the same array, so that the bus can hold it.
   */
  readonly ports: Target[] = [];
  readonly #painting = new Painting();
  #order: readonly Target[] = [];

  constructor(nobody: Target) {
    this.#nobody = nobody;
  }

  rebuild(targets: readonly Target[]): void {
    const order = paintOrder(targets);
    if (this.#painting.isSame(order)) return;
    this.#order = order;
    const ends = order.flatMap(({ seen }) => seen.map(({ end }) => end));
    this.ports.length = Math.max(this.ports.length, ...ends);
    this.ports.fill(this.#nobody);
    for (const target of order) for (const { base, end } of target.seen) this.ports.fill(target, base, end);
  }

  /** The port's target; beyond the last port nobody answers. */
  find(port: number): Target {
    return this.ports[port] ?? this.#nobody;
  }

  /** Who answers at a port where `target` does not. */
  below(target: Target, port: number): Target {
    const under = this.#order.slice(0, this.#order.indexOf(target));
    return under.findLast(({ seen }) => seen.some(({ base, end }) => port >= base && port < end)) ?? this.#nobody;
  }

  /** The port after the last one, from `port`, at which the same target answers; at most `end`. */
  borderAfter(port: number, end: number): number {
    let at = port + 1;
    while (at < end && this.find(at) === this.find(port)) at++;
    return at;
  }
}

/** A stretch of the `memory` address space in which one target, or one piece of RAM or ROM, answers. */
export interface Stretch {
  readonly start: number;
  /** The address after its last byte. */
  readonly end: number;
  /** A region, or undefined for RAM and ROM. */
  readonly target: Target | undefined;
  /** RAM and ROM: what to add to an address to get its byte in the machine's memory. */
  readonly delta: number;
  /** What is written is kept. */
  readonly writable: boolean;
}

/** The `memory` address space, of reads or of writes: stretches in order, without a gap. */
export class MemoryMap {
  readonly #nowhere: Stretch;
  readonly #painting = new Painting();
  #memory: readonly Stretch[] = [];
  #stretches: readonly Stretch[];
  /** Where the last access was: the next one is most often there too. */
  #last: Stretch;

  constructor(nobody: Target) {
    this.#nowhere = { start: 0, end: 2 ** 53, target: nobody, delta: 0, writable: false };
    this.#stretches = [this.#nowhere];
    this.#last = this.#nowhere;
  }

  /** `memory`, which is the same array as long as it is the same memory, lies below every region whose priority is not negative. */
  rebuild(memory: readonly Stretch[], targets: readonly Target[]): void {
    const order = paintOrder(targets);
    if (this.#painting.isSame(order) && memory === this.#memory) return;
    this.#memory = memory;
    const stretchesOf = (target: Target): Stretch[] =>
      target.seen.map(({ base, end }) => ({ start: base, end, target, delta: 0, writable: true }));
    const below = order.filter(({ priority }) => priority < 0).flatMap(stretchesOf);
    const above = order.filter(({ priority }) => priority >= 0).flatMap(stretchesOf);
    let flat: Stretch[] = [this.#nowhere];
    for (const stretch of [...below, ...memory, ...above]) flat = paint(flat, stretch);
    this.#stretches = flat;
    this.#last = this.#search(0);
  }

  get stretches(): readonly Stretch[] {
    return this.#stretches;
  }

  find(address: number): Stretch {
    const last = this.#last;
    if (address >= last.start && address < last.end) return last;
    return (this.#last = this.#search(address));
  }

  #search(address: number): Stretch {
    const stretches = this.#stretches;
    let low = 0;
    let high = stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((stretches[middle]?.start ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    return stretches[low] ?? this.#nowhere;
  }
}

/** `stretches` without the addresses from `start` to `end`. */
export function without(stretches: readonly Stretch[], start: number, end: number): Stretch[] {
  return stretches.flatMap((stretch) => {
    if (stretch.end <= start || stretch.start >= end) return [stretch];
    const parts: Stretch[] = [];
    if (stretch.start < start) parts.push({ ...stretch, end: start });
    if (stretch.end > end) parts.push({ ...stretch, start: end });
    return parts;
  });
}

function paint(flat: readonly Stretch[], over: Stretch): Stretch[] {
  const painted: Stretch[] = [];
  for (const stretch of flat) {
    if (stretch.end <= over.start || stretch.start >= over.end) {
      painted.push(stretch);
      continue;
    }
    if (stretch.start < over.start) painted.push({ ...stretch, end: over.start });
    if (over.start >= stretch.start) painted.push(over);
    if (stretch.end > over.end) painted.push({ ...stretch, start: over.end });
  }
  return painted;
}
