import { rtc, type RtcAlarm } from '@qtest/parts/pc';
import {
  at,
  FIRST_UPDATE,
  hex,
  later,
  part,
  SECOND,
  start,
  startOnTick,
  states,
  stepTo,
  VIRTUAL,
  type Cases,
  type Context,
} from './support.ts';

const { B, C } = rtc;

const ALARM = { hours: 5, minutes: 6, seconds: 7 } as const;

/** Stretches of a day in which alarms at 5:06:07 with any wildcards match and do not match: the second before, and seconds. */
const STRETCHES = [
  ['2011-11-11 05:06:05', 64],
  ['2011-11-11 04:06:05', 4],
  ['2011-11-11 06:06:05', 4],
  ['2011-11-11 04:59:57', 12],
  ['2011-11-11 05:59:57', 12],
  ['2011-11-11 23:59:57', 12],
] as const;

/** Compares AF with what the alarm's definition says, for each second of the stretches. */
function everySecond(context: Context, any: readonly (keyof RtcAlarm)[]): { seconds: number; alarms: number } {
  const { assert, clock } = context;
  const { dev } = part(context);
  const exact = Object.entries(ALARM).filter(([name]) => !any.some((other) => other === name));
  dev.setAlarm(Object.fromEntries(exact));
  dev.setRate(0);
  let [seconds, alarms] = [0, 0];
  for (const [from, length] of STRETCHES) {
    start(dev, from);
    clock.step(FIRST_UPDATE);
    for (let i = 1; i <= length; i++) {
      const now = later(from, i);
      const time: RtcAlarm = at(now);
      const due = exact.every(([name, value]) => time[name as keyof RtcAlarm] === value);
      const fired = C.AF.test(dev.acknowledge());
      assert.equal(
        fired,
        due,
        `the alarm fires in each second in which all three bytes match, 0xc0 and above matching any: at ${now.slice(11)}`,
      );
      seconds++;
      alarms += Number(fired);
      clock.step(SECOND);
    }
  }
  return { seconds, alarms };
}

const WILDCARDS: readonly (readonly (keyof RtcAlarm)[])[] = [
  [],
  ['seconds'],
  ['minutes'],
  ['hours'],
  ['minutes', 'seconds'],
  ['hours', 'seconds'],
  ['hours', 'minutes'],
  ['hours', 'minutes', 'seconds'],
];

export const alarm: Cases = {
  ...Object.fromEntries(
    WILDCARDS.map((any) => [
      `alarm/any/${any.length === 0 ? 'none' : any.join('-')}`,
      states(
        any.length === 0
          ? 'The alarm fires in the second in which hours, minutes and seconds match.'
          : `With "any" for the ${any.join(' and the ')} it fires in each second in which the rest matches.`,
        (context) => everySecond(context, any),
        VIRTUAL,
      ),
    ]),
  ),

  'alarm/any/codes': states(
    'Every alarm byte from 0xC0 to 0xFF is "any", and none from 0x80 to 0xBF.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      for (let code = 0x80; code <= 0xff; code++) {
        for (const register of [rtc.SECONDS_ALARM, rtc.MINUTES_ALARM, rtc.HOURS_ALARM]) {
          dev.setAlarm({});
          dev.write(register, code);
          start(dev, '2011-11-11 05:06:06');
          clock.step(FIRST_UPDATE);
          const fired = C.AF.test(dev.acknowledge());
          assert.equal(
            fired,
            code >= 0xc0,
            `${hex(code)} in ${register.name} is ${code >= 0xc0 ? '"any"' : 'no time'}`,
          );
        }
      }
    },
    VIRTUAL,
  ),

  'alarm/exact': states(
    'AF is set by the update that makes the time match, and not before.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context, { updateCycle: '0' });
      dev.setAlarm(ALARM);
      const due = startOnTick(clock, dev, '2011-11-11 05:06:06');
      stepTo(clock, due - 1n);
      assert(!C.AF.test(dev.acknowledge()), 'no alarm 1 ns before the second that matches');
      stepTo(clock, due);
      assert(C.AF.test(dev.acknowledge()), 'the alarm is set with the update');
      stepTo(clock, due + SECOND - 1n);
      assert(!C.AF.test(dev.acknowledge()), 'once in its second');
      stepTo(clock, due + SECOND);
      assert(!C.AF.test(dev.acknowledge()), 'and not in the next');
    },
    VIRTUAL,
  ),

  'alarm/interrupt': states('With AIE the alarm raises the line; C tells IRQF, AF and UF.', (context) => {
    const { assert, vcpu } = context;
    const { dev, irq, line } = part(context);
    dev.setAlarm(ALARM);
    dev.setRate(0);
    dev.modify(B, { PIE: 0, AIE: 1, UIE: 0 });
    start(dev, '2011-11-11 05:06:06');
    assert(!line.level, 'the line is low before the alarm');
    vcpu.waitIrq(irq, { timeout: '2s' });
    assert(line.level, 'AF with AIE raises the line');
    dev.holdDivider();
    assert.equal(
      dev.acknowledge(),
      C.IRQF.mask | C.AF.mask | C.UF.mask,
      'an alarm comes with an update that has ended',
    );
    assert(!line.level, 'reading C lowers the line');
  }),

  'alarm/once': states('An alarm fires once in its second, and not in the next.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.setAlarm(ALARM);
    start(dev, '2011-11-11 05:06:06');
    clock.step(FIRST_UPDATE);
    assert(C.AF.test(dev.acknowledge()), 'at 5:06:07 the alarm fires');
    clock.step('200ms');
    assert(!C.AF.test(dev.acknowledge()), 'C was read: the same second does not fire again');
    clock.step('1s');
    assert(!C.AF.test(dev.acknowledge()), '5:06:08 does not match');
  }),

  ...Object.fromEntries(
    [
      { name: '12h', binary: false, hours24: false, bytes: [0x92, 0x30, 0x15], fires: '12:30:15', not: '00:30:15' },
      {
        name: '12h-midnight',
        binary: false,
        hours24: false,
        bytes: [0x12, 0x30, 0x15],
        fires: '00:30:15',
        not: '12:30:15',
      },
      { name: 'binary', binary: true, hours24: true, bytes: [23, 59, 58], fires: '23:59:58', not: '23:59:52' },
    ].map(({ name, bytes, fires, not, ...format }) => [
      `alarm/format/${name}`,
      states('The alarm’s bytes have the format of the time’s.', (context) => {
        const { assert, clock } = context;
        const { dev } = part(context);
        dev.setFormat(format);
        const [hours = 0, minutes = 0, seconds = 0] = bytes;
        dev.write(rtc.HOURS_ALARM, hours);
        dev.write(rtc.MINUTES_ALARM, minutes);
        dev.write(rtc.SECONDS_ALARM, seconds);
        for (const [time, expected] of [
          [fires, true],
          [not, false],
        ] as const) {
          start(dev, later(`2011-11-11 ${time}`, -1));
          clock.step(FIRST_UPDATE);
          const fired = C.AF.test(dev.acknowledge());
          assert.equal(fired, expected, `alarm bytes ${bytes.map(hex).join(' ')} at ${time}`);
        }
      }),
    ]),
  ),
};
