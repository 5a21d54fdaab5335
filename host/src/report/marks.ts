import type { CaseResult, CaseStatus } from '@qtest/sdk';

/** How each status is shown to a reader: in the tree, as a colour, as one letter, in words. */
export const MARKS = {
  pass: { mark: '✓', colour: 'green', letter: '.', word: 'passed' },
  fail: { mark: '✗', colour: 'red', letter: 'F', word: 'failed' },
  timeout: { mark: '✗', colour: 'red', letter: 'T', word: 'timed out' },
  crash: { mark: '✗', colour: 'red', letter: 'C', word: 'crashed' },
  known: { mark: '≠', colour: 'yellow', letter: 'k', word: 'known to differ' },
  skip: { mark: '↓', colour: 'yellow', letter: 's', word: 'skipped' },
} as const satisfies Record<
  CaseStatus,
  { mark: string; colour: 'green' | 'red' | 'yellow'; letter: string; word: string }
>;

/** In the order in which a reader is told of them. */
export const STATUSES: readonly CaseStatus[] = ['pass', 'fail', 'timeout', 'crash', 'known', 'skip'];

/** Whether a case makes the command fail. */
export function isBad({ status }: { readonly status: CaseStatus }): boolean {
  return status === 'fail' || status === 'timeout' || status === 'crash';
}

/** Whether a case has passed on a retry alone. */
export function isFlaky({ status, retries = 0 }: Pick<CaseResult, 'status' | 'retries'>): boolean {
  return status === 'pass' && retries > 0;
}

/** `on retry 2`, of a case that was run again; with why it did not pass before. */
export function flakyText({ retries = 0, earlier = [] }: Pick<CaseResult, 'retries' | 'earlier'>): string {
  const why = earlier[0]?.message.split('\n', 1)[0];
  return `flaky: passed on retry ${retries}${why === undefined ? '' : `; before: ${why}`}`;
}
