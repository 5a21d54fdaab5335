import type { Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';

/** How long a thread that is being terminated is waited for, ms. One that sleeps in the operating system does not hear of it. */
export const EXIT_BOUND = 2000;

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
