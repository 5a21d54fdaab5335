/** Characters of a request that are kept. */
const BYTES = 128;

/**
 * The request that a VCPU's thread waits for an answer to, in memory that it shares with the host: a thread that waits for ever cannot
 * say what for.
 */
export class Pending {
  readonly #length: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#length = new Int32Array(buffer, 0, 1);
    this.#bytes = new Uint8Array(buffer, 4, BYTES);
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 + BYTES);
  }

  /** `''` for none. */
  set(request: string): void {
    const length = Math.min(request.length, BYTES);
    for (let i = 0; i < length; i++) this.#bytes[i] = request.charCodeAt(i);
    Atomics.store(this.#length, 0, length);
  }

  get(): string {
    return Buffer.from(this.#bytes.slice(0, Atomics.load(this.#length, 0))).toString('latin1');
  }
}
