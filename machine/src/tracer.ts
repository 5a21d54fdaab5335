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

/** Words of an event, half a line of the cache: all that there is to an access of up to four bytes, below 4 GiB, and without its source. */
const ENTRY = 8;
/** TIME is two words. BYTES: how many of its text or data are kept; `OPEN` while an access has not been answered. */
const [KIND, ADDRESS, TIME, VALUE, TARGET, OFFSET, BYTES] = [0, 1, 2, 4, 5, 6, 7];
const OPEN = -1;
/** What most events do not have is in words elsewhere. */
const MORE = 4;
const [TEXT, SIZE, SOURCE, ADDRESS_HIGH] = [0, 1, 2, 3];

/** KIND: what it is, in the low bits; its size; its VCPU plus 1; whether size, source and the address's upper half have words; the device that made it plus 1. */
const KIND_MASK = 0x1f;
const SIZE_SHIFT = 5;
const VCPU_SHIFT = 8;
const HAS_MORE = 0x1000;
const BY_SHIFT = 16;

/** The head: events so far, bytes of text so far, bytes of source lines so far. */
const [EVENTS, TEXTS, SOURCES] = [0, 1, 2];
const FIRST = 16;
const LAST = TRACED_EVENTS - 1;
const FIRST_MORE = FIRST + ENTRY * TRACED_EVENTS;

/** What of the texts is kept: lines of the log, and the bytes of bulk accesses. A ring as well. */
const TEXT_START = 4 * (FIRST_MORE + MORE * TRACED_EVENTS);
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
/** At the end of a line that was cut. */
const CUT = encoder.encode('…');

/** The value of an access in bulk: of more than four bytes their CRC-32. */
export function blockValue(bytes: Uint8Array): number {
  return bytes.length > 4 ? crc32(bytes) : bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** The lock of the machine, as a `Tracer` needs it. */
interface Held {
  readonly held: boolean;
  acquire(): void;
  release(): void;
}

export interface TracerOptions {
  /** Machine time, ns. */
  readonly now: () => bigint;
  /** The two words that hold the machine's time, where these are all there is to it: to copy them takes a tenth of the time. */
  readonly clock?: Int32Array | undefined;
  /** Undefined where there is one thread. */
  readonly lock?: Held | undefined;
}

/** One thread's pen. It writes with the machine's lock held, so that the order is the one in which things happened. */
export class Tracer {
  /** The place in the plugin's source that leads to what happens now; 0 for none. */
  source = 0;
  readonly #words: Int32Array;
  readonly #times: BigInt64Array;
  readonly #bytes: Uint8Array;
  readonly #now: () => bigint;
  readonly #clock: Int32Array | undefined;
  readonly #lock: Held | undefined;

  /** The VCPU, as KIND has it. */
  #who = 0;

  constructor(buffer: SharedArrayBuffer, { now, clock, lock }: TracerOptions) {
    this.#words = new Int32Array(buffer);
    this.#times = new BigInt64Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#now = now;
    this.#clock = clock;
    this.#lock = lock;
  }

  /** The VCPU whose thread this is; without one it is the I/O thread. */
  set vcpu(vcpu: number) {
    this.#who = (vcpu + 1) << VCPU_SHIFT;
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(SOURCE_START + SOURCE_BYTES);
  }

  /** Begins an access; lock held. Gives its place, for `end`. */
  begin(kind: number, size: number, address: number, target: number, offset: number): number {
    const words = this.#words;
    const seq = words[EVENTS] ?? 0;
    words[EVENTS] = (seq + 1) | 0;
    const at = FIRST + (seq & LAST) * ENTRY;
    const clock = this.#clock;
    if (clock === undefined) this.#stamp(at);
    else {
      words[at + TIME] = clock[0] ?? 0;
      words[at + TIME + 1] = clock[1] ?? 0;
    }
    const word = kind | this.#who;
    words[at + KIND] =
      size <= 4 && this.source === 0 && address <= 0xffff_ffff
        ? word | (size << SIZE_SHIFT)
        : word | this.#more(at, size, address);
    words[at + ADDRESS] = address | 0;
    words[at + TARGET] = target;
    words[at + OFFSET] = offset;
    words[at + BYTES] = OPEN;
    return at;
  }

  /** Begins an access of a device. */
  beginDma(by: number, kind: number, size: number, address: number, target: number, offset: number): number {
    const at = this.begin(kind, size, address, target, offset);
    this.#words[at + KIND] = (this.#words[at + KIND] ?? 0) | ((by + 1) << BY_SHIFT);
    return at;
  }

  /** An access has been made, with this value. */
  end(at: number, value: number): void {
    const words = this.#words;
    words[at + VALUE] = value | 0;
    words[at + BYTES] = 0;
  }

  /** The access goes on to configuration space. */
  reaches(at: number, target: number, offset: number): void {
    this.#words[at + TARGET] = target;
    this.#words[at + OFFSET] = offset;
  }

  /** What a bulk access transferred, when it has been made. */
  data(at: number, bytes: Uint8Array): void {
    if (bytes.length <= MAX_TEXT) this.#keep(at, bytes);
  }

  /** Anything but an access; lock held. */
  event(kind: number, index = 0, value = 0): void {
    this.end(this.begin(kind, 0, index, REACHED.UNKNOWN, 0), value);
  }

  /** A handler of the test's own is about to run; lock held or not. */
  handler(kind: number, index: number): void {
    this.#locked(() => this.event(kind, index));
  }

  /** A VCPU has moved the clock; lock held. */
  step(by: bigint): void {
    const at = this.begin(TRACED.STEP, 0, Number(by >> 32n), REACHED.UNKNOWN, 0);
    this.end(at, Number(by & 0xffff_ffffn));
  }

  /** A line of the log; lock held or not. */
  log(line: string, source = 0): void {
    this.#locked(() => {
      const before = this.source;
      this.source = source;
      const at = this.begin(TRACED.LOG, 0, 0, REACHED.UNKNOWN, 0);
      this.source = before;
      this.end(at, 0);
      this.#keep(at, encodedLine(line));
    });
  }

  /** A number for a place in the plugin's source, `file:line:column`; 0 when there is no room for more. */
  newSource(place: string): number {
    const words = this.#words;
    const bytes = encoder.encode(`${place}\n`);
    const from = Atomics.add(words, SOURCES, bytes.length);
    if (from < 0 || from + bytes.length > SOURCE_BYTES) return 0;
    this.#bytes.set(bytes, SOURCE_START + from);
    return from + 1;
  }

  /** What most events do not have. Gives what says so. */
  #more(at: number, size: number, address: number): number {
    const words = this.#words;
    const more = moreOf(at);
    words[more + SIZE] = size;
    words[more + SOURCE] = this.source;
    words[more + ADDRESS_HIGH] = address / 0x1_0000_0000;
    return HAS_MORE;
  }

  #stamp(at: number): void {
    this.#times[(at + TIME) >> 1] = this.#now();
  }

  #locked(write: () => void): void {
    const lock = this.#lock;
    if (lock === undefined || lock.held) return write();
    lock.acquire();
    write();
    lock.release();
  }

  #keep(at: number, bytes: Uint8Array): void {
    const words = this.#words;
    const from = words[TEXTS] ?? 0;
    words[TEXTS] = (from + bytes.length) | 0;
    for (let n = 0; n < bytes.length; n++) this.#bytes[TEXT_START + ((from + n) & (TEXT_BYTES - 1))] = bytes[n] ?? 0;
    words[moreOf(at) + TEXT] = from;
    words[at + BYTES] = bytes.length;
  }
}

/** A line of the log, of which `MAX_TEXT` bytes are kept: of a longer one the beginning, and a mark. */
function encodedLine(line: string): Uint8Array {
  const bytes = encoder.encode(line.slice(0, MAX_TEXT));
  if (bytes.length <= MAX_TEXT && line.length <= MAX_TEXT) return bytes;
  const target = new Uint8Array(MAX_TEXT);
  const { written } = encoder.encodeInto(line, target.subarray(0, MAX_TEXT - CUT.length));
  target.set(CUT, written);
  return target.subarray(0, written + CUT.length);
}

/** Where the rest of the event at this place is. */
function moreOf(at: number): number {
  return FIRST_MORE + ((at - FIRST) / ENTRY) * MORE;
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
    const more = moreOf(at);
    const kind = words[at + KIND] ?? 0;
    const hasMore = (kind & HAS_MORE) !== 0;
    events.push({
      seq,
      kind: kind & KIND_MASK,
      vcpu: ((kind >>> VCPU_SHIFT) & 0xf) - 1,
      by: (kind >>> BY_SHIFT) - 1,
      size: hasMore ? (words[more + SIZE] ?? 0) : (kind >>> SIZE_SHIFT) & 7,
      address:
        ((words[at + ADDRESS] ?? 0) >>> 0) + (hasMore ? ((words[more + ADDRESS_HIGH] ?? 0) >>> 0) * 0x1_0000_0000 : 0),
      time: times[(at + TIME) >> 1] ?? 0n,
      value: (words[at + VALUE] ?? 0) >>> 0,
      target: words[at + TARGET] ?? REACHED.UNKNOWN,
      offset: (words[at + OFFSET] ?? 0) >>> 0,
      open: words[at + BYTES] === OPEN,
      source: placeAt(buffer, hasMore ? (words[more + SOURCE] ?? 0) : 0, places),
      bytes: textAt(buffer, words[more + TEXT] ?? 0, words[at + BYTES] ?? 0),
    });
  }
  return { events, lost };
}

function placeAt(buffer: SharedArrayBuffer, source: number, known: Map<number, string>): string | undefined {
  if (source === 0) return undefined;
  const found = known.get(source);
  if (found !== undefined) return found;
  // A case could have written it: it may lie anywhere.
  if (source < 1 || source > SOURCE_BYTES) return undefined;
  const bytes = new Uint8Array(buffer, SOURCE_START + source - 1, SOURCE_BYTES - source + 1).subarray(0, MAX_TEXT);
  const end = bytes.indexOf(0x0a);
  if (end < 0) return undefined;
  const place = decoder.decode(bytes.slice(0, end));
  known.set(source, place);
  return place;
}

/** A text of the ring; undefined when there is none, or later ones have been written over it. */
function textAt(buffer: SharedArrayBuffer, from: number, length: number): Uint8Array | undefined {
  const written = new Int32Array(buffer, 0, FIRST)[TEXTS] ?? 0;
  const age = (written - from) | 0;
  if (length <= 0 || length > MAX_TEXT || age < length || age > TEXT_BYTES) return undefined;
  const ring = new Uint8Array(buffer, TEXT_START, TEXT_BYTES);
  return Uint8Array.from({ length }, (_, n) => ring[(from + n) & (TEXT_BYTES - 1)] ?? 0);
}
