import { TRACE_ENTRIES, traceWord, type Control } from '../control.ts';
import { blockValue, REACHED, type TRACED, type Tracer } from '../tracer.ts';

/** What a full trace has as well, under the same numbers: a `TracedRing` hands them on as they are. */
type Shared = Pick<typeof TRACED, 'IN' | 'OUT' | 'READ' | 'WRITE' | 'STEP' | 'IRQ' | 'INTERRUPT'>;

/**
 * What an entry of a VCPU's trace ring is. A port access of one byte is packed into one word: `IN_BYTE`, `OUT_BYTE`; one to memory below
 * 4 GiB into three: `READ_LOW`, `WRITE_LOW`.
 */
export const OP = {
  IN: 1,
  OUT: 2,
  READ: 3,
  WRITE: 4,
  STEP: 5,
  IRQ: 6,
  INTERRUPT: 7,
  IN_BYTE: 8,
  OUT_BYTE: 9,
  READ_LOW: 10,
  WRITE_LOW: 11,
  /** Of a recording alone: a bulk access, whose value is a checksum (CRC-32), or what memory was filled with. */
  READ_BLOCK: 12,
  WRITE_BLOCK: 13,
} as const satisfies Shared & Readonly<Record<string, number>>;

/** One entry: an access, a move of the clock (`value` ns, their upper half in `address`), a handled IRQ (`address` is the line) or vector. */
export interface TraceEntry {
  readonly op: number;
  /** Bytes of an access. */
  readonly size: number;
  readonly address: number;
  readonly value: number;
}

const LAST = TRACE_ENTRIES - 1;
/** The ring's word behind its entries: how many have been written, for ever. */
const HEAD = TRACE_ENTRIES * 4;

/**
 * The last things a VCPU did, always on: four words an entry in shared memory, so that they are there when the VCPU has been killed.
 */
export class TraceRing {
  /** Of the ring alone: an offset would have to be added at every access. */
  readonly #ring: Int32Array;

  constructor(control: Control, vcpu: number) {
    this.#ring = ringOf(control, vcpu);
  }

  /** Entries written, for ever. */
  get head(): number {
    return this.#ring[HEAD] ?? 0;
  }

  clear(): void {
    this.#ring[HEAD] = 0;
  }

  /** A port access of one byte: one word, for this is on the path of every access. Gives the new head. */
  addByte(op: number, port: number, value: number): number {
    const ring = this.#ring;
    const head = ring[HEAD] ?? 0;
    ring[(head & LAST) << 2] = op | (port << 4) | (value << 20);
    return (ring[HEAD] = (head + 1) | 0);
  }

  /** An access to memory below 4 GiB: three words, for the same reason. Gives the new head. */
  addLow(op: number, size: number, address: number, value: number): number {
    const ring = this.#ring;
    const head = ring[HEAD] ?? 0;
    const at = (head & LAST) << 2;
    ring[at] = op | (size << 4);
    ring[at + 1] = value | 0;
    ring[at + 2] = address | 0;
    return (ring[HEAD] = (head + 1) | 0);
  }

  /** Gives the new head. */
  add(op: number, size: number, address: number, value: number): number {
    const ring = this.#ring;
    const head = ring[HEAD] ?? 0;
    const at = (head & LAST) << 2;
    ring[at] = op | (size << 4);
    ring[at + 1] = value;
    ring[at + 2] = address;
    ring[at + 3] = address / 0x1_0000_0000;
    return (ring[HEAD] = (head + 1) | 0);
  }

  /** A bulk access: the ring has no room for it, a full trace has. */
  addBlock(_op: number, _address: number, _bytes: () => Uint8Array): void {}
}

/** The ring of a VCPU that is traced in full. Of a native machine the bus tells of the accesses; of an emulator's, this does. */
export class TracedRing extends TraceRing {
  readonly #tracer: Tracer;
  readonly #tellsAccesses: boolean;

  constructor(control: Control, vcpu: number, tracer: Tracer, tells: 'accesses' | 'others') {
    super(control, vcpu);
    this.#tracer = tracer;
    this.#tellsAccesses = tells === 'accesses';
    tracer.vcpu = vcpu;
  }

  override add(op: number, size: number, address: number, value: number): number {
    if (op === OP.STEP) this.#tracer.step((BigInt(address) << 32n) | BigInt(value));
    else if (op === OP.IRQ || op === OP.INTERRUPT) this.#tracer.handler(op, address);
    else if (this.#tellsAccesses) this.#tracer.end(this.#tracer.begin(op, size, address, REACHED.UNKNOWN, 0), value);
    return super.add(op, size, address, value);
  }

  override addBlock(op: number, address: number, transferred: () => Uint8Array): void {
    const bytes = transferred();
    const entry = this.#tracer.begin(op, bytes.length, address, REACHED.UNKNOWN, 0);
    this.#tracer.end(entry, blockValue(bytes));
    this.#tracer.data(entry, bytes);
  }
}

/** The ring of an emulator's VCPU: one that is traced in full, where there is a tracer. */
export function emulatedRing(control: Control, vcpu: number, tracer: Tracer | undefined): TraceRing {
  return tracer === undefined ? new TraceRing(control, vcpu) : new TracedRing(control, vcpu, tracer, 'accesses');
}

function ringOf({ words }: Control, vcpu: number): Int32Array {
  const first = traceWord(vcpu);
  return words.subarray(first, first + HEAD + 1);
}

/** The entries of a VCPU's ring, oldest first, at most `count`. */
export function traceEntries(control: Control, vcpu: number, count: number = TRACE_ENTRIES): TraceEntry[] {
  const ring = ringOf(control, vcpu);
  const head = (ring[HEAD] ?? 0) >>> 0;
  const entries: TraceEntry[] = [];
  for (let n = Math.max(0, head - Math.min(count, TRACE_ENTRIES)); n < head; n++) {
    const at = (n & LAST) << 2;
    const word = ring[at] ?? 0;
    const op = word & 0xf;
    if (op === OP.IN_BYTE || op === OP.OUT_BYTE) {
      entries.push({
        op: op === OP.IN_BYTE ? OP.IN : OP.OUT,
        size: 1,
        address: (word >>> 4) & 0xffff,
        value: (word >>> 20) & 0xff,
      });
      continue;
    }
    const isLow = op === OP.READ_LOW || op === OP.WRITE_LOW;
    entries.push({
      op: op === OP.READ_LOW ? OP.READ : op === OP.WRITE_LOW ? OP.WRITE : op,
      size: (word >>> 4) & 0xf,
      address: ((ring[at + 2] ?? 0) >>> 0) + (isLow ? 0 : (ring[at + 3] ?? 0) * 0x1_0000_0000),
      value: (ring[at + 1] ?? 0) >>> 0,
    });
  }
  return entries;
}
