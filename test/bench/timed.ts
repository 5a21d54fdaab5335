const ROUNDS = 25;

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Nanoseconds of one call of `loop(n)`, over n: the median of several rounds. */
export function timed(n: number, loop: (n: number) => unknown): number {
  loop(n);
  return median(
    Array.from({ length: ROUNDS }, () => {
      const start = performance.now();
      loop(n);
      return ((performance.now() - start) * 1e6) / n;
    }),
  );
}
