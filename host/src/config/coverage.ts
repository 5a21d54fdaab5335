/** A coverage that must be reached: of a type of device, or of all together. */
export interface Minimum {
  readonly type?: string;
  readonly percent: number;
}

export const COVERAGE_FILE_EXPECTED = `whose name ends in .json`;

export function isCoverageFile(value: string): boolean {
  return /[^/]\.json$/.test(value);
}

export function isPercentage(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100;
}

/** `80` or `mc146818rtc=80`; undefined when it is neither. */
export function parseMinimum(text: string): Minimum | undefined {
  const [, type, digits] = /^(?:([^=\s]+)=)?(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const percent = Number(digits);
  if (!isPercentage(percent)) return undefined;
  return type === undefined ? { percent } : { type, percent };
}

/** As the config has them. */
export function minimaOf(value: number | Readonly<Record<string, number>> | undefined): readonly Minimum[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return [{ percent: value }];
  return Object.entries(value).map(([type, percent]) => ({ type, percent }));
}
