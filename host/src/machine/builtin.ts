import type { AnyDeviceDefinition, DeviceTypes } from '@qtest/sdk';
import { acpiPciHotplug } from '../devices/acpi-pci-hotplug.ts';
import { fwCfg } from '../devices/fw-cfg.ts';
import { hpet } from '../devices/hpet.ts';
import { i8042 } from '../devices/i8042.ts';
import { i8254 } from '../devices/i8254.ts';
import { i8259 } from '../devices/i8259.ts';
import { ib700 } from '../devices/ib700.ts';
import { edu } from '../devices/edu.ts';
import { i440fx, i440fxHost } from '../devices/i440fx.ts';
import { pciBridge } from '../devices/pci-bridge.ts';
import { pciTestdev } from '../devices/pci-testdev.ts';
import { piix3 } from '../devices/piix3.ts';
import { pvpanicPci } from '../devices/pvpanic-pci.ts';
import { ioapic } from '../devices/ioapic.ts';
import { isaBus } from '../devices/isa-bus.ts';
import { isaTestdev } from '../devices/isa-testdev.ts';
import { lapic } from '../devices/lapic.ts';
import { mc146818rtc } from '../devices/mc146818rtc.ts';
import { ns16550a } from '../devices/ns16550a.ts';
import { pcTestdev } from '../devices/pc-testdev.ts';
import { pcspk } from '../devices/pcspk.ts';
import { pvpanic } from '../devices/pvpanic.ts';
import type { KnownDevice } from './builder.ts';

/** The host's own devices, by the types that the SDK promises. */
export const BUILTIN_DEVICES = {
  'isa-bus': isaBus,
  i8259,
  ioapic,
  apic: lapic,
  mc146818rtc,
  i8254,
  pcspk,
  ib700,
  pvpanic,
  hpet,
  fw_cfg: fwCfg,
  'pc-testdev': pcTestdev,
  i8042,
  ns16550a,
  'i440fx-pcihost': i440fxHost,
  i440fx,
  piix3,
  'acpi-pci-hotplug': acpiPciHotplug,
  edu,
  'pci-testdev': pciTestdev,
  'pci-bridge': pciBridge,
  'pvpanic-pci': pvpanicPci,
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
