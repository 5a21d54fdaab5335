import { writeSync } from 'node:fs';
import type { Chardev, DeviceInfo } from '@qtest/sdk';
import type { AccessSize, Connection, ConnectionClock, ConnectOptions, Lack } from '@qtest/sdk/backend';
import { Lines, readAvailable } from './channel.ts';
import type { QemuHandle } from './handle.ts';
import { Pending } from './pending.ts';
import { Qtest } from './protocol.ts';
import { Qmp } from './qmp.ts';

/** Bytes of a bulk access in one request. */
const BULK = 2 ** 18;

const SUFFIX: Readonly<Record<AccessSize, string>> = { 1: 'b', 2: 'w', 4: 'l' };

/** A QEMU as its VCPU's thread drives it: every access is a request over the qtest protocol. */
export function connect(handle: QemuHandle, { irqs }: ConnectOptions): Connection {
  const pending = new Pending(handle.pending);
  const qtest = new Qtest(
    new Lines(handle.qtest, 'qtest'),
    (pin, level) => irqs.change(pin, level),
    (request) => pending.set(request),
  );
  qtest.ask('irq_intercept_in ioapic');
  const qmp = new Qmp(new Lines(handle.qmp, 'QMP'));
  return {
    in: (port, size) => qtest.number(`in${SUFFIX[size]} ${port}`),
    out: (port, value, size) => void qtest.ask(`out${SUFFIX[size]} ${port} ${value}`),
    read: (address, size) => qtest.number(`read${SUFFIX[size]} ${address}`),
    write: (address, value, size) => void qtest.ask(`write${SUFFIX[size]} ${address} ${value}`),
    readBlock: (address, target) => {
      for (let done = 0; done < target.length; done += BULK) {
        const length = Math.min(BULK, target.length - done);
        const [text = ''] = qtest.ask(`b64read ${address + done} ${length}`);
        target.set(Buffer.from(text, 'base64').subarray(0, length), done);
      }
    },
    writeBlock: (address, data) => {
      for (let done = 0; done < data.length; done += BULK) {
        const part = data.subarray(done, done + BULK);
        const text = Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64');
        qtest.ask(`b64write ${address + done} ${part.length} ${text}`);
      }
    },
    fill: (address, size, value) => void qtest.ask(`memset ${address} ${size} ${value}`),
    // In virtual time nothing happens by itself.
    look: () => {
      if (handle.clock === 'realtime') qtest.poll();
    },
    ...(handle.clock === 'virtual' && { clock: clockOf(qtest) }),
    chardev: (device) => chardevOf(device, handle),
    reset: (kind) => {
      if (kind === 'cold') return { lacks: 'QEMU has no power-on reset while it runs' };
      qmp.execute('system_reset');
      // The command is answered before its effect.
      qmp.waitEvent('RESET');
      // The lines that fell by it are told of before the next answer.
      qtest.ask('endianness');
      return undefined;
    },
  };
}

function clockOf(qtest: Qtest): ConnectionClock {
  return {
    step: (ns) => BigInt(qtest.number(`clock_step ${ns}`)),
    stepToDeadline: () => {
      const [now] = qtest.tryAsk('clock_step') ?? [];
      return now === undefined ? undefined : BigInt(now);
    },
  };
}

function chardevOf({ id, type }: DeviceInfo, { chardevs }: QemuHandle): Chardev | Lack | undefined {
  const channel = chardevs[id];
  if (channel === undefined) {
    return type === 'i8042' ? { lacks: 'QEMU presses keys by QMP, and not through a character backend' } : undefined;
  }
  return {
    write: (data) => writeSync(channel.write, typeof data === 'string' ? Buffer.from(data) : data),
    read: () => Buffer.from(readAvailable(channel.poll) ?? '', 'latin1'),
  };
}
