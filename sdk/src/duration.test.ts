import { describe, expect, test } from 'vitest';
import { formatNanoseconds, nanoseconds, type Duration } from './duration.ts';

describe('nanoseconds', () => {
  test.each<[Duration, bigint]>([
    [0n, 0n],
    [5n, 5n],
    [2n ** 63n - 1n, 2n ** 63n - 1n],
    ['0s', 0n],
    ['1ns', 1n],
    ['244us', 244_000n],
    ['1.5ms', 1_500_000n],
    ['5s', 5_000_000_000n],
    ['0.000000001s', 1n],
    ['2min', 120_000_000_000n],
    ['1.5h', 5_400_000_000_000n],
    ['365d', 31_536_000_000_000_000n],
    ['106751d', 9_223_286_400_000_000_000n],
    ['1.0ns', 1n],
    ['007us', 7000n],
    ['0.1us', 100n],
  ])('%s is %s', (duration, ns) => {
    expect(nanoseconds(duration)).toBe(ns);
  });

  test.each([
    ...[-1n, 2n ** 63n, '-1s', '106752d', '9223372036854775808ns'],
    ...[
      '',
      's',
      '5',
      '5 s',
      ' 5s',
      '5s ',
      '5S',
      '5sec',
      '.5s',
      '5.s',
      '1e3ns',
      '0x10ns',
      '1,5s',
      '1.5.5s',
      '1.5ns',
      '0.1ns',
      '0.0000000001s',
      '５s',
      '5s\n',
    ],
    ...[5, 1.5, NaN, null, undefined, true, {}, [], ['5s'], new Date(0)],
  ])('%s is none', (bad) => {
    expect(() => nanoseconds(bad as Duration)).toThrow(RangeError);
    expect(() => nanoseconds(bad as Duration)).toThrow(/is not a duration: give nanoseconds as a bigint/);
  });
});

describe('formatNanoseconds', () => {
  test.each([
    [0n, '0ns'],
    [1n, '1ns'],
    [999n, '999ns'],
    [1000n, '1us'],
    [244_140n, '244.14us'],
    [1_500_000n, '1.5ms'],
    [1_984_000n, '1.984ms'],
    [10_000_000_000n, '10s'],
    [5_000_400_000n, '5s'],
    [-1_500_000n, '-1.5ms'],
    [3_600_000_000_000n, '3600s'],
  ])('%s ns: %s', (ns, text) => {
    expect(formatNanoseconds(ns)).toBe(text);
  });

  test('what it writes with all digits can be read again', () => {
    for (const ns of [1n, 12n, 123n, 1_234n, 12_345n, 123_456n, 1_500_000n, 999_000_000n, 5_000_000_000n]) {
      expect(nanoseconds(formatNanoseconds(ns) as Duration)).toBe(ns);
    }
  });
});
