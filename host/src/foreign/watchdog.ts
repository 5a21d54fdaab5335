import { closeSync, openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { foreignBound, boundEnd, readForeign } from './bounded.ts';
import { isDebugged, ERRORS, pathOf, printable, boundGetters, threadOptions } from '@qtest/sdk/support';
import { brokenDevice } from '@qtest/machine';
import { foreignUnderWay, lastForeign } from './foreign.ts';
import type { Look, WatchdogData } from './data.ts';
import { tellInterrupts, untold, WORD, words } from './words.ts';

/** How often the event loop says that it turns, ms. */
const BEAT = 50;
/** What is waited beyond the bound, so that what is to end by itself does, ms. */
const GRACE = 1_000;
/** What has less time left than this is broken off before the last words are spoken: they would be broken off with it, ms. */
const LAST_WORDS = 2_000;
/** How long the thread that hears Ctrl-C may take to start, ms. */
const START = 5_000;

/** The host's own files, and those of this folder. With source maps, places are paths in place of URLs. */
const HOST = bothOf(new URL('../..', import.meta.url));
const HERE = bothOf(new URL('.', import.meta.url));

/** Frames of Node's, of built-in functions, and of the watchdog's question itself. */
const NODE = /\(?node:|^at <anonymous>:|^at new Promise|\(<anonymous>\)$/;

type LastWords = (message: string, isInterrupted: boolean) => void;

let lastWords: LastWords | undefined;
/** Listeners of SIGTERM, taken away while the event loop stands still and would not call them: the signal does then what it does by default. */
const terminators: NodeJS.SignalsListener[] = [];
let ended = false;

/** Whether the watchdog has ended this process. */
export function hasEnded(): boolean {
  return ended;
}

/** What is to be done before a process ends that a plugin's code keeps from going on; undefined for nothing. */
export function setLastWords(say: LastWords | undefined): void {
  lastWords = say;
}

/**
 * Watches this thread's event loop from a thread of its own: a plugin's code that V8 cannot break off, as a loop of promises, is ended with
 * the process, with a message that says whose it was.
 */
export function startWatchdog(): void {
  boundGetters(readForeign);
  Reflect.set(globalThis, Symbol.for('qtest.watchdog'), { look, resume, end });
  startThread('thread').unref();
  const ear = startThread('ear').on('message', tellInterrupts);
  ear.unref();
  setInterval(() => {
    Atomics.add(words, WORD.BEAT, 1);
  }, BEAT).unref();
  // A plugin's first line may be an endless loop. A debugger may be asked, by way of this thread, whether the others may start.
  if (!isDebugged()) Atomics.wait(words, WORD.LISTENING, 0, START);
}

function startThread(name: string): Worker {
  const workerData: WatchdogData = { buffer: words.buffer };
  const file = new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  // Not the options of this process, as --inspect-brk.
  return new Worker(file, { workerData, execArgv: [], ...threadOptions() });
}

/** Called by the watchdog when the event loop turns again. */
function resume(): Look {
  for (const listener of terminators.splice(0)) process.on('SIGTERM', listener);
  return seen();
}

/** Called by the watchdog, in the midst of whatever this thread does. */
function look(): Look {
  for (const listener of process.listeners('SIGTERM')) {
    process.off('SIGTERM', listener);
    terminators.push(listener);
  }
  return seen();
}

function seen(): Look {
  // Whose code was called by the event loop; what that calls in its turn is the same one's, be it the host's.
  const outermost = framesOf().findLast(({ isNode }) => !isNode);
  return { foreign: outermost?.isHost !== true, debugged: isDebugged(), bound: foreignBound() + GRACE };
}

function bothOf(url: URL): readonly string[] {
  return [url.href, fileURLToPath(url)];
}

interface Frame {
  readonly line: string;
  readonly isHost: boolean;
  readonly isNode: boolean;
}

/** What is being called. An `await` further down has returned long since. */
function framesOf(): readonly Frame[] {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 200;
  const { stack = '' } = new Error('where');
  Error.stackTraceLimit = stackTraceLimit;
  return stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => !line.startsWith('at async ') && !HERE.some((path) => line.includes(path)))
    .map((line) => ({ line, isHost: HOST.some((path) => line.includes(path)), isNode: NODE.test(line) }));
}

/** Called by the watchdog: ends the process, unless the host goes on by itself. */
function end(why: 'hung' | 'interrupted'): Look {
  const now = seen();
  if (why === 'hung' && !now.foreign) return now;
  if (why === 'interrupted') {
    const end = boundEnd();
    const isSoon = end !== undefined && end - performance.now() < LAST_WORDS;
    if ((!now.foreign && end === undefined) || isSoon) {
      if (untold(words) > 1) leave(ERRORS.INTERRUPTED.exit);
      return now;
    }
  }
  const found = foreignUnderWay();
  const left = `what a plugin has left running in the host (called last: ${lastForeign()?.what ?? 'none'})`;
  const device = brokenDevice();
  const whose =
    found.length === 0
      ? boundEnd() === undefined
        ? left
        : 'the code of a device'
      : found.map(({ what }) => what).join(', or ');
  const names = device === undefined ? whose : `${whose}, device '${device}'`;
  const at = framesOf().find(({ line, isHost }) => !isHost && line.includes('file://'))?.line;
  const place = at === undefined ? '' : ` (${at.replace(/file:\/\/[^\s:)]*/, pathOf)})`;
  const message =
    why === 'interrupted'
      ? `interrupted, in ${names}${place}, which keeps the host's thread`
      : `${names} keeps the host's thread${place} and did not come back within ${foreignBound() / 1000} s: an endless loop, perhaps of promises. The command was ended`;
  writeSync(2, printable(`qtest: ${message}\n`));
  lastWords?.(message, why === 'interrupted');
  return leave(why === 'interrupted' ? ERRORS.INTERRUPTED.exit : Math.max(1, ...found.map(({ exit }) => exit)));
}

/** The session by which this was called cannot be closed any more: Node would write that it waits for it. */
function leave(code: number): never {
  ended = true;
  closeSync(2);
  openSync(devNull, 'w');
  return process.exit(code);
}
