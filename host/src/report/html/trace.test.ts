import { describe, expect, test } from 'vitest';

import type { PageEvent } from '../html-data.ts';
import { nearestOf, orderAxis, timeAxis, usualAxis } from './axis.ts';
import { matcherOf, partsOf } from './search.ts';
import { lineOf, shortOf, traceOf, wordsOf } from './trace.ts';

const access: PageEvent = {
  type: 'access',
  seq: 4,
  time: '0',
  op: 'out',
  size: 1,
  address: 0x71,
  value: 0x42,
  device: 'rtc0',
  register: 'B',
  text: 'outb 0x71 ← 0x42         rtc0.B {PIE, 24H}',
  source: 'rate.ts:7',
};
const events: readonly PageEvent[] = [
  access,
  { type: 'clock', seq: 5, time: '1000000000', by: '1000000000' },
  { type: 'timer', seq: 6, time: '1000000000', device: 'rtc0', timer: 'periodic' },
  { type: 'irq', seq: 7, time: '1000000000', line: 'rtc0.irq', level: 1 },
  { type: 'snapshot', seq: 8, time: '0', action: 'restore' },
  {
    ...access,
    seq: 9,
    by: 'nic0',
    op: 'read',
    size: 64,
    data: '0102',
    text: 'nic0 DMA read 0x00010000, 64 bytes → checksum 0x1',
  },
  { type: 'log', seq: 10, time: '0', text: 'rate.ts:run():L9: done' },
];
const trace = traceOf({ events, lost: 4, failed: 9 });

describe('a trace', () => {
  test('has a lane for each line, timer and device, those that drive the machine first', () => {
    expect(trace.lanes.map(({ kind, label }) => `${kind}: ${label}`)).toEqual([
      'clock: clock',
      'timer: rtc0 periodic',
      'irq: rtc0.irq',
      'access: rtc0',
      'dma: nic0',
      'machine: machine',
      'log: log',
    ]);
    expect(trace.laneOf).toEqual([3, 0, 1, 2, 5, 4, 6]);
  });

  test('knows the failing event by its number, not its place', () => {
    expect(trace.failed).toBe(5);
    expect(traceOf({ events, lost: 0 }).failed).toBe(-1);
  });

  test('says each in words', () => {
    expect(events.map(lineOf)).toEqual([
      'outb 0x71 ← 0x42  rtc0.B {PIE, 24H}',
      '+ 1 s',
      'rtc0 periodic fires',
      'rtc0.irq rises',
      'restore',
      'nic0 DMA read 0x00010000, 64 bytes → checksum 0x1  01 02 …',
      'done',
    ]);
    expect(events.map((event) => wordsOf(event).source).filter((source) => source !== '')).toEqual([
      'rate.ts:7',
      'rate.ts:7',
      'rate.ts:run():L9',
    ]);
    expect(shortOf(access)).toBe('B ← 0x42');
    expect(shortOf({ ...access, register: 'INDEX', text: 'outb 0x70 ← 0x0b         rtc0 index B' })).toBe('[B]');
    // A long access has a space alone before what it reaches.
    const text = 'readl 0xfee00030 → 0x00050014 apic0.VERSION {MAX_LVT=5}';
    expect(wordsOf({ ...access, text })).toMatchObject({ what: text.slice(0, 29), detail: text.slice(30) });
  });

  test('of several VCPUs has lanes for each', () => {
    const of = (vcpu: number, device: string): PageEvent => ({ ...access, vcpu, device });
    const { lanes } = traceOf({ events: [of(1, 'rtc0'), of(0, 'rtc0'), of(1, 'pic0')], lost: 0 });
    expect(lanes.map(({ label }) => label)).toEqual(['V0 rtc0', 'V1 pic0', 'V1 rtc0']);
  });
});

describe('an axis', () => {
  test('of time has events by their times, also after the time was put back', () => {
    const { events: all } = { events: [access, { ...access, seq: 5, time: '9' }, { ...access, seq: 6, time: '4' }] };
    expect(timeAxis(traceOf({ events: all, lost: 0 })).lanes).toEqual([[0, 2, 1]]);
  });

  test('of order is the usual one where time stands still', () => {
    expect(usualAxis(trace)).toBe('order');
    const moving = events.map((event, index) => ({ ...event, time: String(index) }));
    expect(usualAxis(traceOf({ events: moving, lost: 0 }))).toBe('time');
  });

  test('finds the nearest event that is shown, in reach', () => {
    const axis = orderAxis(traceOf({ events: [access, access, access, access], lost: 0 }));
    const near = (at: number, reach: number, hidden = -1): number | undefined =>
      nearestOf(axis, 0, { at, reach, isShown: (index) => index !== hidden });
    expect([near(1.2, 0.5), near(1.2, 0.1), near(1.2, 0.9, 1), near(90, 5)]).toEqual([1, undefined, 2, undefined]);
  });
});

test('a search is for every word, in any case and order', () => {
  const matches = matcherOf(' pie  RTC0 ');
  expect([matches('rtc0.B {PIE}'), matches('rtc0.B {AIE}'), matcherOf('')('')]).toEqual([true, false, true]);
  expect(partsOf('a.b (A.B)', 'a.b')).toEqual([
    { text: 'a.b', isFound: true },
    { text: ' (', isFound: false },
    { text: 'A.B', isFound: true },
    { text: ')', isFound: false },
  ]);
});
