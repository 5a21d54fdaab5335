import type { MachineContext } from '@qtest/sdk';
import type { Piscina } from 'piscina';
import {
  type BoundMachine,
  type Registry,
  type MachineHandle,
  LONG,
  clearTraced,
  Tracer,
  TraceRing,
  traceEntries,
  type TraceEntry,
  registryOf,
} from '@qtest/machine';
import type { Failure } from '../report/events.ts';
import { contextFor, powerOn } from '../runner/build.ts';
import { decodeTrace } from '../trace/decode.ts';
import { destroyPool, exitsOf, vcpuPool } from '../runner/pool.ts';
import type { VcpuTask } from '../runner/task.ts';
import type { CaseLane, EndKind, LaneOptions, Observation, Traced } from './backend.ts';
import { contentsOf, type Content } from './contents.ts';
import type { Mapping } from './offers.ts';

/** What the thread of an emulator's VCPU is given when it starts. */
export interface EmulatedThreadData<M extends Mapping> {
  /** Of the machine as our devices would make it: its wiring, and its control area for the trace. */
  readonly handle: MachineHandle;
  readonly mapping: M;
  readonly plugin: { readonly name: string; readonly url: string; readonly root: string };
  readonly options: unknown;
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
}

/** One case on one emulator. */
export interface EmulatedTask extends VcpuTask {
  /** What RAM holds at first. */
  readonly contents: readonly Content[];
}

/** A plugin's machine, before an emulator is asked for it. */
export interface Wanted {
  readonly context: MachineContext;
  /** As our devices would make it: what decodes traces, and whose control area keeps them. */
  readonly machine: BoundMachine;
  readonly registry: Registry;
  readonly options: LaneOptions;
}

/** Builds it, but for the hook `machineReady`, which is told of the devices that the emulator has. */
export async function wantedMachine(options: LaneOptions, backend: 'qemu' | 'v86'): Promise<Wanted> {
  const { plugin, clock, hooks, known } = options;
  const context = contextFor(plugin, clock, backend);
  return { context, machine: await powerOn(plugin, { known, hooks, context }), registry: registryOf(known), options };
}

/** A plugin's machine on an emulator: one for each case, started when the case is prepared and gone when it has ended. */
export abstract class EmulatedLane<M extends Mapping> implements CaseLane {
  readonly context: MachineContext;
  protected readonly data: EmulatedThreadData<M>;
  readonly machine: BoundMachine;
  readonly registry: Registry;
  readonly #worker: URL;
  #pool: Piscina | undefined;
  #spent = false;

  /** @param worker the module of the VCPU's thread. */
  protected constructor({ context, machine, registry, options }: Wanted, mapping: M, worker: URL) {
    const { plugin, trace } = options;
    const { name, url, root } = plugin;
    this.context = context;
    this.data = {
      handle: { ...machine.handle, ...(trace !== undefined && { trace: Tracer.buffer() }) },
      mapping,
      plugin: { name, url, root },
      options: plugin.options,
      sources: trace === 'sources',
    };
    this.machine = machine;
    this.registry = registry;
    this.#worker = worker;
  }

  get spent(): boolean {
    return this.#spent;
  }

  get began(): bigint {
    return this.machine.control.longs[LONG.BEGAN] ?? 0n;
  }

  get pool(): Piscina {
    this.#pool ??= vcpuPool(this.#worker, this.threadData(), 1);
    return this.#pool;
  }

  async prepare(): Promise<void> {
    await this.endEmulator();
    const { control } = this.machine;
    control.longs[LONG.BEGAN] = 0n;
    new TraceRing(control, 0).clear();
    if (this.data.handle.trace !== undefined) clearTraced(this.data.handle.trace);
    await this.startEmulator();
  }

  /** What an emulator tells of itself is in its failures; its IRQs are seen by its VCPU alone. */
  observe(): Observation {
    return {
      end: () =>
        Promise.resolve({ errors: [], messages: new Map(), counts: { guestError: 0, unimplemented: 0 }, lost: 0 }),
    };
  }

  abstract taskOf(task: VcpuTask): EmulatedTask;
  abstract failures(told: readonly Failure[]): Promise<Failure[]>;

  abandon(): void {}

  async kill(abort: () => void, why: EndKind): Promise<undefined> {
    this.#spent = true;
    const killed = this.killEmulator(why);
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads(), killed]);
  }

  accesses(vcpu: number): string[] {
    return this.decode(traceEntries(this.machine.control, vcpu));
  }

  trace(): Traced | undefined {
    const { trace } = this.data.handle;
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
    await this.endEmulator();
    await this.retireThreads();
  }

  /** What RAM holds at first. */
  protected contents(): Content[] {
    return contentsOf(this.machine, this.data.mapping.holes);
  }

  protected threadData(): EmulatedThreadData<M> {
    return this.data;
  }

  protected abstract startEmulator(): Promise<void>;
  /** Its VCPU's thread may wait for it. */
  protected abstract killEmulator(why: EndKind): Promise<void> | void;
  protected abstract endEmulator(): Promise<void>;
}
