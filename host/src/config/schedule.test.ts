import { expect, test } from 'vitest';

import { parseSchedule, scheduleOf } from './schedule.ts';

test.each([
  ['0', { kind: 'seeded', seed: 0 }],
  ['17', { kind: 'seeded', seed: 17 }],
  ['4294967295', { kind: 'seeded', seed: 4_294_967_295 }],
  ['free', { kind: 'free' }],
  ['explore=1', { kind: 'explore', seeds: 1 }],
  ['explore=1000000', { kind: 'explore', seeds: 1_000_000 }],
])('%s', (text, schedule) => {
  expect(parseSchedule(text)).toEqual(schedule);
  expect(scheduleOf(/^\d/.test(text) ? Number(text) : text)).toEqual(schedule);
});

test.each([
  '',
  ' 1',
  '1.5',
  '-1',
  '1e3',
  '0x10',
  '4294967296',
  'Free',
  'explore',
  'explore=',
  'explore=0',
  'explore=x',
])('not %j', (text) => {
  expect(parseSchedule(text)).toBeUndefined();
});

test.each(['explore=-1', 'explore=1.5', 'explore=1000001', 'explore=9'.repeat(40), 'xexplore=1', 'explore=1\n'])(
  'not %j either',
  (text) => {
    expect(parseSchedule(text)).toBeUndefined();
  },
);

test.each(['17', 1.5, -1, 2 ** 32, Number.NaN, Infinity, 1n, null, undefined, {}, ['free']])(
  'not in a config: %o',
  (value) => {
    expect(scheduleOf(value)).toBeUndefined();
  },
);
