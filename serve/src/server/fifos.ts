import { constants, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * Two FIFOs, `PATH.in` to read from and `PATH.out` to write to, or one, `PATH`, for both; as QEMU's. Each is opened for both ways, so
 * that neither waits for the other end, and no end of the client's ends it.
 */
export function openFifos(path: string): Duplex {
  const mode = constants.O_RDWR | constants.O_NONBLOCK;
  const isPair = existsSync(`${path}.in`) && existsSync(`${path}.out`);
  const readable = new Socket({ fd: openSync(isPair ? `${path}.in` : path, mode), readable: true, writable: false });
  const writable = new Socket({ fd: openSync(isPair ? `${path}.out` : path, mode), readable: false, writable: true });
  return Duplex.from({ readable, writable });
}
