import type { CaseLane } from '../runner/backend.ts';
import type { SelectedCase } from '../report/events.ts';
import { Recording } from '../trace/recording.ts';
import { runCase, type CaseOptions } from '../runner/run-case.ts';
import { OP, type TraceEntry } from '@qtest/machine';
import type { Difference, Sides } from './matrix.ts';

/** Accesses shown before a difference. */
const SHOWN = 4;
/** Accesses decoded before it, so that an index written earlier is known. */
const DECODED = 256;

/** One side of a comparison: a case, and a machine to run it on. */
export interface Side {
  readonly lane: CaseLane;
  readonly selected: SelectedCase;
}

/** Runs a case on two machines, and finds the first access that was answered differently, or that only one of them came to make. */
export async function explain(
  reference: Side,
  other: Side,
  options: Omit<CaseOptions, 'record' | 'expect'>,
): Promise<Difference> {
  const ours = await recordingOf(reference, options);
  const theirs = await recordingOf(other, options);
  const { same, last } = compare(ours, theirs);
  const sides = (at: number): Sides => sidesOf(decoded(reference, ours, at).at(-1), decoded(other, theirs, at).at(-1));
  return {
    reference: reference.lane.context.backend,
    other: other.lane.context.backend,
    same,
    before: decoded(reference, ours, same - 1).slice(-SHOWN),
    ...sides(same),
    ...(last !== undefined && { last: sides(last) }),
  };
}

function sidesOf(onReference: string | undefined, onOther: string | undefined): Sides {
  return { ...(onReference !== undefined && { onReference }), ...(onOther !== undefined && { onOther }) };
}

async function recordingOf({ lane, selected }: Side, options: Omit<CaseOptions, 'record'>): Promise<TraceEntry[]> {
  const record = Recording.buffer();
  await runCase(lane, selected, { ...options, record });
  return new Recording(record).entries();
}

/**
 * How many entries two recordings have in common from the start. And, if the sides go on with the same accesses after another answer, the
 * last one that was answered differently.
 */
export function compare(
  ours: readonly TraceEntry[],
  theirs: readonly TraceEntry[],
): { readonly same: number; readonly last?: number } {
  const least = Math.min(ours.length, theirs.length);
  let same: number | undefined;
  let last: number | undefined;
  for (let n = 0; n < least; n++) {
    const [a, b] = [ours[n], theirs[n]];
    const isAlike = a?.op === b?.op && a?.size === b?.size && a?.address === b?.address;
    if (isAlike && a?.value === b?.value) continue;
    if (!isAlike || !READS.has(a?.op ?? 0)) return { same: same ?? n, ...(last !== undefined && { last }) };
    if (same === undefined) same = n;
    else last = n;
  }
  return { same: same ?? least, ...(last !== undefined && { last }) };
}

const READS = new Set<number>([OP.IN, OP.READ, OP.READ_BLOCK]);

/** The last accesses up to the one at `at`, which is the last line; none when there is no such access. */
function decoded({ lane }: Side, entries: readonly TraceEntry[], at: number): readonly string[] {
  return at < entries.length ? lane.decode(entries.slice(Math.max(0, at - DECODED), at + 1)) : [];
}
