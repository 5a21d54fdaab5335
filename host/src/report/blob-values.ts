import type { Encoding } from './json-text.ts';
import { isRecord } from '@qtest/sdk/support';

/**
 * How a blob writes what JSON has no word for: as an object with one field, `$bigint`, `$number` or `$undefined`. A name that
 * itself begins with `$` has one more, so that nothing is taken for one of these that is none.
 */
export const EXACT: Encoding = {
  scalar: (value) => {
    if (value === undefined) return { $undefined: true };
    if (typeof value === 'bigint') return { $bigint: String(value) };
    return { $number: Object.is(value, -0) ? '-0' : String(value) };
  },
  key: (name) => (name.startsWith('$') ? `$${name}` : name),
};

/** What was written so, from the JSON of it. */
export function exactValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(exactValue);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value);
  const [[key, item] = ['', undefined]] = entries;
  if (key === '$undefined') return undefined;
  if (key === '$bigint' && typeof item === 'string' && /^-?\d{1,65536}$/.test(item)) return BigInt(item);
  if (key === '$number' && typeof item === 'string') return Number(item);
  return Object.fromEntries(
    entries.map(([name, field]) => [name.startsWith('$$') ? name.slice(1) : name, exactValue(field)]),
  );
}
