import type { AnyDeviceDefinition, DeviceTypes } from '@qtest/sdk';
import { i8259 } from '../devices/i8259.ts';
import { isaBus } from '../devices/isa-bus.ts';
import { isaTestdev } from '../devices/isa-testdev.ts';
import { mc146818rtc } from '../devices/mc146818rtc.ts';
import type { KnownDevice } from './builder.ts';

/** The host's own devices, by the types that the SDK promises. */
export const BUILTIN_DEVICES = {
  'isa-bus': isaBus,
  i8259,
  mc146818rtc,
  'isa-testdev': isaTestdev,
} as const satisfies Record<keyof DeviceTypes, AnyDeviceDefinition>;

/** The host's devices, and those that plugins bring. */
export function knownDevices(
  plugins: readonly { readonly name: string; readonly url: string; readonly devices: readonly AnyDeviceDefinition[] }[],
): Map<string, KnownDevice> {
  const known = new Map<string, KnownDevice>();
  for (const definition of Object.values<AnyDeviceDefinition>(BUILTIN_DEVICES)) {
    known.set(definition.schema.type, { definition, module: { kind: 'builtin' } });
  }
  for (const { name, url, devices } of plugins) {
    for (const definition of devices) {
      known.set(definition.schema.type, { definition, module: { kind: 'plugin', plugin: name, url } });
    }
  }
  return known;
}
