import { expect, test } from 'vitest';

import { jsonText } from './json-text.ts';

const parsed = (value: unknown): unknown => JSON.parse(jsonText(value));

test('what JSON has no word for', () => {
  expect(parsed({ a: 5n, b: NaN, c: -Infinity, d: undefined, e: null })).toEqual({
    a: '5',
    b: 'NaN',
    c: '-Infinity',
    e: null,
  });
  expect(
    parsed([new Map<unknown, unknown>([[1, 2n]]), new Set(['x']), new Uint8Array([1, 255]), new BigInt64Array([3n])]),
  ).toEqual([
    { 1: '2' },
    ['x'],
    { type: 'Uint8Array', bytes: 2, base64: 'Af8=' },
    { type: 'BigInt64Array', bytes: 8, base64: 'AwAAAAAAAAA=' },
  ]);
  expect(
    parsed([
      new Date(0),
      new Date(NaN),
      new TypeError('boom'),
      new Uint8Array([7]).buffer,
      new DataView(new ArrayBuffer(1)),
    ]),
  ).toEqual([
    '1970-01-01T00:00:00.000Z',
    'Invalid Date',
    { name: 'TypeError', message: 'boom' },
    { type: 'ArrayBuffer', bytes: 1, base64: 'Bw==' },
    { type: 'DataView', bytes: 1, base64: 'AA==' },
  ]);
});

test('what contains itself, and what is there twice', () => {
  const twice = { a: 1 };
  const ring: Record<string, unknown> = { one: twice, two: twice };
  ring['self'] = ring;
  expect(parsed(ring)).toEqual({ one: { a: 1 }, two: { a: 1 }, self: '[Circular]' });
});
