import { type PollOptions, formatNanoseconds, nanoseconds } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';

/** How long a wait may last that names no time-out. */
export const DEFAULT_TIMEOUT = '10s';
const DEFAULT_STEP = '1us';

/** The machine's time, as its VCPU moves it. */
interface Steps {
  now(): bigint;
  step(duration: bigint): bigint;
}

/** `vcpu.poll()`: moves the time in steps until the condition holds. Gives how long that took, ns. */
export function poll(
  time: Steps,
  condition: () => boolean,
  { timeout = DEFAULT_TIMEOUT, step = DEFAULT_STEP }: PollOptions = {},
): bigint {
  const by = nanoseconds(step);
  if (by === 0n) throw new RangeError(`poll(): the step must be longer than 0, or the time would stand still`);
  const start = time.now();
  const limit = nanoseconds(timeout);
  for (;;) {
    if (condition()) return time.now() - start;
    const waited = time.now() - start;
    if (waited >= limit) {
      throw hostError(
        'TIMEOUT',
        `poll(): the condition has not come true within ${formatNanoseconds(limit)} of machine time`,
      );
    }
    time.step(waited + by > limit ? limit - waited : by);
  }
}
