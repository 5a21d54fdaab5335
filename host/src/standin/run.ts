import type { Duplex } from 'node:stream';
import type { Chardev as DeviceLine } from '@qtest/sdk';
import { Emulator } from '../emulator/emulator.ts';
import { HumanMonitor } from '../qmp/human-monitor.ts';
import { Monitor } from '../qmp/monitor.ts';
import { Session } from '../server/session.ts';
import type { Chardev } from './chardev.ts';
import type { Command } from './command-line.ts';
import { print } from '../report/style.ts';

/** Milliseconds that monitors have to take what has been sent to them, when the process ends. */
const LAST_WORDS = 1000;
/** Keeps the process alive where no client does. */
const FOREVER = 2 ** 30;
/** Bytes for a serial line that wait for the device to take them, from which on no more are read. */
const MAX_WAITING = 2 ** 16;

/** An emulator behind its character devices. */
export interface Running {
  readonly session: Session;
  /** Called after requests: what they have brought about is seen to. */
  readonly look: () => void;
  readonly openMonitor: (stream: Duplex, mode: 'control' | 'readline') => void;
  /** @param chardev id of the character device of a serial port. */
  readonly openSerial: (stream: Duplex, chardev: string) => void;
}

/** Builds the machine. @param tell takes a line for the client of the qtest protocol. */
export function run(command: Command, chardevs: ReadonlyMap<string, Chardev>, tell: (line: string) => void): Running {
  const emulator = new Emulator(command.settings);
  for (const warning of emulator.warnings) print(process.stderr, `qtest-system-x86_64: ${warning}\n`);
  const session = new Session(emulator.machine, emulator.paths, tell);
  const streams = new Set<Duplex>();
  const opened = (stream: Duplex): void => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
  };
  emulator.onExit = (status) => void leave(status, streams);
  const lines = new Map(
    Array.from(emulator.chardevs, ([device, chardev]) => [
      chardev,
      new SerialLine(() => emulator.bound.chardev(device)),
    ]),
  );
  emulator.machine.onReplaced.push(() => {
    for (const line of lines.values()) line.rebind();
  });
  const look = (): void => {
    emulator.look();
    for (const line of lines.values()) line.pump();
  };
  const listed = (): { label: string; filename: string; open: boolean }[] =>
    Array.from(chardevs.values(), ({ id, filename, isOpen }) => ({ label: id, filename, open: isOpen }));
  if (command.qtest === undefined && command.monitors.length === 0) setInterval(() => {}, FOREVER);
  return {
    session,
    look,
    openMonitor: (stream, mode) => {
      opened(stream);
      if (mode === 'control') new Monitor(stream, { emulator, chardevs: listed }, look);
      else new HumanMonitor(stream, emulator, look);
    },
    openSerial: (stream, chardev) => {
      opened(stream);
      lines.get(chardev)?.attach(stream);
    },
  };
}

/** A serial line of a device, and the stream at its other end. */
class SerialLine {
  readonly #bind: () => DeviceLine | undefined;
  #line: DeviceLine | undefined;
  #stream: Duplex | undefined;
  #waiting: Buffer[] = [];

  constructor(bind: () => DeviceLine | undefined) {
    this.#bind = bind;
    this.#line = bind();
  }

  rebind(): void {
    this.#line = this.#bind();
  }

  attach(stream: Duplex): void {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#waiting.push(chunk);
      if (this.#waiting.reduce((sum, { length }) => sum + length, 0) > MAX_WAITING) stream.pause();
      this.pump();
    });
    stream.once('close', () => (this.#stream = undefined));
    this.pump();
  }

  /** Moves what there is, both ways. A line that nobody is at the other end of loses what is sent. */
  pump(): void {
    const sent = this.#line?.read() ?? new Uint8Array(0);
    if (sent.length > 0 && this.#stream !== undefined) this.#stream.write(sent);
    for (let chunk; (chunk = this.#waiting[0]) !== undefined;) {
      const taken = this.#line?.write(chunk) ?? chunk.length;
      if (taken < chunk.length) {
        this.#waiting[0] = chunk.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
    if (this.#stream?.isPaused() === true) this.#stream.resume();
  }
}

/** Ends the process when its last events and replies have been taken, or soon. */
async function leave(status: number, streams: ReadonlySet<Duplex>): Promise<void> {
  // The reply to the command that ends it is still to be sent.
  await new Promise((resolve) => setImmediate(resolve));
  const taken = Array.from(streams, (stream) => new Promise<void>((resolve) => stream.end(() => resolve())));
  setTimeout(() => process.exit(status), LAST_WORDS);
  await Promise.all(taken);
  process.exit(status);
}
