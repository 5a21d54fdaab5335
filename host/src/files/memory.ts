import { statSync } from 'node:fs';
import { dirname } from 'node:path';

import { codeOf, messageOf, readBounded } from '@qtest/sdk/support';
import { makeFolder } from './folder.ts';
import { writeWhole } from './partial-file.ts';

/** Bytes of a file that is remembered; more has not been written by us. */
const MOST = 2 ** 24;

/** What a file of the host's memory holds: names. Whatever else is there, nothing is remembered, and no run ends for it. */
export interface Recalled {
  readonly names: readonly string[];
  /** Why it can't be read, when it is there. */
  readonly problem?: string;
}

/** Reads names that `remember` has written. */
export function recall(file: string): Recalled {
  try {
    const found = parsed(readBounded(file, MOST).toString());
    return isNames(found) ? { names: found } : { names: [], problem: 'it is no list of names' };
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? { names: [] } : { names: [], problem: messageOf(error) };
  }
}

/** Writes names; where they can't be written, nothing is remembered. */
export function remember(file: string, names: readonly string[]): void {
  try {
    makeFolder(dirname(file));
    // A FIFO in its place would be waited for.
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== false) writeWhole(file, `${JSON.stringify(names)}\n`);
  } catch {
    // It is only a memory.
  }
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNames(found: unknown): found is readonly string[] {
  return Array.isArray(found) && found.every((item) => typeof item === 'string');
}
