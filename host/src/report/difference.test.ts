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

test('of texts that have nothing in common, the beginnings', () => {
  const [one, other] = ['a', 'b'].map((letter) => Array.from({ length: 50_000 }, (_, n) => `${letter}${n}`).join('\n'));
  const begun = performance.now();
  const lines = difference(one ?? '', other ?? '', plain);
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(lines).toHaveLength(3 + 2 * 21);
  expect(lines.slice(21, 25)).toEqual(['- b18', '- b19', '- … 49980 lines more', '+ a0']);
});
