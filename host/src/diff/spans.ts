/** A region, as far as it decides how an access to it is split. */
export interface Span {
  readonly size: number;
  /** Sizes that its handlers take, and what it does with others, as the SDK's `RegionSpec` says. */
  readonly min: number;
  readonly max: number;
  readonly strict: boolean;
  /** How much of it is one region of QEMU's. */
  readonly unit: number;
  /** Where it lies in a space. */
  readonly base: number;
  /** Places in front of it and behind it at which nothing answers. */
  readonly free: { readonly before: number; readonly after: number };
  /** Offsets that are not accessed. */
  readonly avoided: readonly number[];
}

/**
 * Whether an access, `offset` from the region's start, is split alike on both sides. How one is split belongs to the bus, and not to the
 * device. QEMU (system/physmem.c, memory_access_size) takes as much of it at once as its offset in the region is aligned to, and gives all of that to the region
 * in which it begins; our bus ends it at the region's border. What a region refuses reads as 0 there.
 */
export function fits(
  { size: length, unit, min, max, strict, base, free, avoided }: Span,
  offset: number,
  size: number,
): boolean {
  if (offset < -free.before || offset + size > length + free.after) return false;
  for (let at = offset; at < offset + size;) {
    const isInside = at >= 0 && at < length;
    const place = isInside ? at % unit : base + at;
    const aligned = place === 0 ? 4 : place & -place;
    const left = offset + size - at;
    const part = Math.min(aligned, left >= 4 ? 4 : left >= 2 ? 2 : 1);
    if (isInside ? place + part > unit : at < 0 && at + part > 0) return false;
    if (isInside) {
      if (part < min || (part > max && strict)) return false;
      // Aligned in the region, but not in the space.
      if (((base + at) & (part - 1)) !== 0) return false;
      for (let n = 0; n < part; n++) if (avoided.includes(at + n)) return false;
    }
    at += part;
  }
  return true;
}
