import { createContext, Script } from 'node:vm';

const context: { run: () => void } = { run: () => {} };
createContext(context);
const script = new Script('run()');

/**
 * Runs what may never come back, on this thread. V8 ends it when its time is up, wherever it is, without its `finally` blocks: what it
 * worked on must not be used again.
 * @returns whether it came back.
 */
export function bounded(run: () => void, seconds: number): boolean {
  context.run = run;
  try {
    script.runInContext(context, { timeout: Math.max(1, Math.round(seconds * 1000)) });
    return true;
  } catch (error) {
    if (isTimeout(error)) return false;
    throw error;
  } finally {
    context.run = () => {};
  }
}

/** Its class may be of another realm than this module's, as under a test runner. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}

/** How long it goes on within one bound, ms: to arm one takes half a millisecond. */
const SLICE = 100;

/**
 * Calls `step` until it gives false. Each call has the whole bound.
 * @returns whether they all came back.
 */
export function boundedSteps(step: () => boolean, seconds: number): boolean {
  let more = true;
  while (more) {
    const cameBack = bounded(
      () => {
        const end = performance.now() + SLICE;
        do more = step();
        while (more && performance.now() < end);
      },
      seconds + SLICE / 1000,
    );
    if (!cameBack) return false;
  }
  return true;
}

/** What is said of something that did not come back. */
export function neverEnded(seconds: number): string {
  return `did not come back within ${seconds} s: an endless loop, or work without a bound`;
}
