import { rtc } from '@qtest/parts/pc';
import {
  at,
  FIRST_UPDATE,
  hex,
  later,
  part,
  parts,
  random,
  rollover,
  SECOND,
  show,
  start,
  states,
  stepTo,
  VIRTUAL,
  type Cases,
  type Context,
} from './support.ts';

const { B, HOURS, MINUTES, SECONDS } = rtc;

/** The formats of the time's bytes, by DM and 24/12. */
const FORMATS = [
  { name: 'bcd/24h', binary: false, hours24: true },
  { name: 'bcd/12h', binary: false, hours24: false },
  { name: 'binary/24h', binary: true, hours24: true },
  { name: 'binary/12h', binary: true, hours24: false },
] as const;

type Format = (typeof FORMATS)[number];

/** A number from 0 to 99 as a byte of the format. */
function encode(value: number, { binary }: { readonly binary: boolean }): number {
  return binary ? value : Number.parseInt(String(value), 16);
}

/** The byte of an hour: in 12-hour mode 1 to 12, with bit 7 for PM, and 12 for midnight and noon. */
function hourByte(hour: number, format: Format): number {
  if (format.hours24) return encode(hour, format);
  const clockFace = [12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][hour % 12] ?? 0;
  return encode(clockFace, format) + (hour < 12 ? 0 : 0x80);
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Every hour's end, in one format. */
function everyHour(context: Context, format: Format): { hours: number } {
  const { assert, clock } = context;
  const { dev } = part(context);
  dev.setFormat(format);
  for (let hour = 0; hour < 24; hour++) {
    start(dev, `2011-11-11 ${two(hour)}:59:59`);
    assert.equal(dev.read(HOURS), hourByte(hour, format), `${hour} h as a byte of the format ${format.name}`);
    clock.step(FIRST_UPDATE);
    const next = (hour + 1) % 24;
    assert.equal(dev.read(HOURS), hourByte(next, format), `after ${hour}:59:59 comes ${next} h (${format.name})`);
    assert.equal(dev.read(MINUTES), 0, 'with 0 minutes');
    assert.equal(dev.read(SECONDS), 0, 'and 0 seconds');
    assert.equal(dev.readTime().day, hour === 23 ? 12 : 11, 'the day changes at midnight alone');
  }
  return { hours: 24 };
}

/** Every second of a minute and every minute of an hour. */
function everySecondAndMinute(context: Context, binary: boolean): void {
  const { assert, clock } = context;
  const { dev } = part(context);
  dev.setFormat({ binary });
  start(dev, '2011-11-11 11:00:00');
  clock.step('0.1s');
  for (let second = 0; second <= 60; second++) {
    assert.equal(dev.read(SECONDS), encode(second % 60, { binary }), `the seconds count 0 to 59, here ${second}`);
    assert.equal(dev.read(MINUTES), second === 60 ? 1 : 0, 'the minutes count when the seconds go from 59 to 0');
    clock.step(SECOND);
  }
  for (let minute = 0; minute < 60; minute++) {
    rollover(clock, dev, `2011-11-11 11:${two(minute)}:59`);
    assert.equal(
      dev.read(MINUTES),
      encode((minute + 1) % 60, { binary }),
      `after minute ${minute} comes the next, 0 after 59`,
    );
    assert.equal(
      dev.read(HOURS),
      encode(minute === 59 ? 12 : 11, { binary }),
      'the hours count when the minutes go from 59 to 0',
    );
  }
}

export const time: Cases = {
  'time/epoch': states('At the start the clock shows the epoch; from then on it runs.', (context) => {
    const { assert, clock } = context;
    for (const { dev, id, epoch } of parts(context)) {
      if (epoch === '') continue;
      // Without a century byte the clock knows two digits of the year.
      const digits = dev.centuryByte === 0 ? 2 : 0;
      const shown = show(dev.readTime()).slice(digits);
      const from = new Date(epoch).toISOString().slice(0, 19).replace('T', ' ');
      const elapsed = Number(clock.now / SECOND);
      // An emulator's real-time clock may have been running since before this machine's start was read.
      const slack = clock.kind === 'virtual' ? [0] : [0, 1, 2, -1];
      assert(
        slack.some((more) => shown === later(from, elapsed + more).slice(digits)),
        `${id}: ${elapsed} s after its epoch ${from} the clock shows ${shown}`,
      );
    }
  }),

  'time/first-second': states(
    'The machine starts on a whole second: the first update is 1 s later.',
    (context) => {
      const { assert, clock } = context;
      const all = parts(context, { updateCycle: '0' }).map((one) => ({ ...one, second: one.dev.read(SECONDS) }));
      for (const [time, updates] of [
        [SECOND - 1n, 0],
        [SECOND, 1],
        [2n * SECOND - 1n, 1],
        [2n * SECOND, 2],
      ] as const) {
        stepTo(clock, time);
        for (const { dev, id, second } of all) {
          assert.equal(dev.read(SECONDS), second + updates, `${id}: ${updates} updates ${time} ns after the start`);
        }
      }
    },
    VIRTUAL,
  ),

  'time/runs': states('The time advances once a second.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    start(dev, '2011-11-11 11:11:57');
    clock.step('2.6s');
    assert.equal(show(dev.readTime()), '2011-11-11 11:12:00', 'three updates after 11:11:57, at 0.5, 1.5 and 2.5 s');
  }),

  ...Object.fromEntries(
    FORMATS.map((format) => [
      `time/${format.name}`,
      states(
        `DM = ${Number(format.binary)}, 24/12 = ${Number(format.hours24)}: each hour's byte, and its end.`,
        (context) => everyHour(context, format),
        VIRTUAL,
      ),
    ]),
  ),

  'time/counts/bcd': states(
    'DM = 0: seconds and minutes count 0 to 59 in BCD.',
    (context) => everySecondAndMinute(context, false),
    VIRTUAL,
  ),

  'time/counts/binary': states(
    'DM = 1: seconds and minutes count 0 to 59 in binary.',
    (context) => everySecondAndMinute(context, true),
    VIRTUAL,
  ),

  'time/12h-borders': states('12 h: PM is bit 7; 12 AM is midnight, 12 PM is noon.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.setFormat({ binary: false, hours24: false });
    for (const [from, byte, what] of [
      ['2011-11-11 11:59:59', 0x92, '11:59:59 AM is followed by 12:00:00 PM'],
      ['2011-11-11 12:59:59', 0x81, '12:59:59 PM is followed by 1:00:00 PM'],
      ['2011-11-11 23:59:59', 0x12, '11:59:59 PM is followed by 12:00:00 AM'],
      ['2011-11-11 00:59:59', 0x01, '12:59:59 AM is followed by 1:00:00 AM'],
    ] as const) {
      const after = rollover(clock, dev, from);
      assert.equal(dev.read(HOURS), byte, what);
      assert.equal(after, later(from, 1), what);
    }
  }),

  'time/midnight': states('At midnight the day and the weekday count, in every format.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    for (const format of FORMATS) {
      dev.setFormat(format);
      assert.equal(rollover(clock, dev, '2011-11-11 23:59:59'), '2011-11-12 00:00:00', `midnight (${format.name})`);
      assert.equal(dev.read(rtc.DAY_OF_WEEK), 7, 'Friday is followed by Saturday');
    }
  }),

  'time/format-does-not-convert': states(
    'Changing DM or 24/12 does not convert the bytes already there.',
    (context) => {
      const { assert } = context;
      const { dev } = part(context, { modeChange: 'keep' });
      dev.setFormat({ binary: false, hours24: true });
      dev.holdDivider();
      dev.setTime(at('2011-11-30 23:45:56'));
      for (const SET of [0, 1]) {
        for (const format of FORMATS) {
          dev.modify(B, { SET, DM: Number(format.binary), '24H': Number(format.hours24) });
          const bytes = [HOURS, MINUTES, SECONDS, rtc.DAY_OF_MONTH].map((register) => hex(dev.read(register)));
          assert.deepEqual(
            bytes,
            ['0x23', '0x45', '0x56', '0x30'],
            `the bytes stay as written (${format.name}, SET = ${SET})`,
          );
        }
      }
    },
  ),

  'time/format-converts': states('QEMU converts a running clock’s time when DM or 24/12 change.', (context) => {
    const { assert } = context;
    const { dev } = part(context, { modeChange: 'convert' });
    dev.setFormat({ binary: false, hours24: true });
    start(dev, '2011-11-30 23:45:56');
    for (const format of [...FORMATS, FORMATS[0]]) {
      dev.setFormat(format);
      const bytes = [HOURS, MINUTES, SECONDS, rtc.DAY_OF_MONTH].map((register) => dev.read(register));
      const expected = [hourByte(23, format), ...[45, 56, 30].map((value) => encode(value, format))];
      assert.deepEqual(bytes.map(hex), expected.map(hex), `the bytes are converted to the format ${format.name}`);
    }
  }),

  'time/random': states(
    'Any second of the years 2000 to 2099 is followed by the next, in every format.',
    (context) => {
      const { assert, clock } = context;
      const next = random(context.options.seed);
      const first = Date.UTC(2000, 0, 1);
      const seconds = (Date.UTC(2099, 11, 31, 23, 59, 59) - first) / 1000;
      const all = [part(context), part(context, { calendar: 'gregorian' })];
      for (let i = 0; i < 400; i++) {
        const { dev, id } = all[i % 2] ?? part(context);
        const format = FORMATS[next() % 4] ?? FORMATS[0];
        dev.setFormat(format);
        // Half of them at the end of an hour or of a day, where there is most to count.
        const end = [1, 1, 3600, 86_400][next() % 4] ?? 1;
        const chosen = Math.floor((next() % seconds) / end) * end + end - 1;
        const from = new Date(first + chosen * 1000).toISOString().slice(0, 19).replace('T', ' ');
        assert.equal(rollover(clock, dev, from), later(from, 1), `${id}: the second after ${from} (${format.name})`);
        assert.equal(dev.readTime().weekday, at(later(from, 1)).weekday, `${id}: the weekday then`);
      }
      return { seed: context.options.seed, samples: 400 };
    },
    VIRTUAL,
  ),
};
