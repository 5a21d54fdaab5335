import { describe, expect, test } from 'vitest';

import { matcher } from './patterns.ts';

const NAMES = [
  'alarm/hour',
  'alarm/wildcard/hour',
  'alarm/wildcard/minute',
  'alarming',
  'periodic/drift',
  'periodic/rate/2',
  'rate [slow]',
];

const selected = async (...patterns: readonly string[]): Promise<readonly string[]> => {
  const match = await matcher(patterns, NAMES);
  return NAMES.filter((name) => match.test(name));
};

describe('what a pattern selects', () => {
  test.each([
    [[], NAMES],
    [['periodic/drift'], ['periodic/drift']],
    [['alarm'], ['alarm/hour', 'alarm/wildcard/hour', 'alarm/wildcard/minute']],
    [['alarm/wildcard/'], ['alarm/wildcard/hour', 'alarm/wildcard/minute']],
    [['periodic/*'], ['periodic/drift', 'periodic/rate/2']],
    [['alarm/**'], ['alarm/hour', 'alarm/wildcard/hour', 'alarm/wildcard/minute']],
    [['*'], NAMES],
    [['*hour'], ['alarm/hour', 'alarm/wildcard/hour']],
    [['*rat*'], ['periodic/rate/2', 'rate [slow]']],
    [['periodic/rate/[0-9]'], ['periodic/rate/2']],
    [['periodic/rate/?'], ['periodic/rate/2']],
    [['{alarm,periodic}/{hour,drift}'], ['alarm/hour', 'periodic/drift']],
    [['rate [slow]'], ['rate [slow]']],
    [
      ['alarm', 'periodic/drift'],
      ['alarm/hour', 'alarm/wildcard/hour', 'alarm/wildcard/minute', 'periodic/drift'],
    ],
    [['!alarm'], ['alarming', 'periodic/drift', 'periodic/rate/2', 'rate [slow]']],
    [['alarm', '!*/wildcard/*'], ['alarm/hour']],
    [['hour'], []],
    [[''], []],
    [['('], []],
  ])('%j', async (patterns, names) => {
    expect(await selected(...patterns)).toEqual(names);
  });
});

test('patterns that match nothing are told', async () => {
  expect((await matcher(['alarm', 'nope', '!nope*'], NAMES)).unmatched).toEqual(['nope', '!nope*']);
});
