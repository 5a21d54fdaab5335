import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { scratch } from '../../../test/support/scratch.ts';
import { openLog } from './request-log.ts';

test('what a client sends does nothing to the terminal on which its log is read', () => {
  const folder = scratch();
  const file = join(folder.path, 'log');
  const log = openLog(file, () => {});
  log.request('inb \u001b[2J\u009b8m\r0x71');
  log.reply('OK 0x0002\r\n');
  const lines = readFileSync(file, 'latin1').split('\n');
  folder.remove();
  expect(lines.map((line) => line.replace(/\+[\d.]+/, '+t'))).toEqual([
    String.raw`[R +t] inb \x1b[2J\x9b8m\x0d0x71`,
    '[S +t] OK 0x0002',
    '',
  ]);
});
