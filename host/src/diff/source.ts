import { basename } from 'node:path';
import type { AnyDeviceDefinition, DeviceType, PropertyValue } from '@qtest/sdk';
import { hostError, didYouMean, messageOf } from '@qtest/sdk/support';
import { applyPlugin, createHooks } from '../hooks.ts';
import { type Registry, type Blueprint, Builder, type Catalog, type Overrides, registryOf } from '@qtest/machine';
import type { LoadedPlugin } from '../plugins/types.ts';
import { build, contextFor } from '../runner/build.ts';
import { catalogOf } from '../plugins/devices.ts';

/** Builds one machine as often as it is wanted. */
export interface MachineSource {
  /** `pc`, or the plugin's name. */
  readonly name: string;
  readonly registry: Registry;
  build(overrides: Overrides): Promise<Builder>;
}

/** The parts that a `pc` has when it is told so. */
const PC_PARTS: readonly DeviceType[] = [
  'edu',
  'pci-testdev',
  'pvpanic-pci',
  'pci-bridge',
  'pvpanic',
  'ib700',
  'pc-testdev',
  'hpet',
];

/** One of the host's machines; a `pc` with those of its parts that are named. */
export function ownMachine(name: 'pc' | 'isapc' | 'none', devices: readonly string[]): MachineSource {
  const known = catalogOf([]);
  const parts = Object.fromEntries(PC_PARTS.filter((type) => devices.includes(type)).map((type) => [type, true]));
  return {
    name,
    registry: registryOf(known),
    async build(overrides) {
      const builder = new Builder('virtual', known, 1, overrides);
      if (name === 'pc') builder.pc(parts);
      if (name === 'isapc') builder.isapc(parts);
      return builder;
    },
  };
}

/** A plugin's machine, with what the plugins' hooks add to it. */
export function pluginMachine(plugins: readonly LoadedPlugin[], known: Catalog): MachineSource {
  const [plugin, other] = plugins.filter(({ cases }) => cases.length > 0);
  if (plugin === undefined || other !== undefined) {
    const found = plugins.filter(({ cases }) => cases.length > 0).map(({ name }) => name);
    throw hostError(
      'USAGE',
      `'diff' compares one machine, but of the plugins that were named, those that have one are ${found.join(', ') || 'none'}`,
    );
  }
  const hooks = createHooks();
  for (const one of plugins) applyPlugin(hooks, one);
  return {
    name: basename(plugin.name),
    registry: registryOf(known),
    build: async (overrides) =>
      await build(plugin, { known, hooks, context: contextFor(plugin, 'virtual'), overrides }),
  };
}

/**
 * What `--set rtc0.updateCycle=2ms` says, as the properties of devices.
 * @throws USAGE for what is none.
 */
export function overridesOf(settings: readonly string[], blueprint: Blueprint, registry: Registry): Overrides {
  const overrides = new Map<string, Record<string, PropertyValue>>();
  for (const setting of settings) {
    const refuse = (why: string): never => {
      throw hostError('USAGE', `--set '${setting}': ${why}`);
    };
    const [, id = '', name = '', text = ''] = /^([^.=]+)\.([^.=]+)=(.*)$/.exec(setting) ?? [];
    if (id === '') refuse('expected DEVICE.PROPERTY=VALUE, as rtc0.updateCycle=2ms');
    const ids = blueprint.devices.map((device) => device.id);
    const device = blueprint.devices.find((candidate) => candidate.id === id);
    if (device === undefined)
      return refuse(`the machine has no device '${id}'.${didYouMean(id, ids)} It has ${ids.join(', ')}`);
    const definition: AnyDeviceDefinition | undefined = registry.get(device.type);
    const properties = definition?.schema.properties ?? {};
    const property = properties[name];
    if (property === undefined)
      return refuse(`${device.type} has no property '${name}'.${didYouMean(name, Object.keys(properties))}`);
    const values = { number: Number(text), boolean: text === 'true' ? true : text === 'false' ? false : text };
    const value = property.kind === 'number' ? values.number : property.kind === 'boolean' ? values.boolean : text;
    overrides.set(id, { ...overrides.get(id), [name]: value });
  }
  return overrides;
}

/** Builds the first machine: what is wrong with its properties is wrong on the command line. */
export async function buildVariant(source: MachineSource, overrides: Overrides): Promise<Builder> {
  try {
    return await source.build(overrides);
  } catch (error) {
    if (overrides.size === 0) throw error;
    throw hostError('USAGE', `--set: ${messageOf(error)}`, { cause: error });
  }
}
