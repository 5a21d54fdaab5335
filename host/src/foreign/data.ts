/** What the watchdog's thread is given. */
export interface WatchdogData {
  readonly buffer: SharedArrayBuffer;
}

/** What it sees of the host's thread. */
export interface Look {
  /** Nothing of the host's own is being done there: it is in a plugin's code, which nobody waits for as for a call. */
  readonly foreign: boolean;
  /** A debugger may have stopped it. */
  readonly debugged: boolean;
  /** How long it may go on, ms. */
  readonly bound: number;
}

export function isLook(value: unknown): value is Look {
  return typeof value === 'object' && value !== null && 'foreign' in value && 'debugged' in value && 'bound' in value;
}
