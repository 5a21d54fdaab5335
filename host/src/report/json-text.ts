/**
 * A value as JSON, also one that JSON has no word for: a bigint becomes a string of its decimal digits, `NaN` and the
 * infinities their names, a Map an object, a Set and a typed array an array, an error its name and message, and what
 * contains itself `[Circular]` there.
 * @param indent columns; 0 for one line.
 * @param ofBigint what a bigint becomes instead.
 */
export function jsonText(value: unknown, indent = 2, ofBigint: OfBigint = String): string {
  return JSON.stringify(plain(value, [], ofBigint), undefined, indent);
}

type OfBigint = (value: bigint) => unknown;

function plain(value: unknown, parents: readonly unknown[], ofBigint: OfBigint): unknown {
  if (typeof value === 'bigint') return ofBigint(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (parents.includes(value)) return '[Circular]';
  const inside = [...parents, value];
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Map)
    return fields(
      [...value].map(([key, item]: [unknown, unknown]) => [String(key), item]),
      inside,
      ofBigint,
    );
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return [...new Uint8Array(value)];
  if (value instanceof DataView) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (Array.isArray(value) || value instanceof Set || ArrayBuffer.isView(value)) {
    return Array.from(isIterable(value) ? value : [], (item) => plain(item, inside, ofBigint));
  }
  return fields(Object.entries(value), inside, ofBigint);
}

function fields(
  entries: readonly (readonly [string, unknown])[],
  parents: readonly unknown[],
  ofBigint: OfBigint,
): unknown {
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item, parents, ofBigint)]));
}

function isIterable(value: object): value is object & Iterable<unknown> {
  return Symbol.iterator in value;
}
