import type { ClockKind } from '@qtest/sdk';
import type { Blueprint } from './blueprint.ts';
import { LONG, type Control } from './control.ts';

/** Index of words in the clock's part of the state. */
const NOW = 0;
const NEXT = 1;

/** Deadline of a timer that is not armed. */
const NONE = -1n;

/** Callbacks at one instant from which on a timer is taken to be armed for ever anew. */
const STORM = 10_000;

/**
 * The machine's time and its timers, as one thread sees them. In virtual time `now` is a word of the state; in real time it
 * is the host's monotonic clock from a base that a restore moves. Everything here is called with the lock held.
 */
export class Timekeeper {
  readonly kind: ClockKind;
  /** A timer has been armed for a time that has passed. */
  pastDue = false;
  /** Called when a timer has been armed for earlier than any other, in real time. */
  onEarlier: () => void = () => {};
  readonly #control: Control;
  readonly #clock: BigInt64Array;
  readonly #deadlines: BigInt64Array;
  /** From `performance.now()` of this thread to the host's monotonic clock, ms. */
  readonly #hostOffset: number;
  #firing = false;

  constructor(memory: WebAssembly.Memory, control: Control, blueprint: Blueprint) {
    const { layout, timers, clock } = blueprint;
    this.kind = clock;
    this.#control = control;
    this.#clock = new BigInt64Array(memory.buffer, layout.clock, 2);
    this.#deadlines = new BigInt64Array(memory.buffer, layout.deadlines, timers.length);
    this.#hostOffset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  }

  /** Sets every word that a zeroed memory would give a wrong meaning. Before anyone binds. */
  initialise(): void {
    this.#clock[NOW] = 0n;
    this.cancelAll();
    this.rebase();
  }

  /** Disarms every timer: at power-on. */
  cancelAll(): void {
    this.#deadlines.fill(NONE);
    this.pastDue = false;
    this.#findNext();
  }

  /** Nanoseconds since the machine's start. */
  now(): bigint {
    const last = this.#clock[NOW] ?? 0n;
    if (this.kind === 'virtual') return last;
    const now = process.hrtime.bigint() - (this.#control.longs[LONG.REAL_BASE] ?? 0n);
    // Never backwards, whatever the host's clock does.
    if (now <= last) return last;
    this.#clock[NOW] = now;
    return now;
  }

  /** Moves virtual time. */
  set(now: bigint): void {
    this.#clock[NOW] = now;
  }

  /** Real time goes on from what the state says: after a restore. */
  rebase(): void {
    this.#control.longs[LONG.REAL_BASE] = process.hrtime.bigint() - (this.#clock[NOW] ?? 0n);
    this.#publish();
  }

  /** The next deadline, −1n for none. */
  get next(): bigint {
    return this.#clock[NEXT] ?? NONE;
  }

  /** Real time: whether a timer may be due. Cheap, and right to a microsecond. */
  get maybeDue(): boolean {
    const next = this.#control.doubles[LONG.REAL_NEXT] ?? Infinity;
    return next !== Infinity && performance.now() + this.#hostOffset >= next;
  }

  deadline(timer: number): bigint {
    return this.#deadlines[timer] ?? NONE;
  }

  arm(timer: number, deadline: bigint): void {
    if (typeof deadline !== 'bigint') throw new TypeError(`a deadline is a bigint of nanoseconds, not ${String(deadline)}`);
    const at = deadline < 0n ? 0n : deadline;
    const before = this.deadline(timer);
    this.#deadlines[timer] = at;
    if (this.#firing) return;
    const next = this.next;
    if (next === NONE || at < next) {
      this.#clock[NEXT] = at;
      this.#publish();
      if (this.kind === 'realtime') this.onEarlier();
    } else if (before === next) {
      this.#findNext();
    }
    if (at <= (this.#clock[NOW] ?? 0n)) this.pastDue = true;
  }

  cancel(timer: number): void {
    const before = this.deadline(timer);
    if (before === NONE) return;
    this.#deadlines[timer] = NONE;
    if (!this.#firing && before === this.next) this.#findNext();
  }

  /**
   * Fires what is due, by deadline and then by order in the blueprint.
   * @returns how many distinct instants were among the deadlines.
   */
  fireDue(fire: (timer: number, deadline: bigint) => void, storm: (timer: number) => void): number {
    this.pastDue = false;
    const now = this.now();
    if (this.next === NONE || this.next > now || this.#firing) return 0;
    this.#firing = true;
    let instants = 0;
    let last = NONE;
    let repeats = 0;
    try {
      for (;;) {
        let timer = -1;
        let earliest = now;
        for (let i = 0; i < this.#deadlines.length; i++) {
          const deadline = this.#deadlines[i] ?? NONE;
          if (deadline !== NONE && (timer < 0 ? deadline <= earliest : deadline < earliest)) {
            timer = i;
            earliest = deadline;
          }
        }
        if (timer < 0) return instants;
        repeats = earliest === last ? repeats + 1 : 0;
        if (earliest !== last) instants++;
        last = earliest;
        this.#deadlines[timer] = NONE;
        if (repeats >= STORM) storm(timer);
        else fire(timer, earliest);
      }
    } finally {
      this.#firing = false;
      this.#findNext();
    }
  }

  #findNext(): void {
    let next = NONE;
    for (let i = 0; i < this.#deadlines.length; i++) {
      const deadline = this.#deadlines[i] ?? NONE;
      if (deadline !== NONE && (next === NONE || deadline < next)) next = deadline;
    }
    this.#clock[NEXT] = next;
    this.#publish();
  }

  #publish(): void {
    if (this.kind !== 'realtime') return;
    const base = this.#control.longs[LONG.REAL_BASE] ?? 0n;
    const { next } = this;
    this.#control.doubles[LONG.REAL_NEXT] = next === NONE ? Infinity : Number(base + next) / 1e6;
  }
}
