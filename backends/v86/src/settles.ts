import type { Worker } from 'node:worker_threads';

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
