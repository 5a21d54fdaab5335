import type { BoundMachine } from '../bound-machine.ts';
import { TAKING, VCPU_WORD, vcpuWord, WORD } from '../control.ts';
import { LAST_INSTANT } from '../timekeeper.ts';

/** Accesses that a handler may make before late instants go on without it: it may be waiting for one of them. */
const HANDLER_ACCESSES = 1000;

/** No line. */
const NONE = -1;

/**
 * Real time: tells the other threads how a VCPU takes what rises, so that a late instant does not cost it the interrupt of the one
 * before. A VCPU that has waited for a line and woken late handles it, too, until the line falls or the VCPU waits again: what was due when
 * it woke waits for that.
 */
export class Taker {
  readonly #machine: BoundMachine;
  readonly #words: Int32Array;
  readonly #record: number;
  /** It has handlers. */
  #hasHandlers = false;
  /** It has waited, and has not been given up on since. */
  #hasWaited = false;
  #waits = false;
  #handles = false;
  /** Waits within a handler: no other handler runs meanwhile. */
  #nested = 0;
  /** The line for which it has waited and that is still up, and the machine time of the last instant that waits for it. */
  #line = NONE;
  #until = 0n;
  /** What the others have been told. */
  #told: number = TAKING.NOT;
  /** Accesses of the handler before which an instant was due. */
  #held = 0;

  constructor(machine: BoundMachine, vcpu: number) {
    this.#machine = machine;
    this.#words = machine.control.words;
    this.#record = vcpuWord(vcpu);
  }

  /** Before the case's first access, and after its last: there is nothing that it has to take. */
  clear(): void {
    this.#hasHandlers = false;
    this.#hasWaited = false;
    this.#line = NONE;
    this.taken(this.#words[WORD.IRQ_SEQUENCE] ?? 0);
    this.#tell();
  }

  /** It has taken all that had risen when `IRQ_SEQUENCE` was this. */
  taken(sequence: number): void {
    Atomics.store(this.#words, this.#record + VCPU_WORD.TAKEN, sequence);
  }

  set hasHandlers(has: boolean) {
    if (has && !this.#hasHandlers) this.taken(this.#words[WORD.IRQ_SEQUENCE] ?? 0);
    this.#hasHandlers = has;
    this.#tell();
  }

  beginHandler(): void {
    this.#held = 0;
    this.#handles = true;
    this.#tell();
  }

  endHandlers(): void {
    if (!this.#handles) return;
    this.#handles = false;
    this.#tell();
  }

  /** @param line for which it waits; −1 when for none. One that is up already is what it handles. */
  beginWait(line: number): void {
    if (this.#handles) this.#nested++;
    else {
      this.#held = 0;
      this.#line = this.#isUp(line) ? line : NONE;
      this.#until = LAST_INSTANT;
      this.#waits = line !== NONE || this.#hasHandlers;
    }
    this.#tell();
  }

  /** It has looked at what it waits for; lock held. */
  looked(): void {
    if (!this.#handles) this.taken(this.#words[WORD.IRQ_SEQUENCE] ?? 0);
  }

  /** What it waits for has come; lock held. */
  met(line: number): void {
    if (this.#handles) return;
    if (!this.#hasHandlers) this.looked();
    const { time } = this.#machine;
    this.#until = time.now();
    this.#line = this.#isUp(line) && time.isDue(this.#until) ? line : NONE;
  }

  endWait(): void {
    if (this.#handles) this.#nested--;
    else {
      this.#hasWaited = this.#waits;
      this.#waits = false;
      this.#held = 0;
    }
    this.#tell();
  }

  /** Whether an instant that is due now waits for this VCPU, which is about to make an access. Lock held. */
  holds(): boolean {
    if (this.#line !== NONE && !(this.#isUp(this.#line) && this.#machine.time.isDue(this.#until))) {
      this.#line = NONE;
      this.#tell();
    }
    if (!(this.#handles || this.#line !== NONE) || this.#nested > 0) return false;
    if (++this.#held > HANDLER_ACCESSES) this.#tell();
    return this.#held <= HANDLER_ACCESSES;
  }

  #isUp(line: number): boolean {
    return line !== NONE && this.#machine.lines.level(line);
  }

  #tell(): void {
    const word = this.#record + VCPU_WORD.TAKING;
    if (Atomics.load(this.#words, word) !== this.#told) this.#hasWaited = false;
    this.#told = this.#how();
    Atomics.store(this.#words, word, this.#told);
  }

  #how(): number {
    if (this.#nested > 0) return TAKING.NOT;
    if (this.#handles || this.#line !== NONE) return this.#held > HANDLER_ACCESSES ? TAKING.COMPUTES : TAKING.HANDLES;
    if (this.#waits) return TAKING.WAITS;
    if (this.#hasWaited) return TAKING.RETURNS;
    return this.#hasHandlers ? TAKING.COMPUTES : TAKING.NOT;
  }
}
