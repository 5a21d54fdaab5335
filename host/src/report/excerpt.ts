import type { Failure } from './events.ts';
import type { Style } from './style.ts';

/** Columns up to which there is a caret: those of a line that is kept. */
const MAX_WIDTH = 160;

/** The lines of source around the place of a failure, with a caret below it. */
export function excerpt({ location, excerpt: source }: Failure, style: Style): string[] {
  if (location === undefined || source === undefined) return [];
  const { line, column } = location;
  const { first, lines } = source;
  const gutter = String(first + lines.length - 1).length;
  return lines.flatMap((text, index) => {
    const number = first + index;
    const row = `${String(number).padStart(gutter)} | ${text}`.trimEnd();
    if (number !== line) return [style('dim', `  ${row}`)];
    if (column > MAX_WIDTH) return [`${style('red', '>')} ${row}`];
    // Tabs are kept before the caret, so that it stands below its column whatever their width.
    const before = text.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, ' ');
    return [`${style('red', '>')} ${row}`, style('red', `  ${' '.repeat(gutter)} | ${before}^`)];
  });
}
