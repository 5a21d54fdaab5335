import { stackOf, LIMITS } from '@qtest/sdk/support';

/** Errors that nobody caught, in the host: of a plugin's hook that threw later, from a timer or a promise it let go. */
export interface Strays {
  readonly count: number;
  release(): void;
}

/** Keeps such errors from ending the process, and hands the first of them on. */
export function catchStrays(report: (message: string) => void): Strays {
  let count = 0;
  const onError = (error: unknown): void => {
    count++;
    if (count === LIMITS.failures + 1) report('more errors in the host that nobody caught are left out');
    if (count > LIMITS.failures) return;
    report(`an error in the host that nobody caught, as of a hook's timer or promise:\n${stackOf(error)}`);
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
  return {
    get count() {
      return count;
    },
    release: () => {
      process.off('uncaughtException', onError);
      process.off('unhandledRejection', onError);
    },
  };
}
