import { describe, expect, test } from 'vitest';

import { centred, exactTime, lowerBound, panned, ticks, timeText, within, zoomed } from './scale.ts';

const bounds = { from: 0, to: 100 };

describe('a view', () => {
  test('keeps the place that it is zoomed around', () => {
    expect(zoomed({ from: 0, to: 100 }, 0.5, 20)).toEqual({ from: 10, to: 60 });
  });

  test('stays within its bounds, whole when it can, and is never too short', () => {
    expect(within(panned({ from: 80, to: 100 }, 0.5), bounds, 5)).toEqual({ from: 80, to: 100 });
    expect(within(panned({ from: 0, to: 20 }, -3), bounds, 5)).toEqual({ from: 0, to: 20 });
    expect(within({ from: -50, to: 500 }, bounds, 5)).toEqual(bounds);
    expect(within({ from: 40, to: 41 }, bounds, 5)).toEqual({ from: 40, to: 45 });
    expect(within({ from: 0, to: 3 }, { from: 0, to: 3 }, 5)).toEqual({ from: 0, to: 3 });
  });

  test('has a place in its middle', () => {
    expect(centred({ from: 0, to: 10 }, 50)).toEqual({ from: 45, to: 55 });
  });
});

test('ticks are round numbers in view', () => {
  expect(ticks({ from: 3, to: 47 }, 5, 1)).toEqual({ step: 10, at: [10, 20, 30, 40] });
  expect(ticks({ from: 0.1, to: 0.9 }, 4, 0).at.map((at) => at.toFixed(1))).toEqual(['0.2', '0.4', '0.6', '0.8']);
  expect(ticks({ from: 0, to: 3 }, 10, 1)).toEqual({ step: 1, at: [0, 1, 2, 3] });
});

test('times for a reader', () => {
  expect([0, 7, 976_563, 1_000_000_000, 5_000_000_001].map((ns) => timeText(ns))).toEqual([
    '0',
    '7 ns',
    '976.563 µs',
    '1 s',
    '5.000000001 s',
  ]);
  expect(timeText(1_050_000_000, 1_000_000)).toBe('1.050 s');
});

test('all digits of a time, in groups, beyond what a number holds exactly', () => {
  expect(exactTime('9223372036854775807').replaceAll('\u2009', ' ')).toBe('9223372036.854 775 807');
  expect(exactTime('-5').replaceAll('\u2009', ' ')).toBe('−0.000 000 005');
});

test('the first that is not below', () => {
  const numbers = [1, 3, 3, 8];
  const at = (index: number): number => numbers[index] ?? 0;
  expect([0, 1, 2, 3, 8, 9].map((value) => lowerBound(numbers.length, at, value))).toEqual([0, 0, 1, 1, 3, 4]);
});
