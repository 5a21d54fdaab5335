/** What the host's thread and the watchdog's share. */
export const WORD = {
  /** Counts while the host's event loop turns. */
  BEAT: 0,
  /** Whether the host's thread is in code that V8 will break off by itself, and for Ctrl-C. */
  BOUNDED: 1,
} as const;

export const words = new Int32Array(new SharedArrayBuffer(8));

/** Notes whether this thread is in such code. */
export function watched(bounded: boolean): void {
  Atomics.store(words, WORD.BOUNDED, bounded ? 1 : 0);
}
