import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readBounded } from './read-bounded.ts';

const dir = mkdtempSync(join(tmpdir(), 'qtest-bounded-'));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => join(dir, name);

test.each([0, 1, 65_535, 65_536, 65_537, 200_000])('reads a file of %d bytes whole', (size) => {
  const bytes = Buffer.alloc(size, 'abcdefg');
  writeFileSync(at('f'), bytes);
  symlinkSync('f', at(`to-${size}`));
  expect(readBounded(at(`to-${size}`), size)).toEqual(bytes);
  if (size > 0) expect(() => readBounded(at('f'), size - 1)).toThrow(`it has more than ${size - 1} bytes`);
});

test.skipIf(process.platform !== 'linux')('reads a file of /proc, whose size is told to be 0', () => {
  expect(readBounded('/proc/self/status', 10_000).toString()).toContain('Name:');
  expect(() => readBounded('/proc/self/status', 10)).toThrow('it has more than 10 bytes');
});

test('refuses what has no end, or no beginning', () => {
  spawnSync('mkfifo', [at('fifo')]);
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 2 ** 40);
  for (const path of ['/dev/zero', at('fifo')])
    expect(() => readBounded(path, 100)).toThrow('it is a device or a FIFO, and not a regular file');
  expect(() => readBounded(dir, 100)).toThrow('it is a folder, and not a regular file');
  expect(() => readBounded(at('sparse'), 100)).toThrow('it has more than 100 bytes');
  expect(() => readBounded(at('nowhere'), 100)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
