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
import type { CaseLane, LaneOptions, Observation, Traced } from '../backend.ts';
import { contentsOf } from '../contents.ts';
import { mapMachine } from './mapping.ts';
import type { V86Package } from './package.ts';
import type { V86Task, V86ThreadData } from './task.ts';
import { V86Thread } from './thread.ts';

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const WORKER = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** A plugin's machine on v86: one emulator, on a thread of its own, for each case. */
export class V86Lane implements CaseLane {
  readonly context: MachineContext;
  readonly #v86: V86Package;
  /** The machine as our devices would make it: what decodes traces, and whose control area keeps them. */
  readonly #machine: BoundMachine;
  readonly #registry: Registry;
  readonly #data: V86ThreadData;
  #pool: Piscina | undefined;
  #thread: V86Thread | undefined;
  #spent = false;

  private constructor(
    v86: V86Package,
    context: MachineContext,
    machine: BoundMachine,
    registry: Registry,
    { plugin: { name, url, root, options }, trace }: LaneOptions,
  ) {
    this.context = context;
    this.#v86 = v86;
    this.#machine = machine;
    this.#registry = registry;
    const mapping = mapMachine(machine.blueprint, registry);
    const handle = { ...machine.handle, ...(trace !== undefined && { trace: Tracer.buffer() }) };
    this.#data = { handle, mapping, plugin: { name, url, root }, options, sources: trace === 'sources' };
  }

  static async create(v86: V86Package, options: LaneOptions): Promise<V86Lane> {
    const { plugin, clock, hooks, known } = options;
    const context = contextFor(plugin, clock, 'v86');
    const machine = await powerOn(plugin, { known, hooks, context });
    const lane = new V86Lane(v86, context, machine, registryOf(known), options);
    await hooks.machineReady.promise({ ...context, devices: lane.#data.mapping.devices });
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
    await this.#endThread();
    const { control } = this.#machine;
    control.longs[LONG.BEGAN] = 0n;
    new TraceRing(control, 0).clear();
    if (this.#data.handle.trace !== undefined) clearTraced(this.#data.handle.trace);
    this.#thread = await V86Thread.start(this.#v86, this.#data.mapping.settings);
  }

  /** v86 tells of nothing but its IRQs, which its VCPU sees. */
  observe(): Observation {
    return {
      end: () => ({ errors: [], messages: new Map(), counts: { guestError: 0, unimplemented: 0 }, lost: 0 }),
    };
  }

  taskOf(task: VcpuTask): V86Task {
    if (this.#thread === undefined) throw new Error('prepare() has not started a v86');
    const contents = contentsOf(this.#machine, this.#data.mapping.holes);
    return { ...task, mailbox: this.#thread.mailbox, contents };
  }

  abandon(): void {}

  async kill(abort: () => void): Promise<undefined> {
    this.#spent = true;
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads(), this.#thread?.end()]);
  }

  async failures(told: readonly Failure[]): Promise<Failure[]> {
    const thread = this.#thread;
    if (thread === undefined) return [...told];
    const { death } = thread;
    const failures = told.map((failure) =>
      failure.code === 'V86' ? { ...failure, message: thread.explain(failure.message) } : failure,
    );
    if (death !== undefined) failures.push({ name: 'QtestError', code: 'V86', message: death });
    await this.#endThread();
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
    // Where BARs are, v86 alone knows.
    return decodeTrace(this.#machine, this.#registry, entries, '');
  }

  async retireThreads(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await destroyPool(pool);
  }

  async dispose(): Promise<void> {
    await this.#endThread();
    await this.retireThreads();
  }

  async #endThread(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }
}
