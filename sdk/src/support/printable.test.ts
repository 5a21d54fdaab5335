import fc from 'fast-check';
import { expect, test } from 'vitest';

import { markdownText, onOneLine, printable, printableJson, withoutCommands } from './printable.ts';

/** Text of characters that do something, and of a few that do not. */
const nasty = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\u001b', '\r', '\n', '\0', '\u009b', '\u202e', '\u2069', '\u2028', '\ud800', '\udc00', '\ufeff'),
    fc.constantFrom(':', '#', '[', ']', ' ', '\u00a0', '\u200d', '\u200c', '\ufe0f', '\u{e0041}', '|', '<', '`'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test.each([
  ['\u001b]52;c;aGk=\u0007\u001b[2J', String.raw`\x1b]52;c;aGk=\x07\x1b[2J`],
  ['a\rb\0\u007f\u009b31m', String.raw`a\x0db\x00\x7f\x9b31m`],
  ['\u202eoverride\u2069\u2028\u2029\u200e\ufeff', String.raw`\u202eoverride\u2069\u2028\u2029\u200e\ufeff`],
  ['\ud800 \udfff 😀 👩‍🚀 \u{e0001}', String.raw`\ud800 \udfff 😀 👩‍🚀 \u{e0001}`],
  ['tabs\tand\nlines, ÄÖÜ → 日本', 'tabs\tand\nlines, ÄÖÜ → 日本'],
])('what is hidden is seen: %#', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('nothing is hidden in what is printable, but tabs, ends of lines and joiners', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      expect(printable(text).replaceAll(/[\t\n\u200c\u200d]/g, '')).not.toMatch(HIDDEN);
      expect(onOneLine(text)).not.toContain('\n');
      expect(printable(printable(text))).toBe(printable(text));
    }),
  );
});

test('JSON stays what it says', () => {
  fc.assert(
    fc.property(nasty, fc.constantFrom(undefined, 2), (text, indent) => {
      const json = printableJson(JSON.stringify({ [text]: [text] }, undefined, indent));
      expect(JSON.parse(json)).toEqual({ [text]: [text] });
      expect(json.replaceAll(/[\n\u200c\u200d]/g, '')).not.toMatch(HIDDEN);
      expect(withoutCommands(json)).toBe(json);
    }),
  );
});

/** As the runner reads a line: characters without weight are not there. */
function isCommand(line: string): boolean {
  const weighed = line.trimStart().replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
  return weighed.trimStart().startsWith('::') || weighed.includes('##[');
}

test.each([
  '::error::x',
  '  ::stop-commands::t',
  '\u00a0\u200d:\ufe0f:error::',
  'a\n::x',
  'a ##[group]',
  '#\u200d#[error]',
])('no line is a command: %#', (text) => {
  expect(text.split('\n').some(isCommand)).toBe(true);
  expect(withoutCommands(text).split('\n').some(isCommand)).toBe(false);
});

test('no line of any text is a command', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      expect(withoutCommands(printable(text)).split('\n').some(isCommand)).toBe(false);
    }),
  );
});

test('what is no command stays, and so does one that stands elsewhere in its line', () => {
  const text = 'a::b\nstd::vector #[x] ## [y]\n: :z';
  expect(withoutCommands(text)).toBe(text);
});

test('a text of ends of lines takes no time', () => {
  const begun = performance.now();
  withoutCommands(`${'\n'.repeat(200_000)}${' '.repeat(200_000)}${'#'.repeat(200_000)}`);
  expect(performance.now() - begun).toBeLessThan(2000);
});

test('Markdown sees nothing of its own', () => {
  expect(markdownText('# a|b `c` <img src=x>\n[d](e) &amp; *f* ~g~')).toBe(
    '\\# a\\|b \\`c\\` \\<img src=x\\>\\\\n\\[d\\](e) \\&amp; \\*f\\* \\~g\\~',
  );
});
