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
