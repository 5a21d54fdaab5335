import type { AnyDeviceDefinition } from '@qtest/sdk';
import { hostError, within, isPlugin } from '@qtest/sdk/support';
import type { Blueprint } from './blueprint.ts';
import { definitionOf } from './catalog.ts';

/** Longest that a plugin's module is waited for, ms. */
const LOAD_BOUND = 10_000;

/** Loads, in this thread, the definitions of every device that a machine has. */
export async function loadDefinitions(blueprint: Blueprint): Promise<Map<string, AnyDeviceDefinition>> {
  const definitions = new Map<string, AnyDeviceDefinition>();
  for (const { type, module } of blueprint.devices) {
    if (definitions.has(type)) continue;
    if (module.kind === 'package') {
      definitions.set(type, definitionOf(type, module));
      continue;
    }
    const loading: Promise<Readonly<Record<string, unknown>>> = import(module.url);
    const late = (): Error => hostError('DEVICE', `plugin '${module.plugin}': it did not finish loading in time`);
    const { default: plugin } = await within(loading, LOAD_BOUND, late);
    const definition = isPlugin(plugin) ? plugin.devices?.find(({ schema }) => schema.type === type) : undefined;
    if (definition === undefined) {
      throw hostError(
        'DEVICE',
        `plugin '${module.plugin}': loaded a second time, it has no device of the type '${type}' any more`,
      );
    }
    definitions.set(type, definition);
  }
  return definitions;
}
