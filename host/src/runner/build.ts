import { type BackendName, type ClockKind, type MachineContext, isQtestError } from '@qtest/sdk';
import { hostError, messageOf } from '@qtest/sdk/support';
import { awaitForeign, callForeign, foreignBound, isInterruption } from '../foreign/bounded.ts';
import type { HookSet } from '../hooks.ts';
import {
  Builder,
  createMachine,
  registryOf,
  type BoundMachine,
  type Catalog,
  type Overrides,
  type Registry,
} from '@qtest/machine';
import type { LoadedPlugin } from '../plugins/types.ts';

/** Builds a plugin's machine up to its seal: `init()`, or the normal machine init, and then the hook `machineInit`. */
export async function build(
  plugin: LoadedPlugin,
  {
    known,
    hooks,
    context,
    overrides,
  }: { known: Catalog; hooks: HookSet; context: MachineContext; overrides?: Overrides },
): Promise<Builder> {
  const builder = new Builder(context.clock, known, context.vcpus, overrides);
  const { init } = plugin.plugin;
  if (init === undefined) {
    builder.pc();
  } else {
    try {
      const foreign = { what: `plugin '${plugin.name}': init()`, exit: 1 } as const;
      await awaitForeign(foreign, () => init(builder, { options: plugin.options }), foreignBound());
    } catch (error) {
      if (isInterruption(error)) throw error;
      throw hostError('MACHINE', `plugin '${plugin.name}': init(): ${messageOf(error)}`, { cause: error });
    }
  }
  await hooks.machineInit.promise(builder, context);
  try {
    builder.check();
  } catch (error) {
    throw hostError('MACHINE', `plugin '${plugin.name}': ${messageOf(error)}`, { cause: error });
  }
  return builder;
}

/** Builds a plugin's machine and powers it on. */
export async function powerOn(
  plugin: LoadedPlugin,
  { known, hooks, context }: { known: Catalog; hooks: HookSet; context: MachineContext },
): Promise<BoundMachine> {
  const builder = await build(plugin, { known, hooks, context });
  const machine = poweredOn(`plugin '${plugin.name}'`, builder, registryOf(known));
  const { fault } = machine.bus;
  if (fault === undefined) return machine;
  const cause = Object.assign(new Error(fault.message), { stack: fault.stack });
  throw hostError('DEVICE', `plugin '${plugin.name}': device '${fault.device}' threw at power-on: ${fault.message}`, {
    cause,
  });
}

/**
 * Powers a machine on, its devices' code within a bound.
 * @param whose as errors begin.
 */
export function poweredOn(whose: string, builder: Builder, registry: Registry): BoundMachine {
  try {
    const foreign = { what: `${whose}: its machine's power-on`, exit: 1 } as const;
    return callForeign(foreign, () => createMachine(builder, registry), foreignBound());
  } catch (error) {
    if (isQtestError(error)) throw error;
    throw hostError('DEVICE', `${whose}: at power-on: ${messageOf(error)}`, { cause: error });
  }
}

let machines = 0;

/** What the hooks are told of a new machine of a plugin. */
export function contextFor(plugin: LoadedPlugin, clock: ClockKind, backend: BackendName = 'native'): MachineContext {
  const vcpus = Math.max(1, ...plugin.cases.map((item) => item.vcpus));
  return { plugin: plugin.name, machine: ++machines, clock, vcpus, backend };
}
