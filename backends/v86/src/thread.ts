import { Worker } from 'node:worker_threads';
import { messageOf, threadOptions } from '@qtest/sdk/support';
import { emulatorError, type RunningEmulator } from '@qtest/sdk/backend';
import { Mailbox } from './mailbox.ts';
import type { V86Settings } from './mapping.ts';
import type { V86EmulatorData, V86Handle, V86Message } from './messages.ts';
import type { V86Package } from './package.ts';
import { exitOf, settles } from './settles.ts';

/** How long an emulator may take to be ready, ms. */
const START_BOUND = 10_000;
/** How long a thread that is being terminated is waited for, ms. */
const EXIT_BOUND = 2000;
/** Of what it writes, the last so many characters are kept. */
const KEPT = 2_000;

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const THREAD = new URL(`./emulator-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** The thread of an emulator that is ready. */
export class V86Thread implements RunningEmulator<V86Handle> {
  readonly handle: V86Handle;
  readonly #worker: Worker;
  #said = '';
  #error: unknown;
  #ended = false;

  private constructor(worker: Worker, handle: V86Handle) {
    this.#worker = worker;
    this.handle = handle;
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
      new Mailbox(handle.mailbox).end();
    });
    worker.unref();
  }

  /** @throws an `emulatorError` when it is not ready within the bound. */
  static async start({ entry, wasm, version }: V86Package, settings: V86Settings): Promise<V86Thread> {
    const mailbox = Mailbox.buffer();
    const workerData: V86EmulatorData = { entry, wasm, settings, mailbox };
    const worker = new Worker(THREAD, { workerData, stdout: true, stderr: true, ...threadOptions() });
    const thread = new V86Thread(worker, { mailbox, serials: settings.serials });
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
    throw emulatorError(thread.explain(`v86 ${version} cannot be started: ${message.error}`));
  }

  async death(): Promise<string | undefined> {
    return this.#error === undefined ? undefined : 'v86 has died';
  }

  /** A message, with what the emulator has died of, and what it has written. */
  explain(message: string): string {
    const said = this.#said.trim().split('\n').join('\n    ');
    return [
      message,
      ...(this.#error === undefined ? [] : [`  it died of: ${messageOf(this.#error)}`]),
      ...(said === '' ? [] : [`  it wrote: ${said}`]),
    ].join('\n');
  }

  /** Whoever waits for an answer hears of it when the thread has gone. */
  kill(): void {
    if (!this.#ended) void this.#worker.terminate();
  }

  /** Ends it, wherever it is, and waits, within a bound, until it is gone. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = exitOf(this.#worker);
    void this.#worker.terminate();
    await settles(exited, EXIT_BOUND);
  }
}
