import { coverageOfRuns } from '../coverage/merge.ts';
import type { CaseResult } from '../report/events.ts';
import { isBad } from '../report/marks.ts';

export interface AgainOptions {
  readonly retries?: number | undefined;
  readonly repeat?: number | undefined;
  /** Whether another run can be had. */
  readonly mayRun: () => boolean;
}

/**
 * Runs a case as often as `--repeat` and `--retries` say: until it does not pass, or until it does. Each is a run of the case as it would be
 * by itself, with the hooks and the time-out of one. Gives the last, with the time of all.
 */
export async function runAgain(
  once: () => Promise<CaseResult>,
  { retries = 0, repeat = 1, mayRun }: AgainOptions,
): Promise<CaseResult> {
  const all: CaseResult[] = [];
  const run = async (): Promise<CaseResult> => {
    const ended = await once();
    all.push(ended);
    return ended;
  };
  let result = await run();
  let runs = 1;
  for (; runs < repeat && result.status === 'pass' && mayRun(); runs++) {
    result = await run();
  }
  const first = result;
  let retried = 0;
  for (; retried < retries && isBad(result) && mayRun(); retried++) {
    const next = await run();
    // To be skipped shows nothing of the failure before.
    if (next.status !== 'skip') result = next;
  }
  const coverage = coverageOfRuns(all);
  return {
    ...result,
    duration: all.reduce((sum, { duration }) => sum + duration, 0),
    ...(coverage && { coverage }),
    ...(repeat > 1 && result.status !== 'skip' && { runs }),
    ...(retried > 0 && { retries: retried }),
    ...(retried > 0 && !isBad(result) && { earlier: earlierOf(first) }),
    ...(retried > 0 && result.status === 'known' && { notes: [...result.notes, knownNote(first, retried)] }),
  };
}

/** One that is known to differ is not flaky, but it has done otherwise before. */
function knownNote(first: CaseResult, retried: number): string {
  return `known to differ on retry ${retried}; before: ${earlierOf(first)[0]?.message}`;
}

/** A crash or a time-out may have no failure of its own. */
function earlierOf({ failures, status }: CaseResult): CaseResult['failures'] {
  return failures.length > 0 ? failures : [{ name: 'Error', message: status }];
}
