import type { Shadow, ShadowSpec } from '@qtest/sdk';
import type { MemoryBlueprint } from './blueprint.ts';
import { without, type Stretch } from './map.ts';

/**
 * RAM and ROM as accesses reach them, where devices can turn accesses to an area of RAM away (the 440FX's PAM and SMRAM registers): one
 * list for reads, one for writes. ROM lies below RAM.
 */
export class ShadowedRam {
  /** The same array until something has changed. */
  reads: readonly Stretch[];
  writes: readonly Stretch[];
  readonly #rom: readonly Stretch[];
  readonly #ram: readonly Stretch[];
  readonly #areas: { readonly area: ShadowSpec; readonly shadow: () => Shadow; read: boolean; write: boolean }[] = [];

  constructor(memory: readonly MemoryBlueprint[]) {
    const stretches = memory.map(({ kind, base, size, offset }): Stretch => ({
      start: base,
      end: base + size,
      target: undefined,
      delta: offset - base,
      writable: kind === 'ram',
    }));
    this.#rom = stretches.filter(({ writable }) => !writable);
    this.#ram = stretches.filter(({ writable }) => writable);
    this.reads = this.writes = [...this.#rom, ...this.#ram];
  }

  add(area: ShadowSpec, shadow: () => Shadow): void {
    this.#areas.push({ area, shadow, read: true, write: true });
  }

  /** Looks at what the devices' states say. */
  refresh(): void {
    let changed = false;
    for (const item of this.#areas) {
      const { read, write } = item.shadow();
      if (read === item.read && write === item.write) continue;
      item.read = read;
      item.write = write;
      changed = true;
    }
    if (!changed) return;
    let reads = this.#ram;
    let writes = this.#ram;
    for (const { area, read, write } of this.#areas) {
      const end = area.base + area.size;
      if (!read) reads = without(reads, area.base, end);
      if (!write) writes = without(writes, area.base, end);
    }
    this.reads = [...this.#rom, ...reads];
    this.writes = [...this.#rom, ...writes];
  }
}
