import { isQtestError } from '@qtest/sdk';
import { type Registry, OP } from '@qtest/machine';
import { Decoder, describeTarget, type Reached } from '../trace/decode.ts';
import { ALSO, allOnes, isRead, lowestIrq, reachedBy, type Access } from './access.ts';
import { shifted, type Ignored } from './ignored.ts';
import type { NativeSide } from './native-side.ts';
import type { Rival } from './rival.ts';
import { KIND, Sequence } from './sequence.ts';

/** An access that two machines answer differently. */
export interface Difference {
  /** Index in the sequence. */
  readonly index: number;
  readonly answers: readonly [number, number];
  /** What the access is, and what it reached on the first machine: `inb 0x71 rtc0.C`. */
  readonly reached: string;
  /** Why the rival gave none at all: it has died of the sequence, or hangs. */
  readonly failure?: string;
  /** It is that there was no answer. */
  readonly isSilence?: boolean;
}

/** Of the answers that were compared. */
export interface Counts {
  accesses: number;
  /** Answers: of reads, and of looks at the IRQs. */
  answers: number;
  /** Answers that differ in what time moves. */
  moved: number;
  /** Answers that differ in what `--ignore` names, or in that QEMU's memory reads as 0 where nothing is. */
  ignored: number;
}

/**
 * How fast time passes on the machines that show what it moves, over how fast it passes on the rival. That of the rival first: it shows
 * most, and the fast ones, which take long, are needed least.
 */
const PACES = [1, 0.6, 1.7, 40, 5000] as const;

/** Up to this pace, time moves before one access in so many: it is the faster ones that show what comes from one access to the next. */
const SLOW = 2;
const EACH = 4;

export interface ComparisonOptions {
  readonly first: NativeSide;
  readonly rival: Rival;
  /** A machine like the first one. It follows to the access of which it is asked what that reaches: a BAR may have moved since. */
  readonly follower: NativeSide;
  /** Machines like the first one, as many as there are paces, when the rival's time goes on by itself. */
  readonly paced: readonly NativeSide[];
  readonly registry: Registry;
  readonly ignored: Ignored;
}

/** Accesses that were made together. */
interface Batch {
  readonly sequence: Sequence;
  /** When they began, on the rival, and how long each took, ns. */
  readonly began: number;
  readonly each: number;
}

/** A machine whose time goes on. */
interface Paced {
  readonly side: NativeSide;
  readonly pace: number;
  /** Batches that it has made. */
  made: number;
  /** It is another machine since a watchdog has bitten. */
  lost: boolean;
}

/**
 * Two machines that make the same accesses. The time of the first one stands still, or moves by the sequence's steps. Where that of the
 * rival goes on by itself, there are more machines like the first one, whose time goes on at several paces: a field in which one of these
 * differs from the first one is moved by time, and is not compared. They make a batch when it has a difference that may be time's.
 */
export class Comparison {
  static readonly PACES = PACES;
  readonly counts: Counts = { accesses: 0, answers: 0, moved: 0, ignored: 0 };
  readonly #options: ComparisonOptions;
  readonly #paced: readonly Paced[];
  /** Since the beginning; the last one is the one that is compared. */
  readonly #batches: Batch[] = [];
  /** Accesses of the batches before that. */
  #before = 0;
  #decoder: Decoder;
  /** How far the decoder has come: a batch, and an access of it. */
  #decoded = { batch: 0, index: 0 };
  #ours = new Uint32Array(0);
  #theirs = new Uint32Array(0);
  #others = new Uint32Array(0);
  /** Of each answer of the batch, the bits in which one of the machines whose time goes on differs. */
  #moved = new Uint32Array(0);
  /** IRQs that time has moved: a timer's goes up and down, and when is a matter of the phase. */
  #movedIrqs = 0;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#paced = options.paced.map((side, n) => ({ side, pace: PACES[n] ?? 1, made: 0, lost: false }));
    this.#decoder = this.#newDecoder();
  }

  /** The rival's time goes on by itself. */
  get realtime(): boolean {
    return this.#options.rival.realtime;
  }

  /** All machines as at their power-on. */
  async begin(): Promise<void> {
    this.#options.first.renew();
    this.#options.follower.renew();
    for (const paced of this.#paced) {
      paced.side.renew();
      paced.made = 0;
      paced.lost = false;
    }
    this.#batches.length = 0;
    this.#before = 0;
    this.#decoder = this.#newDecoder();
    this.#decoded = { batch: 0, index: 0 };
    this.#movedIrqs = 0;
    await this.#options.rival.begin();
  }

  /**
   * Makes the next accesses on all machines, and takes those out of the sequence that reset the first one.
   * @returns the first difference; its index counts from `begin()`.
   */
  async next(sequence: Sequence): Promise<Difference | undefined> {
    const { first, rival } = this.#options;
    if (this.#ours.length < sequence.length) {
      const room = (): Uint32Array<ArrayBuffer> => new Uint32Array(sequence.length);
      [this.#ours, this.#theirs, this.#others, this.#moved] = [room(), room(), room(), room()];
    }
    const last = this.#batches.at(-1);
    this.#before += last?.sequence.length ?? 0;
    first.runWithoutResets(sequence, this.#ours);
    const from = rival.elapsed();
    const failure = await failureOf(rival.run(sequence, this.#theirs));
    const { length } = sequence;
    if (failure !== undefined)
      return { index: this.#before + length - 1, answers: [this.#ours[length - 1] ?? 0, 0], reached: '', ...failure };
    const each = Number(rival.elapsed() - from) / Math.max(1, length);
    this.#batches.push({ sequence, began: Number(from), each });
    if (rival.realtime) this.#moved.fill(0);
    const found = this.#compare(sequence);
    return found === undefined ? undefined : { ...found, index: this.#before + found.index };
  }

  /** Makes a whole sequence anew; gives what was made of it, and the first difference. */
  async replay(accesses: readonly Access[]): Promise<{ made: readonly Access[]; difference: Difference | undefined }> {
    await this.begin();
    const sequence = Sequence.of(accesses);
    const difference = await this.next(sequence);
    return { made: sequence.toArray(), difference };
  }

  async end(): Promise<void> {
    await this.#options.rival.end();
  }

  #newDecoder(): Decoder {
    return new Decoder(this.#options.follower.bound, this.#options.registry);
  }

  /** The first access of a batch whose answers differ; its index is that in the batch. */
  #compare(sequence: Sequence): Difference | undefined {
    const { length, kinds } = sequence;
    const [ours, theirs, counts] = [this.#ours, this.#theirs, this.counts];
    for (let i = 0; i < length; i++) {
      counts.answers += ANSWERS[kinds[i] ?? 0] ?? 0;
      if (ours[i] === theirs[i]) continue;
      const difference = this.#differenceAt(sequence, i);
      if (difference === undefined) continue;
      counts.accesses += i + 1;
      return difference;
    }
    counts.accesses += length;
    return undefined;
  }

  /** Two answers that differ, if they do in what is neither known nor moved by time. */
  #differenceAt(sequence: Sequence, index: number): Difference | undefined {
    const { first, ignored } = this.#options;
    const access = sequence.at(index);
    const [ours = 0, theirs = 0] = [this.#ours[index], this.#theirs[index]];
    const reached = this.#reached(index);
    let left = ours ^ theirs;
    left &= ~(access.op === ALSO.IRQS ? ignored.irqs : ignored.mask(reached));
    // QEMU 7.2, softmmu/memory.c, unassigned_mem_read: memory where nothing is reads as 0.
    if (left === 0 || (access.op === OP.READ && first.nothing[index] === 1 && theirs === 0)) {
      this.counts.ignored++;
      return undefined;
    }
    for (let n = 0; ; n++) {
      left &= ~(access.op === ALSO.IRQS ? this.#movedIrqs : fieldsOf(reached, access.size, this.#moved[index] ?? 0));
      if (left === 0) {
        this.counts.moved++;
        return undefined;
      }
      const paced = this.#paced[n];
      if (paced === undefined)
        return { index, answers: [ours, theirs], reached: described(access, reached, ours ^ theirs) };
      this.#catchUp(paced);
    }
  }

  /** What an access of the last batch reached. */
  #reached(index: number): Reached | undefined {
    const { follower } = this.#options;
    const last = this.#batches.length - 1;
    let reached: Reached | undefined;
    for (const at = this.#decoded; at.batch <= last; at.batch++, at.index = 0) {
      const sequence = this.#batches[at.batch]?.sequence;
      if (sequence === undefined) continue;
      const end = at.batch < last ? sequence.length : index + 1;
      follower.runPart(sequence, this.#others, at.index, end, (i) => {
        reached = reachedBy(this.#decoder, sequence.at(i));
      });
      if (at.batch < last) continue;
      at.index = end;
      break;
    }
    return reached;
  }

  /** A machine whose time goes on makes what it has not made, and shows what time moves in the last batch. */
  #catchUp(paced: Paced): void {
    for (; paced.made < this.#batches.length && !paced.lost; paced.made++) {
      const batch = this.#batches[paced.made];
      if (batch === undefined) break;
      const made = this.#runAt(paced, batch);
      // From there on it is another machine.
      paced.lost = made < batch.sequence.length;
      if (paced.made < this.#batches.length - 1) continue;
      for (let i = 0; i < made; i++) {
        const moved = (this.#ours[i] ?? 0) ^ (this.#others[i] ?? 0);
        if (moved === 0) continue;
        this.#moved[i] = (this.#moved[i] ?? 0) | moved;
        if (batch.sequence.kinds[i] === KIND.IRQS) this.#movedIrqs |= moved;
      }
    }
  }

  #runAt({ side, pace }: Paced, { sequence, began, each }: Batch): number {
    let now = 0n;
    return side.runInTime(sequence, this.#others, (index) => {
      if (pace > SLOW || index % EACH === 0) now = BigInt(Math.round(pace * (began + index * each)));
      return now;
    });
  }
}

/** `inb 0x71 rtc0.C`; of a look at the IRQs the lowest one that differs. */
function described(access: Access, reached: Reached | undefined, differing: number): string {
  if (access.op === ALSO.IRQS) return `IRQ ${lowestIrq(differing)}`;
  return `${isRead(access) ? describeTarget(access) : access.op} ${reached?.text() ?? ''}`;
}

/** By a packed access's kind, 1 for what is answered. */
const ANSWERS = new Uint8Array(256);
for (const kind of [KIND.INB, KIND.INW, KIND.INL, KIND.READB, KIND.READW, KIND.READL, KIND.IRQS]) ANSWERS[kind] = 1;

/** What an emulator failed of. */
async function failureOf(running: Promise<void>): Promise<Pick<Difference, 'failure' | 'isSilence'> | undefined> {
  try {
    await running;
    return undefined;
  } catch (error) {
    if (!isQtestError(error)) throw error;
    const isSilence = error.code === 'NO_ANSWER';
    if (!isSilence && error.code !== 'EMULATOR') throw error;
    return { failure: error.message, isSilence };
  }
}

/** The fields of which some bits are moved by time; all of what is no register. */
function fieldsOf(reached: Reached | undefined, size: number, moved: number): number {
  if (moved === 0) return 0;
  let mask = moved;
  let others = allOnes(size);
  for (const { register, shift } of reached?.registers() ?? []) {
    others &= ~shifted(2 ** register.width - 1, shift);
    for (const field of register.fields) {
      const bits = shifted(field.mask, shift);
      if ((bits & moved) !== 0) mask |= bits;
    }
  }
  return (others & moved) === 0 ? mask : mask | others;
}
