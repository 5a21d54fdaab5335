import { closeSync, constants, existsSync, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * Two FIFOs, `PATH.in` to read from and `PATH.out` to write to, or one, `PATH`, for both; as QEMU's. Each is opened for both ways, so
 * that neither waits for the other end, and no end of the client's ends it.
 * @throws where there are none, or what is there are no FIFOs.
 */
export function openFifos(path: string): Duplex {
  const isPair = existsSync(`${path}.in`) && existsSync(`${path}.out`);
  const from = openFifo(isPair ? `${path}.in` : path);
  let to: number;
  try {
    to = openFifo(isPair ? `${path}.out` : path);
  } catch (error) {
    closeSync(from);
    throw error;
  }
  const stream = Duplex.from({
    readable: new Socket({ fd: from, readable: true, writable: false }),
    writable: new Socket({ fd: to, readable: false, writable: true }),
  });
  // To be destroyed before its end is no error here.
  stream.on('error', () => stream.destroy());
  return stream;
}

function openFifo(path: string): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new Error(`${path} is no FIFO`);
}
