import { QtestError, type Vcpu } from '@qtest/sdk';

/**
 * The guest's RAM, as a driver uses it. The CMOS says how much there is. Pages of it can be given out, for rings and buffers of devices that
 * do DMA.
 */

/** Where the PC's extended memory begins: what lies below has a hole in it. */
export const EXTENDED = 0x10_0000;

const CMOS_INDEX = 0x70;
const CMOS_DATA = 0x71;
/** Extended memory in KiB, and memory above 16 MiB in 64 KiB; low byte first (QEMU, hw/i386/pc.c, `pc_cmos_init`). */
const CMOS_EXTENDED = 0x17;
const CMOS_ABOVE_16M = 0x34;
const ABOVE_16M = 0x100_0000;

/**
 * The address after the last byte of RAM below 4 GiB, as the CMOS says. It changes the index in port 0x70.
 * @throws QtestError `DRIVER` when no CMOS tells of RAM beyond 1 MiB.
 */
export function ramEnd(vcpu: Vcpu): number {
  const cmos = (index: number): number => {
    vcpu.outb(CMOS_INDEX, index);
    return vcpu.inb(CMOS_DATA);
  };
  const word = (index: number): number => cmos(index) | (cmos(index + 1) << 8);
  const [extended, above] = [word(CMOS_EXTENDED), word(CMOS_ABOVE_16M)];
  // All ones are of a port that nobody answers at.
  if (above > 0 && above < 0xffff) return ABOVE_16M + above * 0x1_0000;
  if (extended > 0 && extended < 0xffff) return EXTENDED + extended * 0x400;
  throw new QtestError('DRIVER', 'the CMOS tells of no RAM above 1 MiB: give pages() its `end`');
}

/** Which RAM is given out. */
export interface PagesOptions {
  /** First address that is given out. Default 1 MiB. */
  readonly start?: number;
  /** The address after the last one. Default: `ramEnd(vcpu)`. */
  readonly end?: number;
  /** Bytes of a page, a power of two. Default 4096. */
  readonly pageSize?: number;
}

/** Pages of RAM. A page contains whatever was there before. */
export interface Pages {
  readonly pageSize: number;
  /**
   * Takes enough pages for `bytes`, one after another: the lowest that are free. Gives their address.
   * @param align the alignment of the address, a power of two; it is at least the size of a page.
   * @throws QtestError `DRIVER` when there are not enough pages.
   */
  alloc(bytes: number, align?: number): number;
  /** Gives back what `alloc` gave at this address. */
  free(address: number): void;
  /** Bytes that are free. */
  readonly available: number;
}

/** Gives out pages of the machine's RAM. It does not know what others use: make only one, and load nothing into its range. */
export function pages(vcpu: Vcpu, options: PagesOptions = {}): Pages {
  const { start = EXTENDED, pageSize = 4096 } = options;
  if (!isPowerOfTwo(pageSize)) throw new RangeError(`pageSize ${pageSize}: expected a power of two`);
  const end = options.end ?? ramEnd(vcpu);
  const first = roundUp(start, pageSize);
  const last = end - (end % pageSize);
  if (!(Number.isSafeInteger(first) && first >= 0 && Number.isSafeInteger(last) && first < last))
    throw new RangeError(`start ${start}, end ${end}: expected room for a page of ${pageSize} bytes`);
  // In the order of their addresses, and never one beside the other.
  let free: { readonly start: number; readonly end: number }[] = [{ start: first, end: last }];
  const taken = new Map<number, number>();
  return {
    pageSize,
    alloc(bytes, align = pageSize) {
      if (!(Number.isSafeInteger(bytes) && bytes > 0))
        throw new RangeError(`${bytes} bytes: expected a positive integer`);
      if (!isPowerOfTwo(align)) throw new RangeError(`align ${align}: expected a power of two`);
      const size = roundUp(bytes, pageSize);
      const to = Math.max(align, pageSize);
      const piece = free.find((one) => roundUp(one.start, to) + size <= one.end);
      if (piece === undefined) {
        throw new QtestError(
          'DRIVER',
          `no ${size} bytes of guest memory, aligned to ${to}, are free from ${first} to ${last}`,
        );
      }
      const address = roundUp(piece.start, to);
      const rest = [
        { start: piece.start, end: address },
        { start: address + size, end: piece.end },
      ];
      free = free.flatMap((one) => (one === piece ? rest.filter((part) => part.start < part.end) : [one]));
      taken.set(address, size);
      return address;
    },
    free(address) {
      const size = taken.get(address);
      if (size === undefined)
        throw new RangeError(`free(${address}): alloc() has given nothing there that is still taken`);
      taken.delete(address);
      const pieces = [...free, { start: address, end: address + size }].toSorted((a, b) => a.start - b.start);
      free = [];
      for (const piece of pieces) {
        const before = free.at(-1);
        if (before?.end === piece.start) free.splice(-1, 1, { start: before.start, end: piece.end });
        else free.push(piece);
      }
    },
    get available() {
      return free.reduce((sum, piece) => sum + piece.end - piece.start, 0);
    },
  };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
