import { clipped, LIMITS } from '@qtest/sdk/support';

/** What a VCPU logs in a case: of more than is kept, the first half and the last. */
export class CaseLog {
  readonly #first = new Part();
  readonly #last = new Part();
  #isFirstFull = false;
  #dropped = 0;
  #clipped = 0;

  /** Gives the line as it is kept. */
  add(text: string): string {
    const line = clipped(text, LIMITS.logLine);
    if (line !== text) this.#clipped++;
    this.#isFirstFull ||= !this.#first.hasRoomFor(line);
    if (!this.#isFirstFull) this.#first.push(line);
    else {
      while (!this.#last.isEmpty && !this.#last.hasRoomFor(line)) {
        this.#last.shift();
        this.#dropped++;
      }
      this.#last.push(line);
    }
    return line;
  }

  get lines(): string[] {
    const gap = this.#dropped === 0 ? [] : [`… ${this.#dropped} lines left out …`];
    return [...this.#first.lines(), ...gap, ...this.#last.lines()];
  }

  get notes(): string[] {
    const { logLine, logLines, logText } = LIMITS;
    const notes: string[] = [];
    if (this.#dropped > 0)
      notes.push(
        `its log is cut: ${this.#dropped} lines left out. A report keeps ${logLines} lines and ${logText} characters of a VCPU's log, the first and the last`,
      );
    if (this.#clipped > 0)
      notes.push(
        `its log is cut: ${this.#clipped === 1 ? 'a line was' : `${this.#clipped} lines were`} longer than ${logLine} characters`,
      );
    return notes;
  }
}

/** Half of what is kept. */
class Part {
  #lines: string[] = [];
  /** Lines at the front that are gone. */
  #start = 0;
  #characters = 0;

  get isEmpty(): boolean {
    return this.#start === this.#lines.length;
  }

  hasRoomFor({ length }: string): boolean {
    const count = this.#lines.length - this.#start;
    return count < LIMITS.logLines / 2 && this.#characters + length <= LIMITS.logText / 2;
  }

  push(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
  }

  shift(): void {
    this.#characters -= this.#lines[this.#start]?.length ?? 0;
    // It may be long.
    this.#lines[this.#start++] = '';
    if (this.#start < LIMITS.logLines) return;
    this.#lines = this.#lines.slice(this.#start);
    this.#start = 0;
  }

  lines(): string[] {
    return this.#lines.slice(this.#start);
  }
}
