import type { CaseLane } from '../backends/backend.ts';
import type { SelectedCase } from '../report/events.ts';
import { Recording } from '../vcpu/recording.ts';
import { runCase, type CaseOptions } from '../vcpu/run-case.ts';
import type { TraceEntry } from '../vcpu/trace.ts';
import type { Difference } from './matrix.ts';

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
  const same = firstDifference(ours, theirs);
  const before = decoded(reference, ours, same);
  return {
    reference: reference.lane.context.backend,
    other: other.lane.context.backend,
    same,
    before: before.lines,
    ...(before.last !== undefined && { onReference: before.last }),
    ...withOther(decoded(other, theirs, same).last),
  };
}

const withOther = (last: string | undefined): { onOther?: string } => (last === undefined ? {} : { onOther: last });

async function recordingOf({ lane, selected }: Side, options: Omit<CaseOptions, 'record'>): Promise<TraceEntry[]> {
  const record = Recording.buffer();
  await runCase(lane, selected, { ...options, record });
  return new Recording(record).entries();
}

/** How many entries two recordings have in common from the start. */
export function firstDifference(ours: readonly TraceEntry[], theirs: readonly TraceEntry[]): number {
  const least = Math.min(ours.length, theirs.length);
  for (let n = 0; n < least; n++) if (!isSame(ours[n], theirs[n])) return n;
  return least;
}

function isSame(a: TraceEntry | undefined, b: TraceEntry | undefined): boolean {
  return a?.op === b?.op && a?.size === b?.size && a?.address === b?.address && a?.value === b?.value;
}

/** The access at `at`, if there is one, and the last before it. */
function decoded(
  { lane }: Side,
  entries: readonly TraceEntry[],
  at: number,
): { lines: readonly string[]; last: string | undefined } {
  const first = Math.max(0, at - DECODED);
  const lines = lane.decode(entries.slice(first, at + 1));
  const before = lines.slice(0, at - first);
  return { lines: before.slice(-SHOWN), last: lines[at - first] };
}
