/** What the threads of the host and of the watchdog share. */
export const WORD = {
  /** Counts while the host's event loop turns. */
  BEAT: 0,
  /** Whether there is a thread that hears Ctrl-C. */
  LISTENING: 1,
  /** How often that has heard it. */
  INTERRUPTS: 2,
  /** Of these, how many the host's listeners have been told of. */
  TOLD: 3,
  /** Never written. */
  NEVER: 4,
} as const;

export const words = new Int32Array(new SharedArrayBuffer(20));

/** How often Ctrl-C was heard of which the host's listeners know nothing yet. */
export function untold(all: Int32Array): number {
  return Atomics.load(all, WORD.INTERRUPTS) - Atomics.load(all, WORD.TOLD);
}

/** Tells the host's listeners of Ctrl-C. Gives whether there was something to tell. */
export function tellInterrupts(): boolean {
  let told = false;
  for (; untold(words) > 0; told = true) {
    Atomics.add(words, WORD.TOLD, 1);
    process.emit('SIGINT');
  }
  return told;
}
