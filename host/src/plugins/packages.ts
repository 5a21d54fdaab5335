import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { exports as resolveExports } from 'resolve.exports';

import { hostError, codeOf, messageOf, type ErrorCode, packageFolder } from '@qtest/sdk/support';
import { isListing } from '../config/listing.ts';

/** What a package is looked for as: its word in messages, and the codes of what goes wrong. */
export interface Sought {
  readonly noun: string;
  readonly notFound: ErrorCode;
  readonly load: ErrorCode;
}

export const PLUGIN: Sought = { noun: 'plugin', notFound: 'PLUGIN_NOT_FOUND', load: 'PLUGIN_LOAD' };

/** What is read of a package.json. */
interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly main?: unknown;
  readonly exports?: unknown;
  readonly qtest?: unknown;
}

/** Entries of a folder whose package.json names none. */
const INDEX_FILES = ['index.js', 'index.mjs', 'index.ts', 'index.mts'];

/**
 * The URL of a package's entry, as `import` finds it: by the conditions of `exports`, by `main`, or an index file.
 * @param subpath `.`, or what follows the package's name (`./extra`).
 * @throws PLUGIN_LOAD, or what else `sought` says, when the package has no such entry.
 */
export function packageEntry(folder: string, subpath: string, spec: string, sought = PLUGIN): string {
  const manifest = readManifest(join(folder, 'package.json'), spec, sought);
  const entries = entriesOf(manifest, subpath, folder, spec, sought);
  const file = entries.map((entry) => join(folder, entry)).find(isFile);
  if (file !== undefined) return pathToFileURL(realpathSync(file)).href;
  throw hostError(
    sought.load,
    `${sought.noun} '${spec}': the package in ${folder} has no entry: there is no ${entries.join(', ')}. Has it been built?`,
  );
}

function entriesOf(
  manifest: Manifest,
  subpath: string,
  folder: string,
  spec: string,
  sought: Sought,
): readonly string[] {
  const { name, main, exports: given } = manifest;
  if (given === undefined || given === null) {
    if (subpath !== '.') return [subpath];
    return typeof main === 'string'
      ? [main, `${main}.js`, ...INDEX_FILES.map((index) => join(main, index))]
      : INDEX_FILES;
  }
  try {
    const packageName = typeof name === 'string' ? name : folder;
    return resolveExports({ ...manifest, name: packageName }, subpath, { conditions: importConditions() }) ?? [];
  } catch (error) {
    throw hostError(
      sought.load,
      `${sought.noun} '${spec}': the package in ${folder} can't be imported: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** Conditions of Node's own `import` beside `node` and `import`, and those that this process was started with. */
function importConditions(): readonly string[] {
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  const given = words.flatMap((word, index) => {
    const [, value] = /^(?:--conditions|-C)=(.+)$/.exec(word) ?? [];
    return value ?? (word === '--conditions' || word === '-C' ? (words[index + 1] ?? []) : []);
  });
  return ['module-sync', 'node-addons', ...given];
}

/** The package that a module belongs to; its root is the module's folder when it is in none. */
export function packageOf(url: string): { root: string; packageName?: string; version?: string } {
  const file = fileURLToPath(url);
  const root = packageFolder(dirname(file));
  if (root === undefined) return { root: dirname(file) };
  const { name, version } = readManifest(join(root, 'package.json'), file);
  return {
    root,
    ...(typeof name === 'string' && { packageName: name }),
    ...(typeof version === 'string' && { version }),
  };
}

/** Whether a package.json lists device models or boards of its package, and is thereby a device package's. */
export function listsDevices(file: string): boolean {
  if (!isFile(file)) return false;
  const { qtest } = readManifest(file, file);
  return typeof qtest === 'object' && qtest !== null && Object.entries(qtest).some(isListing);
}

/** A package.json; empty when there is none. */
function readManifest(file: string, spec: string, sought = PLUGIN): Manifest {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? manifest : {};
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return {};
    throw hostError(sought.load, `${sought.noun} '${spec}': ${file} can't be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // No file has a name that is too long, or has a NUL in it.
    return false;
  }
}
