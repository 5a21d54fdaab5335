import { hostError, didYouMean } from '@qtest/sdk/support';
import type { BoundMachine, Registry, Blueprint } from '@qtest/machine';
import type { ClockKind } from '@qtest/sdk';
import type { Mapping } from '@qtest/sdk/backend';
import type { UsableBackend } from '../emulated/backend.ts';
import { wantedOf } from '../emulated/wanted.ts';
import { Comparison } from './compare.ts';
import { EmulatorRival } from './emulator-rival.ts';
import { Generator } from './generate.ts';
import { hunt, type Hunted } from './hunt.ts';
import { Ignored } from './ignored.ts';
import { irqsOf } from './irqs.ts';
import { NativeSide } from './native-side.ts';
import { NativeRival } from './rival.ts';
import { setupOf } from './setup.ts';
import { buildVariant, overridesOf, type MachineSource } from './source.ts';

export interface StandOptions {
  readonly source: MachineSource;
  /** What is compared with: the machine of an emulator, or, when undefined, another one of the host's. */
  readonly other: UsableBackend | undefined;
  /** The clock that was asked for. */
  readonly clock: 'virtual' | 'realtime' | undefined;
  /** Ids and types; empty for all. */
  readonly devices: readonly string[];
  readonly ignore: readonly string[];
  readonly set: readonly string[];
  readonly seed: number;
  readonly count: number;
}

/** The emulator of a comparison. */
export interface EmulatorSide {
  readonly backend: UsableBackend;
  readonly mapping: Mapping;
  readonly clock: ClockKind;
}

/** Two machines, and what is done to them. */
export interface Stand {
  readonly bound: BoundMachine;
  readonly registry: Registry;
  readonly names: readonly [string, string];
  /** The emulator that is compared with. */
  readonly emulator: EmulatorSide | undefined;
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
  const { other } = options;
  const emulator = other === undefined ? undefined : sideOf(other, options.clock, blueprint, registry);
  const { indices, warnings } = selectDevices(options.devices, blueprint, emulator?.mapping);
  const ignored = Ignored.of(options.ignore, bound, registry);
  const setup = setupOf(first, indices);
  const realtime = emulator?.clock === 'realtime';
  const generator = new Generator({
    bound,
    registry,
    setup,
    devices: indices,
    ignored,
    steps: !realtime,
    resets: emulator?.backend.resetsAll !== false,
    irqs: irqsOf(blueprint, emulator?.mapping.missing) & ~ignored.irqs,
  });
  const devices = indices.map((index) => blueprint.devices[index]?.id ?? '?');
  if (generator.isEmpty)
    throw hostError(
      'USAGE',
      `nothing to access: ${devices.join(', ') || 'the machine'} has no ports, memory or configuration space`,
    );
  const rival =
    emulator === undefined
      ? new NativeRival('native (2)', new NativeSide(await source.build(new Map()), registry))
      : new EmulatorRival(emulator.backend, emulator.mapping.settings, emulator.clock);
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

/** @throws BACKEND when it has not the clock that was asked for. */
function sideOf(
  backend: UsableBackend,
  asked: ClockKind | undefined,
  blueprint: Blueprint,
  registry: Registry,
): EmulatorSide {
  const [usual = 'realtime'] = backend.clocks;
  const clock = asked ?? usual;
  if (!backend.clocks.includes(clock)) {
    const reason =
      backend.lacks(clock === 'virtual' ? 'virtual-clock' : 'realtime-clock') ??
      `${backend.title} has not got that clock`;
    throw hostError('BACKEND', `--clock ${clock}: ${reason}`);
  }
  return { backend, mapping: backend.map(wantedOf(blueprint, registry)), clock };
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
