import { fileURLToPath } from 'node:url';

import { type AnyDeviceDefinition, type Plugin, isQtestError } from '@qtest/sdk';
import { hostError, messageOf, API_VERSION, isPlugin } from '@qtest/sdk/support';
import { callForeign, foreignBound } from '../foreign/bounded.ts';
import { importErrorText, importHint, importModule } from '../foreign/import-module.ts';
import { collectCases } from './cases.ts';
import { pluginProblems } from './check.ts';
import { checkOptions } from './options.ts';
import { ownPackage } from './devices.ts';
import { packageOf } from './packages.ts';
import { resolvePlugin } from './resolve.ts';
import type { LoadedPlugin, PluginCase, PluginRequest } from './types.ts';

/** Longest that a plugin's fields may take to be read, ms. */
const READ_BOUND = 10_000;

/**
 * Resolves, imports and checks plugins, in order.
 * @throws the first error, with a code `PLUGIN_…` or `DEVICE_DUPLICATE`.
 */
export async function loadPlugins(requests: readonly PluginRequest[]): Promise<readonly LoadedPlugin[]> {
  const loaded: LoadedPlugin[] = [];
  for (const request of requests) {
    const plugin = await loadPlugin(request);
    checkUnique(plugin, loaded);
    loaded.push(plugin);
  }
  return loaded;
}

async function loadPlugin({ spec, from, options }: PluginRequest): Promise<LoadedPlugin> {
  const url = resolvePlugin(spec, from);
  const file = fileURLToPath(url);
  const plugin = await definedPlugin(url, spec, file);
  await checkApi(plugin, spec, file);
  const { problems, cases } = shapeOf(plugin, `plugin '${spec}' (${file})`);
  if (problems.length > 0) {
    const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('');
    throw hostError('PLUGIN_INVALID', `plugin '${spec}' (${file}):${list}`);
  }
  return {
    name: plugin.name,
    description: plugin.description,
    spec,
    url,
    ...packageOf(url),
    plugin,
    options: await checkOptions(plugin, options),
    cases,
  };
}

/** What a plugin is made of. Its fields may be code of its own: getters, a proxy. */
function shapeOf(
  plugin: Plugin,
  what: string,
): { readonly problems: readonly string[]; readonly cases: readonly PluginCase[] } {
  const read = (): ReturnType<typeof shapeOf> => {
    const problems = pluginProblems(plugin);
    return { problems, cases: problems.length > 0 ? [] : collectCases(plugin) };
  };
  try {
    return callForeign({ what, exit: 2 }, read, foreignBound(READ_BOUND));
  } catch (error) {
    if (isQtestError(error)) throw error;
    throw hostError('PLUGIN_LOAD', `${what}: ${messageOf(error)}`, { cause: error });
  }
}

/** The default export of a plugin's module. */
async function definedPlugin(url: string, spec: string, file: string): Promise<Plugin & { readonly api: string }> {
  const loaded = await importModule(url, { what: `plugin '${spec}' (${file})`, exit: 2 }).catch(
    async (error: unknown) => {
      const text = await importErrorText(error, url);
      throw hostError('PLUGIN_LOAD', `plugin '${spec}' (${file}) failed to load:\n${text}${importHint(error)}`, {
        cause: error,
      });
    },
  );
  if (isPlugin(loaded['default'])) return loaded['default'];
  const others = Object.keys(loaded);
  const found =
    'default' in loaded ? 'its default export is something else' : `it exports ${others.join(', ') || 'nothing'}`;
  throw hostError(
    'PLUGIN_INVALID',
    `'${spec}' (${file}) is not a plugin: expected export default definePlugin({ … }), but ${found}`,
  );
}

async function checkApi({ api, name }: { api: unknown; name: string }, spec: string, file: string): Promise<void> {
  // semver is worth its 10 ms only for another range than the SDK's own.
  if (api === `^${API_VERSION}` || typeof api !== 'string') return;
  const { default: semver } = await import('semver');
  if (semver.validRange(api) === null) {
    throw hostError(
      'PLUGIN_API',
      `plugin '${spec}' (${file}): api: expected a version range, such as '^${API_VERSION}', but found '${api}'`,
    );
  }
  if (!semver.satisfies(API_VERSION, api, { includePrerelease: true })) {
    const remedy = semver.gtr(API_VERSION, api) ? `a newer version of the plugin` : `a newer version of @qtest/host`;
    throw hostError(
      'PLUGIN_API',
      `plugin '${spec}' (${file}) was written for version ${api} of the plugin API, but this is ${API_VERSION}: '${name}' needs ${remedy}`,
    );
  }
}

function checkUnique(plugin: LoadedPlugin, earlier: readonly LoadedPlugin[]): void {
  for (const other of earlier) {
    if (other.url === plugin.url) {
      throw hostError(
        'PLUGIN_DUPLICATE',
        `plugin '${plugin.name}' is given twice, as '${other.spec}' and as '${plugin.spec}' (${fileURLToPath(plugin.url)}): leave one out`,
      );
    }
    if (other.name === plugin.name) {
      throw hostError(
        'PLUGIN_DUPLICATE',
        `two plugins are named '${plugin.name}': '${other.spec}' (${fileURLToPath(other.url)}) and ` +
          `'${plugin.spec}' (${fileURLToPath(plugin.url)}): leave one out, or rename it in its definePlugin()`,
      );
    }
  }
  checkDevices(plugin, earlier);
}

function checkDevices({ name, plugin }: LoadedPlugin, earlier: readonly LoadedPlugin[]): void {
  const taken = new Map<string, { owner: string; device?: AnyDeviceDefinition }>();
  for (const type of Object.keys(ownPackage().devices)) taken.set(type, { owner: 'the host' });
  for (const other of earlier) {
    for (const device of other.plugin.devices ?? [])
      taken.set(device.schema.type, { owner: `plugin '${other.name}'`, device });
  }
  for (const device of plugin.devices ?? []) {
    const { type } = device.schema;
    const first = taken.get(type);
    // Several test packages may bring one device, from a package that they share.
    if (first !== undefined && first.device !== device) {
      throw hostError(
        'DEVICE_DUPLICATE',
        `plugin '${name}' defines a device of type '${type}', which ${first.owner} defines already: give it another type, such as '${name}-${type}'`,
      );
    }
    taken.set(type, { owner: `plugin '${name}'`, device });
  }
}
