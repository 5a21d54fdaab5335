import { expect, test } from 'vitest';

import { LIMITS } from '@qtest/sdk/support';
import { describeFailure } from './failure.ts';
import { checkedOutcome } from './outcome.ts';
import { failedOutcome } from './task.ts';

const good = failedOutcome(describeFailure(new Error('x'.repeat(1_000_000)), '/'));
const [failure] = good.failures;

test("what the VCPU's thread makes is taken", () => {
  expect(checkedOutcome(structuredClone(good))).toEqual(good);
  const value = { ...good, status: 'pass', failures: [], value: new Uint8Array(3) };
  expect(checkedOutcome(structuredClone(value))).toEqual(value);
});

test('a value beyond the limits is cut by the host as well', () => {
  const { notes, value } = checkedOutcome({ ...good, value: 'x'.repeat(2 * LIMITS.valueSize) });
  expect(value).toHaveLength(LIMITS.valueSize);
  expect(notes).toEqual([expect.stringMatching(/^what it returned is cut/)]);
});

test.each<[string, unknown]>([
  ['nothing', null],
  ['a text', 'pass'],
  ['no status', { ...good, status: 'passed' }],
  ['a failure that is none', { ...good, failures: [{ name: 'Error' }] }],
  ['too many failures', { ...good, failures: Array.from({ length: 100 }, () => failure) }],
  ['a message that is too long', { ...good, failures: [{ ...failure, message: 'x'.repeat(1_000_000) }] }],
  ['a place that is none', { ...good, failures: [{ ...failure, location: { file: 1, line: 1, column: 1 } }] }],
  ["another VCPU's failure", { ...good, failures: [{ ...failure, vcpu: 7 }] }],
  ['a log that is none', { ...good, log: [1] }],
  ['a log that is too long', { ...good, log: Array.from({ length: 100_000 }, () => 'x') }],
  ['a log of too much', { ...good, log: Array.from({ length: 5000 }, () => 'x'.repeat(10_000)) }],
  ['notes', { ...good, notes: Array.from({ length: 1000 }, () => 'x') }],
  ['a reason', { ...good, reason: 1 }],
])("what is not the host's own is refused: %s", (_, outcome) => {
  expect(() => checkedOutcome(outcome)).toThrow(/^the VCPU's thread gave /);
});
