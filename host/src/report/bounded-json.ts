/** Levels of lists and objects in each other that JSON from elsewhere may have: what walks through it does so by calling itself. */
const MAX_DEPTH = 500;

/** Values that one line, or one file, may have: a case with a whole trace has 250 000. */
const MAX_VALUES = 2 ** 21;

/** How much there may be of what is read together. */
export class Budget {
  /** Bytes, unpacked. */
  bytes = 2 ** 29;
  /** Values: numbers, strings, lists … A byte or two of JSON is a list, which takes 40 in memory. */
  values = 2 ** 24;
}

/** What JSON says. */
export type Parsed = { readonly value: unknown } | { readonly problem: string };

/** Reads JSON of anybody, and takes from a budget what it has. */
export function parseBounded(bytes: Uint8Array, budget: Budget): Parsed {
  const { depth, values } = extentOf(bytes);
  if (depth > MAX_DEPTH) return { problem: `expected JSON of at most ${MAX_DEPTH} levels, but found ${depth}` };
  if (values > MAX_VALUES) return { problem: `expected at most ${MAX_VALUES} values, but found ${values}` };
  budget.values -= values;
  if (budget.values < 0) {
    const most = new Budget().values;
    return {
      problem: `there are more than ${most} values up to here in what is merged: merge less at once, or trace less`,
    };
  }
  try {
    return { value: JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) };
  } catch {
    return { problem: 'it is no JSON' };
  }
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\,[]{}');

/** The levels of a JSON text, and its values, or somewhat more. */
function extentOf(bytes: Uint8Array): { readonly depth: number; readonly values: number } {
  let [level, depth, values] = [0, 0, 1];
  let isString = false;
  for (let n = 0; n < bytes.length; n++) {
    const byte = bytes[n];
    if (isString) {
      if (byte === BACKSLASH) n++;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    else if (byte === COMMA) values++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values++;
      depth = Math.max(depth, ++level);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) level--;
  }
  return { depth, values };
}
