import { isQtestError, type Register } from '@qtest/sdk';
import type { Registry } from '../machine/bound-machine.ts';
import { Decoder } from '../vcpu/decode.ts';
import { OP } from '../vcpu/trace.ts';
import { allOnes, isRead, type Access } from './access.ts';
import type { Ignored } from './ignored.ts';
import type { NativeSide } from './native-side.ts';
import type { Rival } from './rival.ts';

/** An access that two machines answer differently. */
export interface Difference {
  /** Index in the sequence. */
  readonly index: number;
  readonly answers: readonly [number, number];
  /** Why the rival gave none at all: it has died of the sequence, or hangs. */
  readonly failure?: string;
}

/** Of the answers that were compared. */
export interface Counts {
  accesses: number;
  /** Answers, that is reads. */
  answers: number;
  /** Answers of which some bits, or all, were not compared, because time moves them. */
  moved: number;
  /** Answers that differ in what `--ignore` names, or in that QEMU's memory reads as 0 where nothing is. */
  ignored: number;
}

/** How fast time passes on the machines that show what it moves, over how fast it passes on the rival. */
const PACES = [0.6, 1, 1.7, 40, 5000] as const;

/** Up to this pace, time moves before one access in so many: it is the faster ones that show what comes from one access to the next. */
const SLOW = 2;
const STEP = 4;

export interface ComparisonOptions {
  readonly first: NativeSide;
  readonly rival: Rival;
  /** Machines like the first one, as many as there are paces, when the rival's time goes on by itself. */
  readonly paced: readonly NativeSide[];
  readonly registry: Registry;
  readonly ignored: Ignored;
}

/**
 * Two machines that make the same accesses. The time of the first one stands still, or moves by the sequence's steps. Where that of the
 * rival goes on by itself, there are more machines like the first one, whose time goes on at several paces: a field in which one of these
 * differs from the first one is moved by time, and is not compared.
 */
export class Comparison {
  static readonly PACES = PACES;
  readonly counts: Counts = { accesses: 0, answers: 0, moved: 0, ignored: 0 };
  readonly #options: ComparisonOptions;
  readonly #paced: { readonly side: NativeSide; readonly pace: number; lost: boolean }[];
  #decoder: Decoder;
  #done = 0;
  /** Of the first machine, of the rival, and of each of those whose time goes on. */
  #answers: readonly [Uint32Array, Uint32Array, Uint32Array];
  #moved: Uint32Array;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#answers = [new Uint32Array(0), new Uint32Array(0), new Uint32Array(0)];
    this.#moved = new Uint32Array(0);
    this.#paced = options.paced.map((side, n) => ({ side, pace: PACES[n] ?? 1, lost: false }));
    this.#decoder = this.#newDecoder();
  }

  /** The rival's time goes on by itself. */
  get realtime(): boolean {
    return this.#options.rival.realtime;
  }

  /** All machines as at their power-on. */
  async begin(): Promise<void> {
    this.#options.first.renew();
    for (const paced of this.#paced) {
      paced.side.renew();
      paced.lost = false;
    }
    this.#decoder = this.#newDecoder();
    this.#done = 0;
    await this.#options.rival.begin();
  }

  /**
   * Makes the next accesses on all machines, but for those that reset the first one.
   * @returns those that were made, and the first difference; its index counts from `begin()`.
   */
  async next(accesses: readonly Access[]): Promise<{ made: readonly Access[]; difference: Difference | undefined }> {
    const { first, rival } = this.#options;
    if (this.#moved.length < accesses.length) {
      const room = (): Uint32Array => new Uint32Array(accesses.length);
      this.#answers = [room(), room(), room()];
      this.#moved = room();
    }
    const [ours, theirs] = this.#answers;
    const made = first.runWithoutResets(accesses, ours);
    const from = rival.elapsed();
    const failure = await failureOf(rival.run(made, theirs));
    if (failure !== undefined) {
      const index = this.#done + made.length - 1;
      return { made, difference: { index, answers: [ours[made.length - 1] ?? 0, 0], failure } };
    }
    if (rival.realtime) this.#findMoved(made, from, rival.elapsed());
    const found = this.#compare(made);
    const start = this.#done;
    this.#done += made.length;
    if (found === undefined) return { made, difference: undefined };
    return { made, difference: { index: start + found, answers: [ours[found] ?? 0, theirs[found] ?? 0] } };
  }

  /** Makes a whole sequence anew; gives the first difference. */
  async replay(accesses: readonly Access[]): Promise<{ made: readonly Access[]; difference: Difference | undefined }> {
    await this.begin();
    return await this.next(accesses);
  }

  async end(): Promise<void> {
    await this.#options.rival.end();
  }

  #newDecoder(): Decoder {
    return new Decoder(this.#options.first.bound, this.#options.registry);
  }

  #findMoved(accesses: readonly Access[], from: bigint, to: bigint): void {
    const [ours, , paced] = this.#answers;
    const moved = this.#moved;
    moved.fill(0);
    const began = Number(from);
    const each = Number(to - from) / Math.max(1, accesses.length);
    for (const one of this.#paced) {
      if (one.lost) continue;
      let now = 0n;
      const reset = one.side.run(accesses, paced, (index) => {
        if (one.pace > SLOW || index % STEP === 0) now = BigInt(Math.round(one.pace * (began + index * each)));
        return now;
      });
      // From there on it is another machine: a watchdog has bitten.
      if (reset !== undefined) one.lost = true;
      const end = reset ?? accesses.length;
      for (let i = 0; i < end; i++) moved[i] = (moved[i] ?? 0) | ((ours[i] ?? 0) ^ (paced[i] ?? 0));
    }
  }

  /** Index of the first access whose answers differ. */
  #compare(accesses: readonly Access[]): number | undefined {
    const [ours, theirs] = this.#answers;
    const { rival, first, ignored } = this.#options;
    const decodes = rival.realtime || !ignored.isEmpty;
    for (let i = 0; i < accesses.length; i++) {
      const access = accesses[i];
      if (access === undefined) break;
      this.counts.accesses++;
      const reached = decodes ? this.#decoder.next(access) : undefined;
      if (!isRead(access)) continue;
      this.counts.answers++;
      let wanted = allOnes(access.size);
      if (rival.realtime && this.#moved[i] !== 0) {
        this.counts.moved++;
        wanted = (wanted & ~fieldsOf(reached?.register, this.#moved[i] ?? 0)) >>> 0;
      }
      if ((((ours[i] ?? 0) ^ (theirs[i] ?? 0)) & wanted) === 0) continue;
      if ((((ours[i] ?? 0) ^ (theirs[i] ?? 0)) & wanted & ~ignored.mask(reached)) === 0) {
        this.counts.ignored++;
        continue;
      }
      // QEMU, system/memory.c, unassigned_mem_read: memory where nothing is reads as 0.
      if (access.op === OP.READ && first.nothing[i] === 1 && theirs[i] === 0) {
        this.counts.ignored++;
        continue;
      }
      return i;
    }
    return undefined;
  }
}

/** What an emulator failed of. */
async function failureOf(running: Promise<void>): Promise<string | undefined> {
  try {
    await running;
    return undefined;
  } catch (error) {
    if (isQtestError(error) && error.code === 'QEMU') return error.message;
    throw error;
  }
}

/** The fields of which some bits are moved by time; all of what is no register. */
function fieldsOf(register: Register | undefined, moved: number): number {
  if (register === undefined) return 0xffff_ffff;
  let mask = moved;
  for (const field of register.fields) if ((field.mask & moved) !== 0) mask |= field.mask;
  return mask;
}
