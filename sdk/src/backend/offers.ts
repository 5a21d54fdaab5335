import type { DeviceInfo } from '../hardware.ts';
import type { PropertyValue } from '../properties.ts';
import type { Hole, Mapping, Properties, WantedDevice, WantedMachine } from './machine.ts';

/** Why something cannot be had of an emulator. */
export interface Lack {
  readonly lacks: string;
}

/** How an emulator has a device: what its properties are there. Or why it has not. */
export type Offer = { readonly properties?: Properties } | Lack;

/**
 * Asks for each device what the emulator offers. What is on a bus that it does not have is not asked for.
 * @param emulator as messages name it.
 */
export function mapDevices(
  { devices: wanted }: WantedMachine,
  emulator: string,
  offerOf: (device: WantedDevice) => Offer,
): Omit<Mapping, 'settings'> {
  const devices: DeviceInfo[] = [];
  const missing = new Map<string, string>();
  const holes: Hole[] = [];
  for (const device of wanted) {
    const { id, type, properties, bus, ranges } = device;
    const offer: Offer =
      bus !== undefined && missing.has(bus)
        ? { lacks: `it is on '${bus}', which ${emulator} does not have either` }
        : offerOf(device);
    if ('lacks' in offer) {
      const reason = `${emulator} cannot offer '${id}' (${type}): ${offer.lacks}`;
      missing.set(id, reason);
      holes.push(...ranges.map((range) => ({ ...range, reason })));
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

/** Which of a PC's COM1 to COM4 a UART is, from 0; undefined for none of them. */
export function serialPort({ properties, irq }: WantedDevice): number | undefined {
  const com = SERIAL.indexOf(Number(properties['ioBase'] ?? 0x3f8));
  return com >= 0 && irq === SERIAL_IRQS[com] ? com : undefined;
}

/** Why a UART is none of an emulator's. */
export const NO_SERIAL_PORT = 'its serial ports are COM1 to COM4, at 0x3f8 (IRQ 4), 0x2f8 (3), 0x3e8 (4) and 0x2e8 (3)';

/** A property as messages show it. */
export function show(value: PropertyValue): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : String(value);
}
