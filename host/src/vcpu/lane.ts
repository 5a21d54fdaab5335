import { once } from 'node:events';
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
const LOCK_BOUND = 100;
/** Heap of a VCPU's thread, MiB: a case that eats memory is to fail before the machine does. */
const HEAP = 512;

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const sibling = (name: string): URL => new URL(`${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** What lanes are made from. */
export interface LaneOptions {
  readonly plugin: LoadedPlugin;
  readonly clock: ClockKind;
  readonly hooks: HookSet;
  readonly known: ReadonlyMap<string, KnownDevice>;
  readonly stallLimit: number;
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
  static async create({ plugin, clock, hooks, known, stallLimit }: LaneOptions): Promise<Lane> {
    const context = contextFor(plugin, clock);
    const builder = await build(plugin, { known, hooks, context });
    const registry = registryOf(known);
    const machine = createMachine(builder, registry);
    const { fault } = machine.bus;
    if (fault !== undefined) throw hostError('DEVICE', `device '${fault.device}' threw at power-on: ${fault.message}`);
    await hooks.machineReady.promise({ ...context, devices: machine.devices });
    const { name, url, root, options } = plugin;
    return new Lane(context, machine, registry, {
      handle: machine.handle,
      plugin: { name, url, root },
      options,
      stallLimit,
      schedule: 'seeded',
    });
  }

  /** The VCPUs' threads: exactly as many as VCPUs, for each must have one at once. */
  get pool(): Piscina {
    if (this.#pool === undefined) {
      const { vcpus, clock } = this.context;
      this.#pool = new Piscina({
        filename: fileURLToPath(sibling('./worker')),
        minThreads: vcpus,
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

  /** Kills the VCPUs wherever they are; nobody uses the machine afterwards. */
  async kill(abort: () => void): Promise<void> {
    this.spent = true;
    const { machine } = this;
    const { control, lock } = machine;
    Atomics.store(control.words, WORD.ABANDONED, 1);
    rouseAll(control);
    // With the lock in hand no VCPU dies inside a device. If it can't be had, one hangs there: the machine is given up.
    const locked = lock.tryAcquire(LOCK_BOUND);
    if (!locked) poison(control);
    abort();
    await this.retireThreads();
    if (locked) lock.release();
    rouseAll(control);
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
    const exited = once(thread, 'exit');
    Atomics.store(words, WORD.IO_STOP, 1);
    Atomics.add(words, WORD.IO_WAKE, 1);
    Atomics.notify(words, WORD.IO_WAKE);
    thread.ref();
    await exited;
  }
}

/** Ends a pool and waits until its threads are gone. */
async function destroy(pool: Piscina): Promise<void> {
  const exits = pool.threads.filter(({ threadId }) => threadId >= 0).map((thread) => once(thread, 'exit'));
  await pool.destroy();
  await Promise.all(exits);
}
