import { describe, expect, it } from 'vitest';
import { parseSigned, parseSmall, parseUnsigned } from './numbers.ts';

const INTEGERS: readonly [string, bigint][] = [
  ['0', 0n],
  ['00', 0n],
  ['112', 112n],
  ['0x70', 0x70n],
  ['0X7f', 0x7fn],
  ['0160', 0o160n],
  ['4294967296', 2n ** 32n],
  ['0x1fffffffffffff', 2n ** 53n - 1n],
];
const NONE = ['', ' 1', '1 ', '0x', '09', '1a', '0xg', '1.5', '1e3', '--1', '+-1', '\t1', '1\0', '0b1', '0o7', 'ff'];

describe('parseSmall()', () => {
  it.each(INTEGERS)('reads %s', (word, value) => expect(parseSmall(word)).toBe(Number(value)));
  it.each([...NONE, '-1', '0x20000000000000'])('refuses %j', (word) => expect(parseSmall(word)).toBeNaN());
});

describe('parseUnsigned()', () => {
  it.each(INTEGERS)('reads %s', (word, value) => expect(parseUnsigned(word)).toBe(value));
  it.each([
    ['-1', 2n ** 64n - 1n],
    ['+0x10', 16n],
    ['0xffffffffffffffff', 2n ** 64n - 1n],
  ])('reads %s', (word, value) => expect(parseUnsigned(word)).toBe(value));
  it.each([...NONE, '0x10000000000000000', '1'.repeat(100)])('refuses %j', (word) =>
    expect(parseUnsigned(word)).toBeUndefined(),
  );
});

describe('parseSigned()', () => {
  it.each(INTEGERS)('reads %s', (word, value) => expect(parseSigned(word)).toBe(value));
  it.each([
    ['-1', -1n],
    ['-0x8000000000000000', -(2n ** 63n)],
    ['9223372036854775807', 2n ** 63n - 1n],
  ])('reads %s', (word, value) => expect(parseSigned(word)).toBe(value));
  it.each([...NONE, '9223372036854775808', '-0x8000000000000001'])('refuses %j', (word) =>
    expect(parseSigned(word)).toBeUndefined(),
  );
});
