import type { DeviceInfo, MachineContext } from '@qtest/sdk';
import type { Mapping, RunningEmulator } from '@qtest/sdk/backend';
import type { Piscina } from 'piscina';
import {
  registryOf,
  type BoundMachine,
  type Registry,
  type MachineHandle,
  LONG,
  clearTraced,
  Tracer,
  TraceRing,
  traceEntries,
  type TraceEntry,
} from '@qtest/machine';
import type { Failure } from '../report/events.ts';
import { messageOf } from '@qtest/sdk/support';
import type { CaseLane, EndKind, LaneOptions, Observation, Traced } from '../runner/backend.ts';
import { contextFor, powerOn } from '../runner/build.ts';
import { decodeTrace } from '../trace/decode.ts';
import { destroyPool, exitsOf, vcpuPool } from '../runner/pool.ts';
import type { VcpuTask } from '../runner/task.ts';
import type { UsableBackend } from './backend.ts';
import { contentsOf, type Content } from './contents.ts';
import { wantedOf } from './wanted.ts';

/** What the thread of an emulator's VCPU is given when it starts. */
export interface EmulatedThreadData {
  /** Of the machine as our devices would make it: its wiring, and its control area for the trace. */
  readonly handle: MachineHandle;
  readonly mapping: Omit<Mapping, 'settings'>;
  readonly backend: {
    /** As messages name the emulator. */
    readonly title: string;
    /** URL of its half for this thread. */
    readonly connector: string;
    /** Why a case that takes snapshots, or takes interrupts by their vectors, cannot run; undefined when it can. */
    readonly noSnapshot: string | undefined;
    readonly noAcknowledge: string | undefined;
  };
  readonly plugin: { readonly name: string; readonly url: string; readonly root: string };
  readonly options: unknown;
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
}

/** One case on one emulator. */
export interface EmulatedTask extends VcpuTask {
  /** What the emulator is connected by. */
  readonly emulator: unknown;
  /** What RAM holds at first. */
  readonly contents: readonly Content[];
}

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const WORKER = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** A plugin's machine on an emulator: one for each case, started when the case is prepared and gone when it has ended. */
export class EmulatedLane implements CaseLane {
  readonly context: MachineContext;
  /** As our devices would make it: what decodes traces, and whose control area keeps them. */
  readonly machine: BoundMachine;
  readonly registry: Registry;
  readonly #backend: UsableBackend;
  readonly #data: EmulatedThreadData;
  readonly #settings: unknown;
  #pool: Piscina | undefined;
  #emulator: RunningEmulator | undefined;
  /** What there is to say of a request that was not answered when the VCPU was killed. */
  #unanswered = '';
  /** Mistakes of the backend's. */
  readonly #faults: string[] = [];
  #spent = false;

  private constructor(backend: UsableBackend, context: MachineContext, machine: BoundMachine, options: LaneOptions) {
    const { plugin, known, trace } = options;
    const { name, url, root } = plugin;
    const registry = registryOf(known);
    const { settings, ...mapping } = backend.map(wantedOf(machine.blueprint, registry));
    this.context = context;
    this.machine = machine;
    this.registry = registry;
    this.#backend = backend;
    this.#settings = settings;
    this.#data = {
      handle: { ...machine.handle, ...(trace !== undefined && { trace: Tracer.buffer() }) },
      mapping,
      backend: {
        title: backend.title,
        connector: backend.connectorUrl,
        noSnapshot: backend.lacks('snapshot'),
        noAcknowledge: backend.lacks('interrupt-acknowledge'),
      },
      plugin: { name, url, root },
      options: plugin.options,
      sources: trace === 'sources',
    };
  }

  /** Builds the machine; the hook `machineReady` is told of the devices that the emulator has. */
  static async create(backend: UsableBackend, options: LaneOptions): Promise<EmulatedLane> {
    const { plugin, clock, hooks, known } = options;
    const context = contextFor(plugin, clock, backend.name);
    const machine = await powerOn(plugin, { known, hooks, context });
    const lane = new EmulatedLane(backend, context, machine, options);
    await hooks.machineReady.promise({ ...context, devices: lane.devices });
    return lane;
  }

  /** Those that the emulator has. */
  get devices(): readonly DeviceInfo[] {
    return this.#data.mapping.devices;
  }

  get spent(): boolean {
    return this.#spent;
  }

  get began(): bigint {
    return this.machine.control.longs[LONG.BEGAN] ?? 0n;
  }

  get pool(): Piscina {
    this.#pool ??= vcpuPool(WORKER, this.#data, 1);
    return this.#pool;
  }

  async prepare(): Promise<void> {
    await this.#endEmulator();
    const { control } = this.machine;
    control.longs[LONG.BEGAN] = 0n;
    new TraceRing(control, 0).clear();
    if (this.#data.handle.trace !== undefined) clearTraced(this.#data.handle.trace);
    this.#unanswered = '';
    this.#emulator = await this.#backend.start(this.#settings, { clock: this.context.clock });
  }

  /** What an emulator tells of itself is in its failures; its IRQs are seen by its VCPU alone. */
  observe(): Observation {
    return {
      end: () =>
        Promise.resolve({ errors: [], messages: new Map(), counts: { guestError: 0, unimplemented: 0 }, lost: 0 }),
    };
  }

  taskOf(task: VcpuTask): EmulatedTask {
    if (this.#emulator === undefined) throw new Error('prepare() has not started an emulator');
    const contents = contentsOf(this.machine, this.#data.mapping.holes);
    return { ...task, emulator: this.#emulator.handle, contents };
  }

  async failures(told: readonly Failure[]): Promise<Failure[]> {
    const emulator = this.#emulator;
    if (emulator === undefined) return [...told];
    const isTold = told.some(({ code }) => code === 'EMULATOR');
    let failures: readonly Failure[] = told;
    try {
      const death = this.spent ? undefined : await emulator.death(isTold);
      await this.#endEmulator();
      const message = this.#unanswered === '' ? (isTold ? undefined : death) : this.#unanswered;
      failures = [...told, ...(message === undefined ? [] : [failureOf(message)])].map((failure) =>
        failure.code === 'EMULATOR' ? { ...failure, message: emulator.explain(failure.message) } : failure,
      );
    } catch (error) {
      this.#faults.push(messageOf(error));
    }
    return [...failures, ...this.#faults.splice(0).map(failureOf)];
  }

  abandon(): void {}

  async kill(abort: () => void, why: EndKind): Promise<undefined> {
    this.#spent = true;
    try {
      const pending = (why === 'timeout' && this.#emulator?.pending?.()) || '';
      if (pending !== '') this.#unanswered = `${this.#backend.title} has not answered '${pending}'`;
      // A thread that waits for the emulator may hear of nothing but its end.
      this.#emulator?.kill();
    } catch (error) {
      this.#faults.push(messageOf(error));
    }
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads()]);
  }

  accesses(vcpu: number): string[] {
    return this.decode(traceEntries(this.machine.control, vcpu));
  }

  trace(): Traced | undefined {
    const { trace } = this.#data.handle;
    return trace === undefined ? undefined : { buffer: trace, machine: this.machine, registry: this.registry };
  }

  decode(entries: readonly TraceEntry[]): string[] {
    // Where BARs are, the emulator alone knows.
    return decodeTrace(this.machine, this.registry, entries, '');
  }

  async retireThreads(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await destroyPool(pool);
  }

  async dispose(): Promise<void> {
    await this.#endEmulator();
    await this.retireThreads();
  }

  async #endEmulator(): Promise<void> {
    const emulator = this.#emulator;
    this.#emulator = undefined;
    await emulator?.end();
  }
}

function failureOf(message: string): Failure {
  return { name: 'QtestError', code: 'EMULATOR', message };
}
