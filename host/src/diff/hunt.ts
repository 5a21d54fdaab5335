import { setImmediate } from 'node:timers/promises';
import { Random } from '@qtest/sdk/support';
import { Decoder } from '../trace/decode.ts';
import type { BoundMachine, Registry } from '@qtest/machine';
import { ALSO, lookAt, lowestIrq, reachedBy, type Access } from './access.ts';
import type { Comparison, Counts, Difference } from './compare.ts';
import type { Generator } from './generate.ts';
import { Sequence } from './sequence.ts';
import { shrink } from './shrink.ts';

/** Accesses of one sequence, from power-on: longer ones reach more, and are shrunk more slowly. */
const EPISODE = 50_000;
/** How many more than were asked for a batch may have. */
const SLACK = 1000;

/** How often a difference must show again. A QEMU in real time may differ by chance. */
const SHOWS = 3;

/** Sequences that are tried to shrink one; where QEMU hangs, each takes as long as it is waited for. */
const TRIES = { usual: 400, hangs: 80 } as const;

/** Accesses between two looks at the answers: on machines of the host, to begin a batch costs as much as a thousand accesses. */
const BATCH = { realtime: 10_000, virtual: EPISODE } as const;

export interface HuntOptions {
  readonly comparison: Comparison;
  readonly generator: Generator;
  readonly bound: BoundMachine;
  readonly registry: Registry;
  readonly seed: number;
  /** Accesses to make. */
  readonly count: number;
  readonly signal: AbortSignal;
}

/** A sequence whose last access is answered differently. */
export interface Found {
  readonly accesses: readonly Access[];
  readonly answers: Difference['answers'];
  /** The second one gave no answer at all: why. */
  readonly failure: string | undefined;
  /** Length of the sequence in which it was found. */
  readonly before: number;
  /** Sequences that were tried to shrink it. */
  readonly tries: number;
}

export interface Hunted {
  readonly found: Found | undefined;
  /** Differences that did not show a second time: what time moves, and no pace has shown. */
  readonly unsteady: number;
  /** What was compared to find it; the rest is shrinking. */
  readonly counts: Counts;
  /** Seconds that this took, without the starts of QEMUs. */
  readonly seconds: number;
}

/** Compares sequence after sequence, until one shows a difference that shows again. */
export async function hunt(options: HuntOptions): Promise<Hunted> {
  const { comparison, generator, seed, count, signal } = options;
  let unsteady = 0;
  let spent = 0;
  for (let episode = 0, done = 0; done < count && !signal.aborted; episode++) {
    const length = Math.min(EPISODE, count - done);
    const random = new Random((seed + Math.imul(episode, 0x9e37_79b9)) >>> 0);
    await comparison.begin();
    const began = performance.now();
    const batches: Sequence[] = [];
    let difference: Difference | undefined;
    let made = 0;
    while (difference === undefined && made < length && !signal.aborted) {
      const most = Math.min(comparison.realtime ? BATCH.realtime : BATCH.virtual, length - made);
      const batch = new Sequence(most + SLACK);
      if (batches.length === 0) generator.begin(batch);
      generator.next(random, batch, most);
      made += most;
      batches.push(batch);
      difference = await comparison.next(batch);
      // One at least, though all have been left out: each would have reset the machine.
      done += Math.max(1, batch.length);
      await setImmediate();
    }
    spent += performance.now() - began;
    if (difference === undefined) continue;
    const shown = batches.flatMap((batch) => batch.toArray()).slice(0, difference.index + 1);
    const counts = { ...comparison.counts };
    const found = await confirm(options, shown, difference);
    if (found !== undefined) return { found, unsteady, counts, seconds: spent / 1000 };
    // What the confirmation has compared is none of the sequences'.
    Object.assign(comparison.counts, counts);
    if (!signal.aborted) unsteady++;
  }
  return { found: undefined, unsteady, counts: { ...comparison.counts }, seconds: spent / 1000 };
}

/** What a sequence is to show. */
interface Wanted {
  /** The rival fails. */
  readonly fails: boolean;
  /** What the access that is answered differently reached. */
  readonly reached: string;
}

/** Shrinks a difference that shows again, and again when it has been shrunk. */
async function confirm(
  options: HuntOptions,
  sequence: readonly Access[],
  { failure, isSilence, answers, reached }: Difference,
): Promise<Found | undefined> {
  const { comparison, generator, signal, bound, registry } = options;
  const shown = ofOneIrq(sequence, answers);
  const wanted = { fails: failure !== undefined, reached };
  const test = async (candidate: readonly Access[]): Promise<readonly Access[] | undefined> =>
    await showsAgain(options, candidate, wanted);
  const steady = async (accesses: readonly Access[]): Promise<boolean> => {
    for (let n = 0; n < (!wanted.fails && comparison.realtime ? SHOWS : 1); n++)
      if ((await test(accesses)) === undefined) return false;
    return true;
  };
  if (!(await steady(shown))) return undefined;
  const decoder = new Decoder(bound, registry);
  const { accesses, tries } = await shrink(
    shown,
    {
      head: Math.min(generator.setupLength, shown.length - 1),
      owners: shown.map((access) => reachedBy(decoder, access)?.device),
      keepsLast: !wanted.fails,
      tries: isSilence === true ? TRIES.hangs : TRIES.usual,
    },
    test,
  );
  if (signal.aborted || !(await steady(accesses))) return undefined;
  const { difference: last } = await comparison.replay(accesses);
  if (last === undefined) return undefined;
  return { accesses, answers: last.answers, failure: last.failure, before: shown.length, tries };
}

/** Without the looks at the IRQs, which change nothing; a last one is at the lowest IRQ that differs. */
function ofOneIrq(accesses: readonly Access[], [ours, theirs]: Difference['answers']): readonly Access[] {
  const others = accesses.filter(({ op }) => op !== ALSO.IRQS);
  return accesses.at(-1)?.op === ALSO.IRQS ? [...others, lookAt(1 << lowestIrq(ours ^ theirs))] : others;
}

/**
 * Makes a sequence anew; gives it up to the access that is answered differently, if that is the one that is wanted, or all of it, if the
 * rival is to fail of it.
 */
async function showsAgain(
  options: HuntOptions,
  candidate: readonly Access[],
  { fails, reached }: Wanted,
): Promise<readonly Access[] | undefined> {
  const { comparison, signal } = options;
  if (signal.aborted) return undefined;
  const { made, difference } = await comparison.replay(candidate);
  if (difference === undefined || (difference.failure !== undefined) !== fails) return undefined;
  if (fails) return made;
  return difference.reached === reached ? ofOneIrq(made.slice(0, difference.index + 1), difference.answers) : undefined;
}
