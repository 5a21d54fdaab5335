import type { RegionSpec } from '@qtest/sdk';
import { resolveProperties } from '@qtest/sdk/support';
import type { Range, WantedDevice, WantedMachine } from '@qtest/sdk/backend';
import type { Registry, Blueprint, DeviceBlueprint } from '@qtest/machine';

/** A machine as backends are asked for it. */
export function wantedOf(blueprint: Blueprint, registry: Registry): WantedMachine {
  const { clock, devices, ram, qemu } = blueprint;
  const idOf = (index: number): string => devices[index]?.id ?? '?';
  return {
    clock,
    devices: devices.map((device): WantedDevice => ({
      id: device.id,
      type: device.type,
      properties: device.properties,
      bus: devices[device.bus]?.id,
      busName: device.busName,
      irq: irqOf(device, blueprint),
      ranges: rangesOf(device, registry),
    })),
    ram: ram.map(({ kind, base, size }) => ({ kind, base, size })),
    qemu: { args: qemu.args, provides: qemu.provides.map(idOf) },
  };
}

/** The ISA IRQ that a device drives, whether by its property or wired by the machine. */
function irqOf({ outputs }: DeviceBlueprint, { devices, lines }: Blueprint): number | undefined {
  const isa = devices.find(({ busName }) => busName === 'isa');
  const line = lines[outputs['irq']?.line ?? -1]?.feeds[0];
  return isa === undefined || line === undefined ? undefined : line - isa.busLine;
}

/** Where a device's regions are, as far as that does not depend on its state. */
function rangesOf({ type, properties }: DeviceBlueprint, registry: Registry): Range[] {
  const { schema } = registry.get(type) ?? {};
  const regions: Readonly<Record<string, RegionSpec>> =
    schema?.regions?.(resolveProperties(schema.properties ?? {}, properties)) ?? {};
  return Object.values(regions).flatMap(({ space, base, size }) =>
    base === undefined || space === 'config' ? [] : [{ space, base, size }],
  );
}
