import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

import { printable, withoutCommands } from '@qtest/sdk/support';

type Format = Parameters<typeof styleText>[0];

/** Colours text, or leaves it alone when its stream shows none. What it gives is for {@link print}. */
export type Style = (format: Format, text: string) => string;

/** Where a report goes. */
export type Output = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** For a report that is written at its end: takes what a reader is to find of it when the end never comes. */
  draft?(text: string): void;
};

/** Stands for the escape character of our own colours until they are printed. No text knows it, so none has colours. */
const ESCAPE = `\ufdd0${Math.random().toString(36).slice(2)}\ufdd1`;

/** The style of a stream: colours by `NO_COLOR` and `FORCE_COLOR`, else on a terminal that has them. */
export function styleFor(stream: Output): Style {
  // Asked of Node only where the answer is not plain: it loads what it knows of terminals, 3 ms.
  const mayBe = stream.isTTY === true || process.env['FORCE_COLOR'] !== undefined;
  const coloured = mayBe && styleText('red', '-', { stream }) !== '-';
  return coloured ? coloursOf : (_format, text) => text;
}

function coloursOf(format: Format, text: string): string {
  const [before = '', after = ''] = styleText(format, '-', { validateStream: false })
    .replaceAll('\u001b', ESCAPE)
    .split('-');
  return before + text + after;
}

/** Writes text for a reader, whoever it is from: nothing in it but our own colours does anything to a terminal, or to the runner of GitHub Actions. */
export function print(output: Writable, text: string): void {
  output.write(printed(text));
}

/** What {@link print} writes. */
export function printed(text: string): string {
  const shown = printable(text).replaceAll(ESCAPE, '\u001b');
  return process.env['GITHUB_ACTIONS'] === 'true' ? withoutCommands(shown) : shown;
}
