import { afterEach, beforeEach, expect, test } from 'vitest';

import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import type { SelectedCase } from '../report/events.ts';
import type { Selection } from '../plugins/select.ts';
import { shardOf } from './shard.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch();
});
afterEach(() => folder.remove());

const named = (name: string): SelectedCase => ({ plugin: 'rtc', name, clock: 'virtual', vcpus: 1 });
const names = Array.from({ length: 100 }, (_, i) => `case/${i}`);
const cases = names.map(named);
const selection: Selection = {
  cases,
  selected: cases.slice(10),
  skipped: cases.slice(0, 10).map((one) => ({ case: one, reason: 'no card' })),
  unmatched: [],
};

const split = (count: number, durations?: string): readonly Selection[] =>
  Array.from({ length: count }, (_, i) =>
    shardOf(
      selection,
      { shard: { index: i + 1, count }, ...(durations !== undefined && { durations }) },
      { cwd: folder.path },
    ),
  );

const report = (ms: (index: number) => number): void =>
  folder.write({
    'r.json': JSON.stringify({ cases: cases.map((one, i) => ({ ...one, status: 'pass', duration: ms(i) })) }),
  });

test('every case in exactly one shard, with and without durations', () => {
  report((i) => i);
  for (const durations of [undefined, 'r.json']) {
    for (const count of [1, 2, 3, 7, 150]) {
      const shards = split(count, durations);
      const all = shards.flatMap((part) => part.cases.map(({ name }) => name));
      expect(all).toHaveLength(100);
      expect(new Set(all)).toEqual(new Set(names));
      expect(shards.flatMap(({ selected }) => selected)).toHaveLength(90);
      expect(shards.flatMap(({ skipped }) => skipped)).toHaveLength(10);
    }
  }
});

test('without durations a case stays where it is, whatever others there are', () => {
  const [first] = split(3);
  const half = { ...selection, cases: cases.filter((_, i) => i % 2 === 0) };
  const part = shardOf(half, { shard: { index: 1, count: 3 } }, { cwd: folder.path });
  expect(part.cases).toEqual(first?.cases.filter((one) => half.cases.includes(one)));
});

test('by durations each shard takes as long; one that is not known as long as a usual one', () => {
  report((i) => (i === 50 ? 1000 : 10));
  const shards = split(2, 'r.json');
  expect(shards.map((part) => part.cases.length).toSorted((a, b) => a - b)).toEqual([1, 99]);
  folder.write({ 'r.json': JSON.stringify({ cases: [{ ...named('case/1'), status: 'pass', duration: 30 }] }) });
  expect(split(4, 'r.json').map((part) => part.cases.length)).toEqual([25, 25, 25, 25]);
});
