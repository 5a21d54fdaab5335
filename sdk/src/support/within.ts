import { isDebugged } from './debugged.ts';

/**
 * Waits for `promise`, at most `ms` milliseconds, or without a bound under a debugger. What becomes of it later is ignored, a rejection too.
 * @throws what `late()` gives when the time is up.
 */
export async function within<T>(promise: PromiseLike<T>, ms: number, late: () => Error): Promise<T> {
  // The timer keeps the process alive: with it unref'd, a promise that never settles would end the command quietly.
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    const arm = (): void => {
      timer = setTimeout(() => (isDebugged() ? arm() : reject(late())), ms);
    };
    arm();
  });
  try {
    return await Promise.race([promise, bound]);
  } finally {
    clearTimeout(timer);
  }
}
