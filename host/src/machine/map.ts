import type { AccessSize, Initiator, RegionSpec } from '@qtest/sdk';

type Handlers = {
  read(device: unknown, offset: number, size: AccessSize, initiator: Initiator): number;
  write(device: unknown, offset: number, value: number, size: AccessSize, initiator: Initiator): void;
};

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
  readonly min: number;
  readonly max: number;
  readonly strict: boolean;
  readonly widen: boolean;
  readonly unaligned: boolean;
  /** Where it lies now; changed by a rebuild of the map. */
  base = 0;
  readonly locate: () => number | undefined;

  constructor(
    device: number,
    region: string,
    spec: RegionSpec,
    bound: unknown,
    handlers: Handlers,
    locate: () => number | undefined,
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
    this.strict = spec.access?.strict ?? false;
    this.widen = spec.access?.widen ?? false;
    this.unaligned = spec.access?.unaligned ?? false;
    this.locate = locate;
  }
}

/** What answers where no region lies. */
export const UNMAPPED = new Target(
  -1,
  '',
  { space: 'io', size: 2 ** 53, access: { min: 1, max: 4, unaligned: true } },
  undefined,
  { read: () => 0xffff_ffff, write: () => {} },
  () => 0,
);

/** Regions in the order in which they are painted: the last one that covers an address answers. */
function paintOrder(targets: readonly Target[]): Target[] {
  return targets
    .map((target, index) => ({ target, index, base: target.locate() }))
    .filter(({ target, base }) => {
      if (base !== undefined) target.base = base;
      return base !== undefined;
    })
    .toSorted((a, b) => a.target.priority - b.target.priority || b.index - a.index)
    .map(({ target }) => target);
}

export const IO_PORTS = 0x1_0000;

/** The `io` address space: for each port, who answers. */
export class IoMap {
  readonly ports = new Uint16Array(IO_PORTS);
  targets: Target[] = [UNMAPPED];

  rebuild(targets: readonly Target[]): void {
    this.ports.fill(0);
    this.targets = [UNMAPPED];
    for (const target of paintOrder(targets)) {
      if (target.base >= IO_PORTS) continue;
      this.ports.fill(this.targets.length, target.base, Math.min(target.base + target.size, IO_PORTS));
      this.targets.push(target);
    }
  }

  /** The port's target; beyond the last port nobody answers. */
  find(port: number): Target {
    return this.targets[this.ports[port] ?? 0] ?? UNMAPPED;
  }

  /** The address after the last one, from `port`, at which the same target answers; at most `end`. */
  borderAfter(port: number, end: number): number {
    let at = port + 1;
    while (at < end && (this.ports[at] ?? 0) === (this.ports[port] ?? 0)) at++;
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
  readonly writable: boolean;
}

const NOWHERE: Stretch = { start: 0, end: 2 ** 53, target: UNMAPPED, delta: 0, writable: false };

/** The `memory` address space: stretches in order, without a gap. */
export class MemoryMap {
  #stretches: readonly Stretch[] = [NOWHERE];

  /** `memory` lies below every region. */
  rebuild(memory: readonly Stretch[], targets: readonly Target[]): void {
    let flat: Stretch[] = [NOWHERE];
    for (const stretch of memory) flat = paint(flat, stretch);
    for (const target of paintOrder(targets)) {
      flat = paint(flat, { start: target.base, end: target.base + target.size, target, delta: 0, writable: true });
    }
    this.#stretches = flat;
  }

  get stretches(): readonly Stretch[] {
    return this.#stretches;
  }

  find(address: number): Stretch {
    const stretches = this.#stretches;
    let low = 0;
    let high = stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((stretches[middle]?.start ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    return stretches[low] ?? NOWHERE;
  }
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
