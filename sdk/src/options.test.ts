import { expect, test } from 'vitest';
import { optionsSchema } from './options.ts';
import { property } from './properties.ts';

const {
  '~standard': { validate },
} = optionsSchema({
  seed: property.number({ max: 9, default: 1 }),
  mode: property.oneOf(['fast', 'slow'], { default: 'fast' }),
  time: property.duration({ default: '1ms' }),
});

test('what is not given has its default', () => {
  const value = { seed: 1, mode: 'fast', time: 1_000_000n };
  expect(validate(undefined)).toEqual({ value });
  expect(validate({})).toEqual({ value });
  expect(validate({ seed: 2, time: 5n })).toEqual({ value: { ...value, seed: 2, time: 5n } });
});

test.each([
  [{ seed: 1.5 }, 'seed', 'expected an integer from 0 to 9'],
  [{ mode: 'lax' }, 'mode', `expected one of 'fast', 'slow'`],
  [{ sed: 1 }, 'sed', 'expected one of the properties seed, mode, time'],
  [JSON.parse('{ "__proto__": 1 }'), '__proto__', 'expected one of the properties seed, mode, time'],
])('%j is refused, and its key named', (given, key, message) => {
  expect(validate(given)).toEqual({ issues: [{ message, path: [key] }] });
});

test.each([[[]], [null], [1], ['seed']])('%j is no object', (given) => {
  expect(validate(given)).toEqual({ issues: [{ message: 'expected an object' }] });
});
