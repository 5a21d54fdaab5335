import { formatNanoseconds, hex, type AccessSize } from '@qtest/sdk';
import { RAM_BYTES } from './machine.ts';
import type { Random } from '@qtest/sdk/support';
import type { Binding, Region, Rig } from './rig.ts';

/** One thing that software, time, or a neighbour does to a device. Offsets are in a region, wherever that lies by then. */
export type Op =
  | { readonly kind: 'read'; readonly region: Region; readonly offset: number; readonly size: AccessSize }
  | {
      readonly kind: 'write';
      readonly region: Region;
      readonly offset: number;
      readonly size: AccessSize;
      readonly value: number;
    }
  | { readonly kind: 'step'; readonly ns: bigint }
  | { readonly kind: 'line'; readonly line: number; readonly level: boolean }
  | { readonly kind: 'acknowledge'; readonly vcpu: number }
  | { readonly kind: 'send'; readonly bytes: readonly number[] }
  | { readonly kind: 'receive' }
  | { readonly kind: 'ram'; readonly address: number; readonly value: number }
  | { readonly kind: 'reset'; readonly cold: boolean; readonly setup: boolean };

const SIZES: readonly [AccessSize, ...AccessSize[]] = [1, 1, 1, 2, 4];

/** Longest step: 2⁴⁰ ns, 18 minutes. */
const LONGEST_STEP = 40;

/** Random operations on a rig. */
export class Operations {
  readonly #rig: Rig;
  readonly #random: Random;
  readonly #offsets: readonly (readonly number[])[];

  constructor(rig: Rig, random: Random) {
    this.#rig = rig;
    this.#random = random;
    this.#offsets = rig.regions.map(({ bank }) => [
      ...(bank?.registers.map(({ offset }) => offset) ?? []),
      ...(bank?.indexed === undefined ? [] : [bank.indexed.index, bank.indexed.data]),
    ]);
  }

  next(): Op {
    const random = this.#random;
    const rig = this.#rig;
    const roll = random.below(1000);
    if (roll < 70 || rig.regions.length === 0) return this.#other(roll);
    if (roll < 100) return { kind: 'step', ns: BigInt(Math.floor(2 ** ((random.next() / 2 ** 32) * LONGEST_STEP))) };
    const region = rig.regions[random.below(rig.regions.length)];
    if (region === undefined) return { kind: 'step', ns: 1n };
    const size = random.pick(SIZES);
    const offset = this.#offset(region);
    return random.once(2)
      ? { kind: 'read', region, offset, size }
      : { kind: 'write', region, offset, size, value: cut(this.#value(region), size) };
  }

  #other(roll: number): Op {
    const random = this.#random;
    const { freeLines, bindings } = this.#rig;
    const [{ chardev, bound }] = bindings;
    if (roll < 3) return { kind: 'reset', cold: random.once(2), setup: !random.once(4) };
    if (roll < 25 && freeLines.length > 0)
      return { kind: 'line', line: freeLines[random.below(freeLines.length)] ?? 0, level: random.once(2) };
    const vcpus = bound.blueprint.intr.length;
    if (roll < 35 && vcpus > 0) return { kind: 'acknowledge', vcpu: random.below(vcpus) };
    if (roll < 45 && chardev !== undefined)
      return { kind: 'send', bytes: Array.from({ length: 1 + random.below(20) }, () => random.below(256)) };
    if (roll < 50 && chardev !== undefined) return { kind: 'receive' };
    if (roll < 60 && bound.blueprint.ram.length > 0)
      return { kind: 'ram', address: random.below(RAM_BYTES / 4) * 4, value: random.next() };
    // So far the time moves a little alone: a device whose timers are short is to live through many of them.
    return { kind: 'step', ns: BigInt(random.below(10_000)) };
  }

  /** Mostly a register's, and now and then one beside it or anywhere, one beyond each end of the region included. */
  #offset(region: Region): number {
    const random = this.#random;
    const known = this.#offsets[region.index] ?? [];
    if (known.length > 0 && !random.once(6)) return known[random.below(known.length)] ?? 0;
    if (random.once(6)) return random.pick([-1, region.size - 1, region.size]);
    return random.below(Math.min(region.size, random.once(4) ? region.size : 64));
  }

  #value(region: Region): number {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return 0;
      case 1:
        return 0xffff_ffff;
      case 2:
        return 2 ** random.below(32);
      case 3:
        return random.below(16);
      // What a device may take for an address: in RAM, or in a region of its own.
      case 4:
        return random.below(RAM_BYTES) & ~3;
      case 5: {
        const other = this.#rig.regions[random.below(this.#rig.regions.length)] ?? region;
        return ((this.#rig.baseOf(other) ?? 0) + random.below(Math.min(other.size, 256))) % 2 ** 32;
      }
      case 6:
        return random.below(256);
      default:
        return random.next();
    }
  }
}

function cut(value: number, size: AccessSize): number {
  return value % 2 ** (8 * size);
}

/** Timer callbacks that end a step, and those that do so when they fill less than a microsecond: what is a storm is to be seen as one. */
const CALLBACKS = 16;
const STORM_CALLBACKS = 300;

/** Does an operation. Gives what software sees of it. */
export function apply(rig: Rig, binding: Binding, op: Op): unknown {
  const { bound, vcpu, machine, chardev } = binding;
  switch (op.kind) {
    case 'read':
      return rig.read(op.region, op.offset, op.size, binding);
    case 'write':
      return rig.write(op.region, op.offset, op.value, op.size, binding);
    case 'step':
      return step(binding, op.ns);
    case 'line':
      return vcpu.locked(() => bound.lines.set(op.line, op.level));
    case 'acknowledge':
      return vcpu.locked(() => bound.acknowledge(op.vcpu));
    case 'send':
      return vcpu.locked(() => chardev?.write(Uint8Array.from(op.bytes)));
    case 'receive':
      return vcpu.locked(() => chardev?.read().join(' '));
    case 'ram':
      return vcpu.writel(op.address, op.value);
    case 'reset':
      machine.reset(op.cold ? 'cold' : 'warm');
      return op.setup ? rig.setup(binding) : undefined;
  }
}

/** Moves the time on, past so many deadlines at most: however long a step is, it is no more work than that. */
function step({ clock }: Binding, ns: bigint): void {
  const start = clock.now;
  const end = start + ns;
  for (let n = 0; n < CALLBACKS || (n < STORM_CALLBACKS && clock.now - start < 1000n); n++) {
    const { deadline, now } = clock;
    if (deadline === undefined || deadline >= end) {
      clock.step(end - now);
      return;
    }
    clock.step(deadline > now ? deadline - now : 0n);
  }
}

/** An operation for a reader: `outb 0x301 ← 0x5a  (ports+1, CONTROL)`. */
export function textOf(rig: Rig, op: Op): string {
  switch (op.kind) {
    case 'read':
    case 'write':
      return accessText(rig, op);
    case 'step':
      return `clock +${formatNanoseconds(op.ns)}`;
    case 'line':
      return `line ${rig.bindings[0].bound.blueprint.lines[op.line]?.name} goes ${op.level ? 'high' : 'low'}`;
    case 'acknowledge':
      return `interrupt-acknowledge cycle of VCPU ${op.vcpu}`;
    case 'send':
      return `chardev ← ${op.bytes.map((byte) => hex(byte)).join(' ')}`;
    case 'receive':
      return 'chardev is read';
    case 'ram':
      return `RAM ${hex(op.address, 8)} ← ${hex(op.value, 8)}`;
    case 'reset':
      return `${op.cold ? 'cold' : 'warm'} reset${op.setup ? ', setup' : ''}`;
  }
}

const SUFFIX = { 1: 'b', 2: 'w', 4: 'l' } as const;

function accessText(rig: Rig, op: Extract<Op, { kind: 'read' | 'write' }>): string {
  const { region, offset, size } = op;
  const base = rig.baseOf(region);
  const at = base === undefined ? `nowhere+${offset}` : hex(base + offset, region.space === 'io' ? 3 : 8);
  const name = {
    io: { read: 'in', write: 'out' },
    memory: { read: 'read', write: 'write' },
    config: { read: 'config read ', write: 'config write ' },
  }[region.space][op.kind];
  const register = region.bank?.registers.find((found) => found.offset === offset)?.name;
  const value = op.kind === 'write' ? ` ← ${hex(op.value, 2 * size)}` : '';
  return `${name}${SUFFIX[size]} ${at}${value} (${region.name}${offset < 0 ? '' : '+'}${offset}${register === undefined ? '' : `, ${register}`})`;
}
