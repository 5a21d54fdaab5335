import inspector from 'node:inspector';
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';

import { isLook, type Look, type WatchdogData } from './data.ts';
import { untold, WORD } from './words.ts';

/**
 * The watchdog's thread. It sees that the host's event loop stands still; asks that thread, through the inspector, which runs what it is
 * asked in the midst of any loop, whose code keeps it; and has it end the process when the bound has passed, or on Ctrl-C, of which the
 * event loop would not hear.
 */

/** How often it looks, ms. */
const EVERY = 50;
/** An event loop that has not turned for so long stands still, ms. */
const STILL = 150;
/** How long something may go on after Ctrl-C before the process is ended: when it comes back the host ends by itself, ms. */
const PATIENCE = 300;
/** Looks in a row that must have found the host's thread in a plugin's code before it is ended. */
const LOOKS = 5;
/** How long the host's thread may take for an answer, its last words among them, ms. */
const LAST_WORDS = 5_000;

const data = workerData as WatchdogData;
const words = new Int32Array(data.buffer);
const session = new inspector.Session();

let stillSince = performance.now();
let beat = -1;
let foreign = 0;
/** Since when there has been Ctrl-C that the host's event loop has not heard of. */
let interruptedSince: number | undefined;

void watch();

async function watch(): Promise<never> {
  let hasLooked = false;
  for (;;) {
    const now = Atomics.load(words, WORD.BEAT);
    if (now !== beat) {
      beat = now;
      stillSince = performance.now();
      foreign = 0;
      interruptedSince = undefined;
      if (hasLooked) await ask('resume()');
      hasLooked = false;
    } else if (performance.now() - stillSince > STILL) {
      hasLooked = true;
      await lookInto();
    }
    await delay(EVERY);
  }
}

/** Looks at what the host's thread does, which stands still. */
async function lookInto(): Promise<void> {
  interruptedSince = untold(words) > 0 ? (interruptedSince ?? performance.now()) : undefined;
  if (interruptedSince !== undefined && performance.now() - interruptedSince > PATIENCE)
    await ask("end('interrupted')");
  const look = await ask('look()');
  foreign = look.foreign && !look.debugged ? foreign + 1 : 0;
  if (look.debugged) stillSince = performance.now();
  if (foreign >= LOOKS && performance.now() - stillSince > look.bound) await ask("end('hung')");
}

/** Has the host's thread call a function of its own. */
async function ask(call: string): Promise<Look> {
  // Keeps the event loop turning too, which an answer that is waited for does not. What calls of the system keep hears nothing.
  const since = performance.now();
  const timer = setInterval(() => {
    const isOver = call.startsWith('end') || untold(words) > 0;
    if (isOver && performance.now() - since > LAST_WORDS) process.kill(process.pid, 'SIGKILL');
  }, EVERY);
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
    clearInterval(timer);
    session.disconnect();
  }
}
