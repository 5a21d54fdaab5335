import { type IrqSource, type PollOptions, type WaitOptions, formatNanoseconds, nanoseconds } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { BoundMachine } from '../bound-machine.ts';
import { VCPU_STATUS, VCPU_WORD, vcpuWord, WORD } from '../control.ts';
import { LAST_INSTANT } from '../timekeeper.ts';
import { readyWaiters, runnable, setStatus, statusOf, withStatus } from '../waiters.ts';
import { isHeld } from '../taking.ts';
import { RECHECK, type Gate, type VcpuOptions } from './gate.ts';
import type { Interrupts } from './interrupts.ts';
import { lineIndex } from './irq-lines.ts';
import { DEFAULT_TIMEOUT, poll } from './poll.ts';
import { OP } from './trace.ts';
import { hasEnded } from './turns.ts';

// A constant of this module is folded into its code; an imported one is loaded and checked at every use.
const { ATTENTION } = WORD;

/** Sleep between two looks at an instant that is due and waits for another VCPU, ms. */
const HELD = 1;

/** How a VCPU waits, and how time goes on: it moves when told, or when every VCPU waits; in real time it goes by itself. */
export class Waits {
  readonly #machine: BoundMachine;
  readonly #gate: Gate;
  readonly #interrupts: Interrupts;
  readonly #words: Int32Array;
  readonly #index: number;
  /** VCPUs of the case. */
  readonly #count: number;

  constructor(machine: BoundMachine, gate: Gate, { index, count }: VcpuOptions) {
    this.#machine = machine;
    this.#gate = gate;
    this.#interrupts = gate.interrupts;
    this.#words = machine.control.words;
    this.#index = index;
    this.#count = count;
  }

  waitIrq(source: IrqSource, options: WaitOptions = {}): bigint {
    const { lines, blueprint } = this.#machine;
    const line = lineIndex(this.#machine, source);
    const rises = lines.rises(line);
    return this.#wait(
      () => lines.level(line) || lines.rises(line) !== rises,
      options,
      () => `waitIrq(): the line ${blueprint.lines[line]?.name} has not risen`,
      line,
    );
  }

  idle(options: WaitOptions = {}): bigint {
    const { handled } = this.#interrupts;
    return this.#wait(
      () => this.#interrupts.handled !== handled,
      options,
      () => 'idle(): no interrupt and no watched IRQ has been handled',
    );
  }

  poll(condition: () => boolean, options?: PollOptions): bigint {
    return poll(this, condition, options);
  }

  barrier(options: WaitOptions = {}): void {
    const words = this.#words;
    const { control } = this.#machine;
    const phase = words[WORD.BARRIER_PHASE];
    this.#gate.locked(() => {
      const came = (words[WORD.BARRIER_COUNT] ?? 0) + 1;
      const opens = came === this.#count;
      words[WORD.BARRIER_COUNT] = opens ? 0 : came;
      if (!opens) return;
      words[WORD.BARRIER_PHASE] = ((phase ?? 0) + 1) | 0;
      readyWaiters(control);
    });
    const open = (): boolean => {
      if (words[WORD.BARRIER_PHASE] !== phase) return true;
      const ended = hasEnded(control);
      if (ended === undefined) return false;
      throw hostError('DEADLOCK', `barrier(): VCPU ${ended} has ended, so that it will never come`);
    };
    try {
      this.#wait(open, options, () => `barrier(): only ${words[WORD.BARRIER_COUNT]} of ${this.#count} VCPUs have come`);
    } catch (error) {
      // It has not come after all: who catches this and comes again is not to be counted twice.
      const { lock } = this.#machine;
      lock.retake();
      if (words[WORD.BARRIER_PHASE] === phase) words[WORD.BARRIER_COUNT] = (words[WORD.BARRIER_COUNT] ?? 1) - 1;
      lock.release();
      throw error;
    }
  }

  /** Machine time, ns. */
  now(): bigint {
    return this.#gate.virtual ? this.#machine.time.now() : this.#gate.locked(() => this.#machine.time.now());
  }

  /** `clock.step()`: in virtual time stops at each deadline on the way. */
  step(duration: bigint | undefined): bigint {
    const { time } = this.#machine;
    const start = this.now();
    const end = duration === undefined ? time.next : start + duration;
    if (end < 0n) {
      throw hostError(
        'DEADLOCK',
        'clock.step() without a duration goes to the next deadline, and no timer is armed; give a duration',
      );
    }
    if (end > LAST_INSTANT) {
      throw new RangeError(
        `clock.step(${formatNanoseconds(end - start)}): the machine's time ends ${formatNanoseconds(LAST_INSTANT)} after its start`,
      );
    }
    if (!this.#gate.virtual) {
      this.#sleepUntil(end);
      return this.now();
    }
    this.#gate.enter();
    for (;;) {
      this.#letOthersLook();
      const stop = this.#nextStop(false);
      this.#moveTo(stop >= 0n && stop < end ? stop : end);
      if (time.now() >= end) break;
      this.#betweenStops();
    }
    if (this.#words[ATTENTION] !== this.#gate.attention) this.#gate.attend();
    const moved = end > start ? end - start : 0n;
    this.#gate.trace.add(OP.STEP, 0, Number(moved >> 32n), Number(moved & 0xffff_ffffn));
    this.#gate.exit();
    if (this.#interrupts.pending) this.#interrupts.take();
    return time.now();
  }

  /** @param line for which it waits; −1 for something else. */
  #wait(condition: () => boolean, options: WaitOptions, what: () => string, line = -1): bigint {
    const limit = nanoseconds(options.timeout ?? DEFAULT_TIMEOUT);
    this.#gate.taker?.beginWait(line);
    // From here on it waits: no other VCPU moves the time before it has looked.
    if (this.#gate.turns !== undefined) setStatus(this.#machine.control, this.#index, VCPU_STATUS.WOKEN);
    try {
      return this.#waitFrom(this.now(), limit, condition, options.timeout !== undefined, what, line);
    } finally {
      this.#gate.taker?.endWait();
      // However it ends, with an error of a handler's too, it waits no more.
      if (this.#gate.turns !== undefined) this.#awake();
    }
  }

  #waitFrom(
    start: bigint,
    limit: bigint,
    condition: () => boolean,
    explicit: boolean,
    what: () => string,
    line: number,
  ): bigint {
    const { time } = this.#machine;
    const deadline = start + limit < LAST_INSTANT ? start + limit : LAST_INSTANT;
    for (;;) {
      this.#interrupts.take();
      this.#gate.enter();
      let met = false;
      try {
        met = condition();
      } catch (error) {
        this.#gate.exit();
        throw error;
      }
      if (this.#gate.turns !== undefined) this.#awake();
      if (met || (time.now() >= deadline && !time.isDue(deadline))) {
        const waited = time.now() - start;
        if (met) this.#gate.taker?.met(line);
        this.#gate.exit();
        if (met && this.#interrupts.pending) this.#interrupts.take();
        if (met) return waited;
        throw hostError('TIMEOUT', `${what()} within ${formatNanoseconds(limit)} of machine time`);
      }
      // What has just fired may concern a handler, which comes before sleep.
      if (this.#interrupts.pending) this.#gate.exit();
      else if (this.#gate.virtual) this.#blockVirtual(deadline, explicit, what);
      else this.#blockRealtime(deadline);
    }
  }

  /** Real time: waits until `end`, taking interrupts. */
  #sleepUntil(end: bigint): void {
    this.#gate.taker?.beginWait(-1);
    try {
      this.#sleep(end);
    } finally {
      this.#gate.taker?.endWait();
    }
  }

  #sleep(end: bigint): void {
    for (;;) {
      this.#interrupts.take();
      this.#gate.enter();
      if (this.#machine.time.now() >= end && !this.#machine.time.isDue(end)) {
        this.#gate.exit();
        return;
      }
      if (this.#interrupts.pending) this.#gate.exit();
      else this.#blockRealtime(end);
    }
  }

  /** Waits for anything to happen; lock held before, not after. */
  #blockRealtime(deadline: bigint): void {
    const words = this.#words;
    const { control, time } = this.#machine;
    const wake = vcpuWord(this.#index) + VCPU_WORD.WAKE;
    this.#gate.taker?.looked();
    setStatus(control, this.#index, VCPU_STATUS.WAITING);
    const seen = Atomics.load(words, wake);
    const until = time.next >= 0n && time.next < deadline ? time.next : deadline;
    // What is due may wait for another VCPU.
    const least = isHeld(control) ? HELD : 0;
    const ms = Number(until - time.now()) / 1e6;
    this.#gate.exit();
    Atomics.wait(words, wake, seen, Math.min(Math.max(ms, least), RECHECK));
    setStatus(control, this.#index, VCPU_STATUS.READY);
  }

  /** Waits for anything to happen, moving the time on when every VCPU waits; lock held before, not after. */
  #blockVirtual(deadline: bigint, explicit: boolean, what: () => string): void {
    if (this.#count > 1) {
      this.#blockAmongOthers(deadline, explicit, what);
      return;
    }
    const { time } = this.#machine;
    const { next } = time;
    if (next < 0n && !explicit) this.#deadlock(what);
    this.#moveTo(next >= 0n && next < deadline ? next : deadline);
    this.#gate.exit();
  }

  #blockAmongOthers(deadline: bigint, explicit: boolean, what: () => string): void {
    const { control } = this.#machine;
    const record = vcpuWord(this.#index);
    const words = this.#words;
    words[record + VCPU_WORD.DEADLOCKED] = 0;
    control.longs[(record + VCPU_WORD.WAIT_DEADLINE) >> 1] = explicit ? deadline : -1n - deadline;
    setStatus(control, this.#index, VCPU_STATUS.WAITING);
    for (;;) {
      if (runnable(control).length === 0 && !this.#advance()) {
        for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) words[vcpuWord(vcpu) + VCPU_WORD.DEADLOCKED] = 1;
        readyWaiters(control);
      }
      if (words[record + VCPU_WORD.DEADLOCKED] !== 0) this.#deadlock(what);
      if (statusOf(control, this.#index) !== VCPU_STATUS.WAITING) break;
      const seen = Atomics.load(words, record + VCPU_WORD.WAKE);
      this.#gate.turns?.pass();
      this.#gate.exit();
      if (this.#gate.turns === undefined) Atomics.wait(words, record + VCPU_WORD.WAKE, seen, RECHECK);
      else this.#gate.turns.wait();
      this.#gate.enterQuietly();
      if (words[record + VCPU_WORD.DEADLOCKED] !== 0) this.#deadlock(what);
      if (statusOf(control, this.#index) !== VCPU_STATUS.WAITING) break;
    }
    this.#gate.exit();
  }

  /** The next instant that concerns anybody: a timer's deadline, or the end of a VCPU's wait; −1n when there is none. `idle`: every VCPU waits. */
  #nextStop(idle: boolean): bigint {
    const { control, time } = this.#machine;
    let target = time.next;
    if (this.#words[WORD.WAITERS] === 0) return target;
    for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) {
      const word = control.longs[(vcpuWord(vcpu) + VCPU_WORD.WAIT_DEADLINE) >> 1] ?? 0n;
      // A time-out that the test did not ask for (kept as −1 − ns) keeps nobody alive when nothing else can happen.
      if (idle && word < 0n && time.next < 0n) continue;
      const deadline = word < 0n ? -1n - word : word;
      if (target < 0n || deadline < target) target = deadline;
    }
    return target;
  }

  /** Every VCPU waits: moves the time to the next instant at which one may go on. False when there is none. */
  #advance(): boolean {
    const target = this.#nextStop(true);
    if (target < 0n) return false;
    // Somebody moves the time: nobody else does while the host looks at the instant and the lock is free.
    setStatus(this.#machine.control, this.#index, VCPU_STATUS.WOKEN);
    this.#moveTo(target);
    return true;
  }

  /** This VCPU runs, and has looked at what it waits for. */
  #awake(): void {
    setStatus(this.#machine.control, this.#index, VCPU_STATUS.READY);
  }

  /** Seeded: before a step moves the time, those who have been woken look at what has come of this instant. Lock held. */
  #letOthersLook(): void {
    const turns = this.#gate.turns;
    if (turns === undefined) return;
    this.#awake();
    for (let vcpu; (vcpu = withStatus(this.#machine.control, VCPU_STATUS.WOKEN)[0]) !== undefined;) {
      turns.give(vcpu);
      this.#gate.exit();
      turns.wait();
      this.#gate.enterQuietly();
    }
  }

  /** Between two stops of a step this VCPU takes its interrupts, and others come to their turn. Lock held before and after. */
  #betweenStops(): void {
    if (this.#gate.turns !== undefined || this.#interrupts.pending) {
      this.#gate.exit();
      this.#interrupts.take();
      this.#gate.enter();
      return;
    }
    if (this.#words[ATTENTION] !== this.#gate.attention) this.#gate.attend();
    if ((this.#words[WORD.CLAIMS] ?? 0) > 0) this.#machine.lock.yield();
  }

  /** Moves virtual time, fires what is due then, and lets every waiter look again. Lock held. */
  #moveTo(target: bigint): void {
    this.#gate.checkRoom();
    if (target > this.#machine.time.now()) this.#machine.time.set(target);
    this.#gate.instant();
    if (this.#words[WORD.WAITERS] !== 0) readyWaiters(this.#machine.control);
  }

  #deadlock(what: () => string): never {
    setStatus(this.#machine.control, this.#index, VCPU_STATUS.READY);
    this.#gate.exit();
    throw hostError(
      'DEADLOCK',
      `${what()}: every VCPU waits and no timer is armed, so nothing can happen any more. Arm the device's timer or enable its interrupt ` +
        `first, give the wait a timeout, or look at a register with vcpu.poll(() => …)`,
    );
  }
}
