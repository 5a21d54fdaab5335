import { diffLines } from 'diff/lib/diff/line.js';

import type { Style } from './style.ts';

/** Unchanged lines shown around a change. */
const CONTEXT = 3;

/** Lines that may differ. To find the fewest changes between texts that have nothing in common takes the square of their length. */
const MAX_CHANGES = 1000;

/** Lines shown of each side where more differ. */
const SHOWN = 20;

/** Both sides of a failed comparison: one under the other when each is a line, else as a difference by lines. */
export function difference(actual: string, expected: string, style: Style): string[] {
  if (!actual.includes('\n') && !expected.includes('\n')) {
    return [style('green', `expected  ${expected}`), style('red', `actual    ${actual}`)];
  }
  const lines = [style('green', '- expected'), style('red', '+ actual'), ''];
  const changes = diffLines(`${expected}\n`, `${actual}\n`, { maxEditLength: MAX_CHANGES });
  if (changes === undefined) {
    return [
      ...lines,
      ...first(expected).map((line) => style('green', `- ${line}`)),
      ...first(actual).map((line) => style('red', `+ ${line}`)),
    ];
  }
  for (const [index, { value, added, removed }] of changes.entries()) {
    const text = value.replace(/\n$/, '').split('\n');
    if (added) lines.push(...text.map((line) => style('red', `+ ${line}`)));
    else if (removed) lines.push(...text.map((line) => style('green', `- ${line}`)));
    else lines.push(...context(text, index > 0, index < changes.length - 1).map((line) => style('dim', `  ${line}`)));
  }
  return lines;
}

/** Unchanged lines: those near the change before them and near the one after. */
function context(lines: readonly string[], before: boolean, after: boolean): readonly string[] {
  const head = before ? CONTEXT : 0;
  const tail = after ? CONTEXT : 0;
  if (lines.length <= head + tail + 1) return lines;
  const left = lines.length - head - tail;
  return [...lines.slice(0, head), `… ${left} lines the same`, ...lines.slice(lines.length - tail)];
}

function first(text: string): string[] {
  const lines = text.split('\n');
  return lines.length <= SHOWN ? lines : [...lines.slice(0, SHOWN), `… ${lines.length - SHOWN} lines more`];
}
