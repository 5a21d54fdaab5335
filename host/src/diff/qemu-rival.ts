import { writeSync } from 'node:fs';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import type { QemuMapping } from '../backends/qemu/command-line.ts';
import { readAvailable, type Channel } from '../backends/qemu/channel.ts';
import type { DetectedQemu } from '../backends/qemu/detect.ts';
import { QemuProcess } from '../backends/qemu/process.ts';
import { hostError, messageOf } from '@qtest/sdk/support';
import { NO_ANSWER, Pipeline } from './pipeline.ts';
import type { Rival } from './rival.ts';
import type { Sequence } from './sequence.ts';

/** How long QEMU may leave requests unanswered, ms; and once it has, while it is looked for what it hangs of. */
const BOUND = 10_000;
const SHORT_BOUND = 2_000;
/** How long after the last access it may come to hang or to die, ms: in a timer, of which an edu's DMA takes 100 ms. */
const LATE = 150;

/** How often, and how far apart, ms, it is looked whether a QEMU that has closed its pipe has ended. */
const LOOKS = 100;
const LOOK_EVERY = 5;

/** Characters of what the monitor tells that are kept. */
const KEPT = 2 ** 16;

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
  /** One has hung, or died. */
  #fails = false;

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
    const { qtest, qmp } = this.#now.running;
    const monitor = new Monitor(qmp);
    this.#pipeline = new Pipeline(qtest, this.#fails ? SHORT_BOUND : BOUND, async () => await monitor.reset());
    await this.#guarded(this.#pipeline.ask('irq_intercept_in ioapic'));
    this.#next = this.#start();
    // It is awaited when it is its turn; until then its failure is nobody's.
    this.#next.catch(() => {});
  }

  async run(sequence: Sequence, answers: Uint32Array): Promise<void> {
    const { running } = this.#now ?? {};
    if (running === undefined || this.#pipeline === undefined) throw new Error('begin() has not started a QEMU');
    await this.#guarded(this.#pipeline.run(sequence, answers));
    if (this.#fails) {
      await delay(LATE);
      await this.#guarded(this.#pipeline.ask('endianness'));
    }
    // A serial port whose pipe is full does not send.
    for (const { poll } of running.chardevs) readAvailable(poll);
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

  /** Waits for what a QEMU is asked. What it fails of is told with how it ended. */
  async #guarded(asked: Promise<void>): Promise<void> {
    try {
      await asked;
    } catch (error) {
      const { running } = this.#now ?? {};
      if (running === undefined) throw error;
      this.#fails = true;
      for (let n = 0; n < LOOKS && !running.hasEnded && !isSilence(error); n++) await delay(LOOK_EVERY);
      await running.end();
      throw hostError('QEMU', running.explain(messageOf(error)), { cause: error });
    }
  }

  async #leave(): Promise<void> {
    const now = this.#now;
    this.#now = undefined;
    if (now !== undefined) await endOf(now.running);
  }
}

/** QEMU's monitor, by which it is reset: without blocking, for a QEMU that hangs. */
class Monitor {
  readonly #channel: Channel;
  #text = '';

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#text = channel.early;
  }

  /** Comes back when the machine has been reset, which is later than when the command is answered. */
  async reset(): Promise<void> {
    this.#text = '';
    writeSync(this.#channel.write, '{"execute": "qmp_capabilities"}\n{"execute": "system_reset"}\n');
    for (const deadline = performance.now() + BOUND; !this.#text.includes('"RESET"');) {
      const more = readAvailable(this.#channel.poll);
      if (more === undefined) throw new Error('QEMU has closed its QMP pipe');
      this.#text = (this.#text + more).slice(-KEPT);
      if (performance.now() >= deadline) throw new Error(`${NO_ANSWER} 'system_reset' within ${BOUND / 1000} s`);
      if (more === '') await setImmediate();
    }
  }
}

function isSilence(error: unknown): boolean {
  return messageOf(error).startsWith(NO_ANSWER);
}

async function endOf(qemu: QemuProcess): Promise<void> {
  await qemu.end();
  qemu.closeChannels();
}
