const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/**
 * Bytes as they come, cut into lines of bounded length. A line that is too long is given as undefined when it ends, and no more of it is
 * kept than the bound.
 */
export class LineReader {
  readonly #limit: number;
  /** The chunk that is being cut, where its next line begins, and the chunks after it. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  readonly #later: Buffer[] = [];
  /** What came before it of its first line. */
  #pieces: Buffer[] = [];
  #kept = 0;
  #tooLong = false;

  /** @param limit bytes that a line may have, without its end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a part of a line waits for its end. */
  get hasPart(): boolean {
    return this.#kept > 0 || this.#tooLong;
  }

  /** Bytes that have not been looked at. */
  get waiting(): number {
    return this.#later.reduce((sum, { length }) => sum + length, this.#chunk.length - this.#at);
  }

  push(chunk: Buffer): void {
    if (this.#at < this.#chunk.length) {
      this.#later.push(chunk);
      return;
    }
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next whole line, one byte a character; undefined for one that was too long, null when there is none. */
  next(): string | undefined | null {
    let chunk = this.#chunk;
    let from = this.#at;
    let end = -1;
    while (from >= chunk.length || (end = chunk.indexOf(NEWLINE, from)) < 0) {
      if (from < chunk.length) this.#keep(chunk.subarray(from));
      chunk = this.#later.shift() ?? NOTHING;
      this.#chunk = chunk;
      this.#at = from = 0;
      if (chunk.length === 0) return null;
    }
    this.#at = end + 1;
    if (!this.hasPart) return end - from <= this.#limit ? chunk.toString('latin1', from, end) : undefined;
    this.#keep(chunk.subarray(from, end));
    const line = this.#tooLong ? undefined : Buffer.concat(this.#pieces).toString('latin1');
    this.forget();
    return line;
  }

  /** Drops the part of a line that there is: whoever sent it has gone. */
  forget(): void {
    this.#pieces = [];
    this.#kept = 0;
    this.#tooLong = false;
  }

  #keep(piece: Buffer): void {
    this.#kept += piece.length;
    if (this.#tooLong) return;
    this.#tooLong = this.#kept > this.#limit;
    if (this.#tooLong) this.#pieces = [];
    // A copy: the chunk it is of may be the reader's only buffer.
    else if (piece.length > 0) this.#pieces.push(Buffer.from(piece));
  }
}
