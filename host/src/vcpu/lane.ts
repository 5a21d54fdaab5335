import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ClockKind, MachineContext } from '@qtest/sdk';
import { Piscina } from 'piscina';
import { hostError } from '../errors.ts';
import type { HookSet } from '../hooks.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import type { KnownDevice } from '../machine/builder.ts';
import { WORD } from '../machine/control.ts';
import { createMachine } from '../machine/create.ts';
import { poison } from '../machine/lock.ts';
import { rouseAll } from '../machine/waiters.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import { build, contextFor, registryOf } from './build.ts';
import type { VcpuThreadData } from './task.ts';

/** How long the lock may take to be had before a VCPU is killed, ms. */
export const LOCK_BOUND = 100;
/** How long the I/O thread may take to end by itself, ms: longer than it sleeps. */
const IO_BOUND = 250;
/** How long a thread that is being terminated is waited for, ms. One that sleeps in the operating system does not hear of it. */
const EXIT_BOUND = 2000;
/** Heap of a VCPU's thread, MiB: a case that eats memory is to fail before the machine does. */
const HEAP = 512;

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const sibling = (name: string): URL =>
  new URL(`${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** What lanes are made from. */
export interface LaneOptions {
  readonly plugin: LoadedPlugin;
  readonly clock: ClockKind;
  readonly hooks: HookSet;
  readonly known: ReadonlyMap<string, KnownDevice>;
  readonly stallLimit: number;
  /** Several VCPUs in virtual time: one at a time by the seeded scheduler, which is the default, or all at once. */
  readonly schedule?: 'seeded' | 'free';
}

/** A machine of a plugin, and the threads of its VCPUs. */
export class Lane {
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
  static async create({ plugin, clock, hooks, known, stallLimit, schedule = 'seeded' }: LaneOptions): Promise<Lane> {
    const context = contextFor(plugin, clock);
    const builder = await build(plugin, { known, hooks, context });
    const registry = registryOf(known);
    const machine = createMachine(builder, registry);
    const { fault } = machine.bus;
    if (fault !== undefined) {
      const cause = Object.assign(new Error(fault.message), { stack: fault.stack });
      throw hostError(
        'DEVICE',
        `plugin '${plugin.name}': device '${fault.device}' threw at power-on: ${fault.message}`,
        { cause },
      );
    }
    await hooks.machineReady.promise({ ...context, devices: machine.devices });
    const { name, url, root, options } = plugin;
    return new Lane(context, machine, registry, {
      handle: machine.handle,
      plugin: { name, url, root },
      options,
      stallLimit,
      schedule,
    });
  }

  /** The VCPUs' threads: as many as VCPUs, for each must have one at once; one starts when the first case needs it. */
  get pool(): Piscina {
    if (this.#pool === undefined) {
      const { vcpus, clock } = this.context;
      this.#pool = new Piscina({
        filename: fileURLToPath(sibling('./worker')),
        minThreads: 0,
        maxThreads: vcpus,
        concurrentTasksPerWorker: 1,
        idleTimeout: Infinity,
        workerData: this.#data,
        resourceLimits: { maxOldGenerationSizeMb: HEAP },
      });
      // Errors of a task reject its promise; what a dying thread says besides has been charged to its case by then.
      this.#pool.on('error', () => {});
      if (clock === 'realtime') this.#startIoThread();
    }
    return this.#pool;
  }

  /** Ends the VCPUs' threads; the machine remains. */
  async retireThreads(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await Promise.all([this.#stopIoThread(), pool === undefined ? undefined : destroy(pool)]);
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
   * @returns whether they let go of the lock: false when one that keeps it makes no access, or hangs in a device.
   */
  async kill(abort: () => void): Promise<boolean> {
    this.spent = true;
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
    return locked;
  }

  async dispose(): Promise<void> {
    await this.retireThreads();
  }

  #startIoThread(): void {
    const { words } = this.machine.control;
    Atomics.store(words, WORD.IO_STOP, 0);
    const file = new URL(`../machine/io-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
    this.#ioThread = new Worker(file, { workerData: { handle: this.machine.handle } });
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

/** Ends a pool and waits until its threads are gone. */
async function destroy(pool: Piscina): Promise<void> {
  await Promise.all([exitsOf(pool), settles(pool.destroy(), EXIT_BOUND)]);
}

async function exitsOf(pool: Piscina | undefined): Promise<void> {
  await settles(Promise.all((pool?.threads ?? []).map((thread) => exitOf(thread))), EXIT_BOUND);
}

/** Settles when the thread is gone, whatever it dies of. */
async function exitOf(thread: Worker): Promise<void> {
  if (thread.threadId < 0) return;
  await new Promise<void>((resolve) => void thread.once('exit', () => resolve()));
}

/** Whether a promise settles within `ms` milliseconds. */
async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
