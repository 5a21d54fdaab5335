import { setTimeout as delay } from 'node:timers/promises';
import type { QemuMapping } from '../backends/qemu/command-line.ts';
import { readAvailable } from '../backends/qemu/channel.ts';
import type { DetectedQemu } from '../backends/qemu/detect.ts';
import { QemuProcess } from '../backends/qemu/process.ts';
import { hostError } from '../errors.ts';
import { messageOf } from '../thrown.ts';
import type { Access } from './access.ts';
import { NO_ANSWER, Pipeline } from './pipeline.ts';
import type { Rival } from './rival.ts';

/** How long QEMU may leave requests unanswered, ms. */
const BOUND = 10_000;

/** How often, and how far apart, ms, it is looked whether a QEMU that has closed its pipe has ended. */
const LOOKS = 100;
const LOOK_EVERY = 5;

interface Started {
  readonly running: QemuProcess;
  /** No later than QEMU's clock began, ns of the host's monotonic clock. */
  readonly began: bigint;
}

/** A QEMU, another one for each sequence: while one is in use, the next one starts. */
export class QemuRival implements Rival {
  readonly name = 'qemu';
  readonly realtime: boolean;
  readonly #qemu: DetectedQemu;
  readonly #mapping: QemuMapping;
  #now: Started | undefined;
  #pipeline: Pipeline | undefined;
  #next: Promise<Started> | undefined;

  constructor(qemu: DetectedQemu, mapping: QemuMapping, realtime: boolean) {
    this.#qemu = qemu;
    this.#mapping = mapping;
    this.realtime = realtime;
  }

  async begin(): Promise<void> {
    await this.#leave();
    const next = this.#next ?? this.#start();
    this.#next = undefined;
    this.#now = await next;
    this.#pipeline = new Pipeline(this.#now.running.qtest, BOUND);
    this.#next = this.#start();
    // It is awaited when it is its turn; until then its failure is nobody's.
    this.#next.catch(() => {});
  }

  async run(accesses: readonly Access[], answers: Uint32Array): Promise<void> {
    const { running } = this.#now ?? {};
    if (running === undefined || this.#pipeline === undefined) throw new Error('begin() has not started a QEMU');
    try {
      await this.#pipeline.run(accesses, answers);
      // A serial port whose pipe is full does not send.
      for (const { poll } of running.chardevs) readAvailable(poll);
    } catch (error) {
      // How it has ended is part of the message.
      for (let n = 0; n < LOOKS && !running.hasEnded && !isSilence(error); n++) await delay(LOOK_EVERY);
      await running.end();
      throw hostError('QEMU', running.explain(messageOf(error)), { cause: error });
    }
  }

  elapsed(): bigint {
    return this.#now === undefined ? 0n : process.hrtime.bigint() - this.#now.began;
  }

  async end(): Promise<void> {
    await this.#leave();
    const next = this.#next;
    this.#next = undefined;
    const started = await next?.catch(() => undefined);
    if (started !== undefined) await endOf(started.running);
  }

  async #start(): Promise<Started> {
    const began = process.hrtime.bigint();
    const { args, chardevs } = this.#mapping;
    const running = await QemuProcess.start({
      command: this.#qemu.command,
      accelerator: this.realtime ? 'tcg' : 'qtest',
      args,
      chardevs: chardevs.length,
    });
    return { running, began };
  }

  async #leave(): Promise<void> {
    const now = this.#now;
    this.#now = undefined;
    if (now !== undefined) await endOf(now.running);
  }
}

function isSilence(error: unknown): boolean {
  return messageOf(error).startsWith(NO_ANSWER);
}

async function endOf(qemu: QemuProcess): Promise<void> {
  await qemu.end();
  qemu.closeChannels();
}
