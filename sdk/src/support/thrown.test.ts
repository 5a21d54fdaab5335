import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';

import { LIMITS } from './limits.ts';
import { codeOf, fieldOf, hasField, messageOf, nameOf, stackOf } from './thrown.ts';

const throwing = (): never => {
  throw new Error('boom');
};
const odd = (fields: PropertyDescriptorMap): Error => Object.defineProperties(new Error('odd'), fields);
const refusing = new Proxy(new Error('behind'), { get: throwing, getPrototypeOf: throwing, has: throwing });

test('a field that throws, or is no text, is told to', () => {
  expect(messageOf(odd({ message: { get: throwing } }))).toBe(
    '(its message cannot be read, as that throws: [Error: boom])',
  );
  expect(messageOf(odd({ message: { value: 7 } }))).toBe('(its message is no text: 7)');
  expect(nameOf(odd({ name: { value: Symbol('x') } }))).toBe('(its name is no text: Symbol(x))');
  expect(nameOf(odd({ name: { get: throwing } }))).toMatch(/its name cannot be read/);
  expect(stackOf(odd({ stack: { get: throwing } }))).toBe('odd');
  expect(stackOf(odd({ stack: { value: {} } }))).toBe('odd');
  expect(codeOf(odd({ code: { get: throwing } }))).toBeUndefined();
  expect(hasField(odd({ actual: { get: throwing } }), 'actual')).toBe(true);
  expect(fieldOf(odd({ actual: { get: throwing } }), 'actual')).toBeUndefined();
});

test('a proxy is not asked', () => {
  expect([messageOf(refusing), nameOf(refusing), stackOf(refusing), codeOf(refusing)]).toEqual([
    '(a Proxy)',
    'thrown value',
    '(a Proxy)',
    undefined,
  ]);
});

test('an error of another realm is one', () => {
  const error: unknown = runInNewContext('Object.assign(new TypeError("elsewhere"), { code: "FAR" })');
  expect([messageOf(error), nameOf(error), codeOf(error)]).toEqual(['elsewhere', 'TypeError', 'FAR']);
});

test('a long message is cut, says so, and is not cut again by what wraps it', () => {
  const long = messageOf(new Error('x'.repeat(50_000)));
  expect(long).toBe(`${'x'.repeat(LIMITS.message)}… (${50_000 - LIMITS.message} characters cut)`);
  expect(messageOf(`plugin 'a': ${long}`)).toBe(`plugin 'a': ${long}`);
  const pair = messageOf(`${'x'.repeat(LIMITS.message - 1)}${'😀'.repeat(9000)}`);
  expect(pair.isWellFormed()).toBe(true);
});

test('of a long stack the frames, which are at its end, are kept', () => {
  const stack = stackOf(new Error('x'.repeat(1_000_000)));
  expect(stack.length).toBeLessThan(1.3 * LIMITS.stack);
  expect(stack).toMatch(/characters cut[^]*thrown\.test\.ts:/);
});
