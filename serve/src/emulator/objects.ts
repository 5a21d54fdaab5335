import type { PropertyValue } from '@qtest/sdk';
import type { Json, JsonObject } from '../qmp/json.ts';
import type { Node } from '../server/paths.ts';
import { ABSTRACT_TYPES, descendsFrom, QEMU_DEVICES, type QemuDevice } from './device-types.ts';
import type { Emulator } from './emulator.ts';
import { MEMORY_BACKEND } from './user-objects.ts';
import { MACHINES, UserError } from './settings.ts';

/** The object model as monitors see it: paths, types, and properties, which are read and not written. */

interface ObjectProperty {
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  readonly value: () => Json;
}

/** Properties that every device has. */
const DEVICE_PROPERTIES = [
  { name: 'type', type: 'string' },
  { name: 'parent_bus', type: 'link<bus>' },
  { name: 'realized', type: 'bool' },
  { name: 'hotplugged', type: 'bool' },
  { name: 'hotpluggable', type: 'bool' },
] as const;

const KINDS: Readonly<Record<string, string>> = { number: 'uint32', boolean: 'bool', string: 'str' };

export function nodeAt(emulator: Emulator, path: string): Node {
  const node = emulator.paths.node(path);
  if (node === undefined) throw new UserError(`Device '${path}' not found`, 'DeviceNotFound');
  return node;
}

export function listProperties(emulator: Emulator, path: string): Json {
  return propertiesOf(emulator, nodeAt(emulator, path)).map(({ name, type }) => ({ name, type }));
}

export function getProperty(emulator: Emulator, path: string, name: string): Json {
  const node = nodeAt(emulator, path);
  return find(emulator, node, name).value();
}

/** No property of a machine that has been built can be set. */
export function setProperty(emulator: Emulator, path: string, name: string): never {
  const node = nodeAt(emulator, path);
  find(emulator, node, name);
  const isOwn = node.device !== undefined && QEMU_DEVICES.get(node.type)?.properties[name] !== undefined;
  throw new UserError(
    isOwn
      ? `Attempt to set property '${name}' on device '${emulator.devices[node.device ?? -1]?.id}' (type '${node.type}') after it was realized`
      : `Property '${node.type}.${name}' is not writable`,
  );
}

function find(emulator: Emulator, node: Node, name: string): ObjectProperty {
  const property = propertiesOf(emulator, node).find((candidate) => candidate.name === name);
  if (property === undefined) throw new UserError(`Property '${node.type}.${name}' not found`);
  return property;
}

function propertiesOf(emulator: Emulator, node: Node): ObjectProperty[] {
  const own: ObjectProperty[] = [{ name: 'type', type: 'string', value: () => node.type }];
  if (node.device !== undefined) own.push(...deviceProperties(emulator, node.device));
  if (node.name === 'machine') own.push(...machineProperties(emulator));
  const made = emulator.objects.all.get(node.name);
  if (made?.type === node.type)
    for (const [name, value] of Object.entries(made.properties))
      own.push({ name, type: typeof value === 'boolean' ? 'bool' : 'int', value: () => value });
  for (const child of node.children.values()) {
    const path = (): string => pathTo(emulator.paths.tree(), child, '') ?? '';
    own.push({ name: child.name, type: `child<${child.type}>`, value: path });
  }
  return own;
}

function deviceProperties(emulator: Emulator, index: number): ObjectProperty[] {
  const { blueprint } = emulator.bound;
  const device = blueprint.devices[index];
  if (device === undefined) return [];
  const added = emulator.added.find(({ id }) => id === device.id);
  const bus = blueprint.devices[device.bus];
  const values: Readonly<Record<string, PropertyValue>> = device.properties;
  const qemu = QEMU_DEVICES.get(added?.device.name ?? '');
  const isRtc = device.type === 'mc146818rtc';
  return [
    { name: 'parent_bus', type: 'link<bus>', value: () => (bus === undefined ? '' : busName(emulator, device.bus)) },
    { name: 'realized', type: 'bool', value: () => true },
    { name: 'hotplugged', type: 'bool', value: () => added?.option.text === '' },
    { name: 'hotpluggable', type: 'bool', value: () => added?.device.bus === 'PCI' },
    ...(isRtc ? [{ name: 'date', type: 'struct tm', value: () => brokenDown(emulator.rtcTime ?? 0) }] : []),
    ...(qemu === undefined
      ? Object.entries(values).map(([name, value]) => ({
          name,
          type: KINDS[typeof value] ?? 'str',
          value: () => value,
        }))
      : pluggableProperties(qemu, values, added?.option.options, added?.slot)),
  ];
}

function pluggableProperties(
  { properties }: QemuDevice,
  values: Readonly<Record<string, PropertyValue>>,
  given: ReadonlyMap<string, string> | undefined,
  slot = 0,
): ObjectProperty[] {
  return Object.entries(properties).map(([name, { type, own, default: initial = '' }]) => ({
    name,
    type,
    value: () => {
      if (name === 'addr') return `${slot.toString(16).padStart(2, '0')}.${values['function'] ?? 0}`;
      if (own !== undefined) return values[own] ?? initial;
      const text = given?.get(name);
      if (text === undefined || type === 'str') return text ?? initial;
      return type === 'bool' ? /^(?:on|yes|true|y)$/.test(text) : Number(text);
    },
  }));
}

function machineProperties(emulator: Emulator): ObjectProperty[] {
  const { settings } = emulator;
  const text = (name: string, value: string | undefined): ObjectProperty => ({
    name,
    type: 'string',
    value: () => value ?? '',
  });
  return [
    text('kernel', settings.kernel.kernel),
    text('initrd', settings.kernel.initrd),
    text('append', settings.kernel.append),
    text('firmware', settings.firmware),
    { name: 'graphics', type: 'bool', value: () => settings.graphics },
    { name: 'memory', type: 'MemorySizeConfiguration', value: () => ({ size: settings.ram }) },
    { name: 'smp', type: 'SMPConfiguration', value: () => ({ cpus: settings.cpus, maxcpus: settings.cpus }) },
    { name: 'boot', type: 'BootConfiguration', value: () => ({ order: settings.bootOrder, menu: settings.bootMenu }) },
    ...(settings.machine === 'pc' ? [{ name: 'hpet', type: 'bool', value: () => settings.hpet }] : []),
    ...(settings.machine === 'none'
      ? []
      : [{ name: 'rtc-time', type: 'struct tm', value: () => brokenDown(emulator.rtcTime ?? 0) }]),
  ];
}

/** C's `struct tm`. */
function brokenDown(seconds: number): JsonObject {
  const date = new Date(seconds * 1000);
  return {
    tm_year: date.getUTCFullYear() - 1900,
    tm_mon: date.getUTCMonth(),
    tm_mday: date.getUTCDate(),
    tm_hour: date.getUTCHours(),
    tm_min: date.getUTCMinutes(),
    tm_sec: date.getUTCSeconds(),
  };
}

/** A bus as QEMU calls it. */
export function busName(emulator: Emulator, index: number): string {
  const { id = '', type = '' } = emulator.bound.blueprint.devices[index] ?? {};
  if (type === 'i440fx-pcihost') return 'pci.0';
  if (type === 'piix3' || type === 'isa-bus') return 'isa.0';
  return emulator.added.find((other) => other.id === id)?.option.id ?? id;
}

function pathTo(from: Node, wanted: Node, path: string): string | undefined {
  if (from === wanted) return path === '' ? '/' : path;
  for (const child of from.children.values()) {
    const found = pathTo(child, wanted, `${path}/${child.name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

// Types.

/** Every type, with what it descends from; `implements` and `abstract` choose among them. */
export function listTypes(cpuType: string, ancestor: string | undefined, abstract: boolean): Json {
  const types: { name: string; abstract?: boolean; parent?: string }[] = [
    ...Array.from(ABSTRACT_TYPES, ([name, parent]) => ({
      name,
      abstract: true,
      ...(parent !== undefined && { parent }),
    })),
    ...Array.from(QEMU_DEVICES.values(), ({ name, parent }) => ({ name, parent })),
    ...Object.values(MACHINES).map(({ name }) => ({ name: `${name}-machine`, parent: 'machine' })),
    { name: cpuType, parent: 'device' },
    { name: MEMORY_BACKEND, parent: 'memory-backend' },
    { name: 'rng-builtin', parent: 'rng-backend' },
  ];
  const isA = (name: string, parent: string | undefined): boolean =>
    ancestor === undefined || name === ancestor || (parent !== undefined && descendsFrom(parent, ancestor));
  return types.filter((type) => (abstract || type.abstract !== true) && isA(type.name, type.parent));
}

export function listDeviceProperties(typename: string): Json {
  const device = QEMU_DEVICES.get(typename);
  if (device === undefined) {
    if (!ABSTRACT_TYPES.has(typename)) throw new UserError(`Device '${typename}' not found`, 'DeviceNotFound');
    throw new UserError(
      descendsFrom(typename, 'device')
        ? `Parameter 'typename' expects a non-abstract device type`
        : `Parameter 'typename' expects a device type`,
    );
  }
  return Object.entries(device.properties).map(([name, property]) => ({
    name,
    type: property.type,
    ...(property.description !== undefined && { description: property.description }),
    ...(property.default !== undefined && { 'default-value': property.default }),
  }));
}

export function listTypeProperties(typename: string): Json {
  const device = QEMU_DEVICES.get(typename);
  if (device === undefined && !ABSTRACT_TYPES.has(typename))
    throw new UserError(`Class '${typename}' not found`, 'DeviceNotFound');
  return [
    ...(descendsFrom(typename, 'device') ? DEVICE_PROPERTIES : DEVICE_PROPERTIES.slice(0, 1)),
    ...Object.entries(device?.properties ?? {}).map(([name, { type, description }]) => ({
      name,
      type,
      ...(description !== undefined && { description }),
    })),
  ];
}
