import type { Capability } from '@qtest/sdk';
import type { Backend } from '../backend.ts';
import { V86Lane } from './lane.ts';
import { NO_SNAPSHOT } from './machine.ts';
import { projectV86 } from './package.ts';

/**
 * v86's devices, in real time: they read the wall clock.
 * @param from a folder in whose packages it is looked for, when the host has none.
 * @throws BACKEND when there is none that can be used.
 */
export async function v86Backend(from: string): Promise<Backend> {
  const v86 = await projectV86(from);
  return {
    name: 'v86',
    version: v86.version,
    clocks: ['realtime'],
    lacks: (capability) => LACKS[capability],
    createLane: (options) => V86Lane.create(v86, options),
  };
}

const LACKS: Readonly<Record<Capability, string | undefined>> = {
  'virtual-clock': "needs the virtual clock, and v86's devices read the wall clock",
  'realtime-clock': undefined,
  'interrupt-acknowledge': undefined,
  snapshot: NO_SNAPSHOT,
  'multi-vcpu': "v86 has one CPU, and takes one VCPU's requests",
};
