import type { Chardev, DeviceInfo } from '@qtest/sdk';
import type { Blueprint } from '@qtest/machine';
import { Skipped } from '../../runner/case-context.ts';
import { EmulatedMachine } from '../emulated-machine.ts';
import type { Irqs } from '../irqs.ts';
import { BLOCK, REQUEST, type Mailbox } from './mailbox.ts';
import type { V86Mapping } from './mapping.ts';
import { looking } from './vcpu.ts';
import { own } from '@qtest/sdk/support';

/** Why a case that takes snapshots cannot run. */
export const NO_SNAPSHOT = "v86's snapshots keep the wall clock's time of its devices, which goes on";

interface Given {
  readonly blueprint: Blueprint;
  readonly mapping: V86Mapping;
  readonly mailbox: Mailbox;
  readonly irqs: Irqs;
}

/** v86's machine as a case sees it. */
export function v86Machine({ blueprint, mapping, mailbox, irqs }: Given): EmulatedMachine {
  const look = looking(mailbox, irqs);
  return new EmulatedMachine({
    blueprint,
    mapping,
    irqs,
    look,
    emulator: 'v86',
    noSnapshot: NO_SNAPSHOT,
    chardev: (device) => chardevOf(device, own(mapping.serials, device.id), mailbox),
    reset: (kind) => {
      if (kind === 'cold') throw new Skipped('v86 has no power-on reset but a new emulator');
      mailbox.ask({ kind: REQUEST.RESET });
      look();
    },
  });
}

function chardevOf({ type }: DeviceInfo, port: number | undefined, mailbox: Mailbox): Chardev | undefined {
  if (port === undefined) {
    if (type === 'i8042')
      throw new Skipped("v86's keyboard is given codes of set 1, which its controller does not translate any more");
    return undefined;
  }
  return {
    write: (data) => {
      const bytes = (typeof data === 'string' ? Buffer.from(data) : data).subarray(0, BLOCK);
      mailbox.bytes.set(bytes);
      mailbox.ask({ kind: REQUEST.SEND, size: bytes.length, address: port });
      return bytes.length;
    },
    read: () => mailbox.bytes.slice(0, mailbox.ask({ kind: REQUEST.RECEIVE, address: port })),
  };
}
