import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import type { ReportEvent } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, statuses } from './support/report.ts';

const command = project('command');

/** Three cases: one that passes, one that skips itself, one that fails. */
const THREE = ['--plugin', './clock.ts', '-t', 'ram/keeps', '-t', 'time/skips-itself', '-t', 'wrong/rate'];

const read = (name: string): string => readFileSync(join(command.path, name), 'utf8');

test('several at once, each to its place', async () => {
  const args = [...THREE, '--reporter', 'dot,json=both.json', '--add-reporter', 'jsonl=both.jsonl'];
  const { code, stdout, stderr } = await command.qtest(args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/\n1\) clock › wrong\/rate\n[^]*\n1 passed, 1 failed, 1 skipped of 3 cases in /);
  const report = jsonReport({ code, stdout: read('both.json'), stderr });
  expect(statuses(report).toSorted()).toEqual([
    'clock ram/keeps: pass',
    'clock time/skips-itself: skip',
    'clock wrong/rate: fail',
  ]);
  const lines = read('both.jsonl').trimEnd().split('\n');
  const events = lines.map((line): ReportEvent & { version?: number } => JSON.parse(line));
  expect(events[0]).toMatchObject({
    type: 'runStart',
    version: 1,
    cases: [{ plugin: 'clock', name: 'ram/keeps' }, {}, {}],
  });
  expect(events.at(-1)).toEqual({ type: 'done', summary: report.summary, interrupted: false });
  expect(events.filter(({ type }) => type === 'caseStart')).toHaveLength(3);
  expect(events.flatMap((event) => (event.type === 'caseEnd' ? [event.result] : []))).toEqual(report.cases);
});

test('dot: a letter a case', async () => {
  const { stdout } = await command.qtest([
    '--plugin',
    './clock.ts',
    '-t',
    'time/*',
    '-t',
    'wrong/*',
    '--reporter',
    'dot',
  ]);
  expect((stdout.split('\n\n')[0] ?? '').split('').toSorted().join('')).toBe('...FFs');
});

test('a document has standard output to itself', async () => {
  const { stdout, stderr } = await command.qtest([...THREE, '--reporter', 'jsonl']);
  for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('type');
  expect(stderr).toContain('to its standard output\n');
});

test('--json is the reporter json', async () => {
  const [a, b] = await Promise.all([
    command.qtest([...THREE, '--json']),
    command.qtest([...THREE, '--reporter', 'json']),
  ]);
  expect(statuses(jsonReport(b))).toEqual(statuses(jsonReport(a)));
});

test("the config's, relative to it; the command line's instead", async () => {
  mkdirSync(join(command.path, 'deep'));
  command.write({
    'deep/qtest.config.json': `{ "plugins": ["../clock.ts"], "reporters": ["json=here.json", "dot"] }`,
  });
  const given = ['--config', 'deep/qtest.config.json', '-t', 'time/virtual'];
  expect((await command.qtest(given)).stdout).toMatch(/^\.\n\n1 passed of 1 case/);
  expect(JSON.parse(read('deep/here.json'))).toMatchObject({ summary: { pass: 1 } });
  expect((await command.qtest([...given, '--reporter', 'spec'])).stdout).toContain('✓ virtual');
});

test('what cannot be: exit 2, before the first case', async () => {
  const bad: readonly (readonly [list: string, message: string])[] = [
    ['jnit', "'--reporter <list>' argument 'jnit' is invalid. Unknown reporter 'jnit'."],
    ['spec,', "Unknown reporter ''."],
    ['json=', "Expected a file after 'json='."],
    ['spec,json', "the reporters 'spec' and 'json' both write to standard output: give one a file of its own"],
    ['json=a,jsonl=./a', "the reporters 'json' and 'jsonl' both write to "],
  ];
  for (const [list, message] of bad) {
    const { code, stdout, stderr } = await command.qtest([...THREE, '--reporter', list]);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }
  const both = await command.qtest([...THREE, '--json', '--reporter', 'dot']);
  expect(both.stderr).toContain("option '--reporter <list>' cannot be used with option '--json'");
  expect(both.code).toBe(2);
});

test('a report that cannot be written: exit 1 with one line, before the first case', async () => {
  command.write({ 'a-file': '', 'in-the-way.json.partial/file': '' });
  mkdirSync(join(command.path, 'a-folder'));
  symlinkSync('loop.json', join(command.path, 'loop.json'));
  const bad: readonly (readonly [file: string, why: string])[] = [
    ['no/such/x.json', 'there is no such folder: make it first'],
    ['a-file/x.json', 'what should be its folder is a file'],
    ['a-folder', 'it is a folder'],
    ['in-the-way.json', 'in-the-way.json.partial is in the way: it is a folder'],
    ['loop.json', 'ELOOP: too many symbolic links encountered'],
  ];
  for (const [file, why] of bad) {
    const { code, stdout, stderr } = await command.qtest([
      ...THREE,
      '--reporter',
      `spec,jsonl=good.jsonl,json=${file}`,
    ]);
    expect(stderr.split('\n')).toEqual([expect.stringContaining(`the report ${file} can't be written: ${why}`), '']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  }
  expect(readdirSync(command.path).filter((name) => name.startsWith('good'))).toEqual([]);
});

test('a report that could not be written to its end: exit 1, and it is told', async () => {
  const { code, stdout, stderr } = await command.qtest(['-t', 'time/virtual', '--add-reporter', 'json=/dev/full']);
  expect(stdout).toContain('1 passed of 1 case');
  expect(stderr).toMatch(/^qtest: the report .*dev\/full is not complete: ENOSPC/);
  expect(code).toBe(1);
});

describe('the hook report', () => {
  const listen = ['--plugin', './listens.ts', ...THREE];

  test('is told what the reporters are told', async () => {
    const EVENTS = join(command.path, 'events');
    expect((await command.qtest([...listen, '-t', 'nope'], { env: { EVENTS } })).code).toBe(1);
    const events = read('events').trimEnd().split('\n');
    expect(events.slice(0, 2)).toEqual(['runStart', 'warning']);
    expect(events.filter((line) => line.startsWith('caseEnd')).toSorted()).toEqual([
      'caseEnd ram/keeps',
      'caseEnd time/skips-itself',
      'caseEnd wrong/rate',
    ]);
    expect(events.at(-1)).toBe('done');
  });

  test.each(['caseEnd', 'done'])('an error of a tap, at %s: it is told, and exit 1', async (at) => {
    const args = ['--plugin', './listens.ts', '--plugin', './clock.ts', '-t', 'time/virtual'];
    const { code, stdout, stderr } = await command.qtest(args, { env: { THROW_AT: at } });
    const message = "plugin 'listens', hook 'report': it hears no more";
    expect(stderr).toBe(`qtest: ${message}\n`);
    expect(stdout.includes(`warning: ${message}\n`)).toBe(at === 'caseEnd');
    expect(stdout).toContain('1 passed of 1 case');
    expect(code).toBe(1);
  });
});
