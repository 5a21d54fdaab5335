import inspector from 'node:inspector';
import { setTimeout as delay } from 'node:timers/promises';
import { createContext, Script } from 'node:vm';
import { workerData } from 'node:worker_threads';

import { isLook, type Look, type WatchdogData } from './data.ts';
import { WORD } from './words.ts';

/**
 * The watchdog's thread. It sees that the host's event loop stands still; asks that thread, through the inspector, which runs what it is
 * asked in the midst of any loop, whose code keeps it; and has it end the process when the bound has passed, or on Ctrl-C, of which the
 * event loop would not hear.
 */

/** How often it looks, ms. */
const EVERY = 50;
/** An event loop that has not turned for so long stands still, ms. */
const STILL = 150;
/** The same, when it is the host's own work that takes so long, ms. */
const LONG_STILL = 1_000;
/** Looks in a row that must have found the host's thread in a plugin's code before it is ended. */
const LOOKS = 5;
/** How long it sleeps then, ms. */
const LONG_NAP = 500;
/** How long the host may take for its last words, ms. */
const LAST_WORDS = 5_000;

const data = workerData as WatchdogData;
const words = new Int32Array(data.buffer);
const session = new inspector.Session();

let stillSince = performance.now();
let beat = -1;
let foreign = 0;

// An answer that is waited for keeps no event loop turning.
setInterval(() => {}, 60_000);
void watch();

async function watch(): Promise<never> {
  let hasLooked = false;
  for (;;) {
    const now = Atomics.load(words, WORD.BEAT);
    if (now !== beat) {
      beat = now;
      stillSince = performance.now();
      foreign = 0;
      if (hasLooked) await ask('resume()');
      hasLooked = false;
    } else if (performance.now() - stillSince > STILL) {
      hasLooked = true;
      await lookInto();
      if (listens()) {
        // Between two naps Ctrl-C ends the process as it does by default: they are few once it is known what is the matter.
        if (napUntilInterrupted(foreign < LOOKS ? EVERY : LONG_NAP)) await end('interrupted');
        continue;
      }
    }
    await delay(EVERY);
  }
}

/** Whether Ctrl-C is to be heard here: not while V8 breaks off for it what is being done. The host's own work may take a moment. */
function listens(): boolean {
  return Atomics.load(words, WORD.BOUNDED) === 0 && (foreign > 0 || performance.now() - stillSince > LONG_STILL);
}

/** Looks at what the host's thread does, which stands still. */
async function lookInto(): Promise<void> {
  const look = await ask('look()');
  foreign = look.foreign && !look.debugged ? foreign + 1 : 0;
  if (look.debugged) stillSince = performance.now();
  if (foreign >= LOOKS && performance.now() - stillSince > look.bound) await end('hung');
}

/** Has the host's thread call a function of its own. */
async function ask(call: string): Promise<Look> {
  // Connected only while it asks: a session that is open is waited for at the process's end.
  session.connectToMainThread();
  try {
    return await new Promise<Look>((resolve, reject) => {
      const expression = `globalThis[Symbol.for('qtest.watchdog')].${call}`;
      session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
        const value: unknown = answer?.result.value;
        if (error === null && isLook(value)) resolve(value);
        else reject(error ?? new Error(`the host's thread answered ${JSON.stringify(answer)}`));
      });
    });
  } finally {
    session.disconnect();
  }
}

async function end(why: 'hung' | 'interrupted'): Promise<void> {
  const kill = setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_WORDS);
  await ask(`end('${why}')`);
  clearTimeout(kill);
}

/** Sleeps until the event loop turns again; Node gives Ctrl-C to whoever sleeps in this way, on whatever thread. */
function napUntilInterrupted(ms: number): boolean {
  const script = new Script('nap()');
  const context = createContext({ nap: () => Atomics.wait(words, WORD.BEAT, beat, ms) });
  Atomics.store(words, WORD.LISTENING, 1);
  try {
    if (Atomics.load(words, WORD.BOUNDED) === 0) script.runInContext(context, { breakOnSigint: true });
    return false;
  } catch {
    return true;
  } finally {
    Atomics.store(words, WORD.LISTENING, 0);
    Atomics.notify(words, WORD.LISTENING);
  }
}
