import type { AnyDeviceDefinition, ClockKind, RegionSpec, Space } from '@qtest/sdk';
import { resolveProperties } from '@qtest/sdk/support';

import type { Blueprint, DeviceBlueprint, Registry } from '@qtest/machine';

/** A machine as data, for a reader or a program. */
export interface MachineView {
  readonly plugin: string;
  readonly clock: ClockKind;
  readonly vcpus: number;
  readonly devices: readonly DeviceView[];
  /** RAM and ROM. */
  readonly memory: readonly { readonly kind: 'ram' | 'rom'; readonly base: number; readonly size: number }[];
  /** Areas of RAM from which a device can turn accesses away. */
  readonly shadows: readonly { readonly device: string; readonly base: number; readonly size: number }[];
  readonly regions: readonly RegionView[];
  /** IRQ lines that lead somewhere: a device's output, or a line of a bus. */
  readonly lines: readonly LineView[];
  /** Bytes of a snapshot, RAM apart. */
  readonly stateBytes: number;
}

export interface DeviceView {
  readonly id: string;
  readonly type: string;
  readonly description: string;
  readonly bus: string | undefined;
  readonly properties: Readonly<Record<string, number | boolean | string>>;
}

export interface LineView {
  readonly name: string;
  readonly kind: 'output' | 'bus';
  /** Lines that it drives, input pins, `INTR` of the VCPU or `INTR[n]` of several, `RESET` of the machine. */
  readonly to: readonly string[];
}

export interface RegionView {
  readonly device: string;
  readonly region: string;
  readonly space: Space;
  /** Undefined when the device's state decides where it lies. */
  readonly base: number | undefined;
  readonly size: number;
  readonly priority: number;
}

/** A machine as its builder sealed it. */
export interface BuiltMachine {
  readonly blueprint: Blueprint;
  /** Definitions of its devices, by type. */
  readonly registry: Registry;
}

/** Takes a sealed machine apart. */
export function viewMachine(plugin: string, vcpus: number, { blueprint, registry }: BuiltMachine): MachineView {
  const { devices, lines, ram, layout, clock } = blueprint;
  return {
    plugin,
    clock,
    vcpus,
    devices: devices.map(({ id, type, bus, properties }) => ({
      id,
      type,
      description: registry.get(type)?.schema.description ?? '',
      bus: devices[bus]?.id,
      properties,
    })),
    memory: ram.map(({ kind, base, size }) => ({ kind, base, size })).toSorted((a, b) => a.base - b.base),
    shadows: devices
      .flatMap(({ id, type }) =>
        (registry.get(type)?.schema.shadow ?? []).map(({ base, size }) => ({ device: id, base, size })),
      )
      .toSorted((a, b) => a.base - b.base),
    regions: devices.flatMap((device) => regionsOf(device, registry.get(device.type))).toSorted(byPlace),
    lines: lines.map((_, index) => lineView(index, blueprint)).filter(({ to }) => to.length > 0),
    stateBytes: layout.stateBytes,
  };
}

function lineView(index: number, { devices, lines, intr, resets }: Blueprint): LineView {
  const { name = `line ${index}`, feeds = [], sinks = [] } = lines[index] ?? {};
  const isBus = devices.some(({ busLine, busLines }) => busLine >= 0 && index >= busLine && index < busLine + busLines);
  return {
    name,
    kind: isBus ? 'bus' : 'output',
    to: [
      ...feeds.map((line) => lines[line]?.name ?? `line ${line}`),
      ...sinks.map(({ device, input, pin }) => `${devices[device]?.id ?? device}.${input}[${pin}]`),
      ...intr.flatMap((line, vcpu) => (line === index ? [intr.length === 1 ? 'INTR' : `INTR[${vcpu}]`] : [])),
      ...(resets.includes(index) ? ['RESET'] : []),
    ],
  };
}

function regionsOf(device: DeviceBlueprint, definition: AnyDeviceDefinition | undefined): readonly RegionView[] {
  const { schema } = definition ?? {};
  const regions: Readonly<Record<string, RegionSpec>> =
    schema?.regions?.(resolveProperties(schema.properties ?? {}, device.properties)) ?? {};
  return Object.entries(regions).map(([region, { space, base, size, priority = 0 }]) => ({
    device: device.id,
    region,
    space,
    base,
    size,
    priority,
  }));
}

function byPlace(a: RegionView, b: RegionView): number {
  return a.space.localeCompare(b.space) || (a.base ?? Infinity) - (b.base ?? Infinity) || 0;
}
