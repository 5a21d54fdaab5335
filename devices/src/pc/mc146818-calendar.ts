/**
 * The calendar of the MC146818: bytes that count up, in BCD or binary, with hours of 12 or 24. Pure functions over the
 * part's bytes and its Register B. Whatever the bytes hold, a step of the calendar is a bounded number of additions.
 */

import type { StateArray } from '@qtest/sdk';
import { mc146818 } from '@qtest/parts/pc';

const { ALARM_ANY, B, DAY_OF_MONTH, DAY_OF_WEEK, HOURS, HOURS_ALARM, MINUTES, MINUTES_ALARM, MONTH } = mc146818;
const { SECONDS, SECONDS_ALARM, YEAR } = mc146818;

/** Bit 7 of an hour in the 12-hour format (data sheet, "Time, calendar, and alarm locations"). */
const PM = 0x80;

const SUNDAY = 1;
const APRIL = 4;
const OCTOBER = 10;

const SECONDS_PER_DAY = 86_400;

/** Which calendar is kept, and where its century is: properties of the device. */
export interface CalendarRules {
  readonly calendar: 'counter-chain' | 'gregorian';
  /** Index of the century byte; below 0x0e there is none. */
  readonly centuryByte: number;
}

/** A date and a time of day; the hour is of 24, the month from 1. The fields may lie outside their ranges. */
interface DateTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** What a byte stands for. In BCD, digits above 9 are taken at their value: 0x1f is 25. */
function fromByte(byte: number, b: number): number {
  return B.DM.test(b) ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

/** `value` as a byte, from 0 to 99. */
function toByte(value: number, b: number): number {
  return B.DM.test(b) ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

/** The hour of 24 that an hour byte stands for. */
function fromHour(byte: number, b: number): number {
  if (B['24H'].test(b)) return fromByte(byte, b);
  return (fromByte(byte & ~PM, b) % 12) + (byte & PM ? 12 : 0);
}

function toHour(hour: number, b: number): number {
  if (B['24H'].test(b)) return toByte(hour, b);
  return toByte(hour % 12 === 0 ? 12 : hour % 12, b) | (hour >= 12 ? PM : 0);
}

/** One more, in the base of the byte. A BCD digit of 9 or above carries into the next. */
function plusOne(byte: number, b: number): number {
  return B.DM.test(b) || (byte & 0x0f) < 9 ? byte + 1 : (byte & 0xf0) + 0x10;
}

/** Counts a byte up. From `last`, or from whatever lies above, it goes to `first` and carries: then the result is true. */
function countUp(cells: StateArray, index: number, first: number, last: number, b: number): boolean {
  const byte = cells.get(index);
  const carry = byte >= toByte(last, b);
  cells.set(index, carry ? first : plusOne(byte, b));
  return carry;
}

/** Counts the hours up; true when the day is over. */
function countHours(cells: StateArray, b: number): boolean {
  if (B['24H'].test(b)) return countUp(cells, HOURS.offset, 0, 23, b);
  const byte = cells.get(HOURS.offset);
  const half = byte & PM;
  const hour = byte & ~PM;
  if (hour === toByte(11, b)) {
    cells.set(HOURS.offset, toByte(12, b) | (half ^ PM));
    return half === PM;
  }
  cells.set(HOURS.offset, (hour >= toByte(12, b) ? 1 : plusOne(hour, b)) | half);
  return false;
}

function hasCentury({ calendar, centuryByte }: CalendarRules): boolean {
  return calendar === 'gregorian' && centuryByte >= mc146818.FIRST_RAM;
}

/** The year with its century; without a century byte, that of the years 2000 to 2099. */
function yearOf(cells: StateArray, b: number, rules: CalendarRules): number {
  const century = hasCentury(rules) ? fromByte(cells.get(rules.centuryByte), b) : 20;
  return century * 100 + fromByte(cells.get(YEAR.offset), b);
}

/** Days of a month from 1 to 12; of any other, 31. */
function daysInMonth(month: number, year: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function countDays(cells: StateArray, b: number, rules: CalendarRules): void {
  countUp(cells, DAY_OF_WEEK.offset, 1, 7, b);
  const month = fromByte(cells.get(MONTH.offset), b);
  // The part has a hundred-year calendar, whose leap years are those divisible by four, 00 included.
  const year = rules.calendar === 'gregorian' ? yearOf(cells, b, rules) : 4 + (fromByte(cells.get(YEAR.offset), b) % 4);
  if (!countUp(cells, DAY_OF_MONTH.offset, 1, daysInMonth(month, year), b)) return;
  if (!countUp(cells, MONTH.offset, 1, 12, b)) return;
  if (!countUp(cells, YEAR.offset, 0, 99, b)) return;
  if (hasCentury(rules)) countUp(cells, rules.centuryByte, 0, 99, b);
}

/** Whether the date is the last Sunday of a month of `days` days, by the weekday counter. */
function isLastSunday(cells: StateArray, month: number, days: number, b: number): boolean {
  return (
    cells.get(DAY_OF_WEEK.offset) === SUNDAY &&
    cells.get(MONTH.offset) === toByte(month, b) &&
    cells.get(DAY_OF_MONTH.offset) > toByte(days - 7, b)
  );
}

/**
 * One update cycle: a second later (data sheet, "Update cycle").
 * @param repeated whether the hour of October that comes twice is running for the second time.
 * @returns the same for the next second.
 */
export function advance(cells: StateArray, b: number, rules: CalendarRules, repeated: boolean): boolean {
  if (!countUp(cells, SECONDS.offset, 0, 59, b)) return repeated;
  if (!countUp(cells, MINUTES.offset, 0, 59, b)) return repeated;
  // Data sheet, Register B, DSE: 1:59:59 AM is followed by 3:00:00 on the last Sunday of April, and when first reached on
  // the last Sunday of October by 1:00:00. 1 AM is 0x01 in every format.
  if (B.DSE.test(b) && cells.get(HOURS.offset) === 1) {
    if (!repeated && isLastSunday(cells, OCTOBER, 31, b)) return true;
    if (isLastSunday(cells, APRIL, 30, b)) {
      cells.set(HOURS.offset, 3);
      return false;
    }
  }
  if (countHours(cells, b)) countDays(cells, b, rules);
  return false;
}

/** Whether a byte of the alarm matches its byte of the time: both the same, or any (data sheet, "Alarm"). */
function matches(cells: StateArray, alarm: number, time: number): boolean {
  const byte = cells.get(alarm);
  return byte >= ALARM_ANY || byte === cells.get(time);
}

export function alarmMatches(cells: StateArray): boolean {
  return (
    matches(cells, SECONDS_ALARM.offset, SECONDS.offset) &&
    matches(cells, MINUTES_ALARM.offset, MINUTES.offset) &&
    matches(cells, HOURS_ALARM.offset, HOURS.offset)
  );
}

/** Days from 1 March of the year 0 to a date of the Gregorian calendar. The month is from 1 to 12, the day any integer. */
function daysOf(year: number, month: number, day: number): number {
  const y = month < 3 ? year - 1 : year;
  // Months counted from March, so that the leap day comes last: 153 days for each five of them.
  const months = (month + 9) % 12;
  return (
    y * 365 +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    Math.floor((153 * months + 2) / 5) +
    day -
    1
  );
}

const DAYS_PER_400_YEARS = 146_097;

/** The weekday of a date, 1 for Sunday. 1 March 0000 is a Wednesday. */
export function weekday({ year, month, day }: DateTime): number {
  return ((((daysOf(year, month, day) + 3) % 7) + 7) % 7) + 1;
}

/** The same instant with every field in its range: 31 February 2023 is 3 March. */
export function normalise(time: DateTime): DateTime {
  const seconds = time.hour * 3600 + time.minute * 60 + time.second;
  const year = time.year + Math.floor((time.month - 1) / 12);
  const month = ((((time.month - 1) % 12) + 12) % 12) + 1;
  const days = daysOf(year, month, time.day) + Math.floor(seconds / SECONDS_PER_DAY);
  const era = Math.floor(days / DAYS_PER_400_YEARS);
  const inEra = days - era * DAYS_PER_400_YEARS;
  // Leap days that have passed by: one in 4 years, none in 100, one in 400.
  const yearOfEra = Math.floor(
    (inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / (DAYS_PER_400_YEARS - 1))) /
      365,
  );
  const inYear = inEra - (yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const months = Math.floor((5 * inYear + 2) / 153);
  const inDay = seconds - Math.floor(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY;
  return {
    year: era * 400 + yearOfEra + (months >= 10 ? 1 : 0),
    month: ((months + 2) % 12) + 1,
    day: inYear - Math.floor((153 * months + 2) / 5) + 1,
    hour: Math.floor(inDay / 3600),
    minute: Math.floor(inDay / 60) % 60,
    second: inDay % 60,
  };
}

/** What the bytes stand for. QEMU takes what would be "any" in an alarm as −1 (hw/rtc/mc146818rtc.c, rtc_from_bcd), and no PM in 24 hours. */
export function readTime(cells: StateArray, b: number, rules: CalendarRules): DateTime {
  const isQemu = rules.calendar === 'gregorian';
  const read = (index: number): number => {
    const byte = cells.get(index);
    return isQemu && byte >= ALARM_ANY ? -1 : fromByte(byte, b);
  };
  const century = hasCentury(rules) ? read(rules.centuryByte) : 20;
  const hour = cells.get(HOURS.offset);
  return {
    year: century * 100 + read(YEAR.offset),
    month: read(MONTH.offset),
    day: read(DAY_OF_MONTH.offset),
    hour: fromHour(isQemu && B['24H'].test(b) ? hour & ~PM : hour, b),
    minute: read(MINUTES.offset),
    second: read(SECONDS.offset),
  };
}

/** Sets the bytes to a normalised time, with its weekday and, at `centuryByte`, the century. */
export function writeTime(cells: StateArray, b: number, centuryByte: number, time: DateTime): void {
  const century = Math.floor(time.year / 100);
  cells.set(SECONDS.offset, toByte(time.second, b));
  cells.set(MINUTES.offset, toByte(time.minute, b));
  cells.set(HOURS.offset, toHour(time.hour, b));
  cells.set(DAY_OF_WEEK.offset, toByte(weekday(time), b));
  cells.set(DAY_OF_MONTH.offset, toByte(time.day, b));
  cells.set(MONTH.offset, toByte(time.month, b));
  cells.set(YEAR.offset, toByte(time.year - century * 100, b));
  if (centuryByte >= mc146818.FIRST_RAM) cells.set(centuryByte, toByte(((century % 100) + 100) % 100, b));
}

const YEAR_TEXT = String.raw`\d{4}`;
const LEAP_YEAR = String.raw`(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)`;
const DAY_1_TO_28 = String.raw`(?:0[1-9]|1\d|2[0-8])`;
const DATE =
  `${YEAR_TEXT}-(?:(?:0[1-9]|1[0-2])-${DAY_1_TO_28}|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)` +
  `|${LEAP_YEAR}-02-29`;
const TIME_OF_DAY = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d`;

/** An instant in ISO 8601, in UTC and of whole seconds: `2011-11-11T00:00:00Z`. Impossible dates do not match. */
export const ISO_8601 = new RegExp(String.raw`^(?:${DATE})T${TIME_OF_DAY}(?:\.0+)?Z$`);

/** Reads what matches `ISO_8601`. */
export function parseTime(text: string): DateTime {
  return {
    year: Number(text.slice(0, 4)),
    month: Number(text.slice(5, 7)),
    day: Number(text.slice(8, 10)),
    hour: Number(text.slice(11, 13)),
    minute: Number(text.slice(14, 16)),
    second: Number(text.slice(17, 19)),
  };
}
