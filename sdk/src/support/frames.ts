import { normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import type { SourceLocation } from '../trace.ts';

/** Folders of the code that is ours, and not a test author's, with a separator at their end. */
const folders = new Set<string>();
/** The same as URLs. */
const urls = new Set<string>();

/** Has the code in a folder taken for ours: a stack that is shown to a test author leaves it out. */
export function addOwnFolder(folder: URL): void {
  folders.add(fileURLToPath(folder));
  urls.add(pathToFileURL(fileURLToPath(folder)).href);
}

/** Whether a file is ours. */
export function isOwnFile(file: string): boolean {
  return [...folders].some((folder) => file.startsWith(folder));
}

/** Whether a module is ours, or Node's. */
export function isOwnModule(url: string): boolean {
  return url.startsWith('node:') || [...urls].some((folder) => url.startsWith(folder));
}

/** Whether a line of a stack is of a module of ours. */
export function isOwnFrame(line: string): boolean {
  return [...urls, ...folders].some((folder) => line.includes(folder));
}

const FRAME = /(?:\(|at (?:async )?)(file:\/\/[^\s)]+|\/[^\s):]+):(\d+):(\d+)\)?$/;

/** Longest line of a stack that is taken for a frame. */
const FRAME_LENGTH = 4096;

/** The frames of a stack that are not our own. The stack may be any text. */
export function framesOf(stack: string): SourceLocation[] {
  return stack.split('\n').flatMap((line) => {
    if (line.length > FRAME_LENGTH) return [];
    const [, where, row, column] = FRAME.exec(line.trim()) ?? [];
    if (where === undefined) return [];
    // A stack that the plugin has made may have `..` in it.
    const file = normalize(pathOf(where));
    return isOwnFile(file) ? [] : [{ file, line: Number(row), column: Number(column) }];
  });
}

/** The path of a script as a stack names it. A script may call itself what it likes (`//# sourceURL`): what is no path stays as it is. */
export function pathOf(script: string): string {
  try {
    return script.startsWith('file:') ? fileURLToPath(script) : script;
  } catch {
    return script;
  }
}
