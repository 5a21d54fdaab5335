import { expect, test } from 'vitest';

import { didYouMean, nearest } from './nearest.ts';

test('a typing error is near: a letter more, less, other or swapped', () => {
  for (const typed of ['pluginss', 'plugin', 'plugims', 'plugisn', 'PLUGINS']) {
    expect(nearest(typed, ['plugins', 'clock', 'timeout'])).toEqual(['plugins']);
  }
});

test('the nearest comes first', () => {
  expect(nearest('alarm/hour', ['alarm/hourly', 'alarm/hours', 'periodic/drift'])).toEqual([
    'alarm/hours',
    'alarm/hourly',
  ]);
});

test('nothing is near to a word of its own', () => {
  expect(nearest('quux', ['plugins', 'clock'])).toEqual([]);
  expect(didYouMean('quux', ['plugins'])).toBe('');
  expect(didYouMean('plugin', ['plugins'])).toBe(" Did you mean 'plugins'?");
});
