import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { MachineContext } from '@qtest/sdk';
import type { Piscina } from 'piscina';
import { hostError, threadOptions, isDebugged } from '@qtest/sdk/support';
import type { Backend, CaseLane, LaneOptions, Observation, Traced } from './backend.ts';
import type { HookSet } from '../hooks.ts';
import {
  type BoundMachine,
  type Registry,
  LONG,
  WORD,
  poison,
  restorePristine,
  clearTraced,
  Tracer,
  rouseAll,
  TraceRing,
  traceEntries,
  type TraceEntry,
  seedTurns,
  registryOf,
  OWNER,
  damage,
  startStatuses,
} from '@qtest/machine';
import type { Failure, SelectedCase } from '../report/events.ts';
import { contextFor, powerOn } from './build.ts';
import { decodeTrace } from '../trace/decode.ts';
import { callDevices } from './device-code.ts';
import { describeFailure } from './failure.ts';
import { Observer } from './observer.ts';
import { destroyPool, EXIT_BOUND, exitOf, exitsOf, settles, vcpuPool } from './pool.ts';
import type { VcpuOutcome, VcpuTask, VcpuThreadData } from './task.ts';

/** How long the lock may take to be had before a VCPU is killed, ms. */
export const LOCK_BOUND = 100;
/** How long the I/O thread may take to end by itself, ms: longer than it sleeps. */
const IO_BOUND = 250;
/** Ticks that VCPUs in real time may be ahead of the host: more than there are in an hour. */
const MAX_TICKS = 2 ** 24;

const IO_THREAD = createRequire(import.meta.url).resolve('@qtest/machine/io-thread');

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const sibling = (name: string): URL =>
  new URL(`${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** This host's own devices: everything that a case can ask for. */
export const native: Backend = {
  name: 'native',
  clocks: ['virtual', 'realtime'],
  lacks: () => undefined,
  createLane: (options) => Lane.create(options),
};

/** A machine of a plugin, and the threads of its VCPUs. */
export class Lane implements CaseLane {
  readonly context: MachineContext;
  readonly machine: BoundMachine;
  readonly registry: Registry;
  /** The machine must not be used for another case. */
  spent = false;
  /** No case has run on it: it is as it was sealed. */
  fresh = true;
  readonly #data: VcpuThreadData;
  #pool: Piscina | undefined;
  #ioThread: Worker | undefined;
  /** VCPUs of the case. */
  #vcpus = 0;
  /** The ids of all threads that have ever been this machine's, in its lock's word. */
  readonly #owners = new Set<number>([OWNER.HOST]);

  private constructor(context: MachineContext, machine: BoundMachine, registry: Registry, data: VcpuThreadData) {
    this.context = context;
    this.machine = machine;
    this.registry = registry;
    this.#data = data;
  }

  /** Builds the machine: `init()` or the normal machine init, then the hooks `machineInit` and `machineReady`. */
  static async create(laneOptions: LaneOptions): Promise<Lane> {
    const { plugin, clock, hooks, known, stallLimit, schedule = 'seeded', trace } = laneOptions;
    const context = contextFor(plugin, clock);
    const machine = await powerOn(plugin, { known, hooks, context });
    await hooks.machineReady.promise({ ...context, devices: machine.devices });
    const { name, url, root, options } = plugin;
    return new Lane(context, machine, registryOf(known), {
      handle: { ...machine.handle, ...(trace !== undefined && { trace: Tracer.buffer() }) },
      plugin: { name, url, root },
      options,
      stallLimit,
      schedule,
      sources: trace === 'sources',
    });
  }

  /** The VCPUs' threads. */
  get pool(): Piscina {
    if (this.#pool === undefined) {
      const { vcpus, clock } = this.context;
      this.#pool = vcpuPool(sibling('./worker'), this.#data, vcpus);
      if (clock === 'realtime') this.#startIoThread();
    }
    return this.#pool;
  }

  /** Ends the VCPUs' threads; the machine remains. */
  async retireThreads(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await Promise.all([this.#stopIoThread(), pool === undefined ? undefined : destroyPool(pool)]);
  }

  /** Puts the machine into its pristine state, and the control words into those of a case that starts. */
  prepare(selected: SelectedCase, seed: number): void {
    // Until it has come back.
    this.spent = true;
    callDevices(selected.plugin, this.machine, () => this.#prepare(selected, seed));
    this.spent = false;
  }

  #prepare({ vcpus }: SelectedCase, seed: number): void {
    const { machine } = this;
    const { words } = machine.control;
    this.#vcpus = vcpus;
    this.locked(() => {
      startStatuses(machine.control, vcpus);
      if (!this.fresh) restorePristine(machine);
      this.fresh = false;
      for (const word of [WORD.ABANDONED, WORD.BARRIER_COUNT, WORD.FAULT, WORD.STARTED]) Atomics.store(words, word, 0);
      machine.control.longs[LONG.BEGAN] = 0n;
      seedTurns(machine.control, vcpus, seed);
      for (let vcpu = 0; vcpu < vcpus; vcpu++) new TraceRing(machine.control, vcpu).clear();
    });
    if (this.#data.handle.trace !== undefined) clearTraced(this.#data.handle.trace);
  }

  observe(hooks: HookSet, damaged: () => void): Observation {
    const observer = new Observer(this, hooks, damaged);
    return {
      end: () => {
        Atomics.store(this.machine.control.words, WORD.STARTED, 0);
        return observer.end();
      },
    };
  }

  /** Says which word of the control area cannot be what it is; the machine is then given up. `ticks`: those dealt with. */
  damage(ticks: number, ended: boolean): string | undefined {
    // Who ends VCPUs by force writes to those words as well.
    if (this.spent) return undefined;
    const { control, blueprint, events, time } = this.machine;
    for (const { threadId } of this.#pool?.threads ?? []) this.#owners.add(OWNER.THREAD0 + threadId);
    const others = time.kind === 'realtime' ? 1 : 0;
    if (others > 0) this.#owners.add(OWNER.IO);
    const bounds = {
      ...{ vcpus: this.#vcpus, devices: blueprint.devices.length, owners: this.#owners, others },
      ...{ taken: events.taken, ticks, newTicks: others > 0 ? MAX_TICKS : this.#vcpus },
    };
    const found = damage(control, bounds, ended);
    if (found !== undefined) this.spent = true;
    return found;
  }

  taskOf(task: VcpuTask): VcpuTask {
    return task;
  }

  get began(): bigint {
    return this.machine.control.longs[LONG.BEGAN] ?? 0n;
  }

  abandon(): void {
    const { control } = this.machine;
    Atomics.store(control.words, WORD.ABANDONED, 1);
    rouseAll(control);
  }

  failures(told: readonly Failure[], outcomes: readonly VcpuOutcome[], root: string): Failure[] {
    const failures = outcomes.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
    const faulted = this.machine.control.words[WORD.FAULT] ?? 0;
    if (faulted !== 0) this.spent = true;
    if (faulted !== 0 && failures.length === 0 && this.machine.blueprint.devices[faulted - 1] !== undefined) {
      const device = this.machine.blueprint.devices[faulted - 1]?.id;
      const message = `device '${device}' has failed, which is a bug of the device`;
      failures.push({ name: 'DeviceFault', code: 'DEVICE', message });
    }
    if (this.ioError !== undefined) {
      this.spent = true;
      failures.push(describeFailure(this.ioError, root));
    }
    return [...told, ...failures];
  }

  accesses(vcpu: number): string[] {
    return this.decode(traceEntries(this.machine.control, vcpu));
  }

  trace(): Traced | undefined {
    const { trace } = this.#data.handle;
    return trace === undefined ? undefined : { buffer: trace, machine: this.machine, registry: this.registry };
  }

  decode(entries: readonly TraceEntry[]): string[] {
    this.machine.bus.refresh();
    return decodeTrace(this.machine, this.registry, entries);
  }

  /** Runs something under the machine's lock on the host's thread, which never waits for it longer than a bound. */
  locked(run: () => void): void {
    const { lock, control } = this.machine;
    if (!lock.tryAcquire(LOCK_BOUND)) {
      this.spent = true;
      poison(control);
      throw hostError('POISONED', "the machine's lock cannot be had: one of its devices hangs, on the I/O thread");
    }
    try {
      run();
    } finally {
      lock.release();
    }
  }

  /**
   * Kills the VCPUs wherever they are; nobody uses the machine afterwards.
   * @returns the VCPU that had the turn and has not let go of the lock: it makes no access, or hangs in a device.
   */
  async kill(abort: () => void): Promise<number | undefined> {
    this.spent = true;
    const { machine } = this;
    const turn = machine.control.words[WORD.TURN] ?? 0;
    const { control, lock } = machine;
    Atomics.store(control.words, WORD.ABANDONED, 1);
    rouseAll(control);
    // With the lock in hand no VCPU dies inside a device. If it can't be had, one hangs there: the machine is given up.
    let locked = lock.tryAcquire(LOCK_BOUND);
    // A debugger may have stopped who has it. Its words come by way of this thread's event loop.
    for (; !locked && isDebugged(); locked = lock.tryAcquire(0)) await delay(LOCK_BOUND);
    if (!locked) poison(control);
    // piscina forgets a thread whose task is aborted; it is still to be waited for.
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads()]);
    if (locked) lock.release();
    rouseAll(control);
    return !locked && turn >= 0 && turn < this.#vcpus ? turn : undefined;
  }

  async dispose(): Promise<void> {
    await this.retireThreads();
  }

  #startIoThread(): void {
    const { words } = this.machine.control;
    Atomics.store(words, WORD.IO_STOP, 0);
    this.#ioThread = new Worker(IO_THREAD, { workerData: { handle: this.#data.handle }, ...threadOptions() });
    this.#ioThread.unref();
    this.#ioThread.on('error', (error) => {
      this.ioError ??= error;
    });
  }

  /** What ended the I/O thread, if anything did. */
  ioError: unknown;

  async #stopIoThread(): Promise<void> {
    const thread = this.#ioThread;
    this.#ioThread = undefined;
    if (thread === undefined || thread.threadId < 0) return;
    const { words } = this.machine.control;
    const exited = exitOf(thread);
    Atomics.store(words, WORD.IO_STOP, 1);
    Atomics.add(words, WORD.IO_WAKE, 1);
    Atomics.notify(words, WORD.IO_WAKE);
    thread.ref();
    if (await settles(exited, IO_BOUND)) return;
    // It hangs in a device.
    void thread.terminate();
    await settles(exited, EXIT_BOUND);
    thread.unref();
  }
}
