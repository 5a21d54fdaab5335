import { openSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { checkKeys } from '../emulator/key-values.ts';
import { parseSwitch } from '../emulator/property-values.ts';
import { UserError } from '../emulator/settings.ts';
import { openFifos } from '../server/fifos.ts';
import { offer } from '../server/listen.ts';
import { listenAt, listenOnUnix, MAX_UNIX_PATH } from '../server/sockets.ts';
import { codeOf, messageOf } from '@qtest/sdk/support';
import { say } from './say.ts';

/** A character device of the command line: what is at the other end of a monitor, a serial line or the qtest protocol. */
export interface Chardev {
  readonly id: string;
  readonly filename: string;
  /**
   * Calls back with each connection, one at a time; a file has one, which nothing comes from.
   * @param isHot whoever is called back listens at once, and keeps no chunk: they may all be one buffer.
   */
  open(onStream: (stream: Duplex) => void, isHot?: boolean): void;
  readonly isOpen: boolean;
  /** Nothing ever comes from it. */
  readonly isMute: boolean;
}

/** What a character device is made from: `-chardev`'s backend and options, or a short form as `unix:PATH,server=on`. */
export interface ChardevSpec {
  readonly id: string;
  readonly kind: string;
  readonly options: ReadonlyMap<string, string>;
}

/** Bytes that are read at once. */
const HOT_BUFFER = 2 ** 16;
/** What a socket may be told: options of QEMU's that change nothing here are kept. */
const SOCKET_KEYS = [
  ...['path', 'host', 'port', 'server', 'wait', 'nodelay', 'reconnect', 'reconnect-ms', 'ipv4', 'ipv6', 'delay'],
  ...['backend', 'id', 'mux', 'logfile', 'logappend', 'signal', 'telnet', 'abstract', 'tight', 'keep-alive'],
];
/** Those that it must not be told to do: nothing here does it. */
const SOCKET_OFF = ['abstract', 'telnet'];

/**
 * @throws UserError in QEMU's words.
 */
export function makeChardev({ id, kind, options }: ChardevSpec): Chardev {
  switch (kind) {
    case 'null':
      return new Quiet(id);
    case 'file':
      return new FileSink(id, required(options, 'path', 'file'));
    case 'pipe':
      return new Once(id, `pipe:${required(options, 'path', 'pipe')}`, () =>
        openPipe(required(options, 'path', 'pipe')),
      );
    case 'stdio':
      return new Once(id, 'stdio', () => Duplex.from({ readable: process.stdin, writable: process.stdout }));
    case 'socket':
      return new SocketChardev(id, options);
    default:
      throw new UserError(`'${kind}' is not a valid char driver name`);
  }
}

function required(options: ReadonlyMap<string, string>, key: string, kind: string): string {
  const value = options.get(key);
  if (value === undefined || value === '') throw new UserError(`chardev: ${kind}: no filename given`);
  return value;
}

function openPipe(path: string): Duplex {
  try {
    return openFifos(path);
  } catch {
    throw new UserError(`chardev: pipe: Could not open '${path}'`);
  }
}

class Quiet implements Chardev {
  readonly id: string;
  readonly filename = 'null';
  readonly isOpen = true;
  readonly isMute = true;

  constructor(id: string) {
    this.id = id;
  }

  open(): void {}
}

class FileSink implements Chardev {
  readonly id: string;
  readonly filename = 'file';
  readonly isOpen = true;
  readonly isMute = true;
  readonly #path: string;
  readonly #fd: number;
  #isLost = false;

  constructor(id: string, path: string) {
    this.id = id;
    this.#path = path;
    try {
      this.#fd = openSync(path, 'w');
    } catch (error) {
      throw new UserError(`Could not open '${path}': ${reasonOf(error)}`);
    }
  }

  open(onStream: (stream: Duplex) => void): void {
    onStream(
      new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          this.#write(chunk);
          done();
        },
      }),
    );
  }

  /** What a full disk does not take is lost, as it is in QEMU; here it is told once. */
  #write(chunk: Buffer): void {
    if (this.#isLost) return;
    try {
      for (let done = 0; done < chunk.length;) done += writeSync(this.#fd, chunk, done);
    } catch (error) {
      this.#isLost = true;
      say(`chardev: file: ${this.#path}: ${messageOf(error)}. What is sent to it from now on is lost`);
    }
  }
}

class Once implements Chardev {
  readonly id: string;
  readonly filename: string;
  readonly isOpen = true;
  readonly isMute = false;
  readonly #make: () => Duplex;

  constructor(id: string, filename: string, make: () => Duplex) {
    this.id = id;
    this.filename = filename;
    this.#make = make;
  }

  open(onStream: (stream: Duplex) => void): void {
    const stream = this.#make();
    stream.on('error', () => stream.destroy());
    onStream(stream);
  }
}

/** A unix socket or TCP, as a client, or with `server=on` as a server of one client at a time. */
class SocketChardev implements Chardev {
  readonly id: string;
  readonly filename: string;
  readonly isMute = false;
  readonly #server: boolean;
  readonly #address: { readonly path: string } | { readonly host: string; readonly port: number };
  #stream: Socket | undefined;

  constructor(id: string, options: ReadonlyMap<string, string>) {
    this.id = id;
    checkKeys(options, SOCKET_KEYS);
    this.#server = isOn(options, 'server');
    for (const key of SOCKET_OFF)
      if (isOn(options, key)) throw new UserError(`chardev: socket: '${key}' is not here: leave it out`);
    const path = options.get('path');
    const [host, port] = [options.get('host'), options.get('port')];
    if (path !== undefined) {
      this.#address = { path: checkPath(path) };
      this.filename = `unix:${path}${this.#server ? ',server=on' : ''}`;
    } else if (port !== undefined) {
      this.#address = { host: host === undefined || host === '' ? '127.0.0.1' : host, port: checkPort(host, port) };
      this.filename = `tcp:${this.#address.host}:${port}${this.#server ? ',server=on' : ''}`;
    } else {
      throw new UserError("Parameter 'path' or 'port' is missing");
    }
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  open(onStream: (stream: Duplex) => void, isHot = false): void {
    if (this.#server) {
      this.#listen(onStream).catch((error: unknown) => {
        throw new ConnectError(`Failed to bind socket to '${this.#text}'`, error);
      });
      return;
    }
    const socket = isHot ? connectHot(this.#address) : connect(this.#address);
    const refused = (error: Error): void => {
      throw new ConnectError(`Failed to connect to '${this.#text}'`, error);
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      socket.on('error', () => socket.destroy());
      this.#take(socket, onStream);
    });
  }

  get #text(): string {
    return 'path' in this.#address ? this.#address.path : `${this.#address.host}:${this.#address.port}`;
  }

  async #listen(onStream: (stream: Duplex) => void): Promise<void> {
    const address = this.#address;
    const take = (socket: Socket): boolean => {
      if (this.#stream !== undefined) return false;
      this.#take(socket, onStream);
      return true;
    };
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      offer(socket, () => take(socket), '');
    });
    if ('path' in address) await listenOnUnix(server, address.path);
    else await listenAt(server, address);
    // A client that cannot be taken, for want of descriptors, say, ends nobody else's session.
    server.on('error', () => {});
  }

  #take(socket: Socket, onStream: (stream: Duplex) => void): void {
    socket.setNoDelay(true);
    this.#stream = socket;
    socket.once('close', () => (this.#stream = undefined));
    onStream(socket);
  }
}

/** Connects past what a stream does with what it reads, which would be a third of a round trip. */
function connectHot(address: { readonly path: string } | { readonly host: string; readonly port: number }): Socket {
  const socket: Socket = connect({
    ...address,
    onread: {
      buffer: Buffer.allocUnsafeSlow(HOT_BUFFER),
      callback: (size, buffer) => socket.emit('data', buffer.subarray(0, size)),
    },
  });
  return socket;
}

/** @throws UserError where a switch is neither. */
function isOn(options: ReadonlyMap<string, string>, key: string): boolean {
  const text = options.get(key);
  if (text === undefined) return false;
  const on = parseSwitch(text);
  if (on === undefined) throw new UserError(`Parameter '${key}' expects 'on' or 'off'`);
  return on;
}

function checkPath(path: string): string {
  if (path === '') throw new UserError("chardev: socket: Parameter 'path' is empty: expected the path of a socket");
  if (Buffer.byteLength(path) > MAX_UNIX_PATH)
    throw new UserError(`UNIX socket path '${path}' is too long\nPath must be less than ${MAX_UNIX_PATH + 1} bytes`);
  return path;
}

function checkPort(host = '', text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 0xffff) return Number(text);
  throw new UserError(
    `address resolution failed for ${host}:${text}: '${text}' is no port: expected a number from 0 to 65535`,
  );
}

/** A socket could not be connected, or is not there to be listened on. */
export class ConnectError extends Error {
  constructor(what: string, cause: unknown) {
    super(`${what}: ${reasonOf(cause)}`);
  }
}

/** Why a file or a socket cannot be had, in C's words where it has some. */
function reasonOf(error: unknown): string {
  return REASONS.get(codeOf(error) ?? '') ?? messageOf(error);
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'No such file or directory'],
  ['ECONNREFUSED', 'Connection refused'],
  ['EACCES', 'Permission denied'],
  ['EADDRINUSE', 'Address already in use'],
  ['EISDIR', 'Is a directory'],
  ['ENOTDIR', 'Not a directory'],
  ['ELOOP', 'Too many levels of symbolic links'],
  ['ENAMETOOLONG', 'File name too long'],
]);
