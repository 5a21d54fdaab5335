import { mkdtempSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

import { hostError, codeOf } from '@qtest/sdk/support';
import { makeFolder } from '../files/folder.ts';
import { whyNotWritten } from '../files/why-not-written.ts';

/**
 * Makes the folder for the traces' files, and sees whether files can be made in it, before any case runs.
 * @param shown what errors call it.
 * @throws REPORT when they can't.
 */
export function openTraceFolder(folder: string, shown: string): void {
  try {
    makeFolder(folder);
    // What one may do there is asked of the file system itself: of /proc, and of a disk that is read-only, the mode does not tell.
    rmdirSync(mkdtempSync(join(folder, '.qtest-')));
  } catch (error) {
    const why = WHY[codeOf(error) ?? ''] ?? whyNotWritten(error);
    throw hostError('REPORT', `the traces can't be written to ${shown}: ${why}`, { cause: error });
  }
}

/** Of a folder that is made where it is not there. */
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'no file can be made there: name another --trace-dir',
  ENOTDIR: 'there is a file where the folder should be: name another --trace-dir',
};
