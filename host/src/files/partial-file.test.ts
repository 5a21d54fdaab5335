import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { PartialFile, writeWhole } from './partial-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qtest-partial-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(at(name), 'utf8');

test('what was there before stays until the file is whole', () => {
  writeFileSync(at('a'), 'before');
  const file = new PartialFile(at('a'));
  file.write('one ');
  file.write('two');
  expect([read('a'), read('a.partial')]).toEqual(['before', 'one two']);
  file.put();
  expect(read('a')).toBe('one two');
  expect(readdirSync(folder)).toEqual(['a']);
});

test('one that does not become whole stays beside its place; an empty one goes', () => {
  const begun = new PartialFile(at('a'));
  begun.write('one');
  begun.leave();
  new PartialFile(at('b')).leave();
  expect(readdirSync(folder)).toEqual(['a.partial']);
});

test('it has the mode of the file that it replaces', () => {
  writeFileSync(at('a'), 'before');
  chmodSync(at('a'), 0o640);
  writeWhole(at('a'), 'after');
  expect(read('a')).toBe('after');
  expect(statSync(at('a')).mode & 0o777).toBe(0o640);
});

test.each(['b', 'sub/b'])('a link to %s stays one, also when nothing is there yet', (target) => {
  mkdirSync(at('sub'));
  symlinkSync(target, at('a'));
  for (const text of ['first', 'second']) {
    writeWhole(at('a'), text);
    expect(read(target)).toBe(text);
    expect(lstatSync(at('a')).isSymbolicLink()).toBe(true);
  }
});

test('one that was left is taken over; a link of its name is not followed', () => {
  writeFileSync(at('a.partial'), 'left by a kill, and longer than the new one');
  writeWhole(at('a'), 'new');
  writeFileSync(at('victim'), 'mine');
  symlinkSync('victim', at('b.partial'));
  writeWhole(at('b'), 'new');
  expect([read('a'), read('b'), read('victim')]).toEqual(['new', 'new', 'mine']);
});

test('of two that write one file, the one that began last has it, and the other is told', () => {
  const [first, second] = [new PartialFile(at('a')), new PartialFile(at('a'))];
  first.write('first');
  second.write('sec');
  expect(() => first.put()).toThrow("a.partial is not this run's any more: another run");
  first.discard();
  second.write('ond');
  second.put();
  expect(read('a')).toBe('second');
  const [third, fourth] = [new PartialFile(at('a')), new PartialFile(at('a'))];
  fourth.write('fourth');
  fourth.put();
  expect(() => third.put()).toThrow("a.partial is not this run's any more");
  expect(read('a')).toBe('fourth');
});

test('its folder may go meanwhile', () => {
  mkdirSync(at('sub'));
  const file = new PartialFile(at('sub/a'));
  rmSync(at('sub'), { recursive: true });
  expect(() => file.put()).toThrow('its folder is there no more');
});

test('what is a folder is in the way', () => {
  mkdirSync(at('a.partial'));
  expect(() => new PartialFile(at('a'))).toThrow('a.partial is in the way: ');
  expect(() => new PartialFile(folder)).toThrow('EISDIR');
});

test('a draft stays until what replaces it is whole', () => {
  const draft = new PartialFile(at('a'));
  draft.write('draft');
  const whole = new PartialFile(at('a.partial'), '.whole');
  whole.write('whole');
  expect(read('a.partial')).toBe('draft');
  draft.replaceBy(whole);
  expect(read('a.partial')).toBe('whole');
  draft.put();
  expect(read('a')).toBe('whole');
  expect(readdirSync(folder)).toEqual(['a']);
});

test.skipIf(process.platform === 'win32')('a device is written directly', () => {
  writeWhole('/dev/null', 'x');
  expect(existsSync('/dev/null.partial')).toBe(false);
  if (existsSync('/dev/full')) expect(() => writeWhole('/dev/full', 'x')).toThrow('ENOSPC');
});

test.skipIf(process.platform !== 'linux')('a FIFO and a file of the process are written directly', () => {
  const script = `import { writeWhole } from ${JSON.stringify(import.meta.resolve('./partial-file.ts'))};
    writeWhole('/dev/fd/3', 'three'); writeWhole('fifo', 'through'); writeWhole('/dev/stdout', 'one');`;
  writeFileSync(at('write.mjs'), script);
  const shell = `mkfifo fifo; echo before >log; cat fifo >got & ${process.execPath} write.mjs 3>>log >out; wait`;
  execFileSync('sh', ['-c', shell], { cwd: folder });
  expect([read('log'), read('got'), read('out')]).toEqual(['before\nthree', 'through', 'one']);
  expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
});
