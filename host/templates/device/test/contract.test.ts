import { describe, test } from 'node:test';

import { deviceContract } from '@qtest/host/contract';

import { timer } from '../src/index.ts';

// What every device owes, whatever it does.
describe('the contract', () => {
  for (const { name, run } of deviceContract(timer)) test(name, run);
});
