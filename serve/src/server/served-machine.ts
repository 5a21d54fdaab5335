import type { AccessSize, Initiator, ResetKind } from '@qtest/sdk';
import { type BoundMachine, type Fault, WORD, LAST_INSTANT } from '@qtest/machine';

/** Whoever is at the other end of the protocol stands where the machine's first VCPU would. */
const VCPU: Initiator = { kind: 'vcpu', index: 0 };

/** Addresses from here on are numbers no more, and nothing is there. */
const ADDRESS_END = 2 ** 53;

/** An instant's timers and resets may bring about others; so many rounds of that are without end. */
const MAX_ROUNDS = 1000;

/** Deadlines on the way of one `advance()`: a few milliseconds' work. */
const MAX_STOPS = 4096;

/**
 * A machine on one thread, without a VCPU: accesses come one by one from outside, and virtual time moves when it is told to. What an
 * access has brought about (a reset, a new memory map, timers that are due at once) is done before the next one.
 */
export class ServedMachine {
  /** A guest's write has asked for a reset. By default it is done. */
  onGuestReset: () => void = () => this.reset('warm');
  /** The machine has been put in the place of another one: what was attached to that one's lines must be attached again. */
  onReplaced: (() => void)[] = [];
  #bound: BoundMachine;
  #running = true;
  readonly #later: (() => void)[] = [];

  constructor(bound: BoundMachine) {
    this.#bound = bound;
    this.#adopt(bound);
  }

  /** The machine as it is now: a hot plug puts another one in its place. */
  get bound(): BoundMachine {
    return this.#bound;
  }

  /** The first thing that a device has done wrong, if any: it threw, say. What the machine answers from then on means nothing. */
  get fault(): Fault | undefined {
    return this.#bound.bus.fault;
  }

  /** Whether timers fire. */
  get running(): boolean {
    return this.#running;
  }

  /** Stops the machine, or lets it go on. While it stands time moves, as it does in QEMU, and no timer fires. */
  set running(running: boolean) {
    this.#running = running;
    if (running && this.#bound.time.isDue(this.now)) this.#fire();
  }

  /** Puts another machine in the place of this one. */
  replace(bound: BoundMachine): void {
    this.#bound.lock.releaseAll();
    this.#adopt(bound);
    for (const tell of this.onReplaced) tell();
  }

  /** What `ioRead` gives for a byte, in less time. */
  inb(port: number): number {
    const value = this.#bound.bus.inb(port, VCPU);
    if (this.#bound.notice.raised) this.#settle();
    return value;
  }

  ioRead(port: number, size: AccessSize): number {
    const value = this.#bound.bus.ioRead(port, size, VCPU);
    if (this.#bound.notice.raised) this.#settle();
    return value;
  }

  ioWrite(port: number, value: number, size: AccessSize): void {
    this.#bound.bus.ioWrite(port, value, size, VCPU);
    if (this.#bound.notice.raised) this.#settle();
  }

  read(address: number, size: AccessSize): number {
    const value = this.#bound.bus.memoryRead(address, size, VCPU);
    if (this.#bound.notice.raised) this.#settle();
    return value;
  }

  write(address: number, value: number, size: AccessSize): void {
    this.#bound.bus.memoryWrite(address, value, size, VCPU);
    if (this.#bound.notice.raised) this.#settle();
  }

  /** Fills `target` from memory; what lies beyond the address space is as where nothing is. */
  readBulk(address: number, target: Uint8Array): void {
    const there = Math.max(0, Math.min(target.length, ADDRESS_END - address));
    this.#bound.bus.memoryReadBulk(address, target.subarray(0, there), VCPU);
    target.fill(this.#bound.blueprint.emptyMemory, there);
    if (this.#bound.notice.raised) this.#settle();
  }

  writeBulk(address: number, data: Uint8Array): void {
    const there = Math.max(0, Math.min(data.length, ADDRESS_END - address));
    this.#bound.bus.memoryWriteBulk(address, data.subarray(0, there), VCPU);
    if (this.#bound.notice.raised) this.#settle();
  }

  /** Nanoseconds since the machine's start. */
  get now(): bigint {
    return this.#bound.time.now();
  }

  /** The next deadline; undefined when no timer is armed, or the machine stands. */
  get deadline(): bigint | undefined {
    const { next } = this.#bound.time;
    return next < 0n || !this.#running ? undefined : next;
  }

  /**
   * Moves the time towards `end`, by way of every deadline until then: never back, and no further than time goes.
   * @returns whether it has come there: after `MAX_STOPS` deadlines the caller sees to others first, and calls again.
   */
  advance(end: bigint): boolean {
    const last = end < LAST_INSTANT ? end : LAST_INSTANT;
    // What fires may stop the machine, or put another in its place.
    for (let stops = 0; this.now < last; stops++) {
      if (stops === MAX_STOPS) return false;
      const { time } = this.#bound;
      const next = this.deadline;
      const stop = next !== undefined && next < last ? next : last;
      if (stop > this.now) time.set(stop);
      if (this.#running) this.#fire();
    }
    return true;
  }

  /** Drives a line of the machine, as whatever is wired to it would. */
  drive(line: number, level: boolean): void {
    this.#bound.lines.set(line, level);
    this.#settle();
  }

  reset(kind: ResetKind): void {
    this.#bound.reset(kind);
    this.#settle();
  }

  /** Has the machine be reset as soon as no device's code is on the way, as a guest does it. */
  askForReset(): void {
    const { control, notice } = this.#bound;
    Atomics.store(control.words, WORD.RESET, 1);
    notice.raised = true;
  }

  /** Has something done as soon as no device's code is on the way. */
  later(run: () => void): void {
    this.#later.push(run);
    this.#bound.notice.raised = true;
  }

  #adopt(bound: BoundMachine): void {
    this.#bound = bound;
    // Nobody else is there: the lock is kept for good.
    bound.lock.acquire();
    bound.bus.refresh();
  }

  #fire(): void {
    this.#bound.fireDue();
    if (this.#bound.notice.raised) this.#settle();
  }

  #settle(): void {
    const { control, notice, time, bus } = this.#bound;
    for (let round = 0; notice.raised && round < MAX_ROUNDS; round++) {
      notice.raised = false;
      if (Atomics.exchange(control.words, WORD.RESET, 0) !== 0) this.onGuestReset();
      bus.refresh();
      if (time.pastDue && this.#running) this.#bound.fireDue();
      for (let run; (run = this.#later.shift()) !== undefined;) run();
    }
  }
}
