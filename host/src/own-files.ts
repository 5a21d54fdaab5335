import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const { resolve } = createRequire(import.meta.url);

/** Folders of the code that is ours, and not a test author's: this package's, the machine's, the devices', and the SDK's own errors. */
const FOLDERS: readonly string[] = [
  fileURLToPath(new URL('.', import.meta.url)),
  ...['@qtest/machine', '@qtest/devices'].map((name) => `${dirname(resolve(`${name}/package.json`))}${sep}`),
  `${dirname(resolve('@qtest/sdk/support'))}${sep}`,
];
const URLS: readonly string[] = FOLDERS.map((folder) => pathToFileURL(folder).href);

/** Whether a file is ours. */
export function isOwnFile(file: string): boolean {
  return FOLDERS.some((folder) => file.startsWith(folder));
}

/** Whether a module is ours, or Node's. */
export function isOwnModule(url: string): boolean {
  return url.startsWith('node:') || URLS.some((folder) => url.startsWith(folder));
}

/** Whether a line of a stack is of a module of ours. */
export function isOwnFrame(line: string): boolean {
  return URLS.some((folder) => line.includes(folder)) || FOLDERS.some((folder) => line.includes(folder));
}
