import type { CaseResult } from '../report/events.ts';
import { isBad } from '../report/marks.ts';

/** Cases of a run that have a second run: each takes a machine of its own, and nobody reads the traces of hundreds. */
export const MAX_SECOND_RUNS = 20;

/** A case that did not pass after so many others: what its first run has left is all there is. */
export function withoutSecondRun(result: CaseResult): CaseResult {
  const note = `it had no second run for the trace, as ${MAX_SECOND_RUNS} other cases of this run had one: select it with -t`;
  return { ...result, notes: [...result.notes, note] };
}

/**
 * A case that did not pass, with the trace of a second run of it: the same seed on a machine of its own, so that what takes time is paid for
 * by those that fail alone. A run that does not fail again says nothing of the failure, and is told to be so.
 */
export async function withSecondRun(result: CaseResult, runTraced: () => Promise<CaseResult>): Promise<CaseResult> {
  const second = await runTraced();
  const trace = isBad(second) ? second.trace : (result.trace ?? second.trace);
  const note = differenceOf(result, second);
  return {
    ...result,
    // A VCPU that was killed cannot tell what it logged; and the trace knows the order of what several did.
    log: result.log.length > 0 ? result.log : second.log,
    accesses: isBad(second) && result.vcpus > 1 ? second.accesses : result.accesses,
    notes: note === undefined ? result.notes : [...result.notes, note],
    ...(trace !== undefined && { trace }),
  };
}

function differenceOf(first: CaseResult, second: CaseResult): string | undefined {
  if (!isBad(second))
    return `its second run, for the trace, ${second.status === 'skip' ? `was skipped: ${second.reason}` : 'passed'}: what it depends on is not the machine alone`;
  const [was, is] = [first, second].map(({ failures: [failure] }) => failure?.message);
  return was === is ? undefined : `its second run, for the trace, failed otherwise: ${is ?? second.status}`;
}
