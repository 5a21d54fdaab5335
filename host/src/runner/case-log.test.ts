import { expect, test } from 'vitest';

import { LIMITS } from '@qtest/sdk/support';
import { CaseLog } from './case-log.ts';

const logged = (count: number, line: (n: number) => string): CaseLog => {
  const log = new CaseLog();
  for (let n = 0; n < count; n++) log.add(line(n));
  return log;
};

test('all of it while there is room', () => {
  const log = logged(LIMITS.logLines, String);
  expect(log.lines).toHaveLength(LIMITS.logLines);
  expect(log.lines.at(-1)).toBe(String(LIMITS.logLines - 1));
  expect(log.notes).toEqual([]);
});

test('of many lines the first and the last', () => {
  const log = logged(1_000_000, String);
  const half = LIMITS.logLines / 2;
  expect(log.lines).toHaveLength(LIMITS.logLines + 1);
  expect(log.lines.slice(half - 1, half + 2)).toEqual([
    String(half - 1),
    '… 990000 lines left out …',
    String(1_000_000 - half),
  ]);
  expect(log.notes).toEqual([
    expect.stringMatching(/^its log is cut: 990000 lines left out\. A report keeps 10000 lines/),
  ]);
});

test('of much text the first and the last', () => {
  const log = logged(1000, (n) => `${n} ${'x'.repeat(10_000)}`);
  expect(log.lines.join('').length).toBeLessThan(LIMITS.logText + 100);
  expect([log.lines[0], log.lines.at(-1)].map((line) => line?.slice(0, 4))).toEqual(['0 xx', '999 ']);
});

test('a long line is cut', () => {
  const log = logged(1, () => 'x'.repeat(100_000));
  expect(log.lines).toEqual([`${'x'.repeat(LIMITS.logLine)}… (${100_000 - LIMITS.logLine} characters cut)`]);
  expect(log.notes).toEqual(['its log is cut: a line was longer than 16384 characters']);
});
