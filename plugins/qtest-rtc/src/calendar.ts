import { rtc } from '@qtest/parts/pc';
import {
  at,
  later,
  part,
  random,
  rollover,
  start,
  states,
  show,
  VIRTUAL,
  type Cases,
  type Context,
} from './support.ts';

type Calendar = 'counter-chain' | 'gregorian';

const LEAP: readonly {
  readonly year: number;
  readonly days: Readonly<Record<Calendar, number>>;
  readonly why: string;
}[] = [
  { year: 2000, days: { 'counter-chain': 29, gregorian: 29 }, why: 'every fourth year, and every fourth century' },
  { year: 2023, days: { 'counter-chain': 28, gregorian: 28 }, why: 'not a fourth year' },
  { year: 2024, days: { 'counter-chain': 29, gregorian: 29 }, why: 'every fourth year' },
  {
    year: 2100,
    days: { 'counter-chain': 29, gregorian: 28 },
    why: 'the chain takes every fourth of two digits; by Gregory not',
  },
];

/** Impossible dates, and what a calendar that normalises makes of them. */
const IMPOSSIBLE = [
  ['2023-02-31', '2023-03-03'],
  ['2023-02-29', '2023-03-01'],
  ['2024-02-30', '2024-03-01'],
  ['2023-04-31', '2023-05-01'],
  ['2023-06-31', '2023-07-01'],
  ['2023-09-31', '2023-10-01'],
  ['2023-11-31', '2023-12-01'],
] as const;

/** Times that are impossible in another way, and the same after normalisation. */
const IMPOSSIBLE_TIMES = [
  ['2023-13-05 12:34:56', '2024-01-05 12:34:56'],
  ['2023-14-05 12:34:56', '2024-02-05 12:34:56'],
  ['2023-00-10 12:34:56', '2022-12-10 12:34:56'],
  ['2023-03-00 12:34:56', '2023-02-28 12:34:56'],
  ['2023-02-30 23:00:00', '2023-03-02 23:00:00'],
  ['2023-06-30 24:30:00', '2023-07-01 00:30:00'],
  ['2023-12-31 23:60:30', '2024-01-01 00:00:30'],
  ['2023-12-31 23:59:60', '2024-01-01 00:00:00'],
] as const;

const two = (value: number): string => String(value).padStart(2, '0');

function monthEnds(context: Context, calendar: Calendar): { ends: number } {
  const { assert, clock } = context;
  const { dev } = part(context, { calendar });
  for (const year of [2023, 2024]) {
    for (let month = 1; month <= 12; month++) {
      const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
      for (const day of [days - 1, days]) {
        const from = `${year}-${two(month)}-${two(day)} 23:59:59`;
        assert.equal(
          rollover(clock, dev, from),
          later(from, 1),
          `month ${month} of ${year} has ${days} days: the second after ${from}`,
        );
      }
    }
  }
  return { ends: 24 };
}

function leapYear(context: Context, calendar: Calendar, { year, days, why }: (typeof LEAP)[number]): void {
  const { assert, clock } = context;
  const { dev } = part(context, { calendar });
  const [next, last] = days[calendar] === 29 ? ['02-29', '02-29'] : ['03-01', '02-28'];
  assert.equal(rollover(clock, dev, `${year}-02-28 23:59:59`), `${year}-${next} 00:00:00`, `February ${year}: ${why}`);
  assert.equal(rollover(clock, dev, `${year}-${last} 23:59:59`), `${year}-03-01 00:00:00`, `February ${year}: ${why}`);
}

/** What both calendars are asked. */
function common(kind: Calendar): Cases {
  return {
    [`calendar/${kind}/month-ends`]: states(
      'Every month has its length.',
      (context) => monthEnds(context, kind),
      VIRTUAL,
    ),
    [`calendar/${kind}/every-fourth-year`]: states(
      'From 2000 to 2099 every fourth year is a leap year.',
      (context) => {
        const { assert, clock } = context;
        const { dev } = part(context, { calendar: kind });
        for (let year = 2000; year < 2100; year++) {
          const next = year % 4 === 0 ? '02-29' : '03-01';
          const after = rollover(clock, dev, `${year}-02-28 23:59:59`);
          assert.equal(after, `${year}-${next} 00:00:00`, `the day after 28 February ${year}`);
        }
      },
      VIRTUAL,
    ),
    ...Object.fromEntries(
      LEAP.map((leap) => [
        `calendar/${kind}/leap/${leap.year}`,
        states(`February ${leap.year} has ${leap.days[kind]} days.`, (context) => leapYear(context, kind, leap)),
      ]),
    ),
  };
}

export const calendar: Cases = {
  ...common('counter-chain'),

  'calendar/counter-chain/impossible-dates': states('The part does not normalise an impossible date.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context, { calendar: 'counter-chain' });
    for (const [impossible] of clock.kind === 'virtual' ? IMPOSSIBLE : IMPOSSIBLE.slice(0, 3)) {
      start(dev, `${impossible} 12:34:56`);
      assert.equal(show(dev.readTime()), `${impossible} 12:34:56`, 'an impossible date stays as it was written');
      assert.equal(
        rollover(clock, dev, `${impossible} 12:34:56`),
        `${impossible} 12:34:57`,
        'and an update leaves it alone',
      );
    }
  }),

  'calendar/counter-chain/weekday': states(
    'The weekday is a counter of its own, 1 to 7, whatever the date.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { calendar: 'counter-chain' });
      for (let weekday = 1; weekday <= 7; weekday++) {
        rollover(clock, dev, { ...at('2023-03-08 12:59:59'), weekday });
        assert.equal(dev.read(rtc.DAY_OF_WEEK), weekday, 'the weekday counts at midnight alone');
        rollover(clock, dev, { ...at('2023-03-08 23:59:59'), weekday });
        assert.equal(
          dev.read(rtc.DAY_OF_WEEK),
          (weekday % 7) + 1,
          `weekday ${weekday} is followed by the next, 7 by 1`,
        );
      }
    },
    VIRTUAL,
  ),

  ...common('gregorian'),

  'calendar/gregorian/impossible-dates': states(
    'QEMU’s calendar normalises: 31 Feb 2023 reads as 3 March.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { calendar: 'gregorian' });
      for (const [impossible, normal] of clock.kind === 'virtual' ? IMPOSSIBLE : IMPOSSIBLE.slice(0, 3)) {
        assert.equal(
          rollover(clock, dev, `${impossible} 12:34:56`),
          `${normal} 12:34:57`,
          `${impossible} is normalised`,
        );
      }
    },
  ),

  'calendar/gregorian/impossible-times': states(
    'QEMU’s calendar normalises days, months, hours, minutes and seconds.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { calendar: 'gregorian' });
      for (const [impossible, normal] of IMPOSSIBLE_TIMES) {
        start(dev, impossible);
        clock.step('100ms');
        assert.equal(show(dev.readTime()), normal, `${impossible} is normalised`);
      }
    },
  ),

  'calendar/gregorian/byte-by-byte': states(
    'QEMU’s calendar normalises each byte that is written to a running clock.',
    (context) => {
      const { assert } = context;
      const { dev } = part(context, { calendar: 'gregorian' });
      start(dev, '2023-02-28 12:34:56');
      dev.write(rtc.DAY_OF_MONTH, 0x31);
      assert.equal(show(dev.readTime()), '2023-03-03 12:34:56', '31 February is normalised at once');
      assert.equal(dev.read(rtc.DAY_OF_WEEK), 6, 'and the weekday with it: a Friday');
    },
  ),

  'calendar/gregorian/random': states(
    'Any midnight of the years 1970 to 2399 is followed by the right day, weekday and century.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { calendar: 'gregorian' });
      const next = random(context.options.seed);
      const [first, end] = [Date.UTC(1970, 0, 1), Date.UTC(2400, 0, 1)];
      const days = (end - first) / 86_400_000;
      const chosen = Array.from({ length: 200 }, () => new Date(first + (next() % days) * 86_400_000));
      const dates = chosen.map((date) => date.toISOString().slice(0, 10));
      const years = [1999, 2000, 2096, 2099, 2100, 2199, 2200, 2299, 2300, 2399, 2400];
      const borders = years.flatMap((year) => [`${year}-02-27`, `${year}-02-28`, `${year}-12-30`, `${year}-12-31`]);
      for (const date of [...dates, ...borders]) {
        const from = `${date} 23:59:59`;
        const expected = later(from, 1);
        assert.equal(rollover(clock, dev, from), expected, `the second after ${from}`);
        assert.equal(dev.readTime().weekday, at(expected).weekday, `the weekday of ${expected}`);
      }
      return { seed: context.options.seed, days: dates.length + borders.length };
    },
    VIRTUAL,
  ),

  'calendar/gregorian/weekday': states('QEMU’s calendar keeps the weekday right, whatever was written.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context, { calendar: 'gregorian' });
    for (const [from, weekday] of [
      ['2000-01-01 23:59:59', 1],
      ['2023-03-08 23:59:59', 5],
      ['2100-02-28 23:59:59', 2],
    ] as const) {
      rollover(clock, dev, { ...at(from), weekday: 7 - weekday });
      assert.equal(dev.read(rtc.DAY_OF_WEEK), weekday, `the day after ${from} is a ${weekday} (1 is Sunday)`);
    }
  }),

  'century/two-digit-year': states(
    'The part’s year has two digits: 99 is followed by 00, and no century byte counts.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { calendar: 'counter-chain' });
      assert.equal(
        rollover(clock, dev, '1999-12-31 23:59:59'),
        '1900-01-01 00:00:00',
        '99 is followed by 00, the RAM is left alone',
      );
      assert.equal(dev.read(rtc.YEAR), 0x00, 'year 99 is followed by 00');
    },
  ),

  'century/at': states('The century byte of the AT, 0x32, is kept right.', (context) => century(context, 0x32)),
  'century/ps2': states('The century byte of the PS/2, 0x37, is kept right.', (context) => century(context, 0x37)),

  'century/none': states('Without a century byte 0x32 and 0x37 are RAM.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context, { centuryByte: '0' });
    for (const index of [0x32, 0x37]) dev.write(index, 0x19);
    assert.equal(
      rollover(clock, dev, at('1999-12-31 23:59:59')).slice(2),
      '00-01-01 00:00:00',
      'year 99 is followed by 00',
    );
    for (const index of [0x32, 0x37]) assert.equal(dev.read(index), 0x19, 'RAM is left alone');
  }),

  'century/binary': states('With DM = 1 the century byte is binary, as the others.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context, { calendar: 'gregorian' });
    dev.setFormat({ binary: true });
    rollover(clock, dev, '1999-12-31 23:59:59');
    assert.equal(dev.read(dev.centuryByte), 20, '1999 is followed by 2000: the byte is 20');
    assert.equal(dev.read(rtc.YEAR), 0, 'and the year 0');
  }),
};

function century(context: Context, index: number): void {
  const { assert, clock } = context;
  const { dev } = part(context, { calendar: 'gregorian', centuryByte: String(index) });
  const other = index === 0x32 ? 0x37 : 0x32;
  dev.write(other, 0x55);
  for (const [from, byte] of [
    ['1999-12-31 23:59:59', 0x20],
    ['2099-12-31 23:59:59', 0x21],
  ] as const) {
    assert.equal(rollover(clock, dev, from), later(from, 1), `the second after ${from}`);
    assert.equal(dev.read(index), byte, `the century after ${from}, in BCD`);
  }
  assert.equal(dev.read(other), 0x55, 'the other machine’s century byte is RAM');
}
