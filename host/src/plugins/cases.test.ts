import { definePlugin } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { collectCases, findCase } from './cases.ts';

const nothing = (): void => undefined;

test('a record of cases, in its order', () => {
  const plugin = definePlugin<unknown>({
    name: 'a',
    description: '',
    vcpus: 2,
    run: {
      'b/c': nothing,
      a: { run: nothing, description: 'first', requires: ['snapshot'], clock: 'realtime', timeout: '1.5ms' },
      single: { run: nothing, vcpus: 1 },
    },
  });
  expect(collectCases(plugin)).toEqual([
    { name: 'b/c', requires: [], vcpus: 2 },
    { name: 'a', description: 'first', requires: ['snapshot'], clock: 'realtime', timeout: 1_500_000n, vcpus: 2 },
    { name: 'single', requires: [], vcpus: 1 },
  ]);
  expect(findCase(plugin, 'b/c')).toBe(nothing);
  expect(findCase(plugin, 'a')).toBe(nothing);
  expect(findCase(plugin, 'b')).toBeUndefined();
  expect(findCase(plugin, 'toString')).toBeUndefined();
});

test("a function is one case, 'run'", () => {
  const plugin = definePlugin<unknown>({ name: 'a', description: '', run: nothing });
  expect(collectCases(plugin)).toEqual([{ name: 'run', requires: [], vcpus: 1 }]);
  expect(findCase(plugin, 'run')).toBe(nothing);
  expect(findCase(plugin, 'a')).toBeUndefined();
});

test('a plugin without run has none', () => {
  const plugin = definePlugin<unknown>({ name: 'a', description: '', apply: nothing });
  expect(collectCases(plugin)).toEqual([]);
  expect(findCase(plugin, 'run')).toBeUndefined();
});
