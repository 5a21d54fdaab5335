import { isPlugin, type AnyDeviceDefinition } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { Blueprint } from './blueprint.ts';
import { definitionOf } from './catalog.ts';

/** Loads, in this thread, the definitions of every device that a machine has. */
export async function loadDefinitions(blueprint: Blueprint): Promise<Map<string, AnyDeviceDefinition>> {
  const definitions = new Map<string, AnyDeviceDefinition>();
  for (const { type, module } of blueprint.devices) {
    if (definitions.has(type)) continue;
    if (module.kind === 'package') {
      definitions.set(type, definitionOf(type, module));
      continue;
    }
    const { default: plugin }: Readonly<Record<string, unknown>> = await import(module.url);
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
