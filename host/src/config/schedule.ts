/** In virtual time one of several VCPUs runs at a time, in an order that comes from a seed; or all at once. */
export type Schedule =
  | { readonly kind: 'seeded'; readonly seed: number }
  /** Seeds 1 to `seeds`, until one fails. */
  | { readonly kind: 'explore'; readonly seeds: number }
  | { readonly kind: 'free' };

const MAX_SEED = 2 ** 32 - 1;
const MAX_SEEDS = 1_000_000;

/** What a schedule must look like, for an error. */
export const SCHEDULE_EXPECTED = `a seed from 0 to ${MAX_SEED}, 'free', or 'explore=N' for the seeds from 1 to N, at most ${MAX_SEEDS}`;

/** A schedule as the config has it, or undefined when `value` is none. */
export function scheduleOf(value: unknown): Schedule | undefined {
  if (value === 'free') return { kind: 'free' };
  if (typeof value === 'number') {
    return Number.isInteger(value) && value >= 0 && value <= MAX_SEED ? { kind: 'seeded', seed: value } : undefined;
  }
  const [, digits] = typeof value === 'string' ? (/^explore=(\d+)$/.exec(value) ?? []) : [];
  const seeds = Number(digits);
  return seeds >= 1 && seeds <= MAX_SEEDS ? { kind: 'explore', seeds } : undefined;
}

/** A schedule as the command line has it. */
export function parseSchedule(text: string): Schedule | undefined {
  return scheduleOf(/^\d+$/.test(text) ? Number(text) : text);
}
