import { writeSync } from 'node:fs';
import type { Chardev, DeviceInfo } from '@qtest/sdk';
import type { Blueprint } from '@qtest/machine';
import { Skipped } from '../../runner/case-context.ts';
import { EmulatedMachine } from '../emulated-machine.ts';
import type { Irqs } from '../irqs.ts';
import { readAvailable, type Channel } from './channel.ts';
import type { QemuMapping } from './command-line.ts';
import type { Qmp } from './qmp.ts';
import type { Qtest } from './protocol.ts';

/** Why a case that takes snapshots cannot run. */
export const NO_SNAPSHOT = 'QEMU saves its state to a disk image, which its machine has not';

interface Given {
  readonly blueprint: Blueprint;
  readonly mapping: QemuMapping;
  readonly qtest: Qtest;
  readonly qmp: Qmp;
  readonly irqs: Irqs;
  readonly chardevs: readonly Channel[];
}

/** QEMU's machine as a case sees it. */
export function qemuMachine({ blueprint, mapping, qtest, qmp, irqs, chardevs }: Given): EmulatedMachine {
  return new EmulatedMachine({
    blueprint,
    mapping,
    irqs,
    look: () => qtest.poll(),
    emulator: 'QEMU',
    noSnapshot: NO_SNAPSHOT,
    chardev: (device) => chardevOf(device, chardevs[mapping.chardevs.indexOf(device.id)]),
    reset: (kind) => {
      if (kind === 'cold') throw new Skipped('QEMU has no power-on reset while it runs');
      qmp.execute('system_reset');
      // The command is answered before its effect.
      qmp.waitEvent('RESET');
      // The lines that fell by it are told of before the next answer.
      qtest.ask('endianness', 'little');
    },
  });
}

function chardevOf({ type }: DeviceInfo, channel: Channel | undefined): Chardev | undefined {
  if (channel === undefined) {
    if (type === 'i8042') throw new Skipped('QEMU presses keys by QMP, and not through a character backend');
    return undefined;
  }
  return {
    write: (data) => writeSync(channel.write, typeof data === 'string' ? Buffer.from(data) : data),
    read: () => Buffer.from(readAvailable(channel.poll) ?? '', 'latin1'),
  };
}
