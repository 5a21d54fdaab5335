import { expect, test } from 'vitest';

import { LIMITS } from '@qtest/sdk/support';
import { jsonText } from '../report/json-text.ts';
import { returned } from './returned.ts';

const MIB = 2 ** 20;
const throwing = (): never => {
  throw new Error('boom');
};

const ring: Record<string, unknown> = { a: 1 };
ring['self'] = ring;

test.each<[unknown, unknown]>([
  [{ a: 1n, b: [undefined, null, -0, 'x', true], c: new Date(0) }, undefined],
  [new Set([1, new Map([['a', 1]])]), undefined],
  [new Uint16Array([1, 2]), undefined],
  [new DataView(new ArrayBuffer(2)), undefined],
  [new Map<unknown, unknown>([[{ toString: 1 }, 1]]), new Map([['{ toString: 1 }', 1]])],
  [new SharedArrayBuffer(2), new ArrayBuffer(2)],
  [Buffer.from([1, 2]), new Uint8Array([1, 2])],
  [ring, { a: 1, self: '[Circular]' }],
  [
    [Object('a'), Object(1n)],
    ['a', 1n],
  ],
  [new RangeError('no'), { name: 'RangeError', message: 'no' }],
  [/a/g, '/a/g'],
  [JSON.parse('{ "__proto__": { "a": 1 } }'), undefined],
])('%o is kept', (value, kept = value) => {
  expect(returned(value)).toEqual({ value: kept });
});

test('what is shared with a thread is its own', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(1));
  const { value } = returned(shared);
  shared[0] = 1;
  expect(value).toEqual(new Uint8Array(1));
});

const laughs = Array.from({ length: 40 }).reduce<unknown>((value) => [value, value, value], 'ha');
const deep = Array.from({ length: 100_000 }).reduce<unknown>((value) => ({ value }), 1);
test.each<[string, unknown, RegExp]>([
  ['bytes', new Uint8Array(64 * MIB), new RegExp(`: ${63 * MIB} bytes left out`)],
  ['a buffer', new ArrayBuffer(2 * MIB), /1048576 bytes/],
  ['floats', new Float64Array(MIB), new RegExp(`: ${7 * MIB} bytes`)],
  ['a text', 'x'.repeat(3 * MIB), new RegExp(`: ${2 * MIB} characters`)],
  ['many texts', Array.from({ length: 3 * 1024 }, () => 'x'.repeat(1024)), new RegExp(`: ${2 * MIB} characters`)],
  ['a name', { ['x'.repeat(2 * MIB)]: 1 }, /1048576 characters/],
  ['a list', Array.from({ length: 100_001 }, () => 1), /: 1 item left out/],
  ['an empty list', Object.assign([], { length: 2 ** 32 - 1 }), /items left out/],
  ['fields', Object.fromEntries(Array.from({ length: 100_003 }, (_, n) => [`a${n}`, n])), /: 3 items left out/],
  ['a set', new Set(Array.from({ length: 100_002 }, (_, n) => n)), /: 2 items left out/],
  ['a map', new Map(Array.from({ length: 100_002 }, (_, n) => [n, n])), /: 2 items left out/],
  ['what is there many times', laughs, /items left out/],
  ['depth', deep, /: 1 item left out/],
  ['a number', 1n << 1_000_000n, /: 1 item left out/],
])('what is too much is cut, and told: %s', (_, value, note) => {
  const start = performance.now();
  const kept = returned(value);
  expect(kept.note).toMatch(note);
  expect(kept.note).toMatch(/^what it returned is cut: .* A report keeps 1 MiB/);
  // The host takes what the worker sends as it is.
  expect(returned(kept.value)).toEqual({ value: kept.value });
  expect(jsonText(kept.value).length).toBeLessThan(12 * LIMITS.valueSize);
  expect(performance.now() - start).toBeLessThan(10_000);
});

test.each<[string, unknown]>([
  ['a function', [() => 1]],
  ['a symbol', { a: Symbol('s') }],
  ['a getter that throws', { get: Object.defineProperty({}, 'a', { get: throwing, enumerable: true }) }],
  ['a proxy', [new Proxy({}, { get: throwing, ownKeys: throwing })]],
  ['a promise', [Promise.resolve(1)]],
  ['a WeakMap', new WeakMap()],
])('what is no data is refused: %s', (_, value) => {
  expect(() => returned(value)).toThrow(
    /^the case returned what cannot be cloned .*; a case returns nothing, or plain/,
  );
});
