import type { Mapping } from '../backends/offers.ts';
import { mapMachine, type QemuMapping } from '../backends/qemu/command-line.ts';
import { detectQemu, type DetectedQemu } from '../backends/qemu/detect.ts';
import { mapMachine as mapV86, type V86Mapping } from '../backends/v86/mapping.ts';
import { findV86, type V86Package } from '../backends/v86/package.ts';
import { hostError, didYouMean } from '@qtest/sdk/support';
import type { BoundMachine, Registry, Blueprint } from '@qtest/machine';
import { Comparison } from './compare.ts';
import { Generator } from './generate.ts';
import { hunt, type Hunted } from './hunt.ts';
import { Ignored } from './ignored.ts';
import { irqsOf } from './irqs.ts';
import { NativeSide } from './native-side.ts';
import { QemuRival } from './qemu-rival.ts';
import { NativeRival, type Rival } from './rival.ts';
import { setupOf } from './setup.ts';
import { buildVariant, overridesOf, type MachineSource } from './source.ts';
import { V86Rival } from './v86-rival.ts';

export interface StandOptions {
  readonly source: MachineSource;
  /** What is compared with: another machine of the host's, a QEMU, by how it is started, or the v86 that one of these modules, URLs, would find. */
  readonly other:
    | { readonly kind: 'native' }
    | { readonly kind: 'qemu'; readonly command: string }
    | { readonly kind: 'v86'; readonly from: readonly string[] };
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
  readonly kind: 'qemu';
  readonly detected: DetectedQemu;
  readonly mapping: QemuMapping;
  readonly accelerator: 'tcg' | 'qtest';
}

/** The v86 of a comparison. */
export interface V86Side {
  readonly kind: 'v86';
  readonly v86: V86Package;
  readonly mapping: V86Mapping;
}

/** Two machines, and what is done to them. */
export interface Stand {
  readonly bound: BoundMachine;
  readonly registry: Registry;
  readonly names: readonly [string, string];
  /** The emulator that is compared with. */
  readonly emulator: QemuSide | V86Side | undefined;
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
  const emulator = await emulatorOf(options, blueprint, registry);
  const { indices, warnings } = selectDevices(options.devices, blueprint, emulator?.mapping);
  const ignored = Ignored.of(options.ignore, bound, registry);
  const setup = setupOf(first, indices);
  const realtime = emulator?.kind === 'v86' || emulator?.accelerator === 'tcg';
  const generator = new Generator({
    bound,
    registry,
    setup,
    devices: indices,
    ignored,
    steps: !realtime,
    // v86's reset is none of most of its devices.
    resets: emulator?.kind !== 'v86',
    irqs: irqsOf(blueprint, emulator?.mapping.missing) & ~ignored.irqs,
  });
  const devices = indices.map((index) => blueprint.devices[index]?.id ?? '?');
  if (generator.isEmpty)
    throw hostError(
      'USAGE',
      `nothing to access: ${devices.join(', ') || 'the machine'} has no ports, memory or configuration space`,
    );
  const rival = await rivalOf(emulator, async () => new NativeSide(await source.build(new Map()), registry));
  const paced: NativeSide[] = [];
  if (realtime) for (const _ of Comparison.PACES) paced.push(await makeFirst());
  const comparison = new Comparison({ first, rival, follower: await makeFirst(), paced, registry, ignored });
  return {
    bound,
    registry,
    names: ['native', rival.name],
    emulator,
    devices,
    warnings,
    hunt: async (signal) => await hunt({ comparison, generator, bound, registry, seed, count, signal }),
    end: async () => await rival.end(),
  };
}

async function rivalOf(emulator: Stand['emulator'], another: () => Promise<NativeSide>): Promise<Rival> {
  switch (emulator?.kind) {
    case 'qemu':
      return new QemuRival(emulator.detected, emulator.mapping, emulator.accelerator === 'tcg');
    case 'v86':
      return new V86Rival(emulator.v86, emulator.mapping.settings);
    case undefined:
      return new NativeRival('native (2)', await another());
  }
}

async function emulatorOf(
  { other, clock }: StandOptions,
  blueprint: Blueprint,
  registry: Registry,
): Promise<QemuSide | V86Side | undefined> {
  if (other.kind === 'native') return undefined;
  if (other.kind === 'qemu') return await qemuOf(other.command, clock, blueprint, registry);
  if (clock === 'virtual') throw hostError('BACKEND', "--clock virtual: v86's devices read the wall clock");
  return { kind: 'v86', v86: await findV86(other.from), mapping: mapV86(blueprint, registry) };
}

async function qemuOf(
  command: string,
  clock: StandOptions['clock'],
  blueprint: Blueprint,
  registry: Registry,
): Promise<QemuSide> {
  const detected = await detectQemu(command);
  const { accelerators, version } = detected;
  const accelerator = clock !== 'realtime' && accelerators.includes('qtest') ? 'qtest' : 'tcg';
  if (clock === 'virtual' && accelerator === 'tcg')
    throw hostError('BACKEND', `--clock virtual: QEMU ${version} (${command}) has no accelerator 'qtest'`);
  if (!accelerators.includes(accelerator))
    throw hostError('BACKEND', `--clock realtime: QEMU ${version} (${command}) has no accelerator 'tcg'`);
  return { kind: 'qemu', detected, mapping: mapMachine(blueprint, registry), accelerator };
}

/** Indices of the devices that are accessed. */
function selectDevices(
  wanted: readonly string[],
  { devices }: Blueprint,
  mapping: Mapping | undefined,
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
