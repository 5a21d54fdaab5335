import { createContext, Script } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';

import type { WatchdogData } from './data.ts';
import { WORD } from './words.ts';

/**
 * The thread that hears Ctrl-C, whatever the host's thread does. Node hears it beside its event loop for what is run with `breakOnSigint`,
 * on any thread. When nothing is run so any more, Node gives the signal back to its default action, not to the event loop. So this thread
 * never ends, and nothing else is run so.
 */

/** Runs one within the other. While the innermost begins anew, the one around it hears. */
const DEPTH = 4;

const data = workerData as WatchdogData;
const words = new Int32Array(data.buffer);
const context = createContext({ within: () => {}, sleep });
const outer = new Script('within()');
const innermost = new Script('sleep()');

listen(DEPTH);

function listen(depth: number): never {
  for (;;) {
    try {
      context['within'] = () => listen(depth - 1);
      (depth > 1 ? outer : innermost).runInContext(context, { breakOnSigint: true });
    } catch {
      Atomics.add(words, WORD.INTERRUPTS, 1);
      // Wakes the event loop of the host's thread.
      parentPort?.postMessage(undefined);
    }
  }
}

function sleep(): never {
  Atomics.store(words, WORD.LISTENING, 1);
  Atomics.notify(words, WORD.LISTENING);
  for (;;) Atomics.wait(words, WORD.NEVER, 0);
}
