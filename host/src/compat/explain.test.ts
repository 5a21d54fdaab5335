import { expect, it } from 'vitest';
import { OP, type TraceEntry } from '@qtest/machine';
import { compare } from './explain.ts';

const access = (op: number, value: number): TraceEntry => ({ op, size: 1, address: 0x71, value });

it('finds the first access that is another, or was answered differently', () => {
  const ours = [access(OP.OUT, 1), access(OP.IN, 2), access(OP.IN, 3)];
  expect(compare(ours, ours)).toEqual({ same: 3 });
  expect(compare(ours, ours.slice(0, 2))).toEqual({ same: 2 });
  expect(compare(ours, [access(OP.OUT, 1), access(OP.IN, 9)])).toEqual({ same: 1 });
  expect(compare(ours, [access(OP.IN, 1)])).toEqual({ same: 0 });
  expect(compare(ours, [{ ...access(OP.OUT, 1), size: 2 }])).toEqual({ same: 0 });
  expect(compare([], ours)).toEqual({ same: 0 });
});

it('finds the last answer that differs, while both sides do the same', () => {
  const ours = [access(OP.IN, 1), access(OP.OUT, 2), access(OP.IN, 3), access(OP.IN, 4), access(OP.OUT, 5)];
  expect(compare(ours, [access(OP.IN, 9), access(OP.OUT, 2), access(OP.IN, 9), access(OP.IN, 4)])).toEqual({
    same: 0,
    last: 2,
  });
  // What is written is another thing.
  expect(compare(ours, [access(OP.IN, 9), access(OP.OUT, 9), access(OP.IN, 9)])).toEqual({ same: 0 });
});
