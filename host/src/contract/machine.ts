import { defineDevice, type AnyDeviceDefinition, type DeviceRef, type MachineBuilder } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import { Builder, Catalog } from '@qtest/machine';
import { ownPackage } from '../plugins/devices.ts';

/** Whether the machine has what a device may do without: RAM, an interrupt controller, others on its bus, what its options switch on. */
export type Parts = 'present' | 'absent';

/** What the contract is checked of, and in what machine. */
export interface Subject {
  readonly definition: AnyDeviceDefinition;
  /** Beside those of the schema's `contract`. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Types that the machine may have beside the host's. */
  readonly devices: readonly AnyDeviceDefinition[];
  /** Builds the machine in place of what is made here. */
  readonly init?: ((machine: MachineBuilder, parts: Parts) => void) | undefined;
  /** Accesses go to every device of the machine, and not to the subject alone. */
  readonly whole?: boolean;
  /** Wall time that one access may take. */
  readonly seconds: number;
}

/** RAM of a machine with its parts. */
export const RAM_BYTES = 0x1_0000;

/** Type of the device that drives the inputs. */
const PINS = 'contract-pins';

export interface Built {
  readonly builder: Builder;
  readonly known: Catalog;
  readonly device: DeviceRef;
}

/** Builds a machine around one device. `definition` is the subject's, or a watched one in its place. */
export function buildAround(subject: Subject, definition: AnyDeviceDefinition, parts: Parts): Built {
  const { schema } = definition;
  const inputs = Object.entries(schema.inputs ?? {}).filter(([, { bus }]) => bus !== true);
  const pins = inputs.flatMap(([name, { count = 1 }]) => Array.from({ length: count }, (_, pin) => ({ name, pin })));
  const driver = defineDevice(
    { type: PINS, description: 'drives the inputs', outputs: { out: { count: Math.max(pins.length, 1) } } },
    {},
  );
  const others = subject.devices.filter(({ schema: { type } }) => type !== schema.type);
  const known = new Catalog(
    [ownPackage()],
    [{ name: 'contract', url: import.meta.url, devices: [...others, definition, driver] }],
  );
  const builder = new Builder('virtual', known);
  if (subject.init === undefined) build(builder, known, subject, parts);
  else subject.init(builder, parts);
  const device = builder.devices.find(({ type }) => type === schema.type);
  if (device === undefined)
    throw hostError('MACHINE', `contract of '${schema.type}': init() has added no device of this type`);
  if (parts === 'present' && pins.length > 0) {
    const source = builder.add(PINS);
    for (const [n, { name, pin }] of pins.entries())
      builder.connect(builder.output(source, 'out', n), builder.input(device, name, pin), { shared: true });
  }
  return { builder, known, device };
}

function build(builder: Builder, known: Catalog, { definition: { schema }, properties }: Subject, parts: Parts): void {
  if (parts === 'present') builder.ram(0, RAM_BYTES);
  if (schema.bus !== undefined) addBus(builder, known, schema.bus, schema.type);
  const given = {
    ...slotOf(schema),
    ...(parts === 'absent' && withoutParts(schema)),
    ...schema.contract?.properties,
    ...properties,
  };
  const device = builder.add(schema.type, given);
  if (parts === 'absent') return;
  const buses = builder.devices.map(({ type }) => known.get(type)?.definition.schema.provides?.name);
  const neighbours: { readonly type: string; readonly given: Readonly<Record<string, unknown>> }[] = [
    // The INTR pin, and whoever answers an acknowledge cycle.
    ...(buses.includes('isa') ? [{ type: 'i8259', given: {} }] : []),
    // Somebody on the bus that it provides.
    ...(schema.provides?.name === 'isa' ? [{ type: 'mc146818rtc', given: { bus: device } }] : []),
    ...(schema.provides?.name === 'pci' ? [{ type: 'edu', given: { bus: device, slot: 4 } }] : []),
  ];
  for (const { type, given: place } of neighbours.filter((one) => one.type !== schema.type)) {
    try {
      builder.add(type, place);
    } catch {
      // Its place is the device's own: then the device is without.
    }
  }
}

/** A PCI function without a slot of its own has one. */
function slotOf({ bus, properties = {} }: AnyDeviceDefinition['schema']): Record<string, unknown> {
  const { slot } = properties;
  return bus === 'pci' && slot !== undefined && slot.default === undefined ? { slot: 3 } : {};
}

/** Properties that leave out what can be left out: switches are off, and pins of IRQs go nowhere. */
function withoutParts({ properties = {}, outputs = {} }: AnyDeviceDefinition['schema']): Record<string, unknown> {
  const irqs = new Set(Object.values(outputs).map(({ busIrq }) => busIrq));
  const off = Object.entries(properties).flatMap(([name, definition]): [string, unknown][] => {
    if (definition.kind === 'boolean') return [[name, false]];
    return definition.kind === 'number' && definition.min === -1 && irqs.has(name) ? [[name, -1]] : [];
  });
  return Object.fromEntries(off);
}

/** Adds a bus of a kind, with what that needs itself. */
function addBus(builder: Builder, known: Catalog, kind: string, type: string): void {
  const [first] = [...known.values()]
    .map(({ definition: { schema } }) => schema)
    .filter(({ provides }) => provides?.name === kind)
    // One that hangs on no other bus is simplest.
    .toSorted((a, b) => Number(a.bus !== undefined) - Number(b.bus !== undefined));
  if (first === undefined) {
    throw hostError(
      'MACHINE',
      `contract of '${type}': it goes on a bus of the kind '${kind}', which no known device provides; name one in 'devices', or build the machine with 'init'`,
    );
  }
  if (first.bus !== undefined) addBus(builder, known, first.bus, first.type);
  builder.add(first.type, { ...slotOf(first), ...first.contract?.properties });
}
