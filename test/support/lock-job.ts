/** What a thread of the lock's tests is to do. */
export interface LockJob {
  readonly memory: WebAssembly.Memory;
  readonly owner: number;
  readonly job: 'count' | 'keep' | 'wakes' | 'acquire' | 'hold' | 'try';
  readonly times: number;
}

/** Words of the memory that the tests use, beyond the lock's own. */
export const COUNTER = 5000;
export const STOP = 5001;
/** Set when a thread has found the lock's word to hold another's id than its own. */
export const WRONG = 5002;
