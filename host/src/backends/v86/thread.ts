import { Worker } from 'node:worker_threads';
import { hostError, messageOf, threadOptions } from '@qtest/sdk/support';
import { entry } from '../../entry.ts';
import { EXIT_BOUND, exitOf, settles } from '../../runner/pool.ts';
import { Mailbox } from './mailbox.ts';
import type { V86Package } from './package.ts';
import type { V86Settings } from './mapping.ts';
import type { V86EmulatorData, V86Message } from './task.ts';

/** How long an emulator may take to be ready, ms. */
const START_BOUND = 10_000;
/** Of what it writes, the last so many characters are kept. */
const KEPT = 2_000;

const THREAD = entry('backends/v86/emulator-thread');

/** The thread of an emulator that is ready. */
export class V86Thread {
  readonly mailbox: SharedArrayBuffer;
  readonly #worker: Worker;
  #said = '';
  #error: unknown;
  #ended = false;

  private constructor(worker: Worker, mailbox: SharedArrayBuffer) {
    this.#worker = worker;
    this.mailbox = mailbox;
    const hear = (text: string): void => {
      this.#said = (this.#said + text).slice(-KEPT);
    };
    worker.stdout.setEncoding('utf8').on('data', hear);
    worker.stderr.setEncoding('utf8').on('data', hear);
    worker.on('error', (error) => {
      this.#error ??= error;
    });
    worker.on('exit', () => {
      this.#ended = true;
      // Whoever waits for an answer hears of it.
      new Mailbox(mailbox).end();
    });
    worker.unref();
  }

  /** @throws V86 when it is not ready within the bound. */
  static async start({ entry, wasm, version }: V86Package, settings: V86Settings): Promise<V86Thread> {
    const mailbox = Mailbox.buffer();
    const workerData: V86EmulatorData = { entry, wasm, settings, mailbox };
    const worker = new Worker(THREAD, { workerData, stdout: true, stderr: true, ...threadOptions() });
    const thread = new V86Thread(worker, mailbox);
    const told = new Promise<V86Message>((resolve) => {
      worker.once('message', resolve);
      worker.once('exit', () => resolve({ error: 'its thread has ended' }));
    });
    let message: V86Message = { error: `it is not ready within ${START_BOUND / 1000} s` };
    await settles(
      told.then((answer) => (message = answer)),
      START_BOUND,
    );
    if ('ready' in message) return thread;
    await thread.end();
    throw hostError('V86', thread.explain(`v86 ${version} cannot be started: ${message.error}`));
  }

  /** What it died of; undefined when it has not. */
  get death(): string | undefined {
    return this.#error === undefined ? undefined : this.explain(`v86 has died: ${messageOf(this.#error)}`);
  }

  /** A message, with what the emulator has written. */
  explain(message: string): string {
    const said = this.#said.trim();
    return said === '' ? message : `${message}\n  it wrote: ${said.split('\n').join('\n    ')}`;
  }

  /** Ends it, wherever it is, and waits, within a bound, until it is gone. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = exitOf(this.#worker);
    void this.#worker.terminate();
    await settles(exited, EXIT_BOUND);
  }
}
