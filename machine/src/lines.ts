import { LINE_WORDS, type Blueprint } from './blueprint.ts';
import { TAP, WORD, type Control } from './control.ts';
import { EVENT, type EventRing } from './events.ts';
import type { Notice } from './notice.ts';

// Constants of this module are folded into its code; imported ones are loaded and checked at every use.
const { IRQ_SEQUENCE, TAPS, WAITERS } = WORD;
const IRQ_TAPPED = TAP.IRQ;
const WORDS = LINE_WORDS;

/** Changes of lines that bring one another about, each inside the one before, from which on they are taken to go on without end. */
const MAX_DEPTH = 64;

const LEVEL = 0;
const EDGES = 1;
const DRIVERS = 2;

/** An input pin at the end of a line, bound to its device. */
export type Sink = (pin: number, level: boolean) => void;

interface BoundLine {
  readonly feeds: readonly number[];
  readonly sinks: { readonly pin: number; readonly change: Sink }[];
}

/** What a machine's lines and address spaces are bound to, on one thread: its bytes, its structure, and who is told of what happens. */
export interface Binding {
  readonly memory: WebAssembly.Memory;
  readonly control: Control;
  readonly blueprint: Blueprint;
  readonly events: EventRing;
  readonly now: () => bigint;
  readonly notice: Notice;
}

/**
 * The machine's IRQ lines: levels and edge counts are words of the state; the wiring is the blueprint's. Everything that
 * changes a level is called with the lock held.
 */
export class Lines {
  /** Called after a line has risen: there may be somebody waiting for it. */
  onRise: () => void = () => {};
  /** Called when devices change a line without end, each in its answer to the other. */
  onLoop: (line: number) => void = () => {};
  #depth = 0;
  readonly #words: Int32Array;
  readonly #rises: Int32Array;
  readonly #control: Int32Array;
  readonly #lines: readonly BoundLine[];
  readonly #events: EventRing;
  readonly #now: () => bigint;
  readonly #notice: Notice;

  constructor({ memory, control, blueprint, events, now, notice }: Binding) {
    this.#words = new Int32Array(memory.buffer, blueprint.layout.lines, blueprint.lines.length * WORDS);
    this.#rises = new Int32Array(memory.buffer, blueprint.layout.rises, blueprint.lines.length);
    this.#control = control.words;
    this.#lines = blueprint.lines.map(({ feeds }) => ({ feeds, sinks: [] }));
    this.#events = events;
    this.#now = now;
    this.#notice = notice;
  }

  attach(line: number, pin: number, change: Sink): void {
    this.#lines[line]?.sinks.push({ pin, change });
  }

  level(line: number): boolean {
    return this.#words[line * WORDS + LEVEL] === 1;
  }

  edges(line: number): number {
    return this.#words[line * WORDS + EDGES] ?? 0;
  }

  /** How often a line has risen, ever: what a restore does not turn back, for whoever waits for a rise. */
  rises(line: number): number {
    return this.#rises[line] ?? 0;
  }

  /** Puts a line at a level; nothing happens when it has it already. */
  set(line: number, level: boolean): void {
    const words = this.#words;
    const at = line * WORDS;
    const word = level ? 1 : 0;
    if (words[at + LEVEL] === word) return;
    words[at + LEVEL] = word;
    const control = this.#control;
    if (level) {
      words[at + EDGES] = ((words[at + EDGES] ?? 0) + 1) | 0;
      this.#rises[line] = ((this.#rises[line] ?? 0) + 1) | 0;
      this.#notice.raised = true;
      control[IRQ_SEQUENCE] = ((control[IRQ_SEQUENCE] ?? 0) + 1) | 0;
    }
    if (((control[TAPS] ?? 0) & IRQ_TAPPED) !== 0) this.#events.push(EVENT.IRQ, line, word, this.#now());
    const bound = this.#lines[line];
    if (bound === undefined) return;
    const depth = this.#depth;
    if (depth >= MAX_DEPTH) {
      this.onLoop(line);
      return;
    }
    this.#depth = depth + 1;
    // By index: an iterator for each would be much of what a change costs.
    const { feeds, sinks } = bound;
    for (let n = 0; n < feeds.length; n++) this.#drive(feeds[n] ?? 0, level);
    for (let n = 0; n < sinks.length; n++) {
      const sink = sinks[n];
      if (sink !== undefined) sink.change(sink.pin, level);
    }
    this.#depth = depth;
    if (level && (control[WAITERS] ?? 0) > 0) this.onRise();
  }

  /** All lines low and never risen. Sinks are not told: their devices are reset as well. */
  clear(): void {
    this.#words.fill(0);
  }

  #drive(line: number, level: boolean): void {
    const at = line * WORDS + DRIVERS;
    const drivers = (this.#words[at] ?? 0) + (level ? 1 : -1);
    this.#words[at] = drivers;
    this.set(line, drivers > 0);
  }
}
