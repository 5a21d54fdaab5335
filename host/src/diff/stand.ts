import type { AnyDeviceDefinition } from '@qtest/sdk';
import { mapMachine, type QemuMapping } from '../backends/qemu/command-line.ts';
import { detectQemu, type DetectedQemu } from '../backends/qemu/detect.ts';
import { hostError } from '../errors.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import type { Blueprint } from '../machine/blueprint.ts';
import { didYouMean } from '../nearest.ts';
import { Comparison } from './compare.ts';
import { Generator } from './generate.ts';
import { hunt, type Hunted } from './hunt.ts';
import { Ignored } from './ignored.ts';
import { NativeSide } from './native-side.ts';
import { QemuRival } from './qemu-rival.ts';
import { NativeRival, type Rival } from './rival.ts';
import { setupOf } from './setup.ts';
import { buildVariant, overridesOf, type MachineSource } from './source.ts';

export interface StandOptions {
  readonly source: MachineSource;
  /** The QEMU that is compared with, as it is started; another machine of the host's when it is left out. */
  readonly qemu: string | undefined;
  /** The clock that was asked for. */
  readonly clock: 'virtual' | 'realtime' | undefined;
  /** Ids and types; empty for all. */
  readonly devices: readonly string[];
  readonly ignore: readonly string[];
  readonly set: readonly string[];
  readonly seed: number;
  readonly count: number;
}

/** The QEMU of a comparison. */
export interface QemuSide {
  readonly detected: DetectedQemu;
  readonly mapping: QemuMapping;
  readonly accelerator: 'tcg' | 'qtest';
}

/** Two machines, and what is done to them. */
export interface Stand {
  readonly bound: BoundMachine;
  readonly registry: Registry;
  readonly names: readonly [string, string];
  readonly qemu: QemuSide | undefined;
  /** Ids of the devices that are accessed. */
  readonly devices: readonly string[];
  /** Devices that are not, and why. */
  readonly warnings: readonly string[];
  hunt(signal: AbortSignal): Promise<Hunted>;
  end(): Promise<void>;
}

export async function standOf(options: StandOptions): Promise<Stand> {
  const { source, seed, count } = options;
  const { registry } = source;
  const { blueprint } = (await source.build(new Map())).seal();
  const overrides = overridesOf(options.set, blueprint, registry);
  const makeFirst = async (): Promise<NativeSide> => new NativeSide(await buildVariant(source, overrides), registry);
  const first = await makeFirst();
  const { bound } = first;
  const qemu = options.qemu === undefined ? undefined : await qemuOf(options.qemu, options.clock, blueprint, registry);
  const { indices, warnings } = selectDevices(options.devices, blueprint, qemu?.mapping);
  const ignored = Ignored.of(options.ignore, bound, registry);
  const places = new Set(indices.flatMap((index) => configPlaces(bound, index)));
  const setup = setupOf(first, (place) => places.has(place));
  const realtime = qemu?.accelerator === 'tcg';
  const generator = new Generator({ bound, registry, setup, devices: indices, ignored, steps: !realtime });
  const devices = indices.map((index) => blueprint.devices[index]?.id ?? '?');
  if (generator.isEmpty)
    throw hostError(
      'USAGE',
      `nothing to access: ${devices.join(', ') || 'the machine'} has no ports, memory or configuration space`,
    );
  const rival: Rival =
    qemu === undefined
      ? new NativeRival('native (2)', new NativeSide(await source.build(new Map()), registry))
      : new QemuRival(qemu.detected, qemu.mapping, realtime);
  const paced: NativeSide[] = [];
  if (realtime) for (const _ of Comparison.PACES) paced.push(await makeFirst());
  const comparison = new Comparison({ first, rival, paced, registry, ignored });
  return {
    bound,
    registry,
    names: ['native', rival.name],
    qemu,
    devices,
    warnings,
    hunt: async (signal) =>
      await hunt({ comparison, generator, setup: setup.accesses, bound, registry, seed, count, signal }),
    end: async () => await rival.end(),
  };
}

async function qemuOf(
  command: string,
  clock: StandOptions['clock'],
  blueprint: Blueprint,
  registry: ReadonlyMap<string, AnyDeviceDefinition>,
): Promise<QemuSide> {
  const detected = await detectQemu(command);
  const { accelerators, version } = detected;
  const accelerator = clock !== 'realtime' && accelerators.includes('qtest') ? 'qtest' : 'tcg';
  if (clock === 'virtual' && accelerator === 'tcg')
    throw hostError('BACKEND', `--clock virtual: QEMU ${version} (${command}) has no accelerator 'qtest'`);
  if (!accelerators.includes(accelerator))
    throw hostError('BACKEND', `--clock realtime: QEMU ${version} (${command}) has no accelerator 'tcg'`);
  return { detected, mapping: mapMachine(blueprint, registry), accelerator };
}

/** Indices of the devices that are accessed. */
function selectDevices(
  wanted: readonly string[],
  { devices }: Blueprint,
  mapping: QemuMapping | undefined,
): { indices: readonly number[]; warnings: readonly string[] } {
  const missing = mapping?.missing ?? {};
  if (wanted.length === 0) {
    const indices = devices.flatMap(({ id }, index) => (missing[id] === undefined ? [index] : []));
    return { indices, warnings: Object.values(missing) };
  }
  const indices = new Set<number>();
  for (const name of wanted) {
    const found = devices.flatMap(({ id, type }, index) => (id === name || type === name ? [index] : []));
    if (found.length === 0) {
      const known = [...new Set(devices.flatMap(({ id, type }) => [id, type]))];
      throw hostError(
        'USAGE',
        `--device '${name}': the machine has no such device.${didYouMean(name, known)} It has ${devices.map(({ id, type }) => `${id} (${type})`).join(', ')}`,
      );
    }
    for (const index of found) {
      const reason = missing[devices[index]?.id ?? ''];
      if (reason !== undefined) throw hostError('USAGE', `--device '${name}': ${reason}`);
      indices.add(index);
    }
  }
  return { indices: [...indices], warnings: [] };
}

/** Where a device is in PCI configuration space. */
function configPlaces({ bus }: BoundMachine, device: number): number[] {
  return bus.targetsOf(device).flatMap(({ space, target }) => {
    const base = space === 'config' ? target.locate()?.base : undefined;
    return base === undefined ? [] : [base];
  });
}
