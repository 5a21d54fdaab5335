import { isPlugin, type AnyDeviceDefinition } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import { importModule } from '../import-module.ts';
import type { Blueprint } from './blueprint.ts';
import { BUILTIN_DEVICES } from './builtin.ts';

/** Loads, in this thread, the definitions of every device that a machine has. */
export async function loadDefinitions(blueprint: Blueprint): Promise<Map<string, AnyDeviceDefinition>> {
  const definitions = new Map<string, AnyDeviceDefinition>();
  for (const definition of Object.values<AnyDeviceDefinition>(BUILTIN_DEVICES))
    definitions.set(definition.schema.type, definition);
  for (const { type, module } of blueprint.devices) {
    if (module.kind === 'builtin' || definitions.has(type)) continue;
    const { default: plugin } = await importModule(module.url, { what: `the device module ${module.url}`, exit: 1 });
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
