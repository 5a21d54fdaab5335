import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { threadOptions } from '@qtest/sdk/support';

/** Heap of a VCPU's thread, MiB: a case that eats memory is to fail before the machine does. */
const HEAP = 512;

/** How long a thread that is being terminated is waited for, ms. One that sleeps in the operating system does not hear of it. */
export const EXIT_BOUND = 2000;

/** The threads of a machine's VCPUs: as many as VCPUs, for each must have one at once; one starts when the first case needs it. */
export function vcpuPool(file: URL, workerData: unknown, vcpus: number): Piscina {
  const pool = new Piscina({
    filename: fileURLToPath(file),
    minThreads: 0,
    maxThreads: vcpus,
    concurrentTasksPerWorker: 1,
    idleTimeout: Infinity,
    workerData,
    ...threadOptions(),
    resourceLimits: { maxOldGenerationSizeMb: HEAP },
  });
  // Errors of a task reject its promise; what a dying thread says besides has been charged to its case by then.
  pool.on('error', () => {});
  return pool;
}

/** Ends a pool and waits until its threads are gone. */
export async function destroyPool(pool: Piscina): Promise<void> {
  await Promise.all([exitsOf(pool), settles(pool.destroy(), EXIT_BOUND)]);
}

/** Settles when the pool's threads are gone, or the bound has passed. */
export async function exitsOf(pool: Piscina | undefined): Promise<void> {
  await settles(Promise.all((pool?.threads ?? []).map((thread) => exitOf(thread))), EXIT_BOUND);
}

/** Settles when the thread is gone, whatever it dies of. */
export async function exitOf(thread: Worker): Promise<void> {
  if (thread.threadId < 0) return;
  await new Promise<void>((resolve) => void thread.once('exit', () => resolve()));
}

/** Whether a promise settles within `ms` milliseconds. */
export async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
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
