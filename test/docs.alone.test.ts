import { test } from 'vitest';

import { followPage, PAGE_TIMEOUT } from './docs/reader.ts';

// Its cases in real time show how exact they are, which other tests beside it on a small machine would spoil.
test('README.md: its files compile, its commands print what it shows', { timeout: PAGE_TIMEOUT }, () =>
  followPage('README.md'),
);
