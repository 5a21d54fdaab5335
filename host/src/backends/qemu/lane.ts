import { entry } from '../../entry.ts';
import type { Failure } from '../../report/events.ts';
import type { VcpuTask } from '../../runner/task.ts';
import type { EndKind, LaneOptions } from '../backend.ts';
import { EmulatedLane, wantedMachine, type Wanted } from '../emulated-lane.ts';
import { mapMachine, type QemuMapping } from './command-line.ts';
import type { DetectedQemu } from './detect.ts';
import { Pending } from './pending.ts';
import { QemuProcess } from './process.ts';
import type { QemuTask, QemuThreadData } from './task.ts';

/** How long a QEMU that has closed its pipes may take to die, ms. */
const DEATH_BOUND = 500;
const WORKER = entry('backends/qemu/worker');

/** A plugin's machine on QEMU. */
export class QemuLane extends EmulatedLane<QemuMapping> {
  readonly #qemu: DetectedQemu;
  readonly #pendingBuffer = Pending.buffer();
  readonly #pending = new Pending(this.#pendingBuffer);
  #process: QemuProcess | undefined;
  /** The request that was not answered when the VCPU was killed. */
  #unanswered = '';

  private constructor(qemu: DetectedQemu, wanted: Wanted) {
    super(wanted, mapMachine(wanted.machine.blueprint, wanted.registry), WORKER);
    this.#qemu = qemu;
  }

  static async create(qemu: DetectedQemu, options: LaneOptions): Promise<QemuLane> {
    const lane = new QemuLane(qemu, await wantedMachine(options, 'qemu'));
    await options.hooks.machineReady.promise({ ...lane.context, devices: lane.data.mapping.devices });
    return lane;
  }

  taskOf(task: VcpuTask): QemuTask {
    if (this.#process === undefined) throw new Error('prepare() has not started a QEMU');
    const { qtest, qmp, chardevs } = this.#process;
    return { ...task, qtest, qmp, chardevs, contents: this.contents() };
  }

  async failures(told: readonly Failure[]): Promise<Failure[]> {
    const qemu = this.#process;
    if (qemu === undefined) return [...told];
    // A QEMU that dies closes its pipes first, and is heard of a little later.
    if (told.some(({ code }) => code === 'QEMU') && !this.spent) await qemu.endsWithin(DEATH_BOUND);
    const endedItself = qemu.hasEnded && !this.spent;
    await this.endEmulator();
    const failures = told.map((failure) =>
      failure.code === 'QEMU' ? { ...failure, message: qemu.explain(failure.message) } : failure,
    );
    const isTold = failures.some(({ code }) => code === 'QEMU');
    const more = (message: string): Failure => ({ name: 'QtestError', code: 'QEMU', message: qemu.explain(message) });
    if (this.#unanswered !== '') failures.push(more(`QEMU has not answered '${this.#unanswered}'`));
    else if (endedItself && !isTold) failures.push(more('QEMU ended while the case ran'));
    return failures;
  }

  protected override threadData(): QemuThreadData {
    return { ...this.data, pending: this.#pendingBuffer };
  }

  protected async startEmulator(): Promise<void> {
    this.#pending.set('');
    this.#unanswered = '';
    const { args, chardevs } = this.data.mapping;
    this.#process = await QemuProcess.start({
      command: this.#qemu.command,
      accelerator: this.context.clock === 'virtual' ? 'qtest' : 'tcg',
      args,
      chardevs: chardevs.length,
    });
  }

  protected killEmulator(why: EndKind): void {
    if (why === 'timeout') this.#unanswered = this.#pending.get();
    // A thread that reads from QEMU's pipe hears of nothing but the pipe's end.
    this.#process?.kill();
  }

  protected async endEmulator(): Promise<void> {
    const qemu = this.#process;
    this.#process = undefined;
    if (qemu === undefined) return;
    await qemu.end();
    qemu.closeChannels();
  }
}
