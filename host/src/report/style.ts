import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Colours text, or leaves it alone when its stream shows none. */
export type Style = (format: Format, text: string) => string;

/** Where a report goes. */
export type Output = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** For a report that is written at its end: takes what a reader is to find of it when the end never comes. */
  draft?(text: string): void;
};

/** The style of a stream: colours by `NO_COLOR` and `FORCE_COLOR`, else on a terminal that has them. */
export function styleFor(stream: Output): Style {
  // Asked of Node only where the answer is not plain: it loads what it knows of terminals, 3 ms.
  const mayBe = stream.isTTY === true || process.env['FORCE_COLOR'] !== undefined;
  const coloured = mayBe && styleText('red', '-', { stream }) !== '-';
  return coloured ? (format, text) => styleText(format, text, { validateStream: false }) : (_format, text) => text;
}
