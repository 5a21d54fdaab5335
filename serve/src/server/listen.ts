import { unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { hostError, codeOf, messageOf } from '@qtest/sdk/support';
import { addressText, type Address } from './address.ts';
import { openFifos } from './fifos.ts';

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
  if (address.kind === 'unix') await removeStale(address.path);
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    // A client that vanishes is no error here: its 'close' follows.
    socket.on('error', () => socket.destroy());
    offer(socket, onClient, refusal, TURNS);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(hostError('USAGE', `cannot listen on ${addressText(address)}: ${messageOf(error)}`)),
    );
    server.listen(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
      resolve,
    );
  });
  return { address: withPort(address, server), ended: new Promise(() => {}), close: () => void server.close() };
}

/** The client before this one may have gone, and its end be still to be seen. */
function offer(socket: Socket, onClient: OnClient, refusal: string, turns: number): void {
  if (onClient(socket)) return;
  if (turns > 0) setImmediate(() => offer(socket, onClient, refusal, turns - 1));
  else socket.end(refusal);
}

function withPort(address: Address, server: Server): Address {
  const bound = server.address();
  return address.kind === 'tcp' && bound !== null && typeof bound === 'object'
    ? { ...address, port: bound.port }
    : address;
}

/** A socket's file that nobody listens to any more is in the way. */
async function removeStale(path: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(codeOf(error)));
  });
  if (code === undefined) throw hostError('USAGE', `cannot listen on unix:${path}: somebody does already`);
  if (code === 'ECONNREFUSED') unlinkSync(path);
}
