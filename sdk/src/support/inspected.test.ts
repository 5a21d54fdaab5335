import { inspect } from 'node:util';

import { expect, test } from 'vitest';

import { inspected } from './inspected.ts';
import { LIMITS } from './limits.ts';

class Part {
  a = 1;
  b = [1, [2, [3, [4, [5, [6, [7, [8]]]]]]]];
  get c(): number {
    return 1;
  }
}
const OPTIONS = { depth: 6, sorted: true, compact: true, breakLength: Infinity };
const throwing = (): never => {
  throw new Error('boom');
};
const ring: Record<string, unknown> = {};
ring['self'] = ring;

test.each([
  [new Part()],
  [{ b: undefined, a: null, [Symbol('s')]: -0 }],
  [Object.assign([1], { 2: 3 })],
  [Object.assign([1], { extra: true })],
  [new Map<unknown, unknown>([[{ a: 1 }, new Set([1])]])],
  [ring],
  [Object.create(null)],
  [new Uint8Array(300)],
  [Array.from({ length: 300 }, (_, n) => n)],
  [() => 1],
  [class A extends Part {}],
  [new Date(0)],
  [/a/g],
  [10n],
  ['text'],
])('%o is shown as Node shows it', (value) => {
  expect(inspected(value, OPTIONS)).toBe(inspect(value, { ...OPTIONS, maxArrayLength: 200 }));
});

test('an error is its class, message and fields', () => {
  expect(inspected({ e: Object.assign(new TypeError('x'), { code: 'C' }) }, OPTIONS)).toBe(
    "{ e: { [TypeError: x] code: 'C' } }",
  );
});

test('nothing of the value is called', () => {
  const called: string[] = [];
  const value = {
    get getter(): number {
      called.push('getter');
      return 1;
    },
    proxy: new Proxy({}, { ownKeys: throwing, getPrototypeOf: throwing, get: throwing }),
    behind: Object.create(new Proxy({}, { getPrototypeOf: throwing, getOwnPropertyDescriptor: throwing })),
    [inspect.custom]: () => void called.push('custom'),
  };
  expect(inspected(value, OPTIONS)).toContain("getter: [Getter], proxy: '(a Proxy)'");
  expect(called).toEqual([]);
});

test('what throws all the same is told', () => {
  const bytes = Object.defineProperty(new Uint8Array(2), 'length', { get: throwing });
  expect(inspected(bytes, OPTIONS)).toMatch(/cannot be shown/);
});

const many = Array.from({ length: 4 }).reduce<unknown>((value) => Array.from({ length: 100 }, () => value), 1);
test.each([
  ['wide', Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`key${n}`, n]))],
  ['one that is there a hundred million times', many],
  ['a long name', { ['x'.repeat(1_000_000)]: 1 }],
  ['a long text', { a: new String('x'.repeat(1_000_000)), b: Symbol('x'.repeat(1_000_000)) }],
  ['a large number', 1n << 10_000_000n],
])('a part of what is large: %s', (_, value) => {
  const start = performance.now();
  expect(inspected(value, { ...OPTIONS, compact: false }).length).toBeLessThan(1.3 * LIMITS.side);
  // Whole, each would take minutes, or more memory than there is.
  expect(performance.now() - start).toBeLessThan(5000);
});
