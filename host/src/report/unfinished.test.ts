import type { ReportEvent } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { EventReporter } from './broadcast.ts';
import type { CaseResult, SelectedCase } from './events.ts';
import { Unfinished } from './unfinished.ts';

const selected = (name: string): SelectedCase => ({ plugin: 'lamp', name, clock: 'virtual', vcpus: 1 });
const passed = (name: string): CaseResult => ({
  ...selected(name),
  status: 'pass',
  duration: 1,
  log: [],
  failures: [],
  accesses: [],
  notes: [],
});

function halfway(): { events: ReportEvent[]; run: Unfinished } {
  const events: ReportEvent[] = [];
  const run = new Unfinished(new EventReporter((event) => void events.push(event)));
  run.runStart(['a', 'b', 'c'].map(selected));
  run.caseStart(selected('a'));
  run.caseEnd(passed('a'));
  run.caseStart(selected('b'));
  return { events, run };
}

test('a run that cannot go on: each case is accounted for once, and the totals add up', () => {
  const { events, run } = halfway();
  run.close('it hangs', false);
  run.close('it hangs', false);
  const ends = events.flatMap((event) => (event.type === 'caseEnd' ? [event.result] : []));
  expect(ends.map(({ name, status }) => [name, status])).toEqual([
    ['a', 'pass'],
    ['b', 'crash'],
    ['c', 'skip'],
  ]);
  expect(ends[1]?.failures[0]?.message).toBe('it hangs');
  expect(ends[2]?.reason).toBe('not run: it hangs');
  const done = events.filter((event) => event.type === 'done');
  expect(done).toMatchObject([{ summary: { pass: 1, crash: 1, skip: 1 }, interrupted: false, failed: true }]);
});

test('interrupted: none has failed', () => {
  const { events, run } = halfway();
  run.close('interrupted', true);
  expect(events.at(-1)).toMatchObject({ type: 'done', summary: { pass: 1, skip: 2, crash: 0 }, interrupted: true });
});

test('a run that is done has been reported', () => {
  const { events, run } = halfway();
  run.done({ pass: 1, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1 }, { interrupted: false });
  const { length } = events;
  run.close('too late', false);
  expect(events).toHaveLength(length);
});
