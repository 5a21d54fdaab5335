import type { DeviceInfo, PropertyValue, RegionSpec } from '@qtest/sdk';
import { resolveProperties } from '@qtest/sdk/support';
import type { Blueprint, DeviceBlueprint, Registry } from '@qtest/machine';

/** What an emulator has of a machine. */
export interface Mapping {
  /** Devices that it has, with the properties that they have there. */
  readonly devices: readonly DeviceInfo[];
  /** Devices that it does not have, by id, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** Where something of ours is that it does not have. */
  readonly holes: readonly Hole[];
}

/** A range in which an access would reach something else than in our machine. */
export interface Hole {
  readonly space: 'io' | 'memory';
  readonly base: number;
  readonly size: number;
  readonly reason: string;
}

export type Properties = Readonly<Record<string, PropertyValue>>;

/** How an emulator has a device: what its properties are there. Or why it has not. */
export type Offer = { readonly properties?: Properties } | { readonly lacks: string };

/** Asks for each device what the emulator offers. */
export function mapDevices(
  { devices: wanted }: Blueprint,
  registry: Registry,
  emulator: string,
  offerOf: (device: DeviceBlueprint, index: number) => Offer,
): Mapping {
  const devices: DeviceInfo[] = [];
  const missing = new Map<string, string>();
  const holes: Hole[] = [];
  for (const [index, device] of wanted.entries()) {
    const { id, type, properties, bus } = device;
    const parent = wanted[bus];
    const offer: Offer =
      parent !== undefined && missing.has(parent.id)
        ? { lacks: `it is on '${parent.id}', which ${emulator} does not have either` }
        : offerOf(device, index);
    if ('lacks' in offer) {
      const reason = `${emulator} cannot offer '${id}' (${type}): ${offer.lacks}`;
      missing.set(id, reason);
      holes.push(...rangesOf(device, registry).map((range) => ({ ...range, reason })));
      continue;
    }
    devices.push({ id, type, properties: { ...properties, ...offer.properties } });
  }
  return { devices, missing: Object.fromEntries(missing), holes };
}

/** Why a device that is on an emulator's board, at one place, is not where it is wanted; undefined when it is. */
export function misplaced(emulator: string, place: Properties, given: Properties): string | undefined {
  for (const [name, value] of Object.entries(place)) {
    const wanted = given[name];
    // −1: the machine wires the pin itself.
    if (wanted === undefined || wanted === value || wanted === -1) continue;
    return `${emulator}'s pc has it with ${name} ${show(value)}, not ${show(wanted)}`;
  }
  return undefined;
}

/** Ports of COM1 to COM4, and their IRQs. */
const SERIAL = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const SERIAL_IRQS = [4, 3, 4, 3];

/** Which of COM1 to COM4 a UART is, from 0; undefined for none of them. */
export function serialPort(device: DeviceBlueprint, blueprint: Blueprint): number | undefined {
  const com = SERIAL.indexOf(Number(device.properties['ioBase'] ?? 0x3f8));
  return com >= 0 && irqOf(device, blueprint) === SERIAL_IRQS[com] ? com : undefined;
}

/** Why a UART is none of an emulator's. */
export const NO_SERIAL_PORT = 'its serial ports are COM1 to COM4, at 0x3f8 (IRQ 4), 0x2f8 (3), 0x3e8 (4) and 0x2e8 (3)';

/** The ISA IRQ that a device drives, whether by its property or wired by the machine. */
function irqOf({ outputs }: DeviceBlueprint, { devices, lines }: Blueprint): number | undefined {
  const isa = devices.find(({ busName }) => busName === 'isa');
  const line = lines[outputs['irq']?.line ?? -1]?.feeds[0];
  return isa === undefined || line === undefined ? undefined : line - isa.busLine;
}

/** Where a device's regions are, as far as that does not depend on its state. */
function rangesOf({ type, properties }: DeviceBlueprint, registry: Registry): Omit<Hole, 'reason'>[] {
  const { schema } = registry.get(type) ?? {};
  const regions: Readonly<Record<string, RegionSpec>> =
    schema?.regions?.(resolveProperties(schema.properties ?? {}, properties)) ?? {};
  return Object.values(regions).flatMap(({ space, base, size }) =>
    base === undefined || space === 'config' ? [] : [{ space, base, size }],
  );
}

export function show(value: PropertyValue): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : String(value);
}
