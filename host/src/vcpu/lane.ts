import { Worker } from 'node:worker_threads';
import type { MachineContext } from '@qtest/sdk';
import type { Piscina } from 'piscina';
import { hostError } from '../errors.ts';
import type { Backend, CaseLane, LaneOptions, Observation, Traced } from './backend.ts';
import type { HookSet } from '../hooks.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import { LONG, MAX_VCPUS, VCPU_STATUS, WORD } from '../machine/control.ts';
import { poison } from '../machine/lock.ts';
import { restorePristine } from '../machine/snapshot.ts';
import { clearTraced, Tracer } from '../machine/tracer.ts';
import { rouseAll, setStatus } from '../machine/waiters.ts';
import type { Failure, SelectedCase } from '../report/events.ts';
import { contextFor, powerOn, registryOf } from './build.ts';
import { decodeTrace } from './decode.ts';
import { describeFailure } from './failure.ts';
import { Observer } from './observer.ts';
import { destroyPool, EXIT_BOUND, exitOf, exitsOf, settles, vcpuPool } from './pool.ts';
import type { VcpuOutcome, VcpuTask, VcpuThreadData } from './task.ts';
import { TraceRing, traceEntries, type TraceEntry } from './trace.ts';
import { seedTurns } from './turns.ts';

/** How long the lock may take to be had before a VCPU is killed, ms. */
export const LOCK_BOUND = 100;
/** How long the I/O thread may take to end by itself, ms: longer than it sleeps. */
const IO_BOUND = 250;

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
  prepare({ vcpus }: SelectedCase, seed: number): void {
    const { machine } = this;
    const { words } = machine.control;
    this.locked(() => {
      if (!this.fresh) restorePristine(machine);
      this.fresh = false;
      for (const word of [WORD.ABANDONED, WORD.BARRIER_COUNT, WORD.FAULT, WORD.STARTED]) Atomics.store(words, word, 0);
      machine.control.longs[LONG.BEGAN] = 0n;
      words[WORD.VCPUS] = vcpus;
      seedTurns(machine.control, vcpus, seed);
      // Those of a case that was refused have never ended.
      for (let vcpu = vcpus; vcpu < MAX_VCPUS; vcpu++) setStatus(machine.control, vcpu, VCPU_STATUS.OFF);
      for (let vcpu = 0; vcpu < vcpus; vcpu++) {
        setStatus(machine.control, vcpu, VCPU_STATUS.READY);
        new TraceRing(machine.control, vcpu).clear();
      }
    });
    if (this.#data.handle.trace !== undefined) clearTraced(this.#data.handle.trace);
  }

  observe(hooks: HookSet): Observation {
    const observer = new Observer(this, hooks);
    return {
      end: () => {
        Atomics.store(this.machine.control.words, WORD.STARTED, 0);
        return observer.end();
      },
    };
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
    if (faulted !== 0 && failures.length === 0) {
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
    const turn = this.machine.control.words[WORD.TURN];
    const { machine } = this;
    const { control, lock } = machine;
    Atomics.store(control.words, WORD.ABANDONED, 1);
    rouseAll(control);
    // With the lock in hand no VCPU dies inside a device. If it can't be had, one hangs there: the machine is given up.
    const locked = lock.tryAcquire(LOCK_BOUND);
    if (!locked) poison(control);
    // piscina forgets a thread whose task is aborted; it is still to be waited for.
    const exits = exitsOf(this.#pool);
    abort();
    await Promise.all([exits, this.retireThreads()]);
    if (locked) lock.release();
    rouseAll(control);
    return locked ? undefined : turn;
  }

  async dispose(): Promise<void> {
    await this.retireThreads();
  }

  #startIoThread(): void {
    const { words } = this.machine.control;
    Atomics.store(words, WORD.IO_STOP, 0);
    const file = new URL(`../machine/io-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
    this.#ioThread = new Worker(file, { workerData: { handle: this.#data.handle } });
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
