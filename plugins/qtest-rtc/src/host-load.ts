import { Worker } from 'node:worker_threads';

/** Words that the sampling thread and the case share. */
const STOP = 0;
const RUNNING = 1;
const MISSED = 2;
const LATEST_US = 3;

/** Wakes at a fixed rate, with nothing else to do, and notes how late it was woken. JavaScript in a string: it needs no file. */
const SAMPLER = `
  const { words, hz } = require('node:worker_threads').workerData;
  Atomics.store(words, ${RUNNING}, 1);
  Atomics.notify(words, ${RUNNING});
  const begin = performance.now();
  for (let period = 1; Atomics.load(words, ${STOP}) === 0; ) {
    const late = performance.now() - begin - (period * 1000) / hz;
    if (late < 0) {
      Atomics.wait(words, ${STOP}, 0, -late);
      continue;
    }
    const missed = Math.floor((late * hz) / 1000);
    words[${MISSED}] += missed;
    words[${LATEST_US}] = Math.max(words[${LATEST_US}], late * 1000);
    period += missed + 1;
  }
`;

/** What a thread without an emulator has seen. */
export interface HostLoad {
  /** Periods through which it slept. */
  readonly missed: number;
  /** The latest that it was woken, in ms. */
  readonly latest: number;
}

/**
 * Watches, until the function that it gives is called, how well this host wakes a thread `hz` times a second: what a measurement
 * in real time cannot do better than.
 */
export function watchHost(hz: number): () => HostLoad {
  const words = new Int32Array(new SharedArrayBuffer(16));
  const sampler = new Worker(SAMPLER, { eval: true, workerData: { words, hz } });
  sampler.unref();
  Atomics.wait(words, RUNNING, 0, 2000);
  return () => {
    Atomics.store(words, STOP, 1);
    Atomics.notify(words, STOP);
    return { missed: words[MISSED] ?? 0, latest: (words[LATEST_US] ?? 0) / 1000 };
  };
}
