import { nanoseconds, type Duration } from '@qtest/sdk';

/** Longest time-out: what Node's timers can wait, rounded down. */
const MAX_TIMEOUT = 24n * 86_400_000_000_000n;

/** What a time-out must look like, for an error. */
export const TIMEOUT_EXPECTED = `a duration above zero and up to 24d, such as '10s', '500ms' or 5_000_000n (nanoseconds)`;

/** A time-out in nanoseconds, or undefined when `value` is none. */
export function timeoutNanoseconds(value: unknown): bigint | undefined {
  try {
    // `nanoseconds` checks what it is given.
    const ns = nanoseconds(value as Duration);
    return ns > 0n && ns <= MAX_TIMEOUT ? ns : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
