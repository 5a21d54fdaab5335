import { readFileSync } from 'node:fs';
import { statementsIn, statementsOf } from '@qtest/sdk';
import { describe, expect, it } from 'vitest';
import plugin from './index.ts';
import { options } from './options.ts';
import { configAddress } from './support.ts';

describe('the package', () => {
  it('describes every case in its README, with the statement it checks', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(statementsIn(readme)).toEqual(statementsOf(plugin));
  });
});

describe('options', () => {
  const { validate } = options['~standard'];

  it('have defaults', () => {
    const value = { configAddress: 'qemu', seed: 0x8086 };
    expect(validate(undefined)).toEqual({ value });
    expect(validate({})).toEqual({ value });
    expect(validate({ configAddress: 'strict', seed: 1 })).toEqual({ value: { configAddress: 'strict', seed: 1 } });
  });

  it.each([[{ configAddress: 'lax' }, 'configAddress']])('refuse %j', (value, key) => {
    expect(validate(value)).toMatchObject({ issues: [{ path: [key] }] });
  });
});

describe('support', () => {
  it('makes CONFIG_ADDRESS', () => {
    expect(configAddress({ slot: 31, function: 7 }, 0xfc)).toBe(0x8000_fffc);
    expect(configAddress({ slot: 0, function: 0 }, 0)).toBe(0x8000_0000);
  });
});
