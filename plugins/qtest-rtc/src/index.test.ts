import { readFileSync } from 'node:fs';
import { statementsIn, statementsOf } from '@qtest/sdk';
import { describe, expect, it } from 'vitest';
import plugin from './index.ts';
import { options } from './options.ts';
import { at, later, show } from './support.ts';

describe('the package', () => {
  it('describes every case in its README, with the statement it checks', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(statementsIn(readme)).toEqual(statementsOf(plugin));
  });
});

describe('options', () => {
  const { validate } = options['~standard'];

  it('have defaults', () => {
    const value = { epoch: '2011-11-11T00:00:00Z', seed: 0x146818 };
    expect(validate(undefined)).toEqual({ value });
    expect(validate({})).toEqual({ value });
    expect(validate({ seed: 1 })).toEqual({ value: { ...value, seed: 1 } });
  });

  it.each([
    [{ epoch: 'yesterday' }, 'epoch'],
    [{ epoch: '2011-13-11T00:00:00Z' }, 'epoch'],
  ])('refuse %j', (value, key) => {
    expect(validate(value)).toMatchObject({ issues: [{ path: [key] }] });
  });
});

describe('support', () => {
  it('reads and shows times, impossible ones too', () => {
    expect(at('2011-11-11 23:59:58')).toEqual({
      year: 2011,
      month: 11,
      day: 11,
      weekday: 6,
      hours: 23,
      minutes: 59,
      seconds: 58,
    });
    expect(show(at('2023-02-31 12:34:56'))).toBe('2023-02-31 12:34:56');
    expect(later('2023-12-31 23:59:59', 1)).toBe('2024-01-01 00:00:00');
  });
});
