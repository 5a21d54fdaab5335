/** What the host's thread and the watchdog's share. */
export const WORD = {
  /** Counts while the host's event loop turns. */
  BEAT: 0,
  /** Whether the host's thread is in code that V8 will break off by itself, and for Ctrl-C. */
  BOUNDED: 1,
  /** Whether the watchdog's thread listens for Ctrl-C. */
  LISTENING: 2,
} as const;

/** Times that it is asked to stop, each for 10 ms. */
const TRIES = 50;

export const words = new Int32Array(new SharedArrayBuffer(12));

/** Notes whether this thread is in such code. */
export function watched(bounded: boolean): void {
  Atomics.store(words, WORD.BOUNDED, bounded ? 1 : 0);
  if (!bounded) return;
  // Node has one listener for both threads, and installs it for the first alone: what this thread takes away in between is not put back.
  for (let n = 0; n < TRIES && Atomics.load(words, WORD.LISTENING) !== 0; n++) {
    Atomics.notify(words, WORD.BEAT);
    Atomics.wait(words, WORD.LISTENING, 1, 10);
  }
}
