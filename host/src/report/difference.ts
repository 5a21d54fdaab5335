import { diffLines } from 'diff/lib/diff/line.js';

import { LIMITS } from '@qtest/sdk/support';
import type { Style } from './style.ts';

/** Changes that are looked for: to find so many takes a tenth of a second. Where there are more, the sides stand one after the other. */
const MAX_EDITS = 1000;

/** Unchanged lines shown around a change. */
const CONTEXT = 3;

/** Both sides of a failed comparison: one under the other when each is a line, else as a difference by lines. */
export function difference(actual: string, expected: string, style: Style): string[] {
  if (!actual.includes('\n') && !expected.includes('\n')) {
    return [style('green', `expected  ${expected}`), style('red', `actual    ${actual}`)];
  }
  const lines = [style('green', '- expected'), style('red', '+ actual'), ''];
  const changes = diffLines(`${expected}\n`, `${actual}\n`, { maxEditLength: MAX_EDITS }) ?? [
    { value: head(expected), removed: true, added: false },
    { value: head(actual), removed: false, added: true },
  ];
  for (const [index, { value, added, removed }] of changes.entries()) {
    const text = value.replace(/\n$/, '').split('\n');
    if (added) lines.push(...text.map((line) => style('red', `+ ${line}`)));
    else if (removed) lines.push(...text.map((line) => style('green', `- ${line}`)));
    else lines.push(...context(text, index > 0, index < changes.length - 1).map((line) => style('dim', `  ${line}`)));
  }
  const left = lines.length - LIMITS.differenceLines;
  return left > 0 ? [...lines.slice(0, LIMITS.differenceLines), `… ${left} more lines`] : lines;
}

/** The first lines of a side that has little in common with the other. */
function head(text: string): string {
  const lines = text.split('\n');
  const shown = LIMITS.differenceLines / 4;
  return lines.length <= shown ? text : [...lines.slice(0, shown), `… ${lines.length - shown} more lines`].join('\n');
}

/** Unchanged lines: those near the change before them and near the one after. */
function context(lines: readonly string[], before: boolean, after: boolean): readonly string[] {
  const head = before ? CONTEXT : 0;
  const tail = after ? CONTEXT : 0;
  if (lines.length <= head + tail + 1) return lines;
  const left = lines.length - head - tail;
  return [...lines.slice(0, head), `… ${left} lines the same`, ...lines.slice(lines.length - tail)];
}
