import { callForeign, foreignBound } from '../bounded.ts';
import type { BoundMachine } from '../machine/bound-machine.ts';

/**
 * Runs what calls the code of a machine's devices on the host's thread. Where a plugin brings one of them, it is bounded: a machine whose
 * device did not come back must not be used again.
 */
export function callDevices<T>(plugin: string, machine: BoundMachine, run: () => T): T {
  if (machine.blueprint.devices.every(({ module }) => module.kind === 'builtin')) return run();
  return callForeign({ what: `plugin '${plugin}': the devices of its machine`, exit: 1 }, run, foreignBound());
}
