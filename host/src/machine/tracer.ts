import { crc32 } from 'node:zlib';

/**
 * A full trace of a machine: what its VCPUs, devices and clock did, in one order, in shared memory, so that it is there when a VCPU has been
 * killed. It is a ring: of more events than it holds, the last are kept.
 */

/** What an event is. */
export const TRACED = {
  IN: 1,
  OUT: 2,
  READ: 3,
  WRITE: 4,
  STEP: 5,
  /** A handler of a line, and of a vector. */
  IRQ: 6,
  INTERRUPT: 7,
  DMA_READ: 8,
  DMA_WRITE: 9,
  EDGE: 10,
  TIMER: 11,
  RESET: 12,
  SAVE: 13,
  RESTORE: 14,
  LOG: 15,
} as const;

/** Events that are kept. */
export const TRACED_EVENTS = 16_384;

/** Words of an event. */
const ENTRY = 14;
/** KIND: what it is, its VCPU plus 1 from bit 8, the device that made it plus 1 from bit 16. TIME is two words, BYTES tells how many of its text or data are kept. */
const [KIND, SIZE, ADDRESS, ADDRESS_HIGH, TIME, VALUE, TARGET, OFFSET, SOURCE, TEXT, BYTES, SEQ] = [
  0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12,
];

/** An access that has not been answered (yet). */
const OPEN = 13;

/** The head: events so far, bytes of text so far, bytes of source lines so far. */
const [EVENTS, TEXTS, SOURCES] = [0, 1, 2];
const FIRST = 16;
const LAST = TRACED_EVENTS - 1;

/** What of the texts is kept: lines of the log, and the bytes of bulk accesses. A ring as well. */
const TEXT_START = 4 * (FIRST + ENTRY * TRACED_EVENTS);
const TEXT_BYTES = 2 ** 20;
/** Bytes of one that are kept. */
const MAX_TEXT = 4096;

/** Places in the plugin's source, each once; when this is full, later ones are not told. */
const SOURCE_START = TEXT_START + TEXT_BYTES;
const SOURCE_BYTES = 2 ** 18;

/** Where an access went: into RAM, to nobody, or to what is not known here, as an emulator has the map. Else an index of `Bus.targets`. */
export const REACHED = { RAM: -1, NOBODY: -2, UNKNOWN: -3 } as const;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The value of an access in bulk: of more than four bytes their CRC-32. */
export function blockValue(bytes: Uint8Array): number {
  return bytes.length > 4 ? crc32(bytes) : bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** One thread's pen. Accesses are written with the machine's lock held, so that their order is the one in which they happened. */
export class Tracer {
  /** The VCPU whose thread this is; −1 for the I/O thread. */
  vcpu = -1;
  /** The place in the plugin's source that leads to what happens now; 0 for none. */
  source = 0;
  readonly #words: Int32Array;
  readonly #times: BigInt64Array;
  readonly #bytes: Uint8Array;
  readonly #now: () => bigint;

  constructor(buffer: SharedArrayBuffer, now: () => bigint) {
    this.#words = new Int32Array(buffer);
    this.#times = new BigInt64Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#now = now;
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(SOURCE_START + SOURCE_BYTES);
  }

  /** Begins an access. Gives its place, for `end`. */
  begin(kind: number, size: number, address: number, target: number, offset = 0, by = -1): number {
    const words = this.#words;
    const seq = Atomics.add(words, EVENTS, 1);
    const at = FIRST + (seq & LAST) * ENTRY;
    words[at + KIND] = kind | ((this.vcpu + 1) << 8) | ((by + 1) << 16);
    words[at + SIZE] = size;
    words[at + ADDRESS] = address | 0;
    words[at + ADDRESS_HIGH] = address > 0xffff_ffff ? address / 0x1_0000_0000 : 0;
    this.#times[(at + TIME) >> 1] = this.#now();
    words[at + TARGET] = target;
    words[at + OFFSET] = offset;
    words[at + SOURCE] = this.source;
    words[at + BYTES] = 0;
    words[at + OPEN] = 1;
    words[at + SEQ] = seq;
    return at;
  }

  /** An access has been made, with this value. */
  end(at: number, value: number): void {
    const words = this.#words;
    words[at + VALUE] = value | 0;
    words[at + OPEN] = 0;
  }

  /** The access goes on to configuration space. */
  reaches(at: number, target: number, offset: number): void {
    this.#words[at + TARGET] = target;
    this.#words[at + OFFSET] = offset;
  }

  /** What a bulk access transferred. */
  data(at: number, bytes: Uint8Array): void {
    if (bytes.length <= MAX_TEXT) this.#keep(at, bytes);
  }

  /** Anything but an access. */
  event(kind: number, index = 0, value = 0): void {
    this.end(this.begin(kind, 0, index, REACHED.UNKNOWN), value);
  }

  /** A VCPU has moved the clock. */
  step(by: bigint): void {
    const at = this.begin(TRACED.STEP, 0, Number(by >> 32n), REACHED.UNKNOWN);
    this.end(at, Number(by & 0xffff_ffffn));
  }

  /** A line of the log. */
  log(line: string, source = 0): void {
    const at = this.begin(TRACED.LOG, 0, 0, REACHED.UNKNOWN);
    this.#words[at + SOURCE] = source;
    this.#keep(at, encoder.encode(line).subarray(0, MAX_TEXT));
    this.end(at, 0);
  }

  /** A number for a place in the plugin's source, `file:line:column`; 0 when there is no room for more. */
  newSource(place: string): number {
    const words = this.#words;
    const bytes = encoder.encode(`${place}\n`);
    const from = Atomics.add(words, SOURCES, bytes.length);
    if (from + bytes.length > SOURCE_BYTES) return 0;
    this.#bytes.set(bytes, SOURCE_START + from);
    return from + 1;
  }

  #keep(at: number, bytes: Uint8Array): void {
    const words = this.#words;
    const from = Atomics.add(words, TEXTS, bytes.length);
    for (let n = 0; n < bytes.length; n++) this.#bytes[TEXT_START + ((from + n) & (TEXT_BYTES - 1))] = bytes[n] ?? 0;
    words[at + TEXT] = from;
    words[at + BYTES] = bytes.length;
  }
}

/** An event as it lies in the ring. */
export interface TracedEvent {
  readonly seq: number;
  readonly kind: number;
  /** −1 for none. */
  readonly vcpu: number;
  /** The device that made the access; −1 for none. */
  readonly by: number;
  readonly size: number;
  /** Of an access; else what the kind says: a line, a timer, a device, a vector. */
  readonly address: number;
  readonly time: bigint;
  readonly value: number;
  /** One of `REACHED`, or an index of `Bus.targets`. */
  readonly target: number;
  readonly offset: number;
  /** The access was never answered. */
  readonly open: boolean;
  /** `file:line:column`. */
  readonly source: string | undefined;
  /** A line of the log, or what a bulk access transferred. */
  readonly bytes: Uint8Array | undefined;
}

/** Forgets what has been traced: another case begins. */
export function clearTraced(buffer: SharedArrayBuffer): void {
  new Int32Array(buffer, 0, FIRST).fill(0);
}

/** The events of a trace that are kept, in their order, and how many there were before them. */
export function tracedEvents(buffer: SharedArrayBuffer): { readonly events: TracedEvent[]; readonly lost: number } {
  const words = new Int32Array(buffer);
  const times = new BigInt64Array(buffer);
  const head = (words[EVENTS] ?? 0) >>> 0;
  const lost = Math.max(0, head - TRACED_EVENTS);
  const places = new Map<number, string>();
  const events: TracedEvent[] = [];
  for (let seq = lost; seq < head; seq++) {
    const at = FIRST + (seq & LAST) * ENTRY;
    // A thread that ended in the middle of it has left it unfinished.
    if (words[at + SEQ] !== (seq | 0)) continue;
    const kind = words[at + KIND] ?? 0;
    events.push({
      seq,
      kind: kind & 0xff,
      vcpu: ((kind >>> 8) & 0xff) - 1,
      by: (kind >>> 16) - 1,
      size: words[at + SIZE] ?? 0,
      address: ((words[at + ADDRESS] ?? 0) >>> 0) + ((words[at + ADDRESS_HIGH] ?? 0) >>> 0) * 0x1_0000_0000,
      time: times[(at + TIME) >> 1] ?? 0n,
      value: (words[at + VALUE] ?? 0) >>> 0,
      target: words[at + TARGET] ?? REACHED.UNKNOWN,
      offset: (words[at + OFFSET] ?? 0) >>> 0,
      open: words[at + OPEN] !== 0,
      source: placeAt(buffer, words[at + SOURCE] ?? 0, places),
      bytes: textAt(buffer, words[at + TEXT] ?? 0, words[at + BYTES] ?? 0),
    });
  }
  return { events, lost };
}

function placeAt(buffer: SharedArrayBuffer, source: number, known: Map<number, string>): string | undefined {
  if (source === 0) return undefined;
  const found = known.get(source);
  if (found !== undefined) return found;
  const bytes = new Uint8Array(buffer, SOURCE_START + source - 1, SOURCE_BYTES - source + 1);
  const place = decoder.decode(bytes.slice(0, bytes.indexOf(0x0a)));
  known.set(source, place);
  return place;
}

/** A text of the ring; undefined when there is none, or later ones have been written over it. */
function textAt(buffer: SharedArrayBuffer, from: number, length: number): Uint8Array | undefined {
  const written = new Int32Array(buffer, 0, FIRST)[TEXTS] ?? 0;
  if (length === 0 || ((written - from) | 0) > TEXT_BYTES) return undefined;
  const ring = new Uint8Array(buffer, TEXT_START, TEXT_BYTES);
  return Uint8Array.from({ length }, (_, n) => ring[(from + n) & (TEXT_BYTES - 1)] ?? 0);
}
