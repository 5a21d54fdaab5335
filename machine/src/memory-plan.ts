import type { ShadowSpec } from '@qtest/sdk';
import { fail, hex, range } from './added.ts';
import { PAGE_BYTES, type MemoryBlueprint } from './blueprint.ts';

/** Largest RAM, with ROMs: what a 32-bit WebAssembly memory leaves beside the machine's state. */
const MAX_RAM = 3 * 2 ** 30;

/** RAM and ROM of a machine under construction. `areas`: those in which a device can turn accesses away from RAM. */
export class MemoryPlan {
  /** Their offsets count from the first byte of the machine's RAM. */
  readonly pieces: MemoryBlueprint[] = [];
  /** What they hold at the start. */
  readonly contents: { offset: number; data: Uint8Array }[] = [];
  /** Bytes of all of them. */
  bytes = 0;

  ram(base: number, size: number, areas: readonly ShadowSpec[]): void {
    this.#add('ram', base, size, areas);
  }

  rom(base: number, image: Uint8Array, areas: readonly ShadowSpec[]): void {
    const offset = this.bytes;
    this.#add('rom', base, Math.ceil(image.length / PAGE_BYTES) * PAGE_BYTES, areas);
    this.contents.push({ offset, data: image.slice() });
  }

  load(address: number, data: Uint8Array): void {
    const holds = ({ base, size }: MemoryBlueprint): boolean =>
      Number.isSafeInteger(address) && address >= base && address + data.length <= base + size;
    const pieces = this.pieces.filter(holds);
    const piece = pieces.find(({ kind }) => kind === 'ram') ?? pieces[0];
    if (piece === undefined)
      return fail(
        `load(${hex(address)}, ${data.length} bytes): no single piece of RAM holds it; add it with ram() first`,
      );
    this.contents.push({ offset: piece.offset + address - piece.base, data: data.slice() });
  }

  #add(kind: 'ram' | 'rom', base: number, size: number, areas: readonly ShadowSpec[]): void {
    for (const [what, value] of [['base', base] as const, ['size', size] as const]) {
      if (!(Number.isSafeInteger(value) && value >= 0 && value % PAGE_BYTES === 0)) {
        fail(`${kind}(): the ${what} ${value} must be a multiple of ${PAGE_BYTES}`);
      }
    }
    if (size === 0) fail(`${kind}() at ${hex(base)}: the size is 0`);
    for (const other of this.pieces) {
      if (base < other.base + other.size && other.base < base + size) {
        if (
          kind !== other.kind &&
          isShadowed(areas, Math.max(base, other.base), Math.min(base + size, other.base + other.size))
        )
          continue;
        fail(`${kind} at ${range(base, size)} overlaps ${other.kind} at ${range(other.base, other.size)}`);
      }
    }
    if (this.bytes + size > MAX_RAM) fail(`the machine's RAM and ROM exceed ${MAX_RAM / 2 ** 20} MiB`);
    this.pieces.push({ kind, base, size, offset: this.bytes });
    this.bytes += size;
  }
}

/** Whether a device can turn accesses to all of these addresses away from RAM, so that a ROM may lie below it. */
function isShadowed(areas: readonly ShadowSpec[], start: number, end: number): boolean {
  let at = start;
  for (const area of areas.toSorted((a, b) => a.base - b.base)) {
    if (area.base <= at) at = Math.max(at, area.base + area.size);
  }
  return at >= end;
}
