import { callForeign, foreignBound } from '../foreign/bounded.ts';
import type { BoundMachine } from '@qtest/machine';

/** Our own devices come back. */
const OWN = '@qtest/devices';

/**
 * Runs what calls the code of a machine's devices on the host's thread. Where one of them is not ours, it is bounded: a machine whose
 * device did not come back must not be used again.
 */
export function callDevices<T>(plugin: string, machine: BoundMachine, run: () => T): T {
  if (machine.blueprint.devices.every(({ module }) => module.kind === 'package' && module.package === OWN))
    return run();
  return callForeign({ what: `plugin '${plugin}': the devices of its machine`, exit: 1 }, run, foreignBound());
}
