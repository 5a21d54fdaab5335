import { crc32 } from 'node:zlib';
import type { Vcpu } from '@qtest/sdk';
import { OP, type TraceEntry } from '@qtest/machine';
import { WatchedVcpu, type AccessWatcher } from './watched-vcpu.ts';

/** Accesses that are kept; later ones are not. */
const ENTRIES = 2 ** 18;
const ENTRY_WORDS = 4;

/** All accesses of a VCPU from the start of a case, in shared memory, so that they are there when it has been killed. */
export class Recording {
  readonly #words: Float64Array;
  readonly #head: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#head = new Int32Array(buffer, 0, 1);
    this.#words = new Float64Array(buffer, 8);
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(8 + 8 * ENTRY_WORDS * ENTRIES);
  }

  /** Entries so far. */
  get length(): number {
    // A case could have written the word.
    return Math.min(Math.max(this.#head[0] ?? 0, 0), ENTRIES);
  }

  /** Forgets all but the first so many. */
  cut(length: number): void {
    this.#head[0] = length;
  }

  add({ op, size, address, value }: TraceEntry): void {
    const { length } = this;
    if (length === ENTRIES) return;
    this.#words.set([op, size, address, value], length * ENTRY_WORDS);
    this.#head[0] = length + 1;
  }

  entries(): TraceEntry[] {
    return Array.from({ length: this.length }, (_, n) => {
      const at = n * ENTRY_WORDS;
      const [op = 0, size = 0, address = 0, value = 0] = this.#words.subarray(at, at + ENTRY_WORDS);
      return { op, size, address, value };
    });
  }
}

/** A VCPU whose accesses are recorded, when they are asked for; the VCPU itself otherwise. */
export function recorded(vcpu: Vcpu, buffer: SharedArrayBuffer | undefined): Vcpu {
  return buffer === undefined ? vcpu : new WatchedVcpu(vcpu, new Recorder(new Recording(buffer)));
}

class Recorder implements AccessWatcher {
  readonly #recording: Recording;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  access(op: number, size: number, address: number, value: number): void {
    this.#recording.add({ op, size, address, value });
  }

  block(op: number, address: number, bytes: Uint8Array): void {
    this.#recording.add({ op, size: bytes.length, address, value: crc32(bytes) });
  }

  fill(address: number, size: number, value: number): void {
    this.#recording.add({ op: OP.WRITE_BLOCK, size, address, value });
  }

  /** How often a condition is looked at depends on the time; of its looks the last one is kept. */
  poll(): () => void {
    const start = this.#recording.length;
    return () => this.#recording.cut(start);
  }
}
