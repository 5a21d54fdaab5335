import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { statementsIn, statementsOf } from '@qtest/sdk';

import plugin from '../src/index.ts';

test("the README's table is that of the cases", () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  deepEqual(statementsIn(readme), statementsOf(plugin));
});
