/** A stretch of an axis. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A view within its bounds, and no shorter than `least`: moved when it can be, else cut. */
export function within(view: Range, bounds: Range, least: number): Range {
  const whole = bounds.to - bounds.from;
  const length = Math.min(whole, Math.max(least, view.to - view.from));
  const from = Math.min(Math.max(view.from, bounds.from), bounds.to - length);
  return { from, to: from + length };
}

/** The view `factor` times as long, around a place that stays where it is. */
export function zoomed({ from, to }: Range, factor: number, at: number): Range {
  return { from: at - (at - from) * factor, to: at + (to - at) * factor };
}

/** The view moved by a part of its length. */
export function panned({ from, to }: Range, part: number): Range {
  const by = (to - from) * part;
  return { from: from + by, to: to + by };
}

/** The view with a place in its middle. */
export function centred({ from, to }: Range, at: number): Range {
  const half = (to - from) / 2;
  return { from: at - half, to: at + half };
}

/** Round numbers along a view, as many as there are labels to be seen: 1, 2 or 5 of a power of ten apart, and never less than `least`. */
export function ticks(
  { from, to }: Range,
  labels: number,
  least: number,
): { readonly step: number; readonly at: readonly number[] } {
  const rough = Math.max(least, (to - from) / Math.max(1, labels));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999) ?? 10 * power;
  const first = Math.ceil(from / step);
  const count = Math.max(0, Math.floor(to / step) - first + 1);
  return { step, at: Array.from({ length: count }, (_, i) => (first + i) * step) };
}

const UNITS = [
  { name: 's', ns: 1e9 },
  { name: 'ms', ns: 1e6 },
  { name: 'µs', ns: 1e3 },
  { name: 'ns', ns: 1 },
] as const;

/** A time in ns for a reader, `976.563 µs`; with the digits of a scale of that step, `1.050 s`. */
export function timeText(ns: number, step = 1): string {
  if (ns === 0) return '0';
  const unit = UNITS.find((one) => Math.abs(ns) >= one.ns) ?? UNITS[3];
  const digits = Math.max(0, Math.ceil(Math.log10(unit.ns / step) - 1e-9));
  const text = (ns / unit.ns).toFixed(digits);
  return `${step === 1 ? Number(text) : text} ${unit.name}`;
}

/** A time in whole ns, all of its digits in groups: `1.000 976 563`, in seconds. */
export function exactTime(digits: string): string {
  const isNegative = digits.startsWith('-');
  const padded = digits.replace('-', '').padStart(10, '0');
  const seconds = padded.slice(0, -9);
  const groups = padded.slice(-9).match(/\d{3}/g) ?? [];
  return `${isNegative ? '−' : ''}${seconds}.${groups.join('\u2009')}`;
}

/** Index of the first of ascending numbers that is not below `value`. */
export function lowerBound(count: number, at: (index: number) => number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
