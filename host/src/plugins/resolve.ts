import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { findPackageJSON, isBuiltin } from 'node:module';
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { hostError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { codeOf, messageOf } from '../thrown.ts';

/** Entries of a folder without a package.json, in the order in which they are looked for. */
const INDEX_FILES = ['index.ts', 'index.mts', 'index.js', 'index.mjs'];

/**
 * The names of packages that a plugin's name may stand for, in the order in which they are tried: `rtc` is `qtest-rtc`,
 * then `@qtest/qtest-rtc`, then a package of that very name; `@org/rtc` and `qtest-rtc` are taken literally first.
 */
export function packageNames(spec: string): readonly string[] {
  const [, scope, name = '', path] = /^(?:(@[^/]*)\/)?([^/]*)(\/.*)?$/.exec(spec) ?? [];
  if (path !== undefined || name === '') return [spec];
  const isFull = name.startsWith('qtest-');
  if (scope !== undefined) return isFull ? [spec] : [spec, `${scope}/qtest-${name}`];
  return isFull ? [name, `@qtest/${name}`] : [`qtest-${name}`, `@qtest/qtest-${name}`, name];
}

/** Whether a plugin is given by its path: `./x.ts`, `../x`, `/x`, and not by a package's name. */
export function isPath(spec: string): boolean {
  return /^\.{1,2}(?:[\\/]|$)/.test(spec) || isAbsolute(spec);
}

/**
 * The URL of a plugin's module.
 * @param spec a package's name, short or full, or a path to a file or to a package's folder.
 * @param from the folder from which it is resolved: the config file's, or the working directory. Absolute.
 * @throws PLUGIN_NOT_FOUND with what was tried; PLUGIN_LOAD when a package is there and has no entry.
 */
export async function resolvePlugin(spec: string, from: string): Promise<string> {
  return isPath(spec) ? await resolvePath(spec, from) : await resolveName(spec, from);
}

async function resolveName(spec: string, from: string): Promise<string> {
  const names = packageNames(spec).filter((name) => !isBuiltin(name));
  const base = pathToFileURL(join(from, sep));
  for (const name of names) {
    if (isInstalled(name, base)) return await resolveEntry(name, base, spec);
  }
  const install = names.find((name) => !name.startsWith('@qtest/')) ?? spec;
  const path = resolve(from, spec);
  const instead = statSync(path, { throwIfNoEntry: false }) === undefined ? '' : ` To run the file of that name, write './${spec}'.`;
  throw hostError(
    'PLUGIN_NOT_FOUND',
    `plugin '${spec}' was not found. Tried these packages, from ${from}:\n${names.map((name) => `  ${name}`).join('\n')}\n` +
      `Install it (npm install --save-dev ${install}), or give a path to it ('./my-plugin.ts').${instead}`,
  );
}

function isInstalled(name: string, base: URL): boolean {
  try {
    return findPackageJSON(name, base) !== undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_INVALID_MODULE_SPECIFIER') return false;
    throw error;
  }
}

/** The entry of an installed package, as `import` finds it. */
async function resolveEntry(name: string, base: URL, spec: string): Promise<string> {
  const { moduleResolve } = await import('import-meta-resolve');
  try {
    return moduleResolve(name, base, new Set(importConditions())).href;
  } catch (error) {
    const unbuilt = codeOf(error) === 'ERR_MODULE_NOT_FOUND' ? ' Has it been built?' : '';
    throw hostError(
      'PLUGIN_LOAD',
      `plugin '${spec}': the package ${name} is there, but its entry can't be imported: ${messageOf(error)}.${unbuilt}`,
      { cause: error },
    );
  }
}

/** The conditions of Node's own `import`, with those that this process was started with. */
function importConditions(): readonly string[] {
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  const given = words.flatMap((word, index) => {
    const [, value] = /^(?:--conditions|-C)=(.+)$/.exec(word) ?? [];
    return value ?? (word === '--conditions' || word === '-C' ? (words[index + 1] ?? []) : []);
  });
  return ['node', 'import', 'module-sync', 'node-addons', ...given];
}

async function resolvePath(spec: string, from: string): Promise<string> {
  const path = resolve(from, spec);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw noSuchFile(spec, path);
  const real = realpathSync(path);
  return stats.isDirectory() ? await resolveFolder(spec, real) : pathToFileURL(real).href;
}

async function resolveFolder(spec: string, folder: string): Promise<string> {
  const manifest = join(folder, 'package.json');
  const found = statSync(manifest, { throwIfNoEntry: false }) === undefined ? {} : readManifest(manifest, spec);
  // A package finds itself by its own name.
  if ('exports' in found && typeof found.name === 'string') {
    return await resolveEntry(found.name, pathToFileURL(join(folder, sep)), spec);
  }
  const entries = [...('main' in found && typeof found.main === 'string' ? [found.main] : []), ...INDEX_FILES];
  const entry = entries.map((name) => join(folder, name)).find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (entry !== undefined) return pathToFileURL(entry).href;
  throw hostError(
    'PLUGIN_NOT_FOUND',
    `plugin '${spec}': the folder ${folder} has no entry. Tried ${entries.join(', ')}; name one in package.json ("exports").`,
  );
}

function noSuchFile(spec: string, path: string): Error {
  const folder = dirname(path);
  const siblings = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
  const [sameName] = siblings.filter((name) => basename(name, extname(name)) === basename(path));
  const [near] = sameName === undefined ? nearest(basename(path), siblings) : [sameName];
  const hint = near === undefined ? '' : ` Did you mean '${join(dirname(spec), near).replace(/^(?![./\\])/, './')}'?`;
  return hostError('PLUGIN_NOT_FOUND', `plugin '${spec}' was not found: there is no file or folder ${path}.${hint}`);
}

/** The package that a module belongs to; its root is the module's folder when it is in none. */
export function packageOf(url: string): { root: string; packageName?: string; version?: string } {
  const file = fileURLToPath(url);
  const manifest = findPackageJSON(url);
  if (manifest === undefined) return { root: dirname(file) };
  const { name, version } = readManifest(manifest, file);
  return {
    root: dirname(manifest),
    ...(typeof name === 'string' && { packageName: name }),
    ...(typeof version === 'string' && { version }),
  };
}

function readManifest(file: string, spec: string): { name?: unknown; version?: unknown; main?: unknown; exports?: unknown } {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? manifest : {};
  } catch (error) {
    throw hostError('PLUGIN_LOAD', `plugin '${spec}': ${file} can't be read: ${messageOf(error)}`, { cause: error });
  }
}

/** A path relative to `from`, as a plugin's spec. */
export function pathSpec(path: string, from: string): string {
  const shown = relative(from, path);
  return shown.startsWith('..') || isAbsolute(shown) ? shown : `./${shown}`;
}
