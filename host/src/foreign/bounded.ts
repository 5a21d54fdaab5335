import { createContext, Script } from 'node:vm';

import { hostError, codeOf, withoutStack, isDebugged, within } from '@qtest/sdk/support';
import { beginForeign, breakOff, countForeign, type Foreign } from './foreign.ts';
import { brokenDevice } from '@qtest/machine';
import { watched } from './words.ts';

const context: { run: () => void; bounded: () => void } = { run: () => {}, bounded: () => {} };
createContext(context);
const script = new Script('run()');
const breakable = new Script('bounded()');

let inside = false;
/** What was broken off last. */
let broken: Foreign | undefined;

/**
 * Runs what may never come back, on this thread. V8 ends it when its time is up, wherever it is, without its `finally` blocks: what it
 * worked on must not be used again. To arm the bound takes 0.2 ms; a call within another is under the bound of that one.
 * @returns whether it came back.
 * @throws what it throws, and INTERRUPTED on Ctrl-C, of which the host's listeners have been told.
 */
export function bounded(run: () => void, seconds: number): boolean {
  if (inside) {
    run();
    return true;
  }
  context.run = run;
  const begun = countForeign();
  inside = true;
  watched(true);
  try {
    // Under a debugger it may stand still for as long as somebody looks at it.
    const time = isDebugged() ? {} : { timeout: Math.max(1, Math.round(seconds * 1000)) };
    // One around the other: the timer's thread takes a while to end, and in one call of both nobody would listen for Ctrl-C meanwhile.
    context.bounded = () => void script.runInContext(context, { ...time, displayErrors: false });
    breakable.runInContext(context, { breakOnSigint: true, displayErrors: false });
    return true;
  } catch (error) {
    // Their classes may be of another realm than this module's, as under a test runner.
    const isLate = hasCode(error, 'ERR_SCRIPT_EXECUTION_TIMEOUT');
    if (!isLate && !hasCode(error, 'ERR_SCRIPT_EXECUTION_INTERRUPTED')) throw error;
    broken = breakOff(begun);
    if (isLate) return false;
    process.emit('SIGINT');
    throw hostError('INTERRUPTED', 'interrupted', { cause: error });
  } finally {
    inside = false;
    watched(false);
    context.run = () => {};
  }
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/** How long it goes on within one bound, ms. */
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

/** Longest that the host waits for a plugin's code unless --timeout is less, ms. */
const MOST = 30_000;
/** What it waits at least, ms: a plugin's first call is slow on a busy computer. */
const LEAST = 1_000;

let limit = MOST;

/** The time-out of cases, ns: the host waits no longer for a plugin's code that it calls itself. */
export function setForeignBound(timeout: bigint | undefined): void {
  if (timeout !== undefined) limit = Math.min(Math.max(Number(timeout / 1_000_000n), LEAST), MOST);
}

/** How long the host waits for a plugin's code that it calls itself, ms; no longer than `most`. */
export function foreignBound(most = MOST): number {
  return Math.min(limit, most);
}

/**
 * Calls a plugin's code on the host's thread.
 * @throws what it throws, and an error when it does not come back in `ms`.
 */
export function callForeign<T>(foreign: Foreign, run: () => T, ms: number): T {
  const end = beginForeign(foreign);
  try {
    let result: { readonly value: T } | undefined;
    const cameBack = bounded(() => {
      result = { value: run() };
    }, ms / 1000);
    if (cameBack && result !== undefined) return result.value;
    const device = brokenDevice();
    throw withoutStack(`${device === undefined ? 'it' : `device '${device}'`} ${neverEnded(ms / 1000)}`);
  } finally {
    end();
  }
}

/**
 * Calls a plugin's code several times within one bound, which is armed once. `run` uses `callForeign`.
 * @returns the call that did not come back, if one did not.
 */
export function callForeignOften(run: () => void, ms: number): { readonly lost: Foreign | undefined } | undefined {
  if (bounded(run, ms / 1000)) return undefined;
  brokenDevice();
  return { lost: broken };
}

/**
 * Calls a plugin's code on the host's thread, and waits for the promise that it may give.
 * @throws as `callForeign`, and an error when the promise does not settle in `ms`.
 */
export async function awaitForeign<T>(foreign: Foreign, run: () => T | PromiseLike<T>, ms: number): Promise<T> {
  const end = beginForeign(foreign);
  try {
    const result = callForeign(foreign, run, ms);
    if (!isThenable(result)) return result;
    return await within(result, ms, () => withoutStack(`it did not settle within ${ms / 1000} s`));
  } finally {
    end();
  }
}

export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Whether Ctrl-C is what ended it. */
export function isInterruption(error: unknown): boolean {
  return codeOf(error) === 'INTERRUPTED';
}
