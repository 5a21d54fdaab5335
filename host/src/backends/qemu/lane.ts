import type { MachineContext } from '@qtest/sdk';
import type { Piscina } from 'piscina';
import type { BoundMachine, Registry } from '../../machine/bound-machine.ts';
import { LONG } from '../../machine/control.ts';
import { clearTraced, Tracer } from '../../machine/tracer.ts';
import type { Failure } from '../../report/events.ts';
import { contextFor, powerOn, registryOf } from '../../vcpu/build.ts';
import { decodeTrace } from '../../vcpu/decode.ts';
import { destroyPool, exitsOf, vcpuPool } from '../../vcpu/pool.ts';
import type { VcpuTask } from '../../vcpu/task.ts';
import { TraceRing, traceEntries, type TraceEntry } from '../../vcpu/trace.ts';
import { contentsOf } from '../contents.ts';
import type { CaseLane, EndKind, LaneOptions, Observation, Traced } from '../backend.ts';
import { mapMachine, type QemuMapping } from './command-line.ts';
import type { DetectedQemu } from './detect.ts';
import { Pending } from './pending.ts';
import { QemuProcess } from './process.ts';
import type { QemuTask, QemuThreadData } from './task.ts';

/** How long a QEMU that has closed its pipes may take to die, ms. */
const DEATH_BOUND = 500;
// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const WORKER = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** A plugin's machine on QEMU: one QEMU for each case, started when the case is prepared and gone when it has ended. */
export class QemuLane implements CaseLane {
  readonly context: MachineContext;
  readonly #qemu: DetectedQemu;
  readonly #mapping: QemuMapping;
  /** The machine as our devices would make it: what decodes traces, and whose control area keeps them. */
  readonly #machine: BoundMachine;
  readonly #registry: Registry;
  readonly #data: QemuThreadData;
  readonly #pending: Pending;
  #pool: Piscina | undefined;
  #process: QemuProcess | undefined;
  /** The request that was not answered when the VCPU was killed. */
  #unanswered = '';
  #spent = false;

  private constructor(
    qemu: DetectedQemu,
    context: MachineContext,
    machine: BoundMachine,
    registry: Registry,
    { plugin: { name, url, root, options }, trace }: LaneOptions,
  ) {
    this.context = context;
    this.#qemu = qemu;
    this.#machine = machine;
    this.#registry = registry;
    this.#mapping = mapMachine(machine.blueprint, registry);
    const pending = Pending.buffer();
    this.#pending = new Pending(pending);
    const handle = { ...machine.handle, ...(trace !== undefined && { trace: Tracer.buffer() }) };
    this.#data = {
      handle,
      mapping: this.#mapping,
      plugin: { name, url, root },
      options,
      sources: trace === 'sources',
      pending,
    };
  }

  static async create(qemu: DetectedQemu, options: LaneOptions): Promise<QemuLane> {
    const { plugin, clock, hooks, known } = options;
    const context = contextFor(plugin, clock, 'qemu');
    const machine = await powerOn(plugin, { known, hooks, context });
    const lane = new QemuLane(qemu, context, machine, registryOf(known), options);
    await hooks.machineReady.promise({ ...context, devices: lane.#mapping.devices });
    return lane;
  }

  get spent(): boolean {
    return this.#spent;
  }

  get began(): bigint {
    return this.#machine.control.longs[LONG.BEGAN] ?? 0n;
  }

  get pool(): Piscina {
    this.#pool ??= vcpuPool(WORKER, this.#data, 1);
    return this.#pool;
  }

  async prepare(): Promise<void> {
    await this.#endProcess();
    const { control } = this.#machine;
    control.longs[LONG.BEGAN] = 0n;
    new TraceRing(control, 0).clear();
    if (this.#data.handle.trace !== undefined) clearTraced(this.#data.handle.trace);
    this.#pending.set('');
    this.#unanswered = '';
    const { args, chardevs } = this.#mapping;
    this.#process = await QemuProcess.start({
      command: this.#qemu.command,
      accelerator: this.context.clock === 'virtual' ? 'qtest' : 'tcg',
      args,
      chardevs: chardevs.length,
    });
  }

  /** QEMU's own events are in its standard error; its lines are seen by its VCPU alone. */
  observe(): Observation {
    return {
      end: () => ({ errors: [], messages: new Map(), counts: { guestError: 0, unimplemented: 0 }, lost: 0 }),
    };
  }

  taskOf(task: VcpuTask): QemuTask {
    if (this.#process === undefined) throw new Error('prepare() has not started a QEMU');
    const { qtest, qmp, chardevs } = this.#process;
    return { ...task, qtest, qmp, chardevs, contents: contentsOf(this.#machine, this.#mapping.holes) };
  }

  abandon(): void {}

  async kill(abort: () => void, why: EndKind): Promise<undefined> {
    this.#spent = true;
    if (why === 'timeout') this.#unanswered = this.#pending.get();
    // A thread that reads from QEMU's pipe hears of nothing but the pipe's end.
    this.#process?.kill();
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads()]);
  }

  async failures(told: readonly Failure[]): Promise<Failure[]> {
    const qemu = this.#process;
    if (qemu === undefined) return [...told];
    // A QEMU that dies closes its pipes first, and is heard of a little later.
    if (told.some(({ code }) => code === 'QEMU') && !this.#spent) await qemu.endsWithin(DEATH_BOUND);
    const endedItself = qemu.hasEnded && !this.#spent;
    await this.#endProcess();
    const failures = told.map((failure) =>
      failure.code === 'QEMU' ? { ...failure, message: qemu.explain(failure.message) } : failure,
    );
    const isTold = failures.some(({ code }) => code === 'QEMU');
    const more = (message: string): Failure => ({ name: 'QtestError', code: 'QEMU', message: qemu.explain(message) });
    if (this.#unanswered !== '') failures.push(more(`QEMU has not answered '${this.#unanswered}'`));
    else if (endedItself && !isTold) failures.push(more('QEMU ended while the case ran'));
    return failures;
  }

  accesses(vcpu: number): string[] {
    return this.decode(traceEntries(this.#machine.control, vcpu));
  }

  trace(): Traced | undefined {
    const { trace } = this.#data.handle;
    return trace === undefined ? undefined : { buffer: trace, machine: this.#machine, registry: this.#registry };
  }

  decode(entries: readonly TraceEntry[]): string[] {
    // Where BARs are, QEMU alone knows.
    return decodeTrace(this.#machine, this.#registry, entries, '');
  }

  async retireThreads(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await destroyPool(pool);
  }

  async dispose(): Promise<void> {
    await this.#endProcess();
    await this.retireThreads();
  }

  async #endProcess(): Promise<void> {
    const qemu = this.#process;
    this.#process = undefined;
    if (qemu === undefined) return;
    await qemu.end();
    qemu.closeChannels();
  }
}
