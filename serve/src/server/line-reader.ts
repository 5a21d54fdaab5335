/**
 * Bytes as they come, cut into lines of bounded length, one byte a character. A line that is too long is given as undefined when it ends,
 * and no more of it is kept than the bound.
 */
export class LineReader {
  readonly #limit: number;
  /** The text that is being cut, where its next line begins, and what came after it. */
  #text = '';
  #at = 0;
  readonly #later: string[] = [];
  /** What came before it of its first line. */
  #part = '';
  #isTooLong = false;

  /** @param limit bytes that a line may have, without its end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a part of a line waits for its end. */
  get hasPart(): boolean {
    return this.#part !== '' || this.#isTooLong;
  }

  /** Bytes that have not been looked at. */
  get waiting(): number {
    return this.#later.reduce((sum, { length }) => sum + length, this.#text.length - this.#at);
  }

  /** Gives it more. The bytes are copied: the chunk may be the reader's only buffer. */
  push(chunk: Buffer): void {
    // Decoded at once: it is most of the cost of a line to do it for each.
    const text = chunk.toString('latin1');
    if (this.#at < this.#text.length) {
      this.#later.push(text);
      return;
    }
    this.#text = text;
    this.#at = 0;
  }

  /** The next whole line; undefined for one that was too long, null when there is none. */
  next(): string | undefined | null {
    let end = this.#text.indexOf('\n', this.#at);
    while (end < 0) {
      if (this.#at < this.#text.length) this.#keep(this.#text.length);
      this.#text = this.#later.shift() ?? '';
      this.#at = 0;
      if (this.#text === '') return null;
      end = this.#text.indexOf('\n');
    }
    if (!this.hasPart && end - this.#at <= this.#limit) {
      const line = this.#text.slice(this.#at, end);
      this.#at = end + 1;
      return line;
    }
    this.#keep(end);
    this.#at = end + 1;
    const line = this.#isTooLong ? undefined : this.#part;
    this.forget();
    return line;
  }

  /** Drops the part of a line that there is: whoever sent it has gone. */
  forget(): void {
    this.#part = '';
    this.#isTooLong = false;
  }

  #keep(end: number): void {
    if (this.#isTooLong) return;
    this.#isTooLong = this.#part.length + end - this.#at > this.#limit;
    if (this.#isTooLong) this.#part = '';
    else this.#part += this.#text.slice(this.#at, end);
  }
}
