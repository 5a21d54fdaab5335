/** A length of time: nanoseconds as a `bigint`, or a number with its unit (`'5s'`, `'244us'`, `'1.5ms'`). */
export type Duration = bigint | `${number}${'ns' | 'us' | 'ms' | 's' | 'min' | 'h' | 'd'}`;

const NS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  min: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

const DURATION = /^(\d+)(?:\.(\d+))?(ns|us|ms|s|min|h|d)$/;

/** Longest duration that fits the machine's 64-bit clock, in nanoseconds. */
const MAX_NS = 2n ** 63n - 1n;

/** The text that was parsed last, and its value: a loop that waits for one interrupt after the other names the same time-out each time. */
let lastText = '0ns';
let lastNs = 0n;

/**
 * A duration in nanoseconds.
 * @throws RangeError when `duration` is negative, finer than a nanosecond, longer than 292 years, or no duration.
 */
export function nanoseconds(duration: Duration): bigint {
  if (duration === lastText) return lastNs;
  const ns = typeof duration === 'bigint' ? duration : parse(duration);
  if (ns === undefined || ns < 0n || ns > MAX_NS) {
    throw new RangeError(
      `${typeof duration === 'bigint' ? `${duration}n` : JSON.stringify(duration)} is not a duration: ` +
        `give nanoseconds as a bigint (5_000n) or a number with its unit ('5s', '1.5ms', '244us', '1ns')`,
    );
  }
  if (typeof duration === 'string') [lastText, lastNs] = [duration, ns];
  return ns;
}

function parse(text: unknown): bigint | undefined {
  const [, whole, fraction = '', unit] = (typeof text === 'string' && DURATION.exec(text)) || [];
  const scale = unit === undefined ? undefined : NS_PER_UNIT[unit];
  if (whole === undefined || scale === undefined) return undefined;
  const scaled = BigInt(fraction || '0') * scale;
  const divisor = 10n ** BigInt(fraction.length);
  return scaled % divisor === 0n ? BigInt(whole) * scale + scaled / divisor : undefined;
}

/** Nanoseconds as a text for a reader, in the largest unit that fits, with up to three decimals (`1.5ms`, `244.14us`). */
export function formatNanoseconds(ns: bigint): string {
  if (ns < 0n) return `-${formatNanoseconds(-ns)}`;
  const [unit, scale] =
    ns >= 1_000_000_000n ? ['s', 1e9] : ns >= 1_000_000n ? ['ms', 1e6] : ns >= 1_000n ? ['us', 1e3] : ['ns', 1];
  return `${Number((Number(ns) / scale).toFixed(3))}${unit}`;
}
