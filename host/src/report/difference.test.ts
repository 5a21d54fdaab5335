import { expect, test } from 'vitest';

import { difference } from './difference.ts';
import type { Style } from './style.ts';

const plain: Style = (_format, text) => text;

test('a line each', () => {
  expect(difference('0x26 (38)', '0x27 (39)', plain)).toEqual(['expected  0x27 (39)', 'actual    0x26 (38)']);
});

test('several lines, with what is the same left out', () => {
  const lines = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);
  const expected = [...lines(1, 20), 'B', ...lines(21, 40)].join('\n');
  const actual = [...lines(1, 20), 'A', ...lines(21, 40)].join('\n');
  expect(difference(actual, expected, plain)).toEqual([
    '- expected',
    '+ actual',
    '',
    '  … 17 lines the same',
    '  line 18',
    '  line 19',
    '  line 20',
    '- B',
    '+ A',
    '  line 21',
    '  line 22',
    '  line 23',
    '  … 17 lines the same',
  ]);
});

test('a line against several', () => {
  expect(difference('{}', '{\n  a: 1\n}', plain)).toEqual([
    '- expected',
    '+ actual',
    '',
    '- {',
    '-   a: 1',
    '- }',
    '+ {}',
  ]);
});

test('of what is large and has little in common a part, in a bounded time', () => {
  const side = (name: string): string => Array.from({ length: 200_000 }, (_, n) => `${name} ${n}`).join('\n');
  const start = performance.now();
  const lines = difference(side('a'), side('b'), plain);
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(lines.slice(0, 4)).toEqual(['- expected', '+ actual', '', '- b 0']);
  expect(lines).toContain('+ a 0');
  expect(lines.filter((line) => line.includes('199750 more lines'))).toHaveLength(2);
});

test('of many changes the first', () => {
  const side = (name: string): string => Array.from({ length: 800 }, (_, n) => (n % 2 ? n : `${name} ${n}`)).join('\n');
  const lines = difference(side('a'), side('b'), plain);
  expect(lines).toHaveLength(1001);
  expect(lines.at(-1)).toBe('… 203 more lines');
});
