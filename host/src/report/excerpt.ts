import { readFileSync } from 'node:fs';

import { codeOf } from '@qtest/sdk/support';
import type { SourceLocation } from './events.ts';
import type { Style } from './style.ts';

const LINES_BEFORE = 2;
const LINES_AFTER = 1;

/** Widest source line shown. */
const MAX_WIDTH = 160;

/** The lines of source around a place, with a caret below it; none when the file can't be read any more. */
export function excerpt({ file, line, column }: SourceLocation, style: Style): string[] {
  const source = readSource(file)?.split(/\r?\n/);
  if (source === undefined || line < 1 || line > source.length) return [];
  const first = Math.max(1, line - LINES_BEFORE);
  const shown = source.slice(first - 1, line + LINES_AFTER);
  const gutter = String(first + shown.length - 1).length;
  return shown.flatMap((text, index) => {
    const number = first + index;
    const row = `${String(number).padStart(gutter)} | ${clip(text)}`.trimEnd();
    if (number !== line) return [style('dim', `  ${row}`)];
    // Tabs are kept before the caret, so that it stands below its column whatever their width.
    const before = text.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, ' ');
    const caret = before.length < MAX_WIDTH ? [style('red', `  ${' '.repeat(gutter)} | ${before}^`)] : [];
    return [`${style('red', '>')} ${row}`, ...caret];
  });
}

function clip(text: string): string {
  return text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH - 1)}…` : text;
}

function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // Gone since, or never a file (`node:fs`): the report does without.
    if (codeOf(error) !== undefined) return undefined;
    throw error;
  }
}
