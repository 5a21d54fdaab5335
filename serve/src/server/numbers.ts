/**
 * Integers of the protocol: as C's `strtoul` with base 0 reads them, `0x70`, `112` or `0160`, with an optional sign that wraps around in
 * 64 bits. Other than C's, a word must be an integer from its first character to its last.
 */

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;

const LIMIT = 2n ** 64n;

/** A word as a non-negative number; NaN when it is no such integer, or is one that a double does not hold exactly. */
export function parseSmall(word: string): number {
  const { length } = word;
  if (length === 0) return Number.NaN;
  let at = 0;
  let base = 10;
  if (word.charCodeAt(0) === ZERO && length > 1) {
    base = (word.charCodeAt(1) | 0x20) === 0x78 ? 16 : 8;
    at = base === 16 ? 2 : 1;
    if (at === length) return Number.NaN;
  }
  let value = 0;
  for (; at < length; at++) {
    const digit = digitOf(word.charCodeAt(at));
    if (digit >= base) return Number.NaN;
    value = value * base + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

/** A word as an unsigned integer of 64 bits; undefined when it is none. */
export function parseUnsigned(word: string): bigint | undefined {
  const sign = word.charCodeAt(0);
  const digits = sign === MINUS || sign === PLUS ? word.slice(1) : word;
  if (!/^(?:0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(digits) || digits.length > 64) return undefined;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (value >= LIMIT) return undefined;
  return sign === MINUS ? BigInt.asUintN(64, -value) : value;
}

/** A word as a signed integer of 64 bits, which does not wrap; undefined when it is none. */
export function parseSigned(word: string): bigint | undefined {
  const value = parseUnsigned(word.replace(/^[-+]/, ''));
  if (value === undefined || /^[-+]{2}/.test(word)) return undefined;
  const signed = word.startsWith('-') ? -value : value;
  return BigInt.asIntN(64, signed) === signed ? signed : undefined;
}

function digitOf(char: number): number {
  if (char >= ZERO && char <= NINE) return char - ZERO;
  const letter = char | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 99;
}
