import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { hostError, messageOf } from '@qtest/sdk/support';
import { addressText, type Address } from './address.ts';
import { openFifos } from './fifos.ts';
import { listenAt, listenOnUnix } from './sockets.ts';

/** Where clients come from. */
export interface Listener {
  /** With the port that was taken for port 0. */
  readonly address: Address;
  /** Settles when no client can come any more: the end of standard input. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Turns of the event loop that a client waits for the one before it to have gone. */
const TURNS = 8;

/** What is to be done with a client; false when there is one already. */
export type OnClient = (stream: Duplex) => boolean;

/** Opens an address for clients. @param refusal what one is told that comes while another is there. */
export async function listen(address: Address, onClient: OnClient, refusal: string): Promise<Listener> {
  switch (address.kind) {
    case 'stdio':
      return standardStreams(address, onClient);
    case 'pipe':
      onClient(fifos(address.path));
      return { address, ended: new Promise(() => {}), close: () => {} };
    default:
      return await listenOn(address, onClient, refusal);
  }
}

function standardStreams(address: Address, onClient: OnClient): Listener {
  const stream = Duplex.from({ readable: process.stdin, writable: process.stdout });
  const ended = new Promise<void>((resolve) => stream.once('close', resolve));
  stream.on('error', () => stream.destroy());
  process.stdin.once('end', () => stream.destroy());
  onClient(stream);
  return { address, ended, close: () => stream.destroy() };
}

function fifos(path: string): Duplex {
  try {
    return openFifos(path);
  } catch (error) {
    throw hostError('USAGE', `pipe:${path}: ${messageOf(error)}; make ${path}.in and ${path}.out with mkfifo`);
  }
}

async function listenOn(
  address: Extract<Address, { kind: 'unix' | 'tcp' }>,
  onClient: OnClient,
  refusal: string,
): Promise<Listener> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    // A client that vanishes is no error here: its 'close' follows.
    socket.on('error', () => socket.destroy());
    offer(socket, onClient, refusal);
  });
  let remove = (): void => {};
  try {
    if (address.kind === 'unix') remove = await listenOnUnix(server, address.path);
    else await listenAt(server, address);
  } catch (error) {
    throw hostError('USAGE', `cannot listen on ${addressText(address)}: ${messageOf(error)}`);
  }
  // A client that cannot be taken, for want of descriptors, say, ends nobody else's session.
  server.on('error', () => {});
  const close = (): void => {
    remove();
    server.close();
  };
  return { address: withPort(address, server), ended: new Promise(() => {}), close };
}

/** Has a client taken, or refused. The one before it may have gone, and its end be still to be seen. */
export function offer(socket: Socket, onClient: OnClient, refusal: string, turns = TURNS): void {
  if (onClient(socket)) return;
  if (turns > 0) setImmediate(() => offer(socket, onClient, refusal, turns - 1));
  else refuse(socket, refusal);
}

/** One that is refused and does not close would keep its descriptor; what it says is of no interest. */
function refuse(socket: Socket, refusal: string): void {
  socket.resume();
  socket.end(refusal, () => socket.destroy());
}

function withPort(address: Address, server: Server): Address {
  const bound = server.address();
  return address.kind === 'tcp' && bound !== null && typeof bound === 'object'
    ? { ...address, port: bound.port }
    : address;
}
