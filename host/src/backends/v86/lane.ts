import { entry } from '../../entry.ts';
import type { Failure } from '../../report/events.ts';
import type { VcpuTask } from '../../runner/task.ts';
import type { LaneOptions } from '../backend.ts';
import { EmulatedLane, wantedMachine, type Wanted } from '../emulated-lane.ts';
import { mapMachine, type V86Mapping } from './mapping.ts';
import type { V86Package } from './package.ts';
import type { V86Task } from './task.ts';
import { V86Thread } from './thread.ts';

const WORKER = entry('backends/v86/worker');

/** A plugin's machine on v86, whose emulators have a thread of their own each. */
export class V86Lane extends EmulatedLane<V86Mapping> {
  readonly #v86: V86Package;
  #thread: V86Thread | undefined;

  private constructor(v86: V86Package, wanted: Wanted) {
    super(wanted, mapMachine(wanted.machine.blueprint, wanted.registry), WORKER);
    this.#v86 = v86;
  }

  static async create(v86: V86Package, options: LaneOptions): Promise<V86Lane> {
    const lane = new V86Lane(v86, await wantedMachine(options, 'v86'));
    await options.hooks.machineReady.promise({ ...lane.context, devices: lane.data.mapping.devices });
    return lane;
  }

  taskOf(task: VcpuTask): V86Task {
    if (this.#thread === undefined) throw new Error('prepare() has not started a v86');
    return { ...task, mailbox: this.#thread.mailbox, contents: this.contents() };
  }

  async failures(told: readonly Failure[]): Promise<Failure[]> {
    const thread = this.#thread;
    if (thread === undefined) return [...told];
    const { death } = thread;
    const failures = told.map((failure) =>
      failure.code === 'V86' ? { ...failure, message: thread.explain(failure.message) } : failure,
    );
    if (death !== undefined) failures.push({ name: 'QtestError', code: 'V86', message: death });
    await this.endEmulator();
    return failures;
  }

  protected async startEmulator(): Promise<void> {
    this.#thread = await V86Thread.start(this.#v86, this.data.mapping.settings);
  }

  protected async killEmulator(): Promise<void> {
    await this.#thread?.end();
  }

  protected async endEmulator(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }
}
