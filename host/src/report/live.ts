import { formatDuration } from './format.ts';
import { onOneLine } from '@qtest/sdk/support';
import { printed, type Output, type Style } from './style.ts';

/** Milliseconds between two drawings. */
const PERIOD = 100;

const ERASE = '\r\u001b[2K';

/** A line at the foot of a terminal that tells what runs; nothing elsewhere. */
export class LiveLine {
  readonly #output: Output;
  readonly #style: Style;
  readonly #running = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #drawn = false;
  #finished = 0;
  #total = 0;

  constructor(output: Output, style: Style) {
    this.#output = output;
    this.#style = style;
  }

  start(total: number): void {
    this.#total = total;
    if (this.#output.isTTY !== true) return;
    this.#timer = setInterval(() => this.#draw(), PERIOD);
    // What runs keeps the process alive, not the line that tells of it.
    this.#timer.unref();
  }

  add(name: string): void {
    this.#running.set(name, performance.now());
  }

  remove(name: string): void {
    this.#running.delete(name);
    this.#finished++;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.erase();
  }

  /** To be called before anything else is written. */
  erase(): void {
    if (this.#drawn) this.#output.write(ERASE);
    this.#drawn = false;
  }

  #draw(): void {
    const [first, ...others] = this.#running;
    if (first === undefined) {
      this.erase();
      return;
    }
    const [name, since] = first;
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    const elapsed = formatDuration(Math.floor((performance.now() - since) / 100) * 100);
    const line = `  ${this.#finished}/${this.#total}  ${onOneLine(name)}${more}  ${elapsed}`;
    const { columns = 0 } = this.#output;
    // One short of the width: a full line would wrap, and could not be erased. Some terminals give their width as 0.
    this.#output.write(ERASE + printed(this.#style('dim', line.slice(0, (columns > 1 ? columns : 80) - 1))));
    this.#drawn = true;
  }
}
