import { writeSync } from 'node:fs';
import type { Chardev, DeviceInfo } from '@qtest/sdk';
import {
  emulatorError,
  type AccessSize,
  type Connection,
  type ConnectionClock,
  type ConnectOptions,
  type Lack,
} from '@qtest/sdk/backend';
import { own } from '@qtest/sdk/support';
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
    in: (port, size) => qtest.value(`in${SUFFIX[size]} ${port}`, size),
    out: (port, value, size) => qtest.ask(`out${SUFFIX[size]} ${port} ${value}`),
    read: (address, size) => qtest.value(`read${SUFFIX[size]} ${address}`, size),
    write: (address, value, size) => qtest.ask(`write${SUFFIX[size]} ${address} ${value}`),
    readBlock: (address, target) => {
      for (let done = 0; done < target.length; done += BULK) {
        const length = Math.min(BULK, target.length - done);
        target.set(qtest.bytes(`b64read ${address + done} ${length}`, length), done);
      }
    },
    writeBlock: (address, data) => {
      for (let done = 0; done < data.length; done += BULK) {
        const part = data.subarray(done, done + BULK);
        const text = Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64');
        qtest.ask(`b64write ${address + done} ${part.length} ${text}`);
      }
    },
    fill: (address, size, value) => qtest.ask(`memset ${address} ${size} ${value}`),
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

/** Of a clock of 64 bits, ns. */
const LAST_INSTANT = 2n ** 63n - 1n;

function clockOf(qtest: Qtest): ConnectionClock {
  let now = 0n;
  return {
    step: (ns) => {
      const stepped = qtest.time(`clock_step ${ns}`, now + 1n, now + ns);
      if (stepped === undefined) throw emulatorError(`QEMU refuses 'clock_step ${ns}'`);
      return (now = stepped);
    },
    stepToDeadline: () => {
      const stepped = qtest.time('clock_step', now, LAST_INSTANT);
      if (stepped !== undefined) now = stepped;
      return stepped;
    },
  };
}

function chardevOf({ id, type }: DeviceInfo, { chardevs }: QemuHandle): Chardev | Lack | undefined {
  const channel = own(chardevs, id);
  if (channel === undefined) {
    return type === 'i8042' ? { lacks: 'QEMU presses keys by QMP, and not through a character backend' } : undefined;
  }
  return {
    write: (data) => writeSync(channel.write, typeof data === 'string' ? Buffer.from(data) : data),
    read: () => Buffer.from(readAvailable(channel.poll) ?? '', 'latin1'),
  };
}
