import type { DeviceType, Property, PropertyValue } from '@qtest/sdk';
import { qemuType } from '../server/paths.ts';
import { CATALOG } from './catalog.ts';

/** A property as QEMU has it, and what it becomes of the host's device. */
export interface QemuProperty {
  readonly type: 'uint8' | 'uint16' | 'uint32' | 'uint64' | 'bool' | 'str';
  readonly description?: string;
  readonly default?: PropertyValue;
  /** The host's property; undefined when the emulator itself sees to it. */
  readonly own?: string;
}

/** A device type as QEMU's user sees it. */
export interface QemuDevice {
  readonly name: string;
  readonly type: string;
  readonly bus: 'PCI' | 'ISA' | 'System' | undefined;
  readonly category: string;
  readonly description: string;
  /** Whether `-device` can add one. */
  readonly pluggable: boolean;
  readonly parent: string;
  readonly properties: Readonly<Record<string, QemuProperty>>;
}

const PCI: Readonly<Record<string, QemuProperty>> = {
  addr: { type: 'str', description: 'Slot and optional function number, example: 06.0 or 06' },
  multifunction: { type: 'bool', description: 'on/off', default: false, own: 'multifunction' },
};

const MISC = 'Misc';
const BRIDGES = 'Controller/Bridge/Hub';
const INPUT = 'Input';
const WATCHDOGS = 'Watchdog';

type Added = Pick<QemuDevice, 'category'> & Partial<Pick<QemuDevice, 'properties' | 'parent'>>;

/** What can be added, and the properties that QEMU's device of this name has and ours keeps. */
const ADDABLE: Partial<Record<DeviceType, Added>> = {
  edu: { category: MISC, properties: { dma_mask: { type: 'uint64', default: 0x0fff_ffff, own: 'dmaMask' } } },
  'pci-testdev': { category: MISC },
  'pvpanic-pci': { category: MISC, properties: { events: { type: 'uint8', default: 3, own: 'events' } } },
  'pci-bridge': {
    category: BRIDGES,
    parent: 'base-pci-bridge',
    // The numbers of its slots are for the firmware's tables of a chassis, which there are none of.
    properties: { chassis_nr: { type: 'uint8', default: 0 }, shpc: { type: 'bool', default: false } },
  },
  pvpanic: {
    category: MISC,
    properties: {
      ioport: { type: 'uint16', default: 0x505, own: 'ioBase' },
      events: { type: 'uint8', default: 3, own: 'events' },
    },
  },
  ib700: { category: WATCHDOGS },
  'pc-testdev': { category: MISC },
  'isa-testdev': { category: MISC },
  ns16550a: {
    category: INPUT,
    properties: {
      index: { type: 'uint32' },
      iobase: { type: 'uint32' },
      irq: { type: 'uint32' },
      chardev: { type: 'str', description: 'ID of a chardev to use as a backend' },
    },
  },
};

const PLUGGABLE: ReadonlyMap<string, Added> = new Map(Object.entries(ADDABLE));

/** Properties of a type that QEMU does not have, under the names that the host's device gives them. */
function ownProperties(schema: Readonly<Record<string, Property>>): Record<string, QemuProperty> {
  const kinds = { number: 'uint32', boolean: 'bool', string: 'str', enum: 'str', duration: 'str' } as const;
  return Object.fromEntries(
    Object.entries(schema).map(([name, { kind, description, default: value }]) => [
      name,
      {
        type: kinds[kind],
        own: name,
        ...(description !== undefined && { description }),
        ...(value !== undefined && { default: typeof value === 'bigint' ? value.toString() : value }),
      },
    ]),
  );
}

/** Every device type that there is, as QEMU names it. */
export const QEMU_DEVICES: ReadonlyMap<string, QemuDevice> = new Map(
  [...CATALOG]
    .filter(([type]) => type !== 'isa-bus')
    .map(([type, { definition }]): [string, QemuDevice] => {
      const { schema } = definition;
      const added = PLUGGABLE.get(type);
      const bus = schema.bus === 'pci' ? 'PCI' : schema.bus === 'isa' ? 'ISA' : 'System';
      const name = qemuType(type);
      const own = type === 'isa-testdev' ? ownProperties(schema.properties ?? {}) : {};
      return [
        name,
        {
          name,
          type,
          bus,
          category: added?.category ?? 'Uncategorized',
          description: schema.description ?? '',
          pluggable: added !== undefined,
          parent: added?.parent ?? { PCI: 'pci-device', ISA: 'isa-device', System: 'sys-bus-device' }[bus],
          properties: { ...(bus === 'PCI' && PCI), ...own, ...added?.properties },
        },
      ];
    }),
);

/** Abstract types that the others descend from. */
export const ABSTRACT_TYPES: ReadonlyMap<string, string | undefined> = new Map(
  Object.entries({
    object: undefined,
    device: 'object',
    'pci-device': 'device',
    'base-pci-bridge': 'pci-device',
    'isa-device': 'device',
    'sys-bus-device': 'device',
    machine: 'object',
    container: 'object',
    'memory-backend': 'object',
    'rng-backend': 'object',
    bus: 'object',
    PCI: 'bus',
    ISA: 'bus',
  }),
);

/** Whether a type descends from another, or is it. */
export function descendsFrom(name: string, ancestor: string): boolean {
  for (let type: string | undefined = name; type !== undefined;) {
    if (type === ancestor) return true;
    type = QEMU_DEVICES.get(type)?.parent ?? ABSTRACT_TYPES.get(type);
  }
  return false;
}
