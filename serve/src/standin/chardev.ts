import { openSync, writeSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { UserError } from '../emulator/settings.ts';
import { openFifos } from '../server/fifos.ts';

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
  /** Where nobody is at the other end, what is sent is lost. */
  close(): void;
}

/** What a character device is made from: `-chardev`'s backend and options, or a short form as `unix:PATH,server=on`. */
export interface ChardevSpec {
  readonly id: string;
  readonly kind: string;
  readonly options: ReadonlyMap<string, string>;
}

/** Bytes that are read at once. */
const HOT_BUFFER = 2 ** 16;

const isOn = (value: string | undefined): boolean => value === 'on' || value === 'yes' || value === 'true';

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

  constructor(id: string) {
    this.id = id;
  }

  open(): void {}

  close(): void {}
}

class FileSink implements Chardev {
  readonly id: string;
  readonly filename = 'file';
  readonly isOpen = true;
  readonly #fd: number;

  constructor(id: string, path: string) {
    this.id = id;
    try {
      this.#fd = openSync(path, 'w');
    } catch {
      throw new UserError(`Could not open '${path}': No such file or directory`);
    }
  }

  open(onStream: (stream: Duplex) => void): void {
    const fd = this.#fd;
    onStream(
      new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          writeSync(fd, chunk);
          done();
        },
      }),
    );
  }

  close(): void {}
}

class Once implements Chardev {
  readonly id: string;
  readonly filename: string;
  readonly isOpen = true;
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

  close(): void {}
}

/** A unix socket or TCP, as a client, or with `server=on` as a server of one client at a time. */
class SocketChardev implements Chardev {
  readonly id: string;
  readonly filename: string;
  readonly #server: boolean;
  readonly #address: { readonly path: string } | { readonly host: string; readonly port: number };
  #stream: Socket | undefined;
  #listener: Server | undefined;

  constructor(id: string, options: ReadonlyMap<string, string>) {
    this.id = id;
    this.#server = isOn(options.get('server'));
    const path = options.get('path');
    const [host, port] = [options.get('host'), options.get('port')];
    if (path !== undefined) {
      this.#address = { path };
      this.filename = `unix:${path}${this.#server ? ',server=on' : ''}`;
    } else if (port !== undefined) {
      this.#address = { host: host === undefined || host === '' ? '127.0.0.1' : host, port: Number(port) };
      this.filename = `tcp:${this.#address.host}:${port}${this.#server ? ',server=on' : ''}`;
    } else {
      throw new UserError("Parameter 'path' or 'port' is missing");
    }
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  open(onStream: (stream: Duplex) => void, isHot = false): void {
    if (!this.#server) {
      const socket = isHot ? connectHot(this.#address) : connect(this.#address);
      const refused = (error: Error): void => {
        throw new ConnectError(this.#text, error);
      };
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        this.#take(socket, onStream);
      });
      return;
    }
    this.#listener = createServer((socket) => {
      if (this.#stream === undefined) this.#take(socket, onStream);
      else socket.destroy();
    });
    this.#listener.once('error', (error) => {
      throw new ConnectError(this.#text, error);
    });
    this.#listener.listen(this.#address);
  }

  close(): void {
    this.#listener?.close();
  }

  get #text(): string {
    return 'path' in this.#address ? this.#address.path : `${this.#address.host}:${this.#address.port}`;
  }

  #take(socket: Socket, onStream: (stream: Duplex) => void): void {
    socket.setNoDelay(true);
    this.#stream = socket;
    socket.on('error', () => socket.destroy());
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

/** Nobody is where a socket was to be connected. */
export class ConnectError extends Error {
  constructor(where: string, cause: Error & { readonly code?: string }) {
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'No such file or directory',
      ECONNREFUSED: 'Connection refused',
      EACCES: 'Permission denied',
      EADDRINUSE: 'Address already in use',
    };
    super(`Failed to connect to '${where}': ${why[cause.code ?? ''] ?? cause.message}`);
  }
}
