import { constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { connect, createServer, Socket, type Server } from 'node:net';
import { Duplex } from 'node:stream';
import { hostError } from '../errors.ts';
import { codeOf, messageOf } from '../thrown.ts';
import { addressText, type Address } from './address.ts';

/** Somebody's end of a connection. */
export interface Client {
  readonly stream: Duplex;
}

/** Where clients come from. */
export interface Listener {
  /** With the port that was taken for port 0. */
  readonly address: Address;
  /** Settles when no client can come any more: the end of standard input. */
  readonly ended: Promise<void>;
  close(): void;
}

/** What is to be done with a client; false when there is one already. */
export type OnClient = (stream: Duplex) => boolean;

/** Opens an address for clients. @param refusal what one is told that comes while another is there. */
export async function listen(address: Address, onClient: OnClient, refusal: string): Promise<Listener> {
  switch (address.kind) {
    case 'stdio':
      return standardStreams(address, onClient);
    case 'pipe':
      onClient(openFifos(address.path));
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

/**
 * Two FIFOs, `PATH.in` to read from and `PATH.out` to write to, or one, `PATH`, for both; as QEMU's. Each is opened for both ways, so
 * that neither waits for the other end, and no end of the client's ends it.
 */
export function openFifos(path: string): Duplex {
  const mode = constants.O_RDWR | constants.O_NONBLOCK;
  const pair = existsSync(`${path}.in`) && existsSync(`${path}.out`);
  const open = (name: string): number => {
    try {
      return openSync(name, mode);
    } catch (error) {
      throw hostError('USAGE', `pipe:${path}: ${messageOf(error)}; make ${path}.in and ${path}.out with mkfifo`);
    }
  };
  const readable = new Socket({ fd: open(pair ? `${path}.in` : path), readable: true, writable: false });
  const writable = new Socket({ fd: open(pair ? `${path}.out` : path), readable: false, writable: true });
  return Duplex.from({ readable, writable });
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
    if (!onClient(socket)) socket.end(refusal);
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
