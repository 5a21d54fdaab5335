import { hostError } from '@qtest/sdk/support';
import { VCPU_STATUS, VCPU_WORD, vcpuWord, WORD, type Control } from '../control.ts';
import type { Lock } from '../lock.ts';
import { rouse, runnable, setStatus, statusOf, withStatus, vcpuCount } from '../waiters.ts';

/** Longest sleep between two looks, ms. */
const RECHECK = 50;

/** Seeds take turns in how often they switch VCPUs: on average at one access in 2, 4, 8 … 256. */
const RATES = 8;

/** The error in every VCPU of a case that is over, because another one has failed. */
export function abandoned(): Error {
  return hostError('ABANDONED', 'another VCPU of this case has failed, so this one ends');
}

/**
 * Before a case: who runs first, and the numbers that say when another one goes on. Which order of accesses a race needs is not known:
 * one that fails when two accesses of another VCPU come in between is found by a seed that switches often, one that needs a hundred of them
 * by a seed that does so rarely (as with the few changes of priority of Burckhardt et al., 2010). So each of eight seeds has a rate of its own.
 */
export function seedTurns({ words }: Control, vcpus: number, seed: number): void {
  // 0 is the one state that xorshift never leaves.
  const mixed = mix(seed) || 1;
  words[WORD.RANDOM] = mixed;
  words[WORD.TURN] = (mixed >>> 8) % vcpus;
  words[WORD.SWITCH_MASK] = (2 << ((seed >>> 0) % RATES)) - 1;
}

/** Makes neighbouring seeds differ in every bit (the finaliser of MurmurHash3, Appleby, 2011). */
function mix(seed: number): number {
  let x = (seed + 0x9e37_79b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

/**
 * The seeded scheduler: of several VCPUs in virtual time one runs, and at each access a random number says whether another
 * one goes on. The numbers come from the seed alone, so that a run can be had again. Whose turn it is keeps the machine's lock.
 */
export class Turns {
  readonly #control: Control;
  readonly #lock: Lock;
  readonly #index: number;

  constructor(control: Control, lock: Lock, index: number) {
    this.#control = control;
    this.#lock = lock;
    this.#index = index;
  }

  /** A switch point: goes on at once, or when it is this VCPU's turn again. */
  point(): void {
    const { words } = this.#control;
    if ((words[WORD.READY] ?? 0) < 2 || (this.#random() & (words[WORD.SWITCH_MASK] ?? 0)) !== 0) return;
    this.pass();
    if (words[WORD.TURN] !== this.#index) this.wait();
  }

  /** Gives the turn to another VCPU, if one is ready, and sleeps until it comes back. */
  yield(): void {
    const others = runnable(this.#control).filter((vcpu) => vcpu !== this.#index);
    const next = others[this.#random() % Math.max(others.length, 1)];
    if (next === undefined) return;
    this.give(next);
    this.wait();
  }

  /** Gives the turn to a ready VCPU, perhaps this one; when none is ready, to one that waits, so that time goes on. */
  pass(): void {
    const ready = runnable(this.#control);
    const [waiting] = withStatus(this.#control, VCPU_STATUS.WAITING);
    let next = ready[this.#random() % Math.max(ready.length, 1)];
    if (next === undefined && waiting !== undefined) {
      setStatus(this.#control, waiting, VCPU_STATUS.WOKEN);
      next = waiting;
    }
    if (next === undefined) return;
    Atomics.store(this.#control.words, WORD.TURN, next);
    if (next !== this.#index) rouse(this.#control, next);
  }

  /** Gives the turn to one VCPU. */
  give(vcpu: number): void {
    Atomics.store(this.#control.words, WORD.TURN, vcpu);
    rouse(this.#control, vcpu);
  }

  /** Sleeps, the lock released, until it is this VCPU's turn, and takes the lock. */
  wait(): void {
    const { words } = this.#control;
    const wake = vcpuWord(this.#index) + VCPU_WORD.WAKE;
    for (;;) {
      const seen = Atomics.load(words, wake);
      if (Atomics.load(words, WORD.TURN) === this.#index) {
        if (!this.#lock.held) this.#lock.retake();
        return;
      }
      if (this.#lock.held) this.#lock.release();
      if (Atomics.load(words, WORD.ABANDONED) !== 0 || Atomics.load(words, WORD.POISONED) !== 0) throw abandoned();
      Atomics.wait(words, wake, seen, RECHECK);
    }
  }

  /** xorshift32 (Marsaglia, 2003). */
  #random(): number {
    const { words } = this.#control;
    let x = words[WORD.RANDOM] ?? 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[WORD.RANDOM] = x;
    return x >>> 0;
  }
}

/** Whether a VCPU of the case has ended. */
export function hasEnded(control: Control): number | undefined {
  const count = vcpuCount(control);
  for (let vcpu = 0; vcpu < count; vcpu++) if (statusOf(control, vcpu) === VCPU_STATUS.OFF) return vcpu;
  return undefined;
}
