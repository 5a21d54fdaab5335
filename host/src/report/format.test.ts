import { expect, test } from 'vitest';

import { count, formatDuration, shellQuote } from './format.ts';

test('durations', () => {
  const shown = [0, 0.34, 9.96, 12.4, 999.4, 999.6, 1250, 59_990, 59_999, 125_400].map(formatDuration);
  expect(shown).toEqual([
    '0 ms',
    '0.3 ms',
    '10 ms',
    '12 ms',
    '999 ms',
    '1 s',
    '1.25 s',
    '59.99 s',
    '1 min 0 s',
    '2 min 5 s',
  ]);
});

test('counts', () => {
  expect([count(0, 'case'), count(1, 'case'), count(2, 'case')]).toEqual(['0 cases', '1 case', '2 cases']);
});

test('arguments for a shell', () => {
  expect(shellQuote('periodic/drift')).toBe('periodic/drift');
  expect(shellQuote('rate 2*')).toBe("'rate 2*'");
  expect(shellQuote("it's")).toBe(`'it'\\''s'`);
  expect(shellQuote('')).toBe("''");
});
