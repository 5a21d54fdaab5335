import { TRACE_ENTRIES, traceWord, VCPU_WORD, vcpuWord, type Control } from '../machine/control.ts';

/** What an entry of a VCPU's trace ring is. */
export const OP = { IN: 1, OUT: 2, READ: 3, WRITE: 4, STEP: 5, IRQ: 6, INTERRUPT: 7 } as const;

/** One entry: an access, a move of the clock (`value` ns, `address` unused), a handled IRQ (`address` is the line) or vector. */
export interface TraceEntry {
  readonly op: number;
  /** Bytes of an access. */
  readonly size: number;
  readonly address: number;
  readonly value: number;
}

/**
 * The last things a VCPU did, always on: four words an entry in shared memory, so that they are there when the VCPU has been killed.
 * `head` counts entries for ever.
 */
export class TraceRing {
  head = 0;
  readonly #words: Int32Array;
  readonly #headWord: number;
  readonly #first: number;

  constructor(control: Control, vcpu: number) {
    this.#words = control.words;
    this.#headWord = vcpuWord(vcpu) + VCPU_WORD.TRACE_HEAD;
    this.#first = traceWord(vcpu);
  }

  clear(): void {
    this.head = 0;
    this.#words[this.#headWord] = 0;
  }

  add(op: number, size: number, address: number, value: number): void {
    const words = this.#words;
    const at = this.#first + (this.head & (TRACE_ENTRIES - 1)) * 4;
    words[at] = op | (size << 4);
    words[at + 1] = address;
    words[at + 2] = value;
    words[at + 3] = address >= 0x1_0000_0000 ? address / 0x1_0000_0000 : 0;
    this.head = (this.head + 1) | 0;
    words[this.#headWord] = this.head;
  }
}

/** The entries of a VCPU's ring, oldest first, at most `count`. */
export function traceEntries(control: Control, vcpu: number, count: number = TRACE_ENTRIES): TraceEntry[] {
  const { words } = control;
  const head = (words[vcpuWord(vcpu) + VCPU_WORD.TRACE_HEAD] ?? 0) >>> 0;
  const entries: TraceEntry[] = [];
  for (let n = Math.max(0, head - Math.min(count, TRACE_ENTRIES)); n < head; n++) {
    const at = traceWord(vcpu) + (n & (TRACE_ENTRIES - 1)) * 4;
    const word = words[at] ?? 0;
    entries.push({
      op: word & 0xf,
      size: word >>> 4,
      address: ((words[at + 1] ?? 0) >>> 0) + (words[at + 3] ?? 0) * 0x1_0000_0000,
      value: (words[at + 2] ?? 0) >>> 0,
    });
  }
  return entries;
}
