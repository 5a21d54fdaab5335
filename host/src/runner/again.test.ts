import { describe, expect, test } from 'vitest';
import type { CaseResult } from '../report/events.ts';
import { runAgain } from './again.ts';

const result = (status: CaseResult['status'], message?: string): CaseResult => ({
  ...{ plugin: 'p', name: 'c', clock: 'realtime', vcpus: 1, duration: 1, log: [], notes: [], accesses: [] },
  status,
  failures: message === undefined ? [] : [{ name: 'Error', message }],
});

/** Runs that end like these, one after the other. */
function ending(...results: readonly CaseResult[]): Promise<CaseResult> {
  const left = [...results];
  const once = (): Promise<CaseResult> => {
    const next = left.shift();
    return next === undefined ? Promise.reject(new Error('one run too many')) : Promise.resolve(next);
  };
  return runAgain(once, { retries: 2, mayRun: () => true });
}

describe('a case that did not pass is run again', () => {
  test('one that passes then is flaky, and says why it did not before', async () => {
    expect(await ending(result('fail', 'late'), result('pass'))).toMatchObject({
      status: 'pass',
      retries: 1,
      earlier: [{ message: 'late' }],
    });
  });

  test('regression: one that is skipped then has failed all the same', async () => {
    const ended = await ending(result('fail', 'late'), result('skip'), result('skip'));
    expect(ended).toMatchObject({ status: 'fail', retries: 2, failures: [{ message: 'late' }] });
  });

  test('regression: one that is known to differ then says what it did before', async () => {
    const ended = await ending(result('fail', 'it passes'), result('known', 'differs'));
    expect(ended).toMatchObject({
      status: 'known',
      earlier: [{ message: 'it passes' }],
      notes: ['known to differ on retry 1; before: it passes'],
    });
  });
});
