import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { recall, remember } from './memory.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qtest-memory-'));
  file = join(folder, 'node_modules/.cache/names.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('names', () => {
  expect(recall(file)).toEqual({ names: [] });
  remember(file, ['a › b', 'c']);
  expect(recall(file)).toEqual({ names: ['a › b', 'c'] });
  remember(file, []);
  expect(recall(file)).toEqual({ names: [] });
});

test.each(['[x]', '', '["a"', '{"a":1}', '[1]', '["a",null]', '"a"', '\0', '['.repeat(10_000)])(
  'what is no list of names, %j, is nothing',
  (text) => {
    remember(file, ['a']);
    writeFileSync(file, text);
    expect(recall(file)).toEqual({ names: [], problem: 'it is no list of names' });
    remember(file, ['b']);
    expect(recall(file)).toEqual({ names: ['b'] });
  },
);

test('what is no file, or too much, is nothing', () => {
  mkdirSync(file, { recursive: true });
  remember(file, ['a']);
  expect(recall(file)).toMatchObject({ names: [], problem: 'it is a folder, and not a regular file' });
  rmSync(file, { recursive: true });
  symlinkSync('names.json', file);
  remember(file, ['a']);
  expect(recall(file)).toMatchObject({ names: [], problem: expect.stringContaining('ELOOP') });
  rmSync(file);
  writeFileSync(file, '');
  truncateSync(file, 2 ** 33);
  expect(recall(file)).toMatchObject({ names: [], problem: `it has more than ${2 ** 24} bytes` });
});

test.skipIf(process.platform === 'win32')('a FIFO is not waited for', () => {
  mkdirSync(join(folder, 'node_modules/.cache'), { recursive: true });
  execFileSync('mkfifo', [file]);
  remember(file, ['a']);
  expect(recall(file)).toMatchObject({ names: [], problem: 'it is a device or a FIFO, and not a regular file' });
});

test('a file where the folder should be', () => {
  mkdirSync(join(folder, 'node_modules'));
  writeFileSync(join(folder, 'node_modules/.cache'), 'mine');
  remember(file, ['a']);
  expect(recall(file)).toMatchObject({ names: [], problem: expect.stringContaining('ENOTDIR') });
});

test.skipIf(!existsSync('/proc/self'))('a folder below /proc, where none can be made', () => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync('/proc/none', join(folder, 'node_modules/.cache'));
  remember(file, ['a']);
  expect(recall(file)).toEqual({ names: [] });
});
