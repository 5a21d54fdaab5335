import { expect, test } from 'vitest';
import { fits, type Span } from './spans.ts';

/** Two ports at 0x70, and nothing around. */
const pair: Span = {
  ...{ size: 2, unit: 2, min: 1, max: 1, strict: false, base: 0x70 },
  ...{ free: { before: 3, after: 3 }, avoided: [] },
};

/** The offsets from −3 to `end` at which an access of a size fits. */
const where = (span: Span, size: number, end: number): number[] =>
  Array.from({ length: end + 4 }, (_, n) => n - 3).filter((offset) => fits(span, offset, size));

test('an access that QEMU would give whole to the region in which it begins', () => {
  // inl 0x70: QEMU reads the part's ports 2 and 3, which it does not have.
  expect(fits(pair, 0, 4)).toBe(false);
  expect(fits(pair, 0, 2)).toBe(true);
  // It is aligned to one byte: each is a port of its own.
  expect(where(pair, 2, 4)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
  expect(where(pair, 4, 4)).toEqual([-3, -2, -1, 1]);
});

test('beside which there is something else', () => {
  const between = { ...pair, free: { before: 0, after: 1 } };
  expect(where(between, 2, 4)).toEqual([0, 1]);
  expect(where(between, 4, 4)).toEqual([]);
});

test('that QEMU has in parts', () => {
  expect(where({ ...pair, unit: 1 }, 2, 1)).toEqual([-3, -2, -1]);
});

test('that is refused, or not wanted', () => {
  const wide = { ...pair, size: 8, unit: 8, min: 2, max: 4, free: { before: 0, after: 0 } };
  expect(where(wide, 1, 8)).toEqual([]);
  expect(where(wide, 2, 8)).toEqual([0, 2, 4, 6]);
  expect(where(wide, 4, 8)).toEqual([0, 2, 4]);
  expect(where({ ...wide, avoided: [5] }, 4, 8)).toEqual([0]);
  expect(where({ ...wide, max: 2, strict: true }, 4, 8)).toEqual([2]);
});
