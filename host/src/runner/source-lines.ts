import { realpathSync } from 'node:fs';
import { sep } from 'node:path';

import type { SourceExcerpt, SourceLocation } from '@qtest/sdk';

import { readBounded } from '@qtest/sdk/support';

const LINES_BEFORE = 2;
const LINES_AFTER = 1;

/** Characters of a line that are kept. */
const MAX_WIDTH = 160;

/** Bytes of a source. */
const MAX_SOURCE = 2 ** 23;

/**
 * The lines of source around a place, as they are now. Undefined when it is no file of the plugin's: it has gone, it never was one
 * (`node:fs`), or a stack that the plugin itself has made names another.
 * @param root the plugin's folder.
 */
export function sourceLines({ file, line }: SourceLocation, root: string): SourceExcerpt | undefined {
  const source = readSource(file, root)?.split(/\r?\n/);
  if (source === undefined || line < 1 || line > source.length) return undefined;
  const first = Math.max(1, line - LINES_BEFORE);
  return { first, lines: source.slice(first - 1, line + LINES_AFTER).map(clip) };
}

function clip(text: string): string {
  return text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH - 1)}…` : text;
}

function readSource(file: string, root: string): string | undefined {
  try {
    const real = realpathSync(file);
    return real.startsWith(realpathSync(root) + sep) ? readBounded(real, MAX_SOURCE).toString() : undefined;
  } catch {
    return undefined;
  }
}
