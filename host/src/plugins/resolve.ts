import { existsSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { hostError, nearest, messageOf, findPackage } from '@qtest/sdk/support';
import { packageEntry, PLUGIN, type Sought } from './packages.ts';

/** A package that a plugin's name may stand for, and what is imported from it: `.`, or a path below it (`./extra`). */
interface Candidate {
  readonly name: string;
  readonly subpath: string;
}

/**
 * The packages that a plugin's name may stand for, in the order in which they are tried: `rtc` is `qtest-rtc`, then
 * `@qtest/qtest-rtc`, then a package of that very name; `@org/rtc` and `qtest-rtc` are taken literally first.
 */
export function packageNames(spec: string): readonly string[] {
  return candidatesOf(spec).map(({ name, subpath }) => (subpath === '.' ? name : join(name, subpath)));
}

function candidatesOf(spec: string): readonly Candidate[] {
  const [, scope, name = '', path] = /^(?:(@[^/]*)\/)?([^/]*)(?:\/(.*))?$/s.exec(spec) ?? [];
  const literal = scope === undefined ? name : `${scope}/${name}`;
  if (path !== undefined) return [{ name: literal, subpath: `./${path}` }];
  const names = name.startsWith('qtest-')
    ? [literal, ...(scope === undefined ? [`@qtest/${name}`] : [])]
    : scope === undefined
      ? [`qtest-${name}`, `@qtest/qtest-${name}`, name]
      : [literal, `${scope}/qtest-${name}`];
  return names.map((candidate) => ({ name: candidate, subpath: '.' }));
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
export function resolvePlugin(spec: string, from: string): string {
  return isPath(spec) ? resolvePath(spec, from) : resolveName(spec, from);
}

function resolveName(spec: string, from: string): string {
  const candidates = candidatesOf(spec).filter(({ name }) => !isBuiltin(name));
  for (const { name, subpath } of candidates) {
    const folder = findPackage(name, from);
    if (folder !== undefined) return packageEntry(folder, subpath, spec);
  }
  const tried = `plugin '${spec}' was not found. Tried these packages, from ${from}:\n${packageNames(spec)
    .map((name) => `  ${name}`)
    .join('\n')}\n`;
  if (existsSync(resolve(from, spec))) {
    throw hostError('PLUGIN_NOT_FOUND', `${tried}There is a file of that name: to run it, write './${spec}'.`);
  }
  throw hostError(
    'PLUGIN_NOT_FOUND',
    `${tried}Install the package that you mean, by its full name, or give a path to it ('./my-plugin.ts').` +
      guess(candidates.map(({ name }) => name)),
  );
}

/**
 * What may be installed. A name of this project's own scope alone: under any other, whoever was there first has published what he likes,
 * and nobody has looked at it.
 */
function guess(names: readonly string[]): string {
  const known = names.find((name) => /^@qtest\/[a-z\d][a-z\d._-]*$/.test(name));
  return known === undefined ? '' : ` A guess, if it is one of this project's: npm install --save-dev ${known}`;
}

/** The URL of the module that a path leads to: a file, or a package's folder. */
export function resolvePath(spec: string, from: string, sought = PLUGIN): string {
  const path = resolve(from, spec);
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // ENAMETOOLONG, ELOOP, EACCES, or a NUL.
    throw hostError(sought.notFound, `${sought.noun} '${spec}' was not found: ${messageOf(error)}`);
  }
  if (stats === undefined) throw noSuchFile(spec, path, sought);
  return stats.isDirectory() ? packageEntry(path, '.', spec, sought) : pathToFileURL(realpathSync(path)).href;
}

function noSuchFile(spec: string, path: string, sought: Sought): Error {
  const folder = dirname(path);
  const siblings = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
  const [near] = [
    ...siblings.filter((name) => basename(name, extname(name)) === basename(path)),
    ...nearest(basename(path), siblings),
  ];
  const hint = near === undefined ? '' : ` Did you mean '${join(dirname(spec), near).replace(/^(?![./\\])/, './')}'?`;
  return hostError(
    sought.notFound,
    `${sought.noun} '${spec}' was not found: there is no file or folder ${path}.${hint}`,
  );
}

/** A path as a plugin's spec in the folder `from`. */
export function pathSpec(path: string, from: string): string {
  const shown = relative(from, path);
  return shown.startsWith('..') || isAbsolute(shown) ? shown : `./${shown}`;
}
