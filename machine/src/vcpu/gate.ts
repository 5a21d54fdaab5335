import { formatNanoseconds } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { BoundMachine } from '../bound-machine.ts';
import { LONG, VCPU_STATUS, WORD } from '../control.ts';
import type { Notice } from '../notice.ts';
import { readyWaiters, rouseAll, rouseForTimer, setStatus } from '../waiters.ts';
import { checkRoom } from '../stack-room.ts';
import { Interrupts } from './interrupts.ts';
import { Taker } from './taker.ts';
import { TracedRing, TraceRing } from './trace.ts';
import { abandoned, Turns } from './turns.ts';

/** How the VCPUs of a case share the machine. */
export interface VcpuOptions {
  readonly index: number;
  /** VCPUs of the case. */
  readonly count: number;
  /** Several VCPUs in virtual time: one at a time by the seeded scheduler, or all at once. */
  readonly schedule: 'seeded' | 'free';
  /** Accesses that may be made while virtual time stands still. */
  readonly stallLimit: number;
  /** Virtual time: tells the host of an instant; the VCPU then waits until `WORD.TICKS_SEEN` has caught up. */
  readonly announceTick: () => void;
}

/** A stall, and what other threads want of a VCPU that keeps the lock, are looked for at one access in so many. */
export const LOOK_MASK = 0x3ff;

// A constant of this module is folded into its code; an imported one is loaded and checked at every access.
const { ATTENTION } = WORD;

/** Longest sleep between two looks, ms: a wake-up that goes to a dying thread is lost. */
export const RECHECK = 50;

/**
 * How a VCPU gets at its machine and leaves it again: it takes the lock, or its turn; looks at what has changed and at what other threads
 * want; fires what is due, and takes its interrupts.
 */
export class Gate {
  readonly trace: TraceRing;
  readonly interrupts: Interrupts;
  readonly virtual: boolean;
  /** The machine has this VCPU, virtual time and no other client: the lock is kept, and nobody else's turn comes. */
  readonly alone: boolean;
  /** The lock is taken and released around each access; otherwise it is kept. */
  readonly locks: boolean;
  readonly turns: Turns | undefined;
  /** In real time. */
  readonly taker: Taker | undefined;
  /** What `WORD.ATTENTION` was when this thread looked last. */
  attention = -1;
  /** Called when the map may have changed. */
  onAttend: () => void = () => {};
  readonly #machine: BoundMachine;
  readonly #notice: Notice;
  readonly #options: VcpuOptions;
  readonly #words: Int32Array;
  #stallHead = 0;
  #stallNow = 0n;

  constructor(machine: BoundMachine, options: VcpuOptions) {
    this.#machine = machine;
    this.#notice = machine.notice;
    this.#options = options;
    this.#words = machine.control.words;
    this.virtual = machine.time.kind === 'virtual';
    this.alone = this.virtual && options.count === 1;
    this.turns =
      this.virtual && options.count > 1 && options.schedule === 'seeded'
        ? new Turns(machine.control, machine.lock, options.index)
        : undefined;
    this.locks = !this.alone && this.turns === undefined;
    const { control, tracer } = machine;
    this.trace =
      tracer === undefined
        ? new TraceRing(control, options.index)
        : new TracedRing(control, options.index, tracer, 'others');
    this.taker = this.virtual ? undefined : new Taker(machine, options.index);
    this.interrupts = new Interrupts(machine, this.trace, options.index, (run) => this.locked(run), this.taker);
  }

  /** Before the case's first access. */
  begin(): void {
    this.trace.clear();
    this.taker?.clear();
    this.turns?.wait();
    if (this.alone) this.#machine.lock.acquire();
    if (!this.locks) this.attend();
    this.#start();
    this.#stallNow = this.#machine.time.now();
  }

  /** The first VCPU's beginning is the case's: real time has gone on while the host's hooks ran and threads started. */
  #start(): void {
    const { control, lock, time } = this.#machine;
    lock.acquire();
    if (Atomics.add(this.#words, WORD.STARTED, 1) === 0) {
      control.longs[LONG.BEGAN] = process.hrtime.bigint();
      if (!this.virtual) {
        time.rebase();
        rouseForTimer(control);
      }
    }
    lock.release();
  }

  /** After its last. Whoever waits looks again: there is one VCPU less. */
  end(): void {
    const { control, lock } = this.#machine;
    if (!lock.held) lock.retake();
    this.taker?.clear();
    setStatus(control, this.#options.index, VCPU_STATUS.OFF);
    if (this.turns !== undefined) this.turns.pass();
    else readyWaiters(control);
    lock.releaseAll();
  }

  /** Ends the case for the other VCPUs too, before they come to see that this one is gone: a failure is told once, and as its own. */
  abandon(): void {
    if (this.#options.count === 1) return;
    Atomics.store(this.#words, WORD.ABANDONED, 1);
    rouseAll(this.#machine.control);
  }

  /** Runs what needs the machine's lock, as one access. */
  locked<T>(run: () => T): T {
    this.enter();
    try {
      return run();
    } finally {
      this.leave();
    }
  }

  /** Before an access: the lock is held, the map is right, and in real time what was due has fired. */
  enter(): void {
    if (this.locks) this.#machine.lock.acquire();
    else if (this.turns !== undefined) {
      checkRoom();
      this.turns.point();
    }
    if (this.#words[ATTENTION] !== this.attention) this.attend();
    if (this.taker !== undefined && this.#machine.time.maybeDue) this.#fireNext(this.taker);
  }

  /** Real time: fires the next instant that is due, unless this VCPU has still to take what the last one has raised. */
  #fireNext(taker: Taker): void {
    if (!this.interrupts.pending && !taker.holds()) this.#machine.fireDue(this.#options.index);
  }

  /** Gives the lock up where it is not kept. */
  exit(): void {
    if (this.locks) this.#machine.lock.release();
  }

  /** After an access: what it has brought about is done before the next one, interrupts are taken. */
  leave(): void {
    this.#notice.raised = false;
    if (this.#words[ATTENTION] !== this.attention) this.attend();
    if (this.#machine.time.pastDue) {
      this.checkRoom();
      this.instant();
    }
    if (this.virtual && (this.trace.head & LOOK_MASK) === 0) this.#checkStall();
    this.exit();
    if (this.interrupts.pending) this.interrupts.take();
  }

  /** The stack must do for what comes, where the lock is kept: an overflow amidst it would lose an instant, or the lock. */
  checkRoom(): void {
    // Where it is not kept, it could not have been taken.
    if (!this.locks) checkRoom();
  }

  /** Something has changed that this thread must look at before it goes on; lock held. */
  attend(): void {
    this.checkRoom();
    const words = this.#words;
    const attention = Atomics.load(words, WORD.ATTENTION);
    if (Atomics.load(words, WORD.POISONED) !== 0 || Atomics.load(words, WORD.ABANDONED) !== 0) {
      this.exit();
      throw abandoned();
    }
    const claims = this.locks ? WORD.URGENT : WORD.CLAIMS;
    if (Atomics.load(words, claims) > 0) this.#machine.lock.yield(claims);
    this.#machine.resetIfAsked();
    this.#machine.bus.refresh();
    this.onAttend();
    this.attention = attention;
  }

  /** Fires what is due now; in virtual time the host sees the instant before anybody goes on. Lock held. */
  instant(): void {
    const fired = this.#machine.fireDue(this.#options.index);
    if (!fired || !this.virtual || !this.#machine.tickTapped) return;
    const words = this.#words;
    const { lock, control } = this.#machine;
    lock.release();
    const mine = Atomics.add(words, WORD.TICKS, 1) + 1;
    this.#options.announceTick();
    for (let seen; (((seen = Atomics.load(words, WORD.TICKS_SEEN)) - mine) | 0) < 0;) {
      if (Atomics.load(words, WORD.ABANDONED) !== 0 || Atomics.load(words, WORD.POISONED) !== 0) break;
      Atomics.wait(control.words, WORD.TICKS_SEEN, seen, RECHECK);
    }
    lock.retake();
  }

  #checkStall(): void {
    const now = this.#machine.time.now();
    if (now !== this.#stallNow) {
      this.#stallNow = now;
      this.#stallHead = this.trace.head;
      return;
    }
    const accesses = (this.trace.head - this.#stallHead) | 0;
    if (accesses < this.#options.stallLimit) return;
    this.exit();
    throw hostError(
      'STALLED',
      `${accesses} device accesses while the virtual clock stood still at ${formatNanoseconds(now)}: virtual time moves only when told. ` +
        `To wait for a register, use vcpu.poll(() => …, { timeout: '1s' }), or move the time with clock.step()`,
    );
  }

  /** Takes the lock again in the middle of a wait: no switch point. */
  enterQuietly(): void {
    if (this.locks) this.#machine.lock.retake();
    if (this.#words[ATTENTION] !== this.attention) this.attend();
  }
}
