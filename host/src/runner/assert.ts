import { AssertionError, strict } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { Assert } from '@qtest/sdk';
import { showValue } from './failure.ts';

/** Assertions of a case: Node's strict ones, without the type guards that a destructured `assert` cannot carry, and with numbers as a reader of registers wants them. */
export function makeAssert(): Assert {
  const truthy = (value: unknown, message?: string): void => {
    if (!value) refuse(message ?? `expected a true value, got ${showValue(value)}`, value, true, '==');
  };
  return Object.assign(truthy, {
    equal: (actual: unknown, expected: unknown, message?: string): void => {
      if (Object.is(actual, expected)) return;
      const difference = `expected ${showValue(expected)}, got ${showValue(actual)}`;
      refuse(message === undefined ? difference : `${message}: ${difference}`, actual, expected, 'equal');
    },
    notEqual: (actual: unknown, expected: unknown, message?: string): void => {
      if (!Object.is(actual, expected)) return;
      const difference = `expected anything but ${showValue(expected)}`;
      refuse(message === undefined ? difference : `${message}: ${difference}`, actual, expected, 'not');
    },
    deepEqual: (actual: unknown, expected: unknown, message = 'expected deeply equal values'): void => {
      if (!isDeepStrictEqual(actual, expected)) refuse(message, actual, expected, 'deepEqual');
    },
    throws: (fn: () => unknown, expected?: RegExp | (new (...args: never[]) => Error), message?: string): void => {
      if (expected === undefined) strict.throws(fn, message);
      else strict.throws(fn, expected, message);
    },
    match: (actual: string, expected: RegExp, message?: string): void => strict.match(actual, expected, message),
    fail: (message: string): never => refuse(message, undefined, undefined, 'fail'),
  });
}

/** @param operator none of those of Node's own (`strictEqual`), to whose message it adds a difference: the report shows one. */
function refuse(message: string, actual: unknown, expected: unknown, operator: string): never {
  throw new AssertionError({ message, actual, expected, operator, stackStartFn: refuse });
}
