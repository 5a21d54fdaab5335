import { afterEach, expect, test } from 'vitest';

import { boundGetters, messageOf } from '@qtest/sdk/support';

import {
  awaitForeign,
  callForeign,
  callForeignOften,
  foreignBound,
  isThenable,
  readForeign,
  setForeignBound,
} from './bounded.ts';
import { beginForeign, foreignUnderWay } from './foreign.ts';
import { inDevice } from '@qtest/machine';

const WHAT = { what: "plugin 'lamp': init()", exit: 1 } as const;
const spin = (): never => {
  for (;;);
};

afterEach(() => setForeignBound(30_000_000_000n));

test('what comes back gives its value, and throws its error', () => {
  expect(callForeign(WHAT, () => 42, 1000)).toBe(42);
  const error = new Error('no lamp');
  const thrower = (): never => {
    throw error;
  };
  expect(() => callForeign(WHAT, thrower, 1000)).toThrow(error);
});

test('an endless loop is broken off, and the next call is not', () => {
  expect(() => callForeign(WHAT, spin, 50)).toThrow('it did not come back within 0.05 s: an endless loop');
  expect(callForeign(WHAT, () => 'next', 1000)).toBe('next');
});

test('a device that does not come back is named, and no other after it', () => {
  expect(() => callForeign(WHAT, () => inDevice('lamp0', spin), 50)).toThrow("device 'lamp0' did not come back");
  expect(() => callForeign(WHAT, spin, 50)).toThrow('it did not come back');
  inDevice('lamp1', () => {});
  expect(() => callForeign(WHAT, spin, 50)).toThrow('it did not come back');
});

test('of several calls within one bound the innermost is named', () => {
  const calls: string[] = [];
  const call = (what: string, run: () => void): void => {
    callForeign({ what, exit: 1 }, run, 10_000);
    calls.push(what);
  };
  const broken = callForeignOften(() => {
    call('first', () => {});
    call('second', spin);
    call('third', () => {});
  }, 50);
  expect(broken?.lost?.what).toBe('second');
  expect(calls).toEqual(['first']);
  expect(callForeignOften(() => call('fourth', () => {}), 1000)).toBeUndefined();
});

test('what was broken off is not under way any more, and what was before it is', () => {
  const end = beginForeign({ what: 'outer', exit: 1 });
  callForeignOften(() => callForeign({ what: 'inner', exit: 1 }, spin, 10_000), 50);
  expect(foreignUnderWay().map(({ what }) => what)).toEqual(['outer']);
  end();
});

test('a promise that never settles is given up', async () => {
  const never = awaitForeign(WHAT, () => new Promise(() => {}), 20);
  await expect(never).rejects.toThrow('it did not settle within 0.02 s');
});

test('an error whose `message` is an endless loop, and a `then` that is one', async () => {
  boundGetters(readForeign);
  const error = Object.defineProperty(new Error(), 'message', { get: spin });
  const thrower = (): never => {
    throw error;
  };
  let thrown: unknown;
  try {
    callForeign(WHAT, thrower, 10_000);
  } catch (caught) {
    thrown = caught;
  }
  expect(messageOf(thrown)).toMatch(/its message cannot be read.*it did not come back within 1 s/);
  const thenable = new Proxy({}, { get: spin });
  await expect(awaitForeign(WHAT, () => thenable, 50)).rejects.toThrow('it did not come back within 0.05 s');
  expect(() => isThenable(thenable)).toThrow('it did not come back within 1 s');
});

test('a proxy that is thrown is not asked', () => {
  const proxy = new Proxy({}, { has: spin, get: spin, getPrototypeOf: spin, getOwnPropertyDescriptor: spin });
  const thrower = (): never => {
    throw proxy;
  };
  expect(() => callForeign(WHAT, thrower, 10_000)).toThrow('(a Proxy)');
});

test('the bound is that of a case, between a second and what is usual', () => {
  expect(foreignBound(10_000)).toBe(10_000);
  setForeignBound(3_000_000_000n);
  expect(foreignBound(10_000)).toBe(3_000);
  setForeignBound(1_000_000n);
  expect(foreignBound(10_000)).toBe(1_000);
  setForeignBound(3_600_000_000_000n);
  expect(foreignBound(10_000)).toBe(10_000);
  expect(foreignBound()).toBe(30_000);
});
