import { hostError } from '@qtest/sdk/support';
import {
  BoundMachine,
  type Registry,
  type Builder,
  OWNER,
  VCPU_STATUS,
  WORD,
  brokenDevice,
  createMachine,
  restore,
  restorePristine,
  save,
  type SavedState,
  setStatus,
  NativeVcpu,
} from '@qtest/machine';
import { bounded, neverEnded } from '../foreign/bounded.ts';
import { stepBy, stepOf } from './access.ts';
import { KIND, type Sequence } from './sequence.ts';

// Constants of this module are folded into its code; imported ones are loaded and checked at every access.
const { INB, INW, INL, OUTB, OUTW, OUTL, READB, READW, READL, WRITEB, WRITEW, WRITEL, STEP, RESET, IRQS } = KIND;

/** However short a timer's period is, so many deadlines end a step of the clock, and, where time goes on by itself, what comes before one access. */
const STEPPED = 300;
const PASSED = 5;

/** Accesses that are made again without the one of them that has reset the machine: fewer where one did, more where none did. */
const PART = { min: 128, max: 8192 } as const;

/** How long one batch may take, s. */
const BOUND = 10;

/** IRQs of an ISA bus. */
const ISA_IRQS = 16;

/** Powers a machine on, its devices' code within a bound. */
function handleOf(builder: Builder, registry: Registry): BoundMachine['handle'] {
  let machine: BoundMachine | undefined;
  const cameBack = bounded(() => {
    machine = createMachine(builder, registry);
  }, BOUND);
  if (cameBack && machine !== undefined) return machine.handle;
  throw hostError('DEVICE', `the machine's power-on: device '${brokenDevice() ?? '?'}' ${neverEnded(BOUND)}`);
}

/** A machine of ours, and the VCPU that makes the accesses, on this thread. */
export class NativeSide {
  readonly bound: BoundMachine;
  readonly vcpu: NativeVcpu;
  /** Of the last batch: 1 for each read of memory where nothing answered. */
  nothing = new Uint8Array(0);
  readonly #rises: () => number;
  /** First of the ISA bus's lines; −1 where there is none. */
  readonly #isa: number;

  constructor(builder: Builder, registry: Registry) {
    const handle = handleOf(builder, registry);
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
    this.#isa = blueprint.devices.find(({ busName }) => busName === 'isa')?.busLine ?? -1;
  }

  /** The machine as it was at its power-on. */
  renew(): void {
    this.vcpu.locked(() => restorePristine(this.bound));
    this.bound.bus.fault = undefined;
  }

  /** Makes the accesses; `answers` are theirs. */
  run(sequence: Sequence, answers: Uint32Array): void {
    this.#prepare(sequence);
    this.#bounded(() => this.#make(sequence, answers, 0, sequence.length));
  }

  /**
   * Makes the accesses, and leaves those out of the sequence that reset the machine, but for the resets that it has as such. A step of
   * the clock that is longer than it can be in bounded work becomes shorter in it.
   */
  runWithoutResets(sequence: Sequence, answers: Uint32Array): void {
    this.#prepare(sequence);
    this.#bounded(() => {
      let length: number = PART.min;
      for (let start = 0; start < sequence.length;) {
        let end = Math.min(start + length, sequence.length);
        length = Math.min(PART.max, 2 * length);
        const before = this.vcpu.locked((): SavedState => save(this.bound));
        for (;;) {
          const risen = this.#rises();
          this.#make(sequence, answers, start, end, true);
          if (this.#rises() === risen) break;
          // Which one was it?
          this.vcpu.locked(() => restore(this.bound, before));
          sequence.remove(this.#findReset(sequence, answers, start, end));
          end--;
          length = Math.max(PART.min, length >> 2);
          this.vcpu.locked(() => restore(this.bound, before));
        }
        start = end;
      }
    });
  }

  /**
   * Makes the accesses while time goes on, up to the first that resets the machine; gives how many these are.
   * @param until the time of the machine, ns, at which each comes.
   */
  runInTime(sequence: Sequence, answers: Uint32Array, until: (index: number) => bigint): number {
    this.#prepare(sequence);
    let i = 0;
    this.#bounded(() => {
      const risen = this.#rises();
      for (; i < sequence.length; i++) {
        this.#advance(until(i), PASSED);
        this.#make(sequence, answers, i, i + 1);
        if (this.#rises() !== risen) return;
      }
    });
    return i;
  }

  /** Makes some of the accesses; before each, it is told. */
  runPart(sequence: Sequence, answers: Uint32Array, from: number, to: number, before: (index: number) => void): void {
    this.#prepare(sequence);
    this.#bounded(() => {
      for (let i = from; i < to; i++) {
        before(i);
        this.#make(sequence, answers, i, i + 1);
      }
    });
  }

  #prepare({ length }: Sequence): void {
    if (this.nothing.length < length) this.nothing = new Uint8Array(length);
  }

  #findReset(sequence: Sequence, answers: Uint32Array, from: number, to: number): number {
    const risen = this.#rises();
    for (let i = from; i < to; i++) {
      this.#make(sequence, answers, i, i + 1);
      if (this.#rises() !== risen) return i;
    }
    throw new Error('what has reset the machine does not when it is done again');
  }

  /** Runs accesses, which a device may never end. */
  #bounded(run: () => void): void {
    if (!bounded(run, BOUND)) throw hostError('DEVICE', `a device ${neverEnded(BOUND)}`);
    const { fault } = this.bound.bus;
    if (fault === undefined) return;
    const cause = Object.assign(new Error(fault.message), fault.stack !== undefined && { stack: fault.stack });
    throw hostError('DEVICE', `device '${fault.device}' ${fault.did}: ${fault.message}`, { cause });
  }

  #make(sequence: Sequence, answers: Uint32Array, from: number, to: number, shortens = false): void {
    const { kinds, addresses, values } = sequence;
    const { vcpu, nothing } = this;
    for (let i = from; i < to; i++) {
      const address = addresses[i] ?? 0;
      const value = values[i] ?? 0;
      let answer = 0;
      switch (kinds[i]) {
        case INB:
          answer = vcpu.inb(address);
          break;
        case OUTB:
          vcpu.outb(address, value);
          break;
        case READL:
          answer = vcpu.readl(address);
          nothing[i] = answer === 0xffff_ffff && this.#isNothing(address) ? 1 : 0;
          break;
        case WRITEL:
          vcpu.writel(address, value);
          break;
        case INW:
          answer = vcpu.inw(address);
          break;
        case INL:
          answer = vcpu.inl(address);
          break;
        case OUTW:
          vcpu.outw(address, value);
          break;
        case OUTL:
          vcpu.outl(address, value);
          break;
        case READB:
          answer = vcpu.readb(address);
          nothing[i] = answer === 0xff && this.#isNothing(address) ? 1 : 0;
          break;
        case READW:
          answer = vcpu.readw(address);
          nothing[i] = answer === 0xffff && this.#isNothing(address) ? 1 : 0;
          break;
        case WRITEB:
          vcpu.writeb(address, value);
          break;
        case WRITEW:
          vcpu.writew(address, value);
          break;
        case IRQS:
          answer = this.#levels() & value;
          break;
        case STEP:
          if (shortens) this.#shortStep(sequence, i);
          else vcpu.step(stepOf(sequence.at(i)));
          break;
        case RESET:
          vcpu.locked(() => this.bound.reset('warm'));
          break;
      }
      answers[i] = answer;
    }
  }

  #isNothing(address: number): boolean {
    const { target } = this.bound.bus.memory.find(address);
    return target !== undefined && target.device < 0;
  }

  /** Levels of the ISA bus's IRQs, a bit each. */
  #levels(): number {
    const { lines } = this.bound;
    let levels = 0;
    if (this.#isa < 0) return 0;
    for (let irq = 0; irq < ISA_IRQS; irq++) if (lines.level(this.#isa + irq)) levels |= 1 << irq;
    return levels;
  }

  /** Makes a step, which ends where it has passed too many deadlines: it is that step then. */
  #shortStep(sequence: Sequence, index: number): void {
    const start = this.vcpu.now();
    this.#advance(start + stepOf(sequence.at(index)), STEPPED);
    sequence.set(index, stepBy(Number(this.vcpu.now() - start)));
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
