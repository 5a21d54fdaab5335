import type { ClockKind } from '@qtest/sdk';
import type { Blueprint } from './blueprint.ts';
import { LONG, type Control } from './control.ts';
import type { Notice } from './notice.ts';

/** Index of words in the clock's part of the state. */
const NOW = 0;
const NEXT = 1;

/** Deadline of a timer that is not armed. */
const NONE = -1n;

/** The last instant that 64 bits can tell: 292 years after the machine's start. */
export const LAST_INSTANT = 2n ** 63n - 1n;

/** Callbacks at one instant from which on a timer is taken to be armed for ever anew. */
const STORM = 10_000;

/**
 * The machine's time and its timers, as one thread sees them. In virtual time `now` is a word of the state; in real time it
 * is the host's monotonic clock from a base that a restore moves. Everything here is called with the lock held.
 */
export class Timekeeper {
  readonly kind: ClockKind;
  /** A timer has been armed, on this thread, for a time that has passed. */
  pastDue = false;
  /** Called when a timer has been armed for earlier than any other, in real time. */
  onEarlier: () => void = () => {};
  readonly #control: Control;
  readonly #notice: Notice;
  readonly #clock: BigInt64Array;
  readonly #deadlines: BigInt64Array;
  /** The same words: low and high half of each deadline. */
  readonly #halves: Uint32Array;
  /** From `performance.now()` of this thread to the host's monotonic clock, ms. */
  readonly #hostOffset: number;
  #firing = false;

  constructor(memory: WebAssembly.Memory, control: Control, blueprint: Blueprint, notice: Notice) {
    this.#notice = notice;
    const { layout, timers, clock } = blueprint;
    this.kind = clock;
    this.#control = control;
    this.#clock = new BigInt64Array(memory.buffer, layout.clock, 2);
    this.#deadlines = new BigInt64Array(memory.buffer, layout.deadlines, timers.length);
    this.#halves = new Uint32Array(memory.buffer, layout.deadlines, timers.length * 2);
    // To ask for it loads a module of Node's, which virtual time does without.
    this.#hostOffset = clock === 'virtual' ? 0 : clockOffset();
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

  /** The words of virtual time, low and high; undefined in real time, which no word holds. */
  get words(): Int32Array | undefined {
    const { buffer, byteOffset } = this.#clock;
    return this.kind === 'virtual' ? new Int32Array(buffer, byteOffset, 2) : undefined;
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

  /** Whether a timer is due at a time or before. */
  isDue(by: bigint): boolean {
    const { next } = this;
    return next !== NONE && next <= by;
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
    if (typeof deadline !== 'bigint')
      throw new TypeError(`a deadline is a bigint of nanoseconds, not ${String(deadline)}`);
    // Beyond the last instant it would come back as one before the first.
    const at = deadline < 0n ? 0n : deadline > LAST_INSTANT ? LAST_INSTANT : deadline;
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
    if (at > (this.#clock[NOW] ?? 0n)) return;
    this.pastDue = true;
    this.#notice.raised = true;
  }

  cancel(timer: number): void {
    const before = this.deadline(timer);
    if (before === NONE) return;
    this.#deadlines[timer] = NONE;
    if (!this.#firing && before === this.next) this.#findNext();
  }

  /**
   * Fires what is due, by deadline and then by order in the blueprint. In real time only the first instant: a host that wakes late
   * makes up for one after the other, and a VCPU takes the interrupts of each, so that none is lost.
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
        const timer = this.#earliest();
        const deadline = timer < 0 ? NONE : this.deadline(timer);
        if (timer < 0 || deadline > now) return instants;
        if (this.kind === 'realtime' && instants > 0 && deadline !== last) return instants;
        repeats = deadline === last ? repeats + 1 : 0;
        if (deadline !== last) instants++;
        last = deadline;
        this.#deadlines[timer] = NONE;
        if (repeats >= STORM) storm(timer);
        else fire(timer, deadline);
      }
    } finally {
      this.#firing = false;
      this.#findNext();
    }
  }

  #findNext(): void {
    const timer = this.#earliest();
    this.#clock[NEXT] = timer < 0 ? NONE : this.deadline(timer);
    this.#publish();
  }

  /**
   * The timer with the earliest deadline, of several the first in the blueprint; −1 when none is armed. It compares halves of the
   * deadlines: a BigInt for each would be most of what an interrupt costs.
   */
  #earliest(): number {
    const halves = this.#halves;
    let timer = -1;
    let high = 0;
    let low = 0;
    for (let at = 0; at < halves.length; at += 2) {
      const h = (halves[at + 1] ?? 0) | 0;
      if (h < 0) continue;
      const l = halves[at] ?? 0;
      if (timer >= 0 && (h > high || (h === high && l >= low))) continue;
      timer = at >> 1;
      high = h;
      low = l;
    }
    return timer;
  }

  #publish(): void {
    if (this.kind !== 'realtime') return;
    const base = this.#control.longs[LONG.REAL_BASE] ?? 0n;
    const { next } = this;
    this.#control.doubles[LONG.REAL_NEXT] = next === NONE ? Infinity : Number(base + next) / 1e6;
  }
}

/** From `performance.now()` of this thread to the host's monotonic clock, ms. A pause between the two readings makes it too small: the largest is right. */
function clockOffset(): number {
  let offset = -Infinity;
  for (let n = 0; n < 5; n++) offset = Math.max(offset, Number(process.hrtime.bigint()) / 1e6 - performance.now());
  return offset;
}
