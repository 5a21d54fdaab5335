import { ERRORS } from '@qtest/sdk/support';
import type { Io } from './io.ts';

/** Ctrl-C, while cases run. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives Ctrl-C back to Node. */
  release(): void;
}

/** Exit code of a command that was interrupted. */
export const INTERRUPTED = ERRORS.INTERRUPTED.exit;

/**
 * Listens for Ctrl-C from now on, so that the signal never does what it does by default: end the process without a word. It ends it here
 * when nobody else listens.
 */
export function keepListening(): void {
  process.on('SIGINT', () => {
    if (process.listenerCount('SIGINT') === 1) process.exit(INTERRUPTED);
  });
}

/** The first SIGINT or SIGTERM aborts the signal, so that the run ends with its summary; the second ends the process at once. */
export function catchInterrupts({ stderr }: Io): Interrupt {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    stderr.write('\ninterrupted: ending what runs (Ctrl-C again to leave at once)\n');
    controller.abort(new Error('interrupted'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
