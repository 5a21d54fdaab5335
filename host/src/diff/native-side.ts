import { hostError } from '../errors.ts';
import { bounded, neverEnded } from '../contract/bounded.ts';
import { BoundMachine, type Registry } from '../machine/bound-machine.ts';
import type { Builder } from '../machine/builder.ts';
import { OWNER, VCPU_STATUS, WORD } from '../machine/control.ts';
import { createMachine } from '../machine/create.ts';
import { restore, restorePristine, save, type SavedState } from '../machine/snapshot.ts';
import { setStatus } from '../machine/waiters.ts';
import { NativeVcpu } from '../vcpu/native-vcpu.ts';
import { OP } from '../vcpu/trace.ts';
import { allOnes, stepBy, stepOf, type Access } from './access.ts';

/** However short a timer's period is, so many deadlines end a step of the clock, and, where time goes on by itself, what comes before one access. */
const STEPPED = 1000;
const PASSED = 20;

/** Accesses that are made again without the one of them that has reset the machine: fewer where one did, more where none did. */
const PART = { min: 128, max: 8192 } as const;

/** How long one batch may take, s. */
const BOUND = 10;

/** A machine of ours, and the VCPU that makes the accesses, on this thread. */
export class NativeSide {
  readonly bound: BoundMachine;
  readonly vcpu: NativeVcpu;
  /** Of the last batch: 1 for each read of memory where nothing answered. */
  nothing = new Uint8Array(0);
  readonly #rises: () => number;

  constructor(builder: Builder, registry: Registry) {
    const { handle } = createMachine(builder, registry);
    this.bound = new BoundMachine(handle, registry, OWNER.THREAD0);
    const { control, blueprint, lines } = this.bound;
    control.words[WORD.VCPUS] = 1;
    setStatus(control, 0, VCPU_STATUS.READY);
    const options = { index: 0, count: 1, schedule: 'seeded', stallLimit: Infinity, announceTick: () => {} } as const;
    this.vcpu = new NativeVcpu(this.bound, options);
    this.vcpu.begin();
    const { resets } = blueprint;
    this.#rises = () => {
      let sum = 0;
      for (let n = 0; n < resets.length; n++) sum += lines.rises(resets[n] ?? 0);
      return sum;
    };
  }

  /** The machine as it was at its power-on. */
  renew(): void {
    this.vcpu.locked(() => restorePristine(this.bound));
    this.bound.bus.fault = undefined;
  }

  /**
   * Makes the accesses, but for those that reset the machine, and with steps of the clock no longer than they can be in bounded work.
   * @returns those that were made; `answers` are theirs.
   */
  runWithoutResets(accesses: readonly Access[], answers: Uint32Array): readonly Access[] {
    this.nothing = new Uint8Array(accesses.length);
    return this.#bounded(() => this.#runWithoutResets(accesses, answers));
  }

  /**
   * Makes the accesses, up to the first that resets the machine; gives its index.
   * @param until the time of the machine, ns, at which each comes; time stands still when it is left out.
   */
  run(accesses: readonly Access[], answers: Uint32Array, until?: (index: number) => bigint): number | undefined {
    this.nothing = new Uint8Array(accesses.length);
    return this.#bounded(() => this.#run(accesses, answers, { until }));
  }

  #runWithoutResets(accesses: readonly Access[], answers: Uint32Array): readonly Access[] {
    const made: Access[] = [];
    let length: number = PART.min;
    for (let start = 0; start < accesses.length;) {
      let part = accesses.slice(start, start + length);
      start += length;
      length = Math.min(PART.max, 2 * length);
      const before = this.vcpu.locked((): SavedState => save(this.bound));
      for (;;) {
        const reset = this.#run(part, answers, { at: made.length, shortened: part });
        if (reset === undefined) break;
        part = part.toSpliced(reset, 1);
        length = Math.max(PART.min, length >> 2);
        this.vcpu.locked(() => restore(this.bound, before));
      }
      for (const access of part) made.push(access);
    }
    return made;
  }

  /** Runs accesses, which a device may never end. */
  #bounded<T>(run: () => T): T {
    let result: { readonly value: T } | undefined;
    if (!bounded(() => (result = { value: run() }), BOUND) || result === undefined)
      throw hostError('DEVICE', `a device ${neverEnded(BOUND)}`);
    const { fault } = this.bound.bus;
    if (fault === undefined) return result.value;
    const cause = Object.assign(new Error(fault.message), fault.stack !== undefined && { stack: fault.stack });
    throw hostError('DEVICE', `device '${fault.device}' ${fault.did}: ${fault.message}`, { cause });
  }

  #run(
    accesses: readonly Access[],
    answers: Uint32Array,
    { at = 0, until, shortened }: RunOptions,
  ): number | undefined {
    const { vcpu, nothing } = this;
    const risen = this.#rises();
    for (let i = 0; i < accesses.length; i++) {
      const access = accesses[i];
      if (access === undefined) break;
      if (until !== undefined) this.#advance(until(i), PASSED);
      let answer = 0;
      if (shortened !== undefined && access.op === OP.STEP) shortened[i] = this.#shortStep(access);
      else answer = this.#make(vcpu, access);
      answers[at + i] = answer;
      if (access.op === OP.READ && answer === allOnes(access.size))
        nothing[at + i] = this.#isNothing(access.address) ? 1 : 0;
      if (this.#rises() !== risen) return i;
    }
    return undefined;
  }

  #make(vcpu: NativeVcpu, access: Access): number {
    const { op, size, address, value } = access;
    switch (op) {
      case OP.IN:
        return size === 1 ? vcpu.inb(address) : size === 2 ? vcpu.inw(address) : vcpu.inl(address);
      case OP.OUT:
        if (size === 1) vcpu.outb(address, value);
        else if (size === 2) vcpu.outw(address, value);
        else vcpu.outl(address, value);
        return 0;
      case OP.READ:
        return size === 1 ? vcpu.readb(address) : size === 2 ? vcpu.readw(address) : vcpu.readl(address);
      case OP.WRITE:
        if (size === 1) vcpu.writeb(address, value);
        else if (size === 2) vcpu.writew(address, value);
        else vcpu.writel(address, value);
        return 0;
      default:
        vcpu.step(stepOf(access));
        return 0;
    }
  }

  #isNothing(address: number): boolean {
    const { target } = this.bound.bus.memory.find(address);
    return target !== undefined && target.device < 0;
  }

  /** Makes a step, which ends where it has passed too many deadlines; gives the step that it was. */
  #shortStep(access: Access): Access {
    const start = this.vcpu.now();
    this.#advance(start + stepOf(access), STEPPED);
    return stepBy(Number(this.vcpu.now() - start));
  }

  /** Moves the time on to `end`, or past so many deadlines. */
  #advance(end: bigint, most: number): void {
    const { vcpu } = this;
    for (let n = 0; n < most; n++) {
      const now = vcpu.now();
      if (now >= end) return;
      const next = vcpu.nextDeadline;
      if (next < 0n || next >= end) {
        vcpu.step(end - now);
        return;
      }
      vcpu.step(next > now ? next - now : 0n);
    }
  }
}

interface RunOptions {
  /** Index of the first answer. */
  readonly at?: number;
  /** Time of the machine, ns, at which each access comes. */
  readonly until?: ((index: number) => bigint) | undefined;
  /** The accesses, among which steps become what they have been. */
  readonly shortened?: Access[];
}
