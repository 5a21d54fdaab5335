import { type BoundMachine, PAGE_BYTES } from '@qtest/machine';
import type { Hole } from '@qtest/sdk/backend';

/** What RAM holds at first. */
export interface Content {
  readonly address: number;
  readonly data: Uint8Array;
}

/** The pages of RAM that are not zero when a machine is sealed, but for ROMs, and where the emulator has no RAM. */
export function contentsOf(
  { handle: { image }, blueprint: { layout, ram } }: BoundMachine,
  holes: readonly Hole[],
): Content[] {
  return [...image.pages].flatMap((page, index) => {
    const at = layout.ram + page * PAGE_BYTES;
    const piece = ram.find(({ kind, offset, size }) => kind === 'ram' && at >= offset && at < offset + size);
    if (piece === undefined) return [];
    const address = piece.base + at - piece.offset;
    const isMissing = holes.some(
      ({ space, base, size }) => space === 'memory' && address < base + size && base < address + PAGE_BYTES,
    );
    return isMissing ? [] : [{ address, data: image.bytes.slice(index * PAGE_BYTES, (index + 1) * PAGE_BYTES) }];
  });
}
