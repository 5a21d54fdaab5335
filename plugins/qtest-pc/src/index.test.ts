import { readFileSync } from 'node:fs';
import { statementsIn, statementsOf } from '@qtest/sdk';
import { describe, expect, it } from 'vitest';
import plugin from './index.ts';

describe('the package', () => {
  it('describes every case in its README, with the statement it checks', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(statementsIn(readme)).toEqual(statementsOf(plugin));
  });
});
