import fc from 'fast-check';
import type { StateArray } from '@qtest/sdk';
import { mc146818 } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import {
  advance,
  ISO_8601,
  normalise,
  parseTime,
  readTime,
  weekday,
  writeTime,
  type CalendarRules,
} from './mc146818-calendar.ts';

const { B, HOURS } = mc146818;
const CHAIN: CalendarRules = { calendar: 'counter-chain', centuryByte: 0x32 };
const GREGORIAN: CalendarRules = { calendar: 'gregorian', centuryByte: 0x32 };
const H24 = B['24H'].mask;
const DM = B.DM.mask;
const FORMATS = [0, H24, DM, H24 | DM];

function cellsOf(...values: number[]): StateArray & { bytes: Uint8Array } {
  const stored = new Uint8Array(128);
  stored.set(values);
  return {
    bytes: stored,
    length: 128,
    get: (i) => stored[i] ?? Number.NaN,
    set: (i, value) => {
      if (!Number.isInteger(value) || value < 0 || value > 255) throw new RangeError(`byte ${i} becomes ${value}`);
      stored[i] = value;
    },
    fill: (value) => stored.fill(value),
  };
}

function at(text: string, b: number): ReturnType<typeof cellsOf> {
  const cells = cellsOf();
  writeTime(cells, b, 0x32, parseTime(text));
  return cells;
}

function text(cells: StateArray, b: number, rules: CalendarRules): string {
  const { year, month, day, hour, minute, second } = readTime(cells, b, rules);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}Z`;
}

function iso(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

const FROM_2000 = [Date.UTC(2000, 0, 1) / 1000, Date.UTC(2100, 0, 1) / 1000 - 1] as const;
const FROM_0100 = [Date.UTC(100, 0, 1) / 1000, Date.UTC(9999, 11, 31, 23, 59, 58) / 1000] as const;

describe('advance', () => {
  test('counts as the proleptic Gregorian calendar does, at every turn of the day, month and year', () => {
    for (const [i, rules] of [CHAIN, GREGORIAN].entries()) {
      for (let seconds = FROM_2000[0] + 86_399; seconds < FROM_2000[1]; seconds += 86_400) {
        const b = FORMATS[(Math.floor(seconds / 86_400) + i) % 4] ?? 0;
        const cells = at(iso(seconds), b);
        advance(cells, b, rules, false);
        if (cells.bytes.join() !== at(iso(seconds + 1), b).bytes.join())
          expect(text(cells, b, rules)).toBe(iso(seconds + 1));
      }
    }
  });

  test('gregorian: every second of any year in any format', () => {
    fc.assert(
      fc.property(fc.integer({ min: FROM_0100[0], max: FROM_0100[1] }), fc.constantFrom(...FORMATS), (seconds, b) => {
        const cells = at(iso(seconds), b);
        advance(cells, b, GREGORIAN, false);
        expect(text(cells, b, GREGORIAN)).toBe(iso(seconds + 1));
        expect(cells.bytes.join()).toBe(at(iso(seconds + 1), b).bytes.join());
      }),
    );
  });

  test.each(FORMATS)('hours of format %s go round once a day', (b) => {
    const cells = at('2001-05-05T00:59:59Z', b);
    for (let hour = 1; hour <= 23; hour++) {
      advance(cells, b, CHAIN, false);
      expect(readTime(cells, b, CHAIN)).toMatchObject({ hour, minute: 0, day: 5 });
      cells.set(0, b & DM ? 59 : 0x59);
      cells.set(2, b & DM ? 59 : 0x59);
    }
    advance(cells, b, CHAIN, false);
    expect(readTime(cells, b, CHAIN)).toMatchObject({ hour: 0, day: 6 });
    expect(cells.get(HOURS.offset)).toBe(b & H24 ? 0 : b & DM ? 12 : 0x12);
  });

  test('counter chain: 00 is a leap year, the century is not counted', () => {
    const cells = at('1900-02-28T23:59:59Z', H24);
    advance(cells, H24, CHAIN, false);
    expect(cells.bytes.slice(7, 10)).toEqual(Uint8Array.of(0x29, 2, 0));
    const turn = at('1999-12-31T23:59:59Z', H24);
    advance(turn, H24, CHAIN, false);
    expect(turn.bytes.slice(7, 10)).toEqual(Uint8Array.of(1, 1, 0));
    expect(turn.get(0x32)).toBe(0x19);
  });

  test('gregorian: 2100 is not a leap year, the century is counted', () => {
    const cells = at('2100-02-28T23:59:59Z', H24);
    advance(cells, H24, GREGORIAN, false);
    expect(text(cells, H24, GREGORIAN)).toBe('2100-03-01T00:00:00Z');
    const turn = at('1999-12-31T23:59:59Z', H24);
    advance(turn, H24, GREGORIAN, false);
    expect(text(turn, H24, GREGORIAN)).toBe('2000-01-01T00:00:00Z');
  });

  test('garbage: always bytes, in a bounded time, and the time moves', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 128, maxLength: 128 }),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(CHAIN, GREGORIAN, { calendar: 'gregorian', centuryByte: 0 } as const),
        fc.boolean(),
        (garbage, b, rules, repeated) => {
          const cells = cellsOf(...garbage);
          const before = cells.bytes.join();
          const after = advance(cells, b, rules, repeated);
          expect(typeof after).toBe('boolean');
          expect(cells.bytes.join()).not.toBe(before);
          const time = normalise(readTime(cells, b, rules));
          writeTime(cells, b, rules.centuryByte, time);
          const written = readTime(cells, b, rules);
          // The century has two digits.
          expect({ ...written, year: written.year % 100 }).toEqual({ ...time, year: ((time.year % 100) + 100) % 100 });
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('garbage settles: after an hour and a minute of seconds, the time of day is valid', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 10 }), fc.constantFrom(...FORMATS), (garbage, b) => {
        const cells = cellsOf(...garbage);
        for (let i = 0; i < 7200; i++) advance(cells, b, CHAIN, false);
        const { minute, second, hour } = readTime(cells, b, CHAIN);
        expect(second).toBeLessThan(60);
        expect(minute).toBeLessThan(60);
        expect(hour).toBeLessThan(24);
      }),
      { numRuns: 20 },
    );
  });
});

describe('normalise', () => {
  test.each([
    // Seconds, minutes, hours, day, month, year, century; what comes of them. QEMU 7.2 does so.
    { bytes: [0xc0, 0x59, 0x23, 0x31, 0x12, 0x23, 0x20], becomes: '2023-12-31 23:58:59' },
    { bytes: [0x00, 0xff, 0x23, 0x31, 0x12, 0x23, 0x20], becomes: '2023-12-31 22:59:00' },
    { bytes: [0x00, 0x00, 0x92, 0x31, 0x12, 0x23, 0x20], becomes: '2023-12-31 12:00:00' },
    { bytes: [0x00, 0x00, 0x00, 0xc1, 0x12, 0x23, 0x20], becomes: '2023-11-29 00:00:00' },
    { bytes: [0x00, 0x00, 0x00, 0x01, 0xff, 0x23, 0x20], becomes: '2022-11-01 00:00:00' },
  ])('takes bytes from 0xc0 on as −1, $bytes', ({ bytes, becomes }) => {
    const [second = 0, minute = 0, hour = 0, day = 0, month = 0, year = 0, century = 0] = bytes;
    const cells = cellsOf(second, 0, minute, 0, hour, 0, 0, day, month, year);
    cells.set(0x32, century);
    const time = normalise(readTime(cells, H24, GREGORIAN));
    const two = (value: number): string => String(value).padStart(2, '0');
    const date = `${time.year}-${two(time.month)}-${two(time.day)}`;
    expect(`${date} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}`).toBe(becomes);
  });

  test('is what Date.UTC does with the same fields', () => {
    const field = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 9800 }),
        field,
        field,
        field,
        field,
        field,
        (year, month, day, hour, minute, second) => {
          const time = normalise({ year, month, day, hour, minute, second });
          const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
          expect(time).toEqual({
            year: date.getUTCFullYear(),
            month: date.getUTCMonth() + 1,
            day: date.getUTCDate(),
            hour: date.getUTCHours(),
            minute: date.getUTCMinutes(),
            second: date.getUTCSeconds(),
          });
          expect(weekday(time)).toBe(date.getUTCDay() + 1);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('leaves every day of 800 years as it is', () => {
    for (let day = 0; day < 2 * 146_097; day++) {
      const date = new Date(Date.UTC(1600, 0, 1 + day));
      const time = {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        hour: 0,
        minute: 0,
        second: 0,
      };
      const { year, month, day: d } = normalise(time);
      if (year !== time.year || month !== time.month || d !== time.day || weekday(time) !== date.getUTCDay() + 1) {
        expect(normalise(time)).toEqual(time);
        expect(weekday(time)).toBe(date.getUTCDay() + 1);
      }
    }
  });
});

describe('ISO 8601', () => {
  test.each([
    '2000-01-01T00:00:00Z',
    '2024-02-29T23:59:59Z',
    '2000-02-29T00:00:00Z',
    '1999-12-31T23:59:59.000Z',
    '0000-02-29T00:00:00Z',
    '2023-04-30T00:00:00Z',
  ])('takes %s', (time) => expect(time).toMatch(ISO_8601));

  test.each([
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-02-30T00:00:00Z',
    '2023-04-31T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-00-01T00:00:00Z',
    '2023-01-00T00:00:00Z',
    '2023-01-01T24:00:00Z',
    '2023-01-01T00:60:00Z',
    '2023-01-01T00:00:60Z',
    '2023-01-01T00:00:00',
    '2023-01-01T00:00:00+00:00',
    '2023-01-01T00:00:00.5Z',
    '2023-01-01',
    '23-01-01T00:00:00Z',
    ' 2023-01-01T00:00:00Z',
    '',
  ])('refuses %j', (time) => expect(time).not.toMatch(ISO_8601));

  test('agrees with Date on every day', () => {
    for (const year of [1900, 2000, 2023, 2024, 2100]) {
      for (let month = 0; month <= 13; month++) {
        for (let day = 0; day <= 32; day++) {
          const time = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T00:00:00Z`;
          const date = new Date(Date.UTC(year, month - 1, day));
          const possible =
            date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCFullYear() === year;
          if (ISO_8601.test(time) !== possible) expect(`${time}: ${ISO_8601.test(time)}`).toBe(`${time}: ${possible}`);
        }
      }
    }
  });
});
