import { describe, expect, test } from 'vitest';
import { checkProperties, describeProperty, property, resolveProperties, type Property } from './properties.ts';

const schema = {
  irq: property.number({ default: 8, max: 15 }),
  size: property.number({ min: 1, max: 4 }),
  on: property.boolean({ default: false }),
  name: property.string({ default: 'x', pattern: /^[a-z]+$/ }),
  free: property.string({ default: '' }),
  mode: property.oneOf(['slow', 'fast'], { default: 'slow' }),
  period: property.duration({ default: '1.5us' }),
};

describe('checkProperties', () => {
  test('fills in defaults; durations become nanoseconds, as text', () => {
    expect(checkProperties(schema, { size: 2 })).toEqual({
      values: { irq: 8, size: 2, on: false, name: 'x', free: '', mode: 'slow', period: '1500' },
      problems: [],
    });
    expect(
      checkProperties(schema, { size: 1, irq: 0, on: true, name: 'abc', mode: 'fast', period: 7n, free: 'é' }).values,
    ).toEqual({
      irq: 0,
      size: 1,
      on: true,
      name: 'abc',
      free: 'é',
      mode: 'fast',
      period: '7',
    });
    expect(checkProperties({}, {})).toEqual({ values: {}, problems: [] });
  });

  test('what is undefined has been left out', () => {
    expect(checkProperties(schema, { size: 2, irq: undefined, bogus: undefined }).problems).toEqual([]);
  });

  test.each([
    ['irq', [-1, 16, 1.5, NaN, Infinity, '8', 8n, true, {}], 'an integer from 0 to 15'],
    ['size', [0, 5, null], 'an integer from 1 to 4'],
    ['on', [0, 1, 'true', 'false', {}], 'true or false'],
    ['name', ['', 'A', 'a b', 5, ['a']], 'a string matching /^[a-z]+$/'],
    ['free', [5, {}, 5n], 'a string'],
    ['mode', ['medium', '', 0, ['slow']], "one of 'slow', 'fast'"],
    ['period', ['5', '-1s', 5, -1n, '0.1ns', {}], "a duration such as '5s' or 1000n (nanoseconds)"],
  ])('%s: what is wrong, and what would be right', (key, bad, expected) => {
    for (const found of bad) {
      const { values, problems } = checkProperties(schema, { size: 2, [key]: found });
      expect(problems).toEqual([
        { key, found: found ?? undefined, expected: found === null ? `${expected} (it is required)` : expected },
      ]);
      expect(key in values).toBe(false);
    }
  });

  test('a required one that is left out', () => {
    expect(checkProperties(schema, {}).problems).toEqual([
      { key: 'size', found: undefined, expected: 'an integer from 1 to 4 (it is required)' },
    ]);
  });

  test('one that there is not; several at once', () => {
    expect(checkProperties(schema, { size: 9, irg: 8 }).problems).toEqual([
      { key: 'irg', found: 8, expected: 'one of the properties irq, size, on, name, free, mode, period' },
      { key: 'size', found: 9, expected: 'an integer from 1 to 4' },
    ]);
    expect(checkProperties({}, { a: 1 }).problems).toEqual([
      { key: 'a', found: 1, expected: 'one of the properties (none)' },
    ]);
  });

  test.each(['toString', 'constructor', 'hasOwnProperty', 'valueOf'])(
    "regression: '%s' is none, though every object has it",
    (key) => {
      expect(checkProperties(schema, { size: 2, [key]: 1 }).problems).toEqual([
        expect.objectContaining({ key, found: 1 }),
      ]);
      expect(checkProperties(schema, { size: 2 }).problems).toEqual([]);
    },
  );
});

describe('resolveProperties', () => {
  test('as the device reads them: durations in nanoseconds, nothing to be changed', () => {
    const { values } = checkProperties(schema, { size: 2, period: '1984us' });
    const resolved = resolveProperties(schema, JSON.parse(JSON.stringify(values)));
    expect(resolved).toEqual({ irq: 8, size: 2, on: false, name: 'x', free: '', mode: 'slow', period: 1_984_000n });
    expect(Object.isFrozen(resolved)).toBe(true);
  });
});

describe('describeProperty', () => {
  test.each<[Property, string]>([
    [property.number({}), 'an integer from 0 to 4294967295'],
    [property.string({ pattern: /^x$/, expected: 'an x' }), 'an x'],
    [property.oneOf(['a'], {}), "one of 'a'"],
    [property.boolean({}), 'true or false'],
  ])('%o', (definition, text) => {
    expect(describeProperty(definition)).toBe(text);
  });
});
