import type { Capability, ClockKind } from '@qtest/sdk';
import type { Backend } from '../backend.ts';
import { detectQemu, type DetectedQemu } from './detect.ts';
import { QemuLane } from './lane.ts';
import { NO_SNAPSHOT } from './machine.ts';
import { NO_ACKNOWLEDGE } from './vcpu.ts';

/**
 * A real QEMU, over the qtest protocol. What it lacks beside what its protocol lacks depends on the build: Debian's and Ubuntu's have no
 * accelerator `qtest`, without which the time cannot be set.
 * @throws BACKEND when there is none that can be used.
 */
export async function qemuBackend(command: string): Promise<Backend> {
  const detected = await detectQemu(command);
  return {
    name: 'qemu',
    version: detected.version,
    clocks: clocksOf(detected),
    lacks: (capability) => lacks(detected, capability),
    createLane: (options) => QemuLane.create(detected, options),
  };
}

function clocksOf({ accelerators }: DetectedQemu): readonly ClockKind[] {
  return [
    ...(accelerators.includes('qtest') ? (['virtual'] as const) : []),
    ...(accelerators.includes('tcg') ? (['realtime'] as const) : []),
  ];
}

function lacks({ version, accelerators }: DetectedQemu, capability: Capability): string | undefined {
  switch (capability) {
    case 'virtual-clock':
      return accelerators.includes('qtest')
        ? undefined
        : `needs the virtual clock, and this QEMU ${version} has no accelerator 'qtest'`;
    case 'realtime-clock':
      return accelerators.includes('tcg')
        ? undefined
        : `needs the realtime clock, and this QEMU ${version} has no accelerator 'tcg'`;
    case 'interrupt-acknowledge':
      return NO_ACKNOWLEDGE;
    case 'snapshot':
      return NO_SNAPSHOT;
    case 'multi-vcpu':
      return 'QEMU takes the requests of one VCPU over qtest';
  }
}
