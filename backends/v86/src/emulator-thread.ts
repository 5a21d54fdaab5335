import { parentPort, workerData } from 'node:worker_threads';
import { setImmediate as turn } from 'node:timers/promises';
import { Emulator, type V86Constructor } from './emulator.ts';
import { BLOCK, Mailbox, REQUEST, type Request } from './mailbox.ts';
import type { V86EmulatorData, V86Message } from './messages.ts';

/**
 * The thread of one v86: answers its VCPU's requests, and between them turns its event loop, for what v86's devices do later. Their own timers
 * are polled, as v86's main loop does.
 */

/** Longest time without a turn of the event loop, ms. */
const TURN_EVERY = 1;

const { entry, wasm, settings, mailbox: buffer } = workerData as V86EmulatorData;
const mailbox = new Mailbox(buffer);

function serve(emulator: Emulator, { kind, size, address, value }: Required<Request>): number {
  switch (kind) {
    case REQUEST.BEGIN:
      emulator.begin(settings.epoch);
      return 0;
    case REQUEST.IN:
      return emulator.in(address, size);
    case REQUEST.OUT:
      emulator.out(address, value, size);
      return 0;
    case REQUEST.READ:
      return emulator.read(address, size);
    case REQUEST.WRITE:
      emulator.write(address, value, size);
      return 0;
    case REQUEST.READ_BLOCK:
      emulator.readBlock(address, mailbox.bytes.subarray(0, size));
      return 0;
    case REQUEST.WRITE_BLOCK:
      emulator.writeBlock(address, mailbox.bytes.slice(0, size));
      return 0;
    case REQUEST.ACKNOWLEDGE:
      return emulator.acknowledge();
    case REQUEST.RESET:
      emulator.reset();
      return 0;
    case REQUEST.SEND:
      emulator.send(address, mailbox.bytes.slice(0, size));
      return 0;
    case REQUEST.RECEIVE: {
      const bytes = emulator.receive(address, BLOCK);
      mailbox.bytes.set(bytes);
      return bytes.length;
    }
    default:
      throw new Error(`request ${kind} is not known`);
  }
}

/** Answers what comes until a turn of the event loop is due. */
function serveForATurn(emulator: Emulator): void {
  const end = performance.now() + TURN_EVERY;
  for (let now = performance.now(); now < end; now = performance.now()) {
    const due = emulator.poll();
    const request = mailbox.receive(due > 0 ? Math.min(end - now, due) : 0);
    if (request === undefined) continue;
    try {
      // What has become due while it slept comes before the access.
      emulator.poll();
      mailbox.answer(serve(emulator, request));
    } catch (error) {
      mailbox.fail(String(error));
    }
  }
}

function tell(message: V86Message): void {
  parentPort?.postMessage(message);
}

let emulator: Emulator | undefined;
try {
  const { V86 } = (await import(entry)) as { V86: V86Constructor };
  emulator = await Emulator.create(V86, wasm, settings, (irq, level) => mailbox.drive(irq, level));
  tell({ ready: true });
} catch (error) {
  tell({ error: String(error) });
}
while (emulator !== undefined) {
  serveForATurn(emulator);
  await turn();
}
