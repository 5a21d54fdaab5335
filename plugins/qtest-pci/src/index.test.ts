import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import plugin from './index.ts';
import { options } from './options.ts';
import { configAddress, random } from './support.ts';

const cases = Object.entries(plugin.run ?? {});

describe('the package', () => {
  it('describes every case in its README, with the statement it checks', () => {
    const rows = [
      ...readFileSync(new URL('../README.md', import.meta.url), 'utf8').matchAll(/^\| `(\S+\/\S+)` \| (.+?) \|/gm),
    ];
    expect(rows.map(([, name, statement]) => [name, statement])).toEqual(
      cases.map(([name, spec]) => [name, 'description' in spec ? spec.description : '']),
    );
  });

  it('gives no two cases one name', () => {
    // Records would have swallowed one of the two.
    expect(cases.length).toBe(121);
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

  it.each([
    [{ configAddress: 'lax' }, 'configAddress'],
    [{ seed: 1.5 }, 'seed'],
    [{ sed: 1 }, 'sed'],
  ])('refuse %j', (value, key) => {
    expect(validate(value)).toMatchObject({ issues: [{ path: [key] }] });
  });

  it('refuse what is no object', () => {
    expect(validate([])).toMatchObject({ issues: [{ message: 'expected an object' }] });
  });
});

describe('support', () => {
  it('makes CONFIG_ADDRESS', () => {
    expect(configAddress({ slot: 31, function: 7 }, 0xfc)).toBe(0x8000_fffc);
    expect(configAddress({ slot: 0, function: 0 }, 0)).toBe(0x8000_0000);
  });

  it('has a random stream that repeats', () => {
    const [one, other] = [random(1), random(1)];
    expect(Array.from({ length: 5 }, one)).toEqual(Array.from({ length: 5 }, other));
  });
});
