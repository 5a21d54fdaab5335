import { fileURLToPath } from 'node:url';

import { isQtestError } from '@qtest/sdk';
import { API_VERSION } from '@qtest/sdk/support';

import { NATIVE } from '../backends/find.ts';
import type { LoadedConfig } from '../config/load.ts';
import { settingsOf } from '../config/settings.ts';
import { loadPlugins } from '../plugins/load.ts';
import { packageOf } from '../plugins/packages.ts';
import { catalogOf } from '../plugins/devices.ts';
import { resolvePlugin } from '../plugins/resolve.ts';
import { sdkCopies } from '../plugins/sdk-copies.ts';
import type { LoadedPlugin, PluginRequest } from '../plugins/types.ts';
import { jsonText } from '../report/json-text.ts';
import { print, styleFor } from '../report/style.ts';
import { backendsThere, emulatorNamed } from './backends.ts';
import type { Findings, FoundPlugin, Problem, FoundEmulator } from './doctor-findings.ts';
import { findingsText } from './doctor-text.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { nothingToRun, pluginRequests, readConfig } from './prepare.ts';
import { hostManifest } from './version.ts';

/**
 * `qtest doctor`: what is installed here, and what is wrong with it.
 * @returns 0; 1 when something deserves attention, and 2 when `qtest` would run nothing for it.
 */
export async function doctor(options: CliOptions, io: Io): Promise<number> {
  const findings = await examine(options, io);
  if (options.json === true) io.stdout.write(`${jsonText(findings)}\n`);
  else print(io.stdout, findingsText(findings, styleFor(io.stdout)));
  const severities = findings.problems.map(({ severity }) => severity);
  return severities.includes('error') ? 2 : severities.includes('warning') ? 1 : 0;
}

async function examine(options: CliOptions, io: Io): Promise<Findings> {
  const problems: Problem[] = [];
  const { version, node } = hostManifest();
  const typescript = typeStripping(problems);
  const loaded = await configOf(options, io, problems);
  const plugins = await pluginsOf(options, io, loaded, problems);
  const emulators = await emulatorsOf(options, io, loaded, problems);
  return {
    version: 1,
    host: { version, api: API_VERSION },
    // An older one is refused before anything of the host is loaded.
    node: { version: process.versions.node, needed: node, path: process.execPath },
    typescript,
    config: { file: loaded.file, keys: Object.keys(loaded.config) },
    plugins,
    emulators,
    problems,
  };
}

/** Whether Node runs TypeScript as it is. */
function typeStripping(problems: Problem[]): boolean {
  const { typescript } = process.features;
  if (typescript !== false) return true;
  problems.push({
    severity: 'warning',
    about: 'typescript',
    message:
      'Node has been told not to strip types, so neither a qtest.config.ts nor a plugin in TypeScript can be loaded: ' +
      'take --no-strip-types (--no-experimental-strip-types) out of NODE_OPTIONS or the command line',
  });
  return false;
}

/** The config; without its keys when it cannot be used. */
async function configOf(options: CliOptions, io: Io, problems: Problem[]): Promise<LoadedConfig> {
  try {
    return await readConfig(options, io);
  } catch (error) {
    problems.push({ severity: 'error', about: 'config', message: told(error) });
    return { file: undefined, dir: io.cwd, config: {} };
  }
}

/** Loads each plugin, with those before it that could be. */
async function pluginsOf(
  options: CliOptions,
  io: Io,
  loaded: LoadedConfig,
  problems: Problem[],
): Promise<readonly FoundPlugin[]> {
  const requests = pluginRequests({ ...options, plugin: options.plugin.filter((spec) => spec !== '?') }, io, loaded);
  const isConfigRead = problems.every(({ about }) => about !== 'config');
  if (requests.length === 0 && isConfigRead)
    problems.push({ severity: 'warning', about: 'plugins', message: nothingToRun(loaded.file) });
  const found: FoundPlugin[] = [];
  const good: PluginRequest[] = [];
  const fine: LoadedPlugin[] = [];
  for (const request of requests) {
    try {
      const plugin = (await loadPlugins([...good, request])).at(-1);
      good.push(request);
      if (plugin === undefined) continue;
      fine.push(plugin);
      found.push(describe(plugin));
    } catch (error) {
      problems.push({ severity: 'error', about: request.spec, message: told(error) });
      found.push(describeBroken(request));
    }
  }
  for (const message of sdkCopies(fine)) problems.push({ severity: 'warning', about: '@qtest/sdk', message });
  checkDevices(fine, loaded, problems);
  return found;
}

/** Loads the module of every device that a machine may have, as a machine would that has one. */
function checkDevices(plugins: readonly LoadedPlugin[], loaded: LoadedConfig, problems: Problem[]): void {
  const trial = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      problems.push({ severity: 'error', about: 'devices', message: told(error) });
    }
  };
  trial(() => {
    for (const known of catalogOf(plugins, loaded).values()) trial(() => void known.definition);
  });
}

function describe({ name, spec, url, packageName, version, plugin, cases }: LoadedPlugin): FoundPlugin {
  return {
    spec,
    isFine: true,
    name,
    package: packageName,
    packageVersion: version,
    file: fileURLToPath(url),
    api: plugin.api,
    cases: cases.length,
    devices: (plugin.devices ?? []).map(({ schema }) => schema.type),
  };
}

/** What can be told of a plugin that cannot be loaded: where it is, if it is anywhere. */
function describeBroken({ spec, from }: PluginRequest): FoundPlugin {
  try {
    const url = resolvePlugin(spec, from);
    const { packageName, version } = packageOf(url);
    return { spec, isFine: false, package: packageName, packageVersion: version, file: fileURLToPath(url) };
  } catch (error) {
    // It has been told of.
    if (isQtestError(error)) return { spec, isFine: false };
    throw error;
  }
}

/**
 * The emulators of the backends that are installed, and of the one that cases run on. To be without is a problem only for that one, and
 * where the user names the emulator.
 */
async function emulatorsOf(
  options: CliOptions,
  { cwd }: Io,
  { file, config }: LoadedConfig,
  problems: Problem[],
): Promise<Findings['emulators']> {
  const settings = settingsOf(config, options);
  const { backend: used } = settings;
  const found: Record<string, FoundEmulator> = {};
  for (const name of new Set([...backendsThere(file, cwd), used])) {
    if (name === NATIVE) continue;
    try {
      const { version, clocks, about = {} } = await emulatorNamed(name, { settings, file, options, cwd });
      const { path, build, features } = about;
      found[name] = { ...features, isFine: true, version, clocks, path, build, features };
    } catch (error) {
      const reason = told(error);
      const isNamed = name === 'qemu' && settings.qemu !== undefined;
      if (name === used || isNamed)
        problems.push({ severity: name === used ? 'error' : 'warning', about: name, message: reason });
      found[name] = { isFine: false, reason };
    }
  }
  return found;
}

/** What an error of the host says; any other is a fault of the host's. */
function told(error: unknown): string {
  if (isQtestError(error)) return error.message;
  throw error;
}
