import { resolve } from 'node:path';

import type { Catalog } from '@qtest/machine';
import { isQtestError, type Config } from '@qtest/sdk';

import { entryParts } from '../config/check.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { hostError } from '@qtest/sdk/support';
import { loadPlugins } from '../plugins/load.ts';
import { isPath, pathSpec, resolvePlugin } from '../plugins/resolve.ts';
import type { LoadedPlugin, PluginRequest } from '../plugins/types.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';

/** What every sub-command on cases starts from. */
interface PreparedPlugins {
  readonly loaded: LoadedConfig;
  /** At least one. */
  readonly plugins: readonly LoadedPlugin[];
}

/** What those start from that build machines. */
export interface Prepared {
  readonly config: Config;
  /** Of the config; undefined when there is none. */
  readonly file: string | undefined;
  readonly plugins: readonly LoadedPlugin[];
  /** The devices and boards that their machines may have. */
  readonly catalog: Catalog;
}

/**
 * Loads the config and the plugins: those of the command line if it names any, else those of the config.
 * @param read the config, when it has been read already.
 * @throws USAGE when neither names one, and what loading them throws.
 */
export async function preparePlugins(options: CliOptions, io: Io, read?: LoadedConfig): Promise<PreparedPlugins> {
  const loaded = read ?? (await readConfig(options, io));
  const requests = pluginRequests(options, io, loaded);
  if (requests.length === 0) throw hostError('USAGE', nothingToRun(loaded.file));
  return { loaded, plugins: await loadPlugins(requests) };
}

/**
 * The same, with the devices of their machines.
 * @throws what `catalogOf` throws, as well.
 */
export async function prepare(options: CliOptions, io: Io, read?: LoadedConfig): Promise<Prepared> {
  const { loaded, plugins } = await preparePlugins(options, io, read);
  const { catalogOf } = await import('../plugins/devices.ts');
  return { config: loaded.config, file: loaded.file, plugins, catalog: catalogOf(plugins, loaded) };
}

/** The config that the command line asks for. */
export async function readConfig({ config }: CliOptions, { cwd }: Io): Promise<LoadedConfig> {
  return await loadConfig({ cwd, noConfig: config === false, ...(typeof config === 'string' && { file: config }) });
}

/** The plugins to load, with the folder from which each is resolved. */
export function pluginRequests(
  { plugin: named }: CliOptions,
  { cwd }: Io,
  loaded: LoadedConfig,
): readonly PluginRequest[] {
  const { config, dir } = loaded;
  const entries = (config.plugins ?? []).map((entry) => withOptions({ ...entryParts(entry), from: dir }));
  if (named.length === 0) return entries;
  return named.map((spec) => ({ ...configured({ spec, from: cwd }, entries), spec, from: cwd }));
}

/** A plugin of the command line that is in the config as well keeps its options. */
function configured(request: PluginRequest, entries: readonly PluginRequest[]): PluginRequest {
  const candidates = entries.filter(({ options }) => options !== undefined);
  if (candidates.length === 0) return request;
  const url = resolvePlugin(request.spec, request.from);
  return candidates.find((candidate) => urlOf(candidate) === url) ?? request;
}

/** The URL of a config's plugin; undefined when it isn't there, which matters only to a run of it. */
function urlOf({ spec, from }: PluginRequest): string | undefined {
  try {
    return resolvePlugin(spec, from);
  } catch (error) {
    if (isQtestError(error)) return undefined;
    throw error;
  }
}

function withOptions(given: {
  spec: string;
  from: string;
  options: PluginRequest['options'] | undefined;
}): PluginRequest {
  const { options, ...request } = given;
  return options === undefined ? request : { ...request, options };
}

export function nothingToRun(file: string | undefined): string {
  const where = file === undefined ? 'there is no config' : `${file} lists none`;
  return (
    `no plugin to run: the command line names none, and ${where}. Either\n` +
    `  name one:   qtest --plugin rtc   (a package, a short name, or a path such as ./my-test.ts)\n` +
    `  or list it: export default defineConfig({ plugins: ['rtc'] });   in qtest.config.ts`
  );
}

/** A plugin's spec for a command line in the working directory: a path of the config's is relative to the config. */
export function specFrom(cwd: string, configDir: string, spec: string): string {
  return isPath(spec) ? pathSpec(resolve(configDir, spec), cwd) : spec;
}
