import type { Chardev, DeviceInfo } from '@qtest/sdk';
import type { Connection, ConnectOptions, Lack } from '@qtest/sdk/backend';
import { BLOCK, IRQS, Mailbox, REQUEST } from './mailbox.ts';
import type { V86Handle } from './messages.ts';

/** A v86 as its VCPU's thread drives it: every access is a request to the emulator's thread. */
export function connect({ mailbox: buffer, serials }: V86Handle, { irqs, bound }: ConnectOptions): Connection {
  const mailbox = new Mailbox(buffer);
  /** Takes in the levels and rises that the emulator's thread has counted. */
  const look = (): void => {
    for (let irq = 0; irq < IRQS; irq++) irqs.update(irq, mailbox.level(irq), mailbox.rises(irq));
  };
  /** Its answer is a value of 32 bits. */
  const ask = (kind: number, size: number, address: number, value = 0): number => {
    const answer = mailbox.ask({ kind, size, address, value }, bound);
    look();
    return answer >>> 0;
  };
  return {
    in: (port, size) => ask(REQUEST.IN, size, port),
    out: (port, value, size) => void ask(REQUEST.OUT, size, port, value),
    read: (address, size) => ask(REQUEST.READ, size, address),
    write: (address, value, size) => void ask(REQUEST.WRITE, size, address, value),
    readBlock: (address, target) => {
      for (let done = 0; done < target.length; done += BLOCK) {
        const size = Math.min(BLOCK, target.length - done);
        ask(REQUEST.READ_BLOCK, size, address + done);
        target.set(mailbox.bytes.subarray(0, size), done);
      }
    },
    writeBlock: (address, data) => {
      for (let done = 0; done < data.length; done += BLOCK) {
        const part = data.subarray(done, done + BLOCK);
        mailbox.bytes.set(part);
        ask(REQUEST.WRITE_BLOCK, part.length, address + done);
      }
    },
    fill: (address, size, value) => {
      for (let done = 0; done < size; done += BLOCK) {
        const length = Math.min(BLOCK, size - done);
        mailbox.bytes.fill(value, 0, length);
        ask(REQUEST.WRITE_BLOCK, length, address + done);
      }
    },
    look,
    begin: () => void mailbox.ask({ kind: REQUEST.BEGIN }, bound),
    acknowledge() {
      const vector = mailbox.ask({ kind: REQUEST.ACKNOWLEDGE }, bound);
      return vector < 0 ? undefined : vector;
    },
    chardev: (device) => chardevOf(device, serials[device.id], mailbox),
    reset(kind) {
      if (kind === 'cold') return { lacks: 'v86 has no power-on reset but a new emulator' };
      mailbox.ask({ kind: REQUEST.RESET }, bound);
      look();
      return undefined;
    },
  };
}

function chardevOf({ type }: DeviceInfo, port: number | undefined, mailbox: Mailbox): Chardev | Lack | undefined {
  if (port === undefined) {
    return type === 'i8042'
      ? { lacks: "v86's keyboard is given codes of set 1, which its controller does not translate any more" }
      : undefined;
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
