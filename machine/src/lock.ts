import { hostError } from '@qtest/sdk/support';
import { WORD, type Control } from './control.ts';
import type { LockCode } from './lock-wasm.ts';
import { checkRoom } from './stack-room.ts';

const CONTENDED = 0x8000_0000 | 0;

/** Longest sleep between two looks at the lock, ms: a wake-up that goes to a dying thread is lost. */
const RECHECK = 50;

/**
 * The machine's lock (BQL) as one thread sees it. It nests. The word holds the owner's id, so that the lock of a thread
 * which has died can be told and taken from it.
 */
export class Lock {
  readonly #words: Int32Array;
  readonly #acquire: (owner: number) => number;
  readonly #release: () => number;
  readonly #owner: number;
  #depth = 0;

  constructor(control: Control, code: LockCode, owner: number) {
    this.#words = control.words;
    this.#acquire = code.acquire;
    this.#release = code.release;
    this.#owner = owner;
  }

  /** Whether this thread holds it. */
  get held(): boolean {
    return this.#depth > 0;
  }

  /**
   * @throws POISONED when the machine must not be used any more.
   * @throws RangeError when the stack is nearly used up: it would overflow with the lock held.
   */
  acquire(): void {
    // Nothing that waits for the lock of a live machine waits for ever: its owner is inside a device or is killed.
    if (this.#depth === 0) {
      checkRoom();
      if (this.#acquire(this.#owner) !== 0) this.#wait(Number.POSITIVE_INFINITY);
    }
    this.#depth++;
  }

  /** As `acquire`, for who has given it up in the middle of something, for which there was stack enough. */
  retake(): void {
    if (this.#depth === 0 && this.#acquire(this.#owner) !== 0) this.#wait(Number.POSITIVE_INFINITY);
    this.#depth++;
  }

  /** Takes the lock within `ms` milliseconds, or gives false. */
  tryAcquire(ms: number): boolean {
    const taken = this.#depth > 0 || this.#acquire(this.#owner) === 0 || this.#wait(ms);
    if (taken) this.#depth++;
    return taken;
  }

  release(): void {
    if (--this.#depth === 0 && this.#release() < 0) Atomics.notify(this.#words, WORD.LOCK, 1);
  }

  /** Lets go of it, however deep an error has left it. */
  releaseAll(): void {
    if (this.#depth === 0) return;
    this.#depth = 1;
    this.release();
  }

  /** Lets those who claim a kept lock have it, or those alone for whom it is urgent, and takes it back. */
  yield(to: typeof WORD.CLAIMS | typeof WORD.URGENT = WORD.CLAIMS): void {
    const depth = this.#depth;
    this.#depth = 1;
    this.release();
    for (let claims; (claims = Atomics.load(this.#words, to)) > 0;) {
      if (Atomics.load(this.#words, WORD.POISONED) !== 0) break;
      Atomics.wait(this.#words, to, claims, RECHECK);
    }
    this.retake();
    this.#depth = depth;
  }

  #wait(ms: number): boolean {
    const words = this.#words;
    const end = ms === Number.POSITIVE_INFINITY ? ms : performance.now() + ms;
    Atomics.add(words, WORD.CLAIMS, 1);
    // A thread that takes the lock for each access mostly has it again before a sleeper has woken.
    let urgent = ms !== Number.POSITIVE_INFINITY;
    if (urgent) Atomics.add(words, WORD.URGENT, 1);
    Atomics.add(words, WORD.ATTENTION, 1);
    try {
      for (let tries = 0; ; tries++) {
        if (Atomics.load(words, WORD.POISONED) !== 0) throw poisoned();
        const word = Atomics.load(words, WORD.LOCK);
        // Whoever has slept takes it as contended: there may be more sleepers.
        if (word === 0 && Atomics.compareExchange(words, WORD.LOCK, 0, this.#owner | CONTENDED) === 0) return true;
        const left = end - performance.now();
        if (left <= 0) return false;
        if (word === 0) continue;
        if (tries > 0 && !urgent) {
          urgent = true;
          Atomics.add(words, WORD.URGENT, 1);
          Atomics.add(words, WORD.ATTENTION, 1);
        }
        const marked = word | CONTENDED;
        if (word === marked || Atomics.compareExchange(words, WORD.LOCK, word, marked) === word) {
          Atomics.wait(words, WORD.LOCK, marked, Math.min(left, RECHECK));
        }
      }
    } finally {
      Atomics.sub(words, WORD.CLAIMS, 1);
      Atomics.notify(words, WORD.CLAIMS);
      if (urgent) {
        Atomics.sub(words, WORD.URGENT, 1);
        Atomics.notify(words, WORD.URGENT);
      }
    }
  }
}

function poisoned(): Error {
  return hostError('POISONED', 'this machine has been given up: a VCPU of it was killed while it held the lock');
}

/** Gives the machine up: frees the lock by force and wakes everybody, who then leave it. */
export function poison(control: Control): void {
  const { words } = control;
  Atomics.store(words, WORD.POISONED, 1);
  Atomics.add(words, WORD.ATTENTION, 1);
  Atomics.store(words, WORD.LOCK, 0);
  Atomics.notify(words, WORD.LOCK);
  Atomics.notify(words, WORD.CLAIMS);
  Atomics.notify(words, WORD.URGENT);
}
