import { setTimeout as delay } from 'node:timers/promises';
import { isQtestError, type ClockKind } from '@qtest/sdk';
import type { Pipeline, RunningEmulator } from '@qtest/sdk/backend';
import type { UsableBackend } from '../emulated/backend.ts';
import { pipelineProblem } from '../emulated/check.ts';
import { hostError, messageOf } from '@qtest/sdk/support';
import type { Rival } from './rival.ts';
import type { Sequence } from './sequence.ts';
import { Serial } from './serial.ts';

/** How long an emulator may leave requests unanswered, ms; and once it has, while it is looked for what it hangs of. */
const BOUND = 10_000;
const SHORT_BOUND = 2_000;
/** How long after the last access it may come to hang or to die, ms: in a timer, of which an edu's DMA takes 100 ms. */
const LATE = 150;

interface Started {
  readonly running: RunningEmulator;
  /** No later than the emulator's clock began, ns of the host's monotonic clock. */
  readonly began: bigint;
}

/** An emulator, another one for each sequence: while one is in use, the next one starts. */
export class EmulatorRival implements Rival {
  readonly name: string;
  readonly realtime: boolean;
  readonly #backend: UsableBackend;
  readonly #settings: unknown;
  readonly #clock: ClockKind;
  #now: Started | undefined;
  #pipeline: Pipeline | undefined;
  #next: Promise<Started> | undefined;
  #began = 0n;
  /** One has hung, or died. */
  #fails = false;

  /** @param settings what the backend makes the machine of. */
  constructor(backend: UsableBackend, settings: unknown, clock: ClockKind) {
    this.name = backend.name;
    this.realtime = clock === 'realtime';
    this.#backend = backend;
    this.#settings = settings;
    this.#clock = clock;
  }

  async begin(): Promise<void> {
    await this.#leave();
    const next = this.#next ?? this.#start();
    this.#next = undefined;
    const now = await next;
    this.#now = now;
    this.#began = now.began;
    await this.#guarded(async () => {
      this.#pipeline = this.#connect(now.running);
      await this.#pipeline.sync();
    });
    this.#next = this.#start();
    // It is awaited when it is its turn; until then its failure is nobody's.
    this.#next.catch(() => {});
  }

  async run(sequence: Sequence, answers: Uint32Array): Promise<void> {
    const pipeline = this.#pipeline;
    if (pipeline === undefined) throw new Error('begin() has not started an emulator');
    await this.#guarded(async () => {
      await pipeline.run(sequence, answers);
      if (!this.#fails) return;
      await delay(LATE);
      await pipeline.sync();
    });
  }

  elapsed(): bigint {
    return process.hrtime.bigint() - this.#began;
  }

  async end(): Promise<void> {
    await this.#leave();
    const next = this.#next;
    this.#next = undefined;
    const started = await next?.catch(() => undefined);
    await started?.running.end();
  }

  #connect({ handle }: RunningEmulator): Pipeline {
    const { connector } = this.#backend;
    const bound = this.#fails ? SHORT_BOUND : BOUND;
    if (connector.pipeline === undefined) return new Serial(connector, handle, bound);
    const pipeline = connector.pipeline(handle, { bound });
    const problem = pipelineProblem(pipeline);
    if (problem !== undefined) throw hostError('EMULATOR', `pipeline() gave something wrong: ${problem}`);
    return pipeline;
  }

  async #start(): Promise<Started> {
    const began = process.hrtime.bigint();
    return { running: await this.#backend.start(this.#settings, { clock: this.#clock }), began };
  }

  /** Waits for what an emulator is asked. What it fails of is told with how it ended. */
  async #guarded(ask: () => Promise<void>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      const { running } = this.#now ?? {};
      if (running === undefined) throw error;
      this.#fails = true;
      const isSilence = isQtestError(error) && error.code === 'NO_ANSWER';
      if (!isSilence) await running.death(true);
      await this.#leave();
      throw hostError(isSilence ? 'NO_ANSWER' : 'EMULATOR', running.explain(messageOf(error)), { cause: error });
    }
  }

  async #leave(): Promise<void> {
    const now = this.#now;
    this.#now = undefined;
    this.#pipeline = undefined;
    await now?.running.end();
  }
}
