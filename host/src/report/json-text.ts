import { printableJson } from '@qtest/sdk/support';

/**
 * A value as JSON, also one that JSON has no word for: a bigint becomes a string of its decimal digits, `NaN` and the
 * infinities their names, a Map an object, a Set an array, an error its name and message, and what contains itself
 * `[Circular]` there. Bytes are packed: of a buffer or a typed array its type, its length in bytes, and them in base64.
 * @param indent columns; 0 for one line.
 */
export function jsonText(value: unknown, indent = 2, encoding: Encoding = READABLE): string {
  return printableJson(JSON.stringify(plain(value, [], encoding), undefined, indent));
}

/** What becomes of that which JSON has no word for. */
export interface Encoding {
  /** Of a bigint, of `undefined`, and of the numbers that JSON lacks: `NaN`, the infinities and -0. */
  readonly scalar: (value: bigint | number | undefined) => unknown;
  /** Of the name of a field. */
  readonly key: (name: string) => string;
}

const READABLE: Encoding = {
  scalar: (value) => (value === undefined || value === 0 ? value : String(value)),
  key: (name) => name,
};

function plain(value: unknown, parents: readonly unknown[], encoding: Encoding): unknown {
  if (typeof value === 'bigint' || value === undefined) return encoding.scalar(value);
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return encoding.scalar(value);
  if (typeof value !== 'object' || value === null) return value;
  if (parents.includes(value)) return '[Circular]';
  const inside = [...parents, value];
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Map)
    return fields(
      [...value].map(([key, item]: [unknown, unknown]) => [String(key), item]),
      inside,
      encoding,
    );
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return packed(value, Buffer.from(value));
  if (ArrayBuffer.isView(value)) return packed(value, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (item) => plain(item, inside, encoding));
  return fields(Object.entries(value), inside, encoding);
}

/** `{ "type": "Uint8Array", "bytes": 3, "base64": "AQID" }` */
function packed(value: object, bytes: Buffer): unknown {
  return { type: value.constructor.name, bytes: bytes.length, base64: bytes.toString('base64') };
}

function fields(
  entries: readonly (readonly [string, unknown])[],
  parents: readonly unknown[],
  encoding: Encoding,
): unknown {
  return Object.fromEntries(entries.map(([key, item]) => [encoding.key(key), plain(item, parents, encoding)]));
}
