import { mkdtempSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@qtest/sdk/support';
import { emulatorError, type RunningEmulator } from '@qtest/sdk/backend';
import { closeChannel, openChannel, readAvailable, shorten, type Channel } from './channel.ts';
import { Guarded } from './guard.ts';
import type { QemuHandle } from './handle.ts';
import { Pending } from './pending.ts';

/** How long a QEMU that has closed its pipes may take to die, ms. */
const DEATH_BOUND = 500;
/** How long a QEMU may take from its start to its first answer, ms. */
const START_BOUND = 10_000;
/** Time between two looks at whether it is ready, ms. */
const LOOK_EVERY = 2;

/** Keeps the CPU out of the way: `cli; hlt` from the reset vector f000:fff0 on. Stopped by -S, QEMU's clock would stop as well. */
function parkingRom(): Buffer {
  const rom = Buffer.alloc(0x1_0000, 0xf4);
  rom.set([0xfa, 0xf4, 0xeb, 0xfc], 0xfff0);
  return rom;
}

/** What every QEMU gets: nothing that it adds by itself, and, of the log, no word on each request of ours. */
export const MACHINE_ARGS = [
  ...['-nodefaults', '-no-user-config', '-display', 'none'],
  ...['-machine', 'pc,acpi=off,vmport=off,hpet=off', '-action', 'panic=none'],
];
const LOG_ARGS = ['-d', 'guest_errors,unimp', '-qtest-log', 'none'];

/** What a QEMU is started with. */
export interface QemuStart {
  /** Name or path. */
  readonly command: string;
  readonly accelerator: 'tcg' | 'qtest';
  /** The machine. */
  readonly args: readonly string[];
  /** Ids of the devices with a character backend, to which the arguments refer as `serial0` and so on. */
  readonly chardevs?: readonly string[];
  /** How long it may take to answer, ms. */
  readonly bound?: number;
}

/**
 * A QEMU that answers. What its VCPU's thread uses of it are descriptors, opened here: that thread never waits for a QEMU that does not
 * open its end. Once both ends are open the FIFOs are removed, so that while it runs there is nothing that could be left behind.
 */
export class QemuProcess implements RunningEmulator<QemuHandle> {
  readonly handle: QemuHandle;
  readonly #guarded: Guarded;
  readonly #pending: Pending;
  #isOurs = false;
  #isClosed = false;

  private constructor(guarded: Guarded, handle: QemuHandle) {
    this.handle = handle;
    this.#guarded = guarded;
    this.#pending = new Pending(handle.pending);
  }

  /** @throws QEMU when it does not answer within the bound: with its command line, its status and what it wrote. */
  static async start({
    command,
    accelerator,
    args,
    chardevs = [],
    bound = START_BOUND,
  }: QemuStart): Promise<QemuProcess> {
    const dir = makeFolder();
    const rom = join(dir, 'park.rom');
    writeFileSync(rom, parkingRom());
    const names = ['qtest', 'qmp', ...chardevs.map((_, n) => `serial${n}`)];
    const guarded = new Guarded(
      command,
      [
        ...MACHINE_ARGS,
        ...LOG_ARGS,
        ...['-accel', accelerator, '-bios', rom],
        ...names.flatMap((name) => ['-chardev', `pipe,id=${name},path=${optionValue(join(dir, name))}`]),
        ...['-qtest', 'chardev:qtest', '-mon', 'chardev=qmp,mode=control'],
        ...args,
      ],
      { dir, fifos: names },
    );
    const opened: Channel[] = [];
    try {
      const deadline = performance.now() + bound;
      const until = async <T>(look: () => T | undefined, late: string): Promise<T> => {
        for (;;) {
          const found = look();
          if (found !== undefined) return found;
          if (guarded.hasEnded) throw new Error('QEMU has ended at its start');
          if (performance.now() >= deadline) throw new Error(`QEMU ${late} within ${bound / 1000} s of its start`);
          await delay(LOOK_EVERY);
        }
      };
      const open = async (name: string): Promise<Channel> => {
        const channel = await until(() => openChannel(join(dir, name)), `has not opened its pipe '${name}'`);
        opened.push(channel);
        return channel;
      };
      const [qtest, qmp] = [await open('qtest'), await open('qmp')];
      const serials: Record<string, Channel> = {};
      for (const [n, id] of chardevs.entries()) serials[id] = await open(`serial${n}`);
      await greet(qtest, until);
      guarded.removeFolder();
      return new QemuProcess(guarded, {
        qtest: { ...qtest, early: '' },
        qmp,
        chardevs: serials,
        pending: Pending.buffer(),
        clock: accelerator === 'qtest' ? 'virtual' : 'realtime',
      });
    } catch (error) {
      await guarded.end();
      opened.forEach(closeChannel);
      if (!(error instanceof Error)) throw error;
      throw emulatorError(guarded.explain(error.message), { cause: error });
    }
  }

  /** A message, with its command line, its status and what it wrote to standard error. */
  explain(message: string): string {
    return this.#guarded.explain(message);
  }

  async death(expected: boolean): Promise<string | undefined> {
    // A QEMU that dies closes its pipes first, and is heard of a little later.
    if (expected && !this.#isOurs) await this.#guarded.endsWithin(DEATH_BOUND);
    return this.#guarded.hasEnded && !this.#isOurs ? 'QEMU ended while the case ran' : undefined;
  }

  pending(): string {
    return this.#pending.get();
  }

  /** A thread that reads from its pipe hears of nothing but the pipe's end. */
  kill(): void {
    this.#isOurs ||= !this.#guarded.hasEnded;
    this.#guarded.kill();
  }

  async end(): Promise<void> {
    await this.#guarded.end();
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Nobody uses them any more: their numbers are given to others.
    for (const channel of [this.handle.qtest, this.handle.qmp, ...Object.values(this.handle.chardevs)])
      closeChannel(channel);
  }
}

/** The folder of its FIFOs. */
function makeFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'qtest-qemu-'));
  } catch (error) {
    throw emulatorError(
      `no folder can be made for QEMU's pipes in ${tmpdir()}, the temporary directory; TMPDIR chooses another: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** A value among QEMU's comma-separated options. */
function optionValue(text: string): string {
  return text.replaceAll(',', ',,');
}

/** The first request, which shows that it speaks the protocol. Without blocking: this is the host's thread. */
async function greet(
  { write, poll, early }: Channel,
  until: (look: () => string | undefined, late: string) => Promise<string>,
): Promise<void> {
  let text = early;
  writeSync(write, 'endianness\n');
  const answer = await until(
    () => {
      const more = readAvailable(poll);
      if (more === undefined)
        throw new Error("QEMU has closed its qtest pipe where its answer to 'endianness' was due");
      text += more;
      return text.includes('\n') || text.length > 1000 ? text.trimEnd() : undefined;
    },
    `has not answered 'endianness'${text === '' ? '' : ` but '${shorten(text)}'`}`,
  );
  if (answer !== 'OK little')
    throw new Error(`QEMU answered 'endianness' with '${shorten(answer)}', and not with 'OK little'`);
}
