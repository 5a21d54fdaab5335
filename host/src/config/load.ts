import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { isQtestError, type Config } from '@qtest/sdk';
import type { CosmiconfigResult, PublicExplorer } from 'cosmiconfig';

import { hostError, codeOf, messageOf } from '@qtest/sdk/support';
import { callForeign, foreignBound } from '../foreign/bounded.ts';
import { importErrorText, importHint, importModule } from '../foreign/import-module.ts';
import { checkConfig } from './check.ts';
import { isListing } from './listing.ts';

const MODULE_PLACES = ['ts', 'mts', 'js', 'mjs'].map((extension) => `qtest.config.${extension}`);

/** Where a config may be: looked for in the working directory and above it, up to the first folder with a package.json. */
const SEARCH_PLACES = [
  ...MODULE_PLACES,
  'qtest.config.json',
  '.qtestrc',
  ...['json', 'yaml', 'yml', 'js', 'mjs', 'ts'].map((extension) => `.qtestrc.${extension}`),
  'package.json',
];

/** Longest that a config's fields may take to be read, ms. */
const READ_BOUND = 10_000;

const EXPECTED = `expected an object, such as { "plugins": ["rtc"] }`;

const EXTENSIONS = '.ts, .mts, .js, .mjs, .json, .yaml, .yml';

/** Where a config is looked for. */
export interface LoadConfigOptions {
  /** Where the search starts, and from where `file` is relative. Absolute. */
  readonly cwd: string;
  /** The config file to use in place of a search. */
  readonly file?: string;
  /** Uses none. */
  readonly noConfig?: boolean;
}

/** A config, checked, and where it was found. */
export interface LoadedConfig {
  /** Absolute; undefined when there is none. */
  readonly file: string | undefined;
  /** The folder from which the plugins that it names are resolved. */
  readonly dir: string;
  readonly config: Config;
}

/**
 * Finds, loads and checks the config.
 * @throws CONFIG, naming file, key, what was expected and what was found.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const { cwd, file, noConfig = false } = options;
  if (noConfig) return { file: undefined, dir: cwd, config: {} };
  const found = await (file === undefined ? search(cwd) : load(resolve(cwd, file), cwd));
  if (found === null) return { file: undefined, dir: cwd, config: {} };
  const inPackage = basename(found.filepath) === 'package.json';
  const place = placeOf(found.filepath, cwd) + (inPackage ? ", key 'qtest'" : '');
  if (found.isEmpty === true) {
    throw hostError('CONFIG', `${place}: ${EXPECTED}, but the file is empty`);
  }
  return { file: found.filepath, dir: dirname(found.filepath), config: checked(found.config, place, inPackage) };
}

/** A package's manifest says in the same place which device models the package has. */
function withoutListings(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return config;
  return Object.fromEntries(Object.entries(config).filter((entry) => !isListing(entry)));
}

/** Its fields may be code of its own: getters, a proxy. */
function checked(config: unknown, place: string, inPackage: boolean): Config {
  try {
    return callForeign(
      { what: place, exit: 2 },
      () => checkConfig(inPackage ? withoutListings(config) : config, place),
      foreignBound(READ_BOUND),
    );
  } catch (error) {
    if (isQtestError(error)) throw error;
    throw hostError('CONFIG', `${place}: ${messageOf(error)}`, { cause: error });
  }
}

async function search(cwd: string): Promise<CosmiconfigResult> {
  // Where cosmiconfig looks first, so that it is loaded (10 ms, a third of `node -e 0`) only when there is something to look for.
  const first = MODULE_PLACES.map((place) => join(cwd, place)).find(isFile);
  if (first !== undefined) return { filepath: first, config: await defaultExport(first, cwd) };
  try {
    return await (await explorer(cwd)).search(cwd);
  } catch (error) {
    throw loadError(error, undefined, cwd);
  }
}

async function load(file: string, cwd: string): Promise<CosmiconfigResult> {
  try {
    const found = await (await explorer(cwd)).load(file);
    if (found !== null) return found;
  } catch (error) {
    throw loadError(error, file, cwd);
  }
  throw hostError('CONFIG', `${placeOf(file, cwd)}: it has no key 'qtest'`);
}

async function explorer(cwd: string): Promise<PublicExplorer> {
  const { cosmiconfig, defaultLoaders } = await import('cosmiconfig');
  const loadModule = (file: string): Promise<unknown> => defaultExport(file, cwd);
  const { '.json': json, '.yaml': yaml } = defaultLoaders;
  return cosmiconfig('qtest', {
    searchPlaces: SEARCH_PLACES,
    searchStrategy: 'project',
    // An empty file is an error to tell of, not a reason to look further.
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: {
      // cosmiconfig's own loader runs a module that failed a second time, by require(), and takes one without a default export for empty.
      '.ts': loadModule,
      '.mts': loadModule,
      '.js': loadModule,
      '.mjs': loadModule,
      '.json': (file, text) => notNull(json(file, text), file, cwd),
      '.yaml': (file, text) => notNull(yaml(file, text), file, cwd),
      '.yml': (file, text) => notNull(yaml(file, text), file, cwd),
      noExt: (file, text) => notNull(yaml(file, text), file, cwd),
    },
  });
}

async function defaultExport(file: string, cwd: string): Promise<unknown> {
  const { href } = pathToFileURL(realpathSync(file));
  const loaded = await importModule(href, { what: placeOf(file, cwd), exit: 2 }).catch(async (error: unknown) => {
    const text = await importErrorText(error, href);
    throw hostError('CONFIG', `${placeOf(file, cwd)} failed to load:\n${text}${importHint(error)}`, { cause: error });
  });
  if (!('default' in loaded)) {
    const others = Object.keys(loaded);
    const instead = others.length === 0 ? '' : ` (it exports ${others.join(', ')})`;
    throw hostError(
      'CONFIG',
      `${placeOf(file, cwd)} has no default export${instead}: write export default defineConfig({ … })`,
    );
  }
  return notNull(loaded['default'], file, cwd);
}

/** To cosmiconfig, null and undefined are files without a config, and it looks further. */
function notNull(config: unknown, file: string, cwd: string): unknown {
  if (config !== null && config !== undefined) return config;
  throw hostError('CONFIG', `${placeOf(file, cwd)}: ${EXPECTED}, but found ${config}`);
}

/** An error of cosmiconfig's or of the file system's, with the file that it is about. */
function loadError(error: unknown, file: string | undefined, cwd: string): Error {
  if (isQtestError(error)) return error;
  const named = file ?? (error instanceof Error && 'filepath' in error ? String(error.filepath) : undefined);
  const place = named === undefined ? 'config' : placeOf(named, cwd);
  switch (codeOf(error)) {
    case 'ENOENT':
      return hostError('CONFIG', `${place}: there is no such config file`, { cause: error });
    case 'EISDIR':
      return hostError('CONFIG', `${place}: expected a config file, but it is a folder`, { cause: error });
    default:
  }
  const message = messageOf(error);
  if (message.startsWith('No loader specified')) {
    return hostError('CONFIG', `${place}: expected a config file ending in ${EXTENSIONS}, or .qtestrc`, {
      cause: error,
    });
  }
  return hostError('CONFIG', `${place} failed to load: ${withoutPrefix(message)}`, { cause: error });
}

/** cosmiconfig puts `JSON Error in <file>:` before a parser's message. */
function withoutPrefix(message: string): string {
  return message.replace(/^(?:JSON|YAML) Error in .*:\n/, '');
}

/** The file as errors call it: relative to the working directory when it is below it. */
function placeOf(file: string, cwd: string): string {
  const path = relative(cwd, file);
  return path.startsWith('..') ? file : path;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
