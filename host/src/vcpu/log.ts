import { relative } from 'node:path';
import { getCallSites } from 'node:util';

import { pathOf } from './source-lines.ts';

/** Frames looked at for the caller. */
const DEPTH = 16;

/**
 * The caller as QTest's own lines named it: `src/drift.ts:testDrift():L94: `, the file from the package's folder, the function
 * the nearest named one. `own` tells the host's frames, which are passed over.
 */
export function callerPrefix(root: string, own: (url: string) => boolean): string {
  const frames = getCallSites(DEPTH, { sourceMap: true }).filter(
    ({ scriptName }) => scriptName !== '' && !own(scriptName),
  );
  const [caller] = frames;
  if (caller === undefined) return '';
  const file = pathOf(caller.scriptName);
  const named = frames.find(({ functionName }) => functionName !== '')?.functionName ?? 'module';
  return `${file.startsWith(`${root}/`) ? relative(root, file) : file}:${named}():L${caller.lineNumber}: `;
}
