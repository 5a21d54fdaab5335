import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Capability, ClockKind } from '@qtest/sdk';
import { defineBackend, type BackendSpec, type Emulator } from '@qtest/sdk/backend';
import { mapMachine, type QemuSettings } from './command-line.ts';
import { detectQemu, type DetectedQemu } from './detect.ts';
import type { QemuHandle } from './handle.ts';
import { QemuProcess } from './process.ts';
import { scriptOf } from './script.ts';

/** The QEMU of whoever names none. */
const COMMAND = 'qemu-system-x86_64';

/**
 * A real QEMU, over the qtest protocol. What it lacks beside what its protocol lacks depends on the build: Debian's and Ubuntu's have no
 * accelerator `qtest`, without which the time cannot be set.
 */
const qemu: BackendSpec<QemuSettings, QemuHandle> = defineBackend({
  name: 'qemu',
  title: 'QEMU',
  // tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
  connector: new URL(`./connector${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  detect: async ({ command = COMMAND }) => emulatorOf(await detectQemu(command)),
});

export default qemu;

function emulatorOf(detected: DetectedQemu): Emulator<QemuSettings, QemuHandle> {
  const { command, version, build, accelerators } = detected;
  return {
    version,
    about: { path: onPath(command), ...(build !== undefined && { build }), features: { accelerators } },
    clocks: clocksOf(detected),
    lacks: (capability) => lacks(detected, capability),
    map: mapMachine,
    start: async ({ args, chardevs }, { clock }) =>
      await QemuProcess.start({ command, accelerator: acceleratorOf(clock), args, chardevs }),
    script: (settings, { clock }, operations) =>
      scriptOf(operations, { command, accelerator: acceleratorOf(clock), settings }),
  };
}

/** `detectQemu` has seen to it that there is one of the two. */
function clocksOf({ accelerators }: DetectedQemu): readonly [ClockKind, ...ClockKind[]] {
  if (!accelerators.includes('qtest')) return ['realtime'];
  return accelerators.includes('tcg') ? ['virtual', 'realtime'] : ['virtual'];
}

function acceleratorOf(clock: ClockKind): 'qtest' | 'tcg' {
  return clock === 'virtual' ? 'qtest' : 'tcg';
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
      return 'qtest has no interrupt acknowledge cycle: over it, QEMU gives no vector (use vcpu.onIrq(), or poll the 8259A by OCW3)';
    case 'snapshot':
      return 'QEMU saves its state to a disk image, which its machine has not';
    case 'multi-vcpu':
      return 'QEMU takes the requests of one VCPU over qtest';
  }
}

/** The file of a command, as a shell finds it. */
function onPath(command: string): string {
  if (command.includes('/')) return command;
  const files = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, command));
  return files.find((file) => existsSync(file)) ?? command;
}
