import { QtestError, BRIDGE, BRIDGE_CONTROL, HEADER } from '@qtest/sdk';
import { hex } from './pci-function.ts';
import type { PciBar, PciFunction } from './pci-types.ts';

/**
 * What firmware does before drivers come: it numbers the buses behind bridges, gives every BAR an address, and opens the bridges'
 * windows for those behind them (PCI-to-PCI Bridge Architecture Specification 1.2, chapters 3 to 5, 12).
 */

/** Where addresses are given out from, and up to, as QEMU's own test library does. */
export const IO_WINDOW = { start: 0xc000, end: 0x1_0000 } as const;
export const MEMORY_WINDOW = { start: 0xe000_0000, end: 0x1_0000_0000 } as const;
/** Of 64-bit prefetchable memory, where that is to be, or must be, above 4 GiB. */
export const HIGH_WINDOW = { start: 0x10_0000_0000, end: 0x80_0000_0000 } as const;

/** The layout of a header: a PCI-to-PCI bridge's. */
const TYPE_1 = 0x01;

/** Units of a bridge's windows. */
const IO_UNIT = 0x1000;
const MEMORY_UNIT = 0x10_0000;

const MAX_BUS = 255;

export function isBridge(fn: PciFunction): boolean {
  return (fn.readb(HEADER.HEADER_TYPE) & 0x7f) === TYPE_1;
}

/** Numbers the buses behind the bridges of a bus, depth first. Gives the highest number that is used then. */
export function numberBuses(bus: number, functionsOf: (bus: number) => readonly PciFunction[]): number {
  const bridges = functionsOf(bus).filter(isBridge);
  // One that has numbers of an earlier time would answer for the buses of another.
  for (const bridge of bridges) {
    bridge.writeb(BRIDGE.SECONDARY_BUS, 0);
    bridge.writeb(BRIDGE.SUBORDINATE_BUS, 0);
    bridge.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.set(bridge.readw(BRIDGE.CONTROL), 0));
  }
  let last = bus;
  for (const bridge of bridges) {
    if (last === MAX_BUS)
      throw new QtestError('DRIVER', `no bus number is left for the bridge in slot ${bridge.slot} of bus ${bus}`);
    bridge.writeb(BRIDGE.PRIMARY_BUS, bus);
    bridge.writeb(BRIDGE.SECONDARY_BUS, last + 1);
    // All that there can be, until it is known what there is.
    bridge.writeb(BRIDGE.SUBORDINATE_BUS, MAX_BUS);
    last = numberBuses(last + 1, functionsOf);
    bridge.writeb(BRIDGE.SUBORDINATE_BUS, last);
  }
  return last;
}

/** Kinds of address, by the window of a bridge that they go through. */
const POOLS = ['io', 'memory', 'prefetch'] as const;
type Pool = (typeof POOLS)[number];

/** Addresses that are wanted, and what is done with them. */
interface Request {
  readonly size: number;
  readonly align: number;
  place(address: number): void;
}

type Requests = Readonly<Record<Pool, Request[]>>;

/** Only what is 64 bits long may come to lie above 4 GiB, and only what is prefetchable through the window that can. */
function poolOf({ kind, prefetchable }: PciBar): Pool {
  if (kind === 'io') return 'io';
  return kind === 'memory64' && prefetchable ? 'prefetch' : 'memory';
}

/** What the functions of a bus want; a bridge wants a window for those behind it. */
function requestsOf(bus: number, functionsOf: (bus: number) => readonly PciFunction[]): Requests {
  const wanted: Requests = { io: [], memory: [], prefetch: [] };
  for (const fn of functionsOf(bus)) {
    for (const bar of fn.bars())
      wanted[poolOf(bar)].push({ size: bar.size, align: bar.size, place: (address) => fn.setBar(bar.bar, address) });
    const secondary = isBridge(fn) ? fn.readb(BRIDGE.SECONDARY_BUS) : 0;
    if (secondary <= bus) continue;
    const behind = requestsOf(secondary, functionsOf);
    if (!hasLongPrefetch(fn)) behind.memory.push(...behind.prefetch.splice(0));
    for (const pool of POOLS) {
      if (behind[pool].length === 0) closeWindow(fn, pool);
      else wanted[pool].push(windowRequest(fn, pool, behind[pool]));
    }
    fn.enable({ io: true, memory: true, master: true });
  }
  return wanted;
}

function hasLongPrefetch(bridge: PciFunction): boolean {
  return (bridge.readw(BRIDGE.PREFETCH_BASE) & 0xf) === 1;
}

function windowRequest(bridge: PciFunction, pool: Pool, behind: readonly Request[]): Request {
  const unit = pool === 'io' ? IO_UNIT : MEMORY_UNIT;
  const size = roundUp(pack(behind).size, unit);
  return {
    size,
    align: Math.max(unit, ...behind.map(({ align }) => align)),
    place(address) {
      setWindow(bridge, pool, address, address + size - 1);
      placeAll(behind, address);
    },
  };
}

/** Sets a window of a bridge: the addresses of its first and of its last unit. */
export function setWindow(bridge: PciFunction, pool: Pool, base: number, limit: number): void {
  if (pool === 'io') {
    bridge.writeb(BRIDGE.IO_BASE, (base >>> 8) & 0xf0);
    bridge.writeb(BRIDGE.IO_LIMIT, (limit >>> 8) & 0xf0);
    bridge.writew(BRIDGE.IO_BASE_UPPER, base >>> 16);
    bridge.writew(BRIDGE.IO_LIMIT_UPPER, limit >>> 16);
    return;
  }
  const [baseAt, limitAt] =
    pool === 'memory' ? [BRIDGE.MEMORY_BASE, BRIDGE.MEMORY_LIMIT] : [BRIDGE.PREFETCH_BASE, BRIDGE.PREFETCH_LIMIT];
  bridge.writew(baseAt, Math.floor((base % 2 ** 32) / 2 ** 16) & 0xfff0);
  bridge.writew(limitAt, Math.floor((limit % 2 ** 32) / 2 ** 16) & 0xfff0);
  if (pool === 'memory') return;
  bridge.writel(BRIDGE.PREFETCH_BASE_UPPER, Math.floor(base / 2 ** 32));
  bridge.writel(BRIDGE.PREFETCH_LIMIT_UPPER, Math.floor(limit / 2 ** 32));
}

/** A base above its limit. */
export function closeWindow(bridge: PciFunction, pool: Pool): void {
  if (pool === 'io') setWindow(bridge, pool, 0xf000, 0);
  else setWindow(bridge, pool, 0xfff0_0000, 0);
}

/** Offsets of requests, those of the widest alignment first, and bytes in all. */
function pack(requests: readonly Request[]): { readonly size: number; readonly at: ReadonlyMap<Request, number> } {
  const at = new Map<Request, number>();
  let size = 0;
  for (const request of requests.toSorted((a, b) => b.align - a.align)) {
    size = roundUp(size, request.align);
    at.set(request, size);
    size += request.size;
  }
  return { size, at };
}

function placeAll(requests: readonly Request[], base: number): void {
  for (const [request, offset] of pack(requests).at) request.place(base + offset);
}

/** Addresses that are free: where the next one begins. */
export interface Free {
  io: number;
  memory: number;
}

/** Gives every BAR from bus 0 on an address, and opens the windows. Gives where what is left begins. */
export function assignAll(functionsOf: (bus: number) => readonly PciFunction[], above4g: boolean): Free {
  const { io, memory, prefetch } = requestsOf(0, functionsOf);
  const low = [...memory, ...prefetch];
  // The last address of 32 bits is never decoded: sizing leaves it.
  const fits = endOf(low, MEMORY_WINDOW.start) < MEMORY_WINDOW.end;
  const high = above4g || !fits ? prefetch : [];
  const rest = high.length > 0 ? memory : low;
  const ends = {
    io: place('io', io, IO_WINDOW),
    memory: place('memory', rest, { start: MEMORY_WINDOW.start, end: MEMORY_WINDOW.end - 1 }),
  };
  place('prefetch', high, HIGH_WINDOW);
  return ends;
}

function endOf(requests: readonly Request[], start: number): number {
  return firstOf(requests, start) + pack(requests).size;
}

function firstOf(requests: readonly Request[], start: number): number {
  return roundUp(start, Math.max(1, ...requests.map(({ align }) => align)));
}

function place(what: Pool, requests: readonly Request[], { start, end }: { start: number; end: number }): number {
  const last = endOf(requests, start);
  if (last > end) {
    throw new QtestError(
      'DRIVER',
      `the BARs want ${pack(requests).size} bytes of ${what}; there is room from 0x${hex(start)} to 0x${hex(end)}`,
    );
  }
  placeAll(requests, firstOf(requests, start));
  return last;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
