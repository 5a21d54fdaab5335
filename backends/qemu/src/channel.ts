import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { codeOf } from '@qtest/sdk/support';
import { emulatorError } from '@qtest/sdk/backend';

/**
 * One of QEMU's pipes, as descriptors of this process: they belong to all its threads. Nobody of ours keeps the writing end of what is
 * read, so that a QEMU that dies is an end of file.
 */
export interface Channel {
  /** Blocks while the pipe is full. */
  readonly write: number;
  /** Blocks until there is something. */
  readonly read: number;
  /** Reads the same without blocking. */
  readonly poll: number;
  /** What has been read already. */
  readonly early: string;
}

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** Bytes read at once. */
const CHUNK = 65_536;
/** Bytes that are read without waiting before others come. */
const MAX_AVAILABLE = 2 ** 20;
/** Longest line that is waited for: a bulk read of 1 MiB has 1.4 MB. */
const MAX_LINE = 2 ** 24;

/** Opens both ends of `<path>.in` and `<path>.out` once QEMU has opened its own; undefined, and nothing opened, before. */
export function openChannel(path: string): Channel | undefined {
  const opened: number[] = [];
  const open = (name: string, flags: number): number => {
    const descriptor = openSync(`${path}.${name}`, flags);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    // Refused (ENXIO) until somebody reads.
    open('in', O_WRONLY | O_NONBLOCK);
    const poll = open('out', O_RDONLY | O_NONBLOCK);
    const early = readAvailable(poll);
    // An end of file: nobody has opened it for writing yet.
    if (early === undefined) {
      opened.forEach((descriptor) => closeSync(descriptor));
      return undefined;
    }
    // These must not block here, and must block later: opened while another descriptor of ours stands in for the other end.
    const write = withStandIn(
      () => open('in', O_RDWR),
      () => open('in', O_WRONLY),
    );
    const read = withStandIn(
      () => open('out', O_RDWR),
      () => open('out', O_RDONLY),
    );
    const [probe = -1] = opened;
    closeSync(probe);
    return { write, read, poll, early };
  } catch (error) {
    opened.forEach((descriptor) => closeSync(descriptor));
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function withStandIn(standIn: () => number, open: () => number): number {
  const other = standIn();
  const descriptor = open();
  closeSync(other);
  return descriptor;
}

export function closeChannel({ write, read, poll }: Channel): void {
  for (const descriptor of [write, read, poll]) closeSync(descriptor);
}

/** What can be read without waiting, or its first part; undefined at the end of file. */
export function readAvailable(descriptor: number): string | undefined {
  const chunk = Buffer.allocUnsafe(CHUNK);
  let text = '';
  while (text.length < MAX_AVAILABLE) {
    let length: number;
    try {
      length = readSync(descriptor, chunk);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return text;
      throw error;
    }
    if (length === 0) return text === '' ? undefined : text;
    text += chunk.toString('latin1', 0, length);
  }
  return text;
}

/** Lines over a channel. Once it has failed, every further call fails in the same way. */
export class Lines {
  readonly #channel: Channel;
  readonly #name: string;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  #text: string;
  /** There may be a whole line in it. */
  #hasLine = true;
  #failed: Error | undefined;

  constructor(channel: Channel, name: string) {
    this.#channel = channel;
    this.#name = name;
    this.#text = channel.early;
  }

  send(line: string): void {
    if (this.#failed !== undefined) throw this.#failed;
    const bytes = Buffer.from(`${line}\n`, 'latin1');
    try {
      for (let sent = 0; sent < bytes.length;) sent += writeSync(this.#channel.write, bytes, sent);
    } catch (error) {
      if (codeOf(error) !== 'EPIPE') throw error;
      throw this.fail(`QEMU has closed its ${this.#name} pipe, before '${shorten(line)}'`);
    }
  }

  /** The next line; waits for it. `request` is what it answers, for the error. */
  receive(request: string): string {
    for (;;) {
      const line = this.#take();
      if (line !== undefined) return line;
      const length = readSync(this.#channel.read, this.#chunk);
      if (length === 0) {
        throw this.fail(
          `QEMU has closed its ${this.#name} pipe in its answer to '${shorten(request)}'${this.#text === '' ? '' : `, after '${shorten(this.#text)}'`}`,
        );
      }
      this.#add(this.#chunk.toString('latin1', 0, length), request);
    }
  }

  /** The next line if it has come already. */
  poll(): string | undefined {
    if (this.#failed !== undefined) throw this.#failed;
    const line = this.#take();
    if (line !== undefined) return line;
    const more = readAvailable(this.#channel.poll);
    if (more === undefined) throw this.fail(`QEMU has closed its ${this.#name} pipe`);
    this.#add(more, 'nothing');
    return this.#take();
  }

  /** Nothing more is to be had from it. */
  fail(message: string): Error {
    this.#failed = emulatorError(message);
    return this.#failed;
  }

  /** A long line is looked through once. */
  #add(text: string, request: string): void {
    this.#text += text;
    this.#hasLine ||= text.includes('\n');
    if (!this.#hasLine && this.#text.length > MAX_LINE)
      throw this.fail(`QEMU answers '${shorten(request)}' with a line that does not end: '${shorten(this.#text)}'`);
  }

  #take(): string | undefined {
    if (this.#failed !== undefined) throw this.#failed;
    const end = this.#hasLine ? this.#text.indexOf('\n') : -1;
    this.#hasLine = end >= 0;
    if (end < 0) return undefined;
    const line = this.#text.slice(0, this.#text[end - 1] === '\r' ? end - 1 : end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }
}

/** A line as an error shows it: the start of it, and what is not printed as an escape. */
export function shorten(text: string): string {
  const shown = text.slice(0, 80).replaceAll(/[^ -~]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return text.length > 80 ? `${shown}…` : shown;
}
