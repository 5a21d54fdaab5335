import { expect, it } from 'vitest';
import { OP, type TraceEntry } from '../vcpu/trace.ts';
import { firstDifference } from './explain.ts';

const access = (op: number, value: number): TraceEntry => ({ op, size: 1, address: 0x71, value });

it('finds the first access that is another, or was answered differently', () => {
  const ours = [access(OP.OUT, 1), access(OP.IN, 2), access(OP.IN, 3)];
  expect(firstDifference(ours, ours)).toBe(3);
  expect(firstDifference(ours, ours.slice(0, 2))).toBe(2);
  expect(firstDifference(ours, [access(OP.OUT, 1), access(OP.IN, 9)])).toBe(1);
  expect(firstDifference(ours, [access(OP.IN, 1)])).toBe(0);
  expect(firstDifference(ours, [{ ...access(OP.OUT, 1), size: 2 }])).toBe(0);
  expect(firstDifference([], ours)).toBe(0);
});
