import { rtc } from '@qtest/parts/pc';
import { at, FIRST_UPDATE, part, rollover, SECOND, show, start, states, VIRTUAL, type Cases } from './support.ts';

const { B, HOURS } = rtc;

export const dse: Cases = {
  'dse/april': states('DSE: on the last Sunday of April 1:59:59 is followed by 3:00:00.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.modify(B, { DSE: 1 });
    for (const date of ['2000-04-30', '2011-04-24', '2023-04-30']) {
      assert.equal(rollover(clock, dev, `${date} 01:59:59`), `${date} 03:00:00`, `${date} is the last Sunday of April`);
    }
  }),

  'dse/october': states('DSE: on the last Sunday of October 1:59:59 is followed by 1:00:00.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.modify(B, { DSE: 1 });
    // The last Sunday is the 25th to the 31st.
    for (const date of clock.kind === 'virtual' ? ['2000-10-29', '2010-10-31', '2020-10-25'] : ['2000-10-29']) {
      assert.equal(
        rollover(clock, dev, `${date} 01:59:59`),
        `${date} 01:00:00`,
        `${date} is the last Sunday of October`,
      );
    }
  }),

  'dse/october-once': states(
    'DSE: in October the hour is repeated once; next year again.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      dev.modify(B, { DSE: 1 });
      for (const date of ['2000-10-29', '2001-10-28', '2011-10-30']) {
        assert.equal(rollover(clock, dev, `${date} 00:59:59`), `${date} 01:00:00`, 'an hour before');
        clock.step(3599n * SECOND);
        assert.equal(show(dev.readTime()), `${date} 01:59:59`, 'a second before');
        clock.step(SECOND);
        assert.equal(
          show(dev.readTime()),
          `${date} 01:00:00`,
          'when the time first reaches 1:59:59 it goes back to 1:00:00',
        );
        clock.step(3599n * SECOND);
        assert.equal(show(dev.readTime()), `${date} 01:59:59`, 'the hour passes again');
        clock.step(SECOND);
        assert.equal(show(dev.readTime()), `${date} 02:00:00`, 'the second time 1:59:59 is followed by 2:00:00');
        clock.step(3600n * SECOND);
        assert.equal(show(dev.readTime()), `${date} 03:00:00`, 'and the time goes on');
      }
    },
    VIRTUAL,
  ),

  'dse/other-times': states(
    'DSE: no other day, hour or month is special, and none with DSE = 0.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = part(context);
      for (const [DSE, date, why] of [
        [0, '2000-04-30', 'DSE is 0'],
        [0, '2000-10-29', 'DSE is 0'],
        [1, '2000-04-23', 'it is not the last Sunday of April'],
        [1, '2000-10-22', 'it is not the last Sunday of October'],
        [1, '2010-10-24', 'it is not the last Sunday of October'],
        [1, '2000-04-29', 'it is a Saturday'],
        [1, '2000-10-30', 'it is a Monday'],
        [1, '2000-03-26', 'it is March'],
        [1, '2000-11-26', 'it is November'],
      ] as const) {
        dev.modify(B, { DSE });
        assert.equal(rollover(clock, dev, `${date} 01:59:59`), `${date} 02:00:00`, `${date}: ${why}`);
      }
      dev.modify(B, { DSE: 1 });
      assert.equal(rollover(clock, dev, '2000-04-30 00:59:59'), '2000-04-30 01:00:00', 'it is 0:59:59');
      assert.equal(rollover(clock, dev, '2000-04-30 01:58:59'), '2000-04-30 01:59:00', 'it is 1:58:59');
      assert.equal(rollover(clock, dev, '2000-04-30 02:59:59'), '2000-04-30 03:00:00', 'it is 2:59:59');
    },
    VIRTUAL,
  ),

  'dse/12h': states('DSE: in 12-hour mode 1:59:59 AM is special, 1:59:59 PM is not.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.setFormat({ hours24: false });
    dev.modify(B, { DSE: 1 });
    rollover(clock, dev, '2000-04-30 01:59:59');
    assert.equal(dev.read(HOURS), 0x03, '1:59:59 AM is followed by 3:00:00 AM');
    rollover(clock, dev, '2000-04-30 13:59:59');
    assert.equal(dev.read(HOURS), 0x82, '1:59:59 PM is followed by 2:00:00 PM');
    start(dev, at('2000-10-29 01:59:59'));
    clock.step(FIRST_UPDATE);
    assert.equal(dev.read(HOURS), 0x01, 'in October 1:59:59 AM is followed by 1:00:00 AM');
  }),
};
