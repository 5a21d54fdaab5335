import { createContext, Script } from 'node:vm';

import { hostError, codeOf, withoutStack, isDebugged, isProxied, within } from '@qtest/sdk/support';
import { announceForeign, beginForeign, breakOff, countForeign, type Foreign } from './foreign.ts';
import { brokenDevice } from '@qtest/machine';
import { tellInterrupts } from './words.ts';

const context: { run: () => void } = { run: () => {} };
createContext(context);
const script = new Script('run()');

/** When what is under way is broken off, in the time of `performance.now()`. */
let end: number | undefined;
/** What was broken off last. */
let broken: Foreign | undefined;

/**
 * Runs what may never come back, on this thread. V8 ends it when its time is up, wherever it is, without its `finally` blocks: what it
 * worked on must not be used again. To arm the bound takes 0.2 ms; a call within another is under the bound of that one.
 * @returns whether it came back.
 * @throws what it throws, and INTERRUPTED when it was broken off and there was Ctrl-C meanwhile, of which the host's listeners have been told.
 */
export function bounded(run: () => void, seconds: number): boolean {
  if (end !== undefined) {
    run();
    return true;
  }
  announceForeign();
  let thrown: { readonly error: unknown } | undefined;
  context.run = () => {
    try {
      run();
    } catch (error) {
      thrown = { error };
    }
  };
  const begun = countForeign();
  // Under a debugger it may stand still for as long as somebody looks at it.
  const timeout = isDebugged() ? undefined : Math.max(1, Math.round(seconds * 1000));
  end = timeout === undefined ? Infinity : performance.now() + timeout;
  try {
    script.runInContext(context, { ...(timeout !== undefined && { timeout }), displayErrors: false });
  } catch (error) {
    // What it throws itself does not come here.
    if (codeOf(error) !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    broken = breakOff(begun);
    if (tellInterrupts()) throw hostError('INTERRUPTED', 'interrupted', { cause: error });
    return false;
  } finally {
    end = undefined;
    context.run = () => {};
  }
  if (thrown !== undefined) throw plain(thrown.error);
  return true;
}

/** Something thrown. Of a proxy, which runs code whenever it is looked at, what it is. */
function plain(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && isProxied(thrown) ? '(a Proxy)' : thrown;
}

/** When what is bounded now is broken off, in the time of `performance.now()`; undefined while nothing is. */
export function boundEnd(): number | undefined {
  return end;
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
    // Adopted within the bound: its `then` may be a getter.
    const result = callForeign(
      foreign,
      () => {
        const value = run();
        return hasThen(value) ? { promise: new Promise<T>((resolve) => resolve(value)) } : { value };
      },
      ms,
    );
    if (!('promise' in result)) return result.value;
    return await within(result.promise, ms, () => withoutStack(`it did not settle within ${ms / 1000} s`));
  } catch (error) {
    throw plain(error);
  } finally {
    end();
  }
}

/** How long a field may take to be read, s. */
const FIELD_BOUND = 1;

/** Reads a field of a plugin's object, which may be a getter. */
export function readForeign(read: () => unknown): unknown {
  let value: unknown;
  const cameBack = bounded(() => {
    value = read();
  }, FIELD_BOUND);
  if (cameBack) return value;
  throw withoutStack(`it ${neverEnded(FIELD_BOUND)}`);
}

function hasThen<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}

/** Whether what a plugin's code gave is a promise. What becomes of that is ignored, a rejection too. */
export function isThenable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const taken = readForeign(() => (hasThen(value) ? new Promise((resolve) => resolve(value)) : undefined));
  if (!(taken instanceof Promise)) return false;
  taken.catch(() => undefined);
  return true;
}

/** Whether Ctrl-C is what ended it. */
export function isInterruption(error: unknown): boolean {
  return codeOf(error) === 'INTERRUPTED';
}
