import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { XMLParser } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { jsonReport, resultOf, statuses } from './support/report.ts';

/** Each case counts its runs in a file of its own, and does by their number what its name says. */
const COUNTING = `import { appendFileSync, readFileSync } from 'node:fs';
import { definePlugin } from '@qtest/sdk';

function runs(name: string): number {
  appendFileSync(name, 'x');
  return readFileSync(name, 'utf8').length;
}

export default definePlugin({
  name: 'counting',
  description: '',
  run: {
    flaky({ assert }) {
      if (runs('flaky') < 3) assert.fail('not yet');
    },
    crashes() {
      if (runs('crashes') === 1) process.exit(1);
    },
    bad({ assert }) {
      runs('bad');
      assert.fail('never');
    },
    good() {
      runs('good');
    },
    skips: ({ skip }) => skip('no card'),
    third({ assert }) {
      if (runs('third') === 3) assert.fail('the third run');
    },
  },
});
`;

const counting = (): Project =>
  project(undefined, { 'counting.ts': COUNTING, 'qtest.config.json': '{ "plugins": ["./counting.ts"] }' });
const runsOf = ({ path }: Project, name: string): number => readFileSync(join(path, name), 'utf8').length;

describe('--retries', () => {
  test('one that passes then is flaky, and every reporter says so', async () => {
    const here = counting();
    const files = 'spec,json=r.json,tap=r.tap,junit=r.xml,github';
    const args = ['--retries', '2', '-t', '!third', '-t', '!crashes', '--reporter', files];
    const { code, stdout, stderr } = await here.qtest(args);
    const read = (name: string): string => readFileSync(join(here.path, name), 'utf8');
    expect(stdout).toContain('✓ flaky  flaky: passed on retry 2; before: not yet, ');
    expect(stdout).toContain('✗ bad  also on 2 retries, ');
    expect(stdout).toContain('2 passed (1 flaky), 1 failed, 1 skipped of 4 cases in ');
    expect(stdout).toContain('::warning title=counting › flaky::flaky: passed on retry 2; before: not yet\n');
    const report = jsonReport({ code, stdout: read('r.json'), stderr });
    expect(report.summary).toMatchObject({ pass: 2, fail: 1, flaky: 1 });
    expect(resultOf(report, 'flaky')).toMatchObject({ status: 'pass', retries: 2, earlier: [{ message: 'not yet' }] });
    expect(resultOf(report, 'bad')).toMatchObject({ status: 'fail', retries: 2 });
    expect(resultOf(report, 'good')).not.toHaveProperty('retries');
    expect(read('r.tap')).toMatch(/^ok \d - counting › flaky\n {2}---\n[^]*? {2}flaky: true\n/m);
    const { testsuites } = new XMLParser({ ignoreAttributes: false }).parse(read('r.xml'));
    const cases: readonly Readonly<Record<string, unknown>>[] = testsuites.testsuite.testcase;
    expect(cases.find((one) => one['@_name'] === 'flaky')).toMatchObject({
      flakyFailure: { '@_message': 'not yet', '@_type': 'AssertionError' },
    });
    expect(['flaky', 'bad', 'good'].map((name) => runsOf(here, name))).toEqual([3, 3, 1]);
    expect(code).toBe(1);
  });

  test('after a crash, on a new machine; flaky alone is no failure', async () => {
    const { code, stdout } = await counting().qtest([
      '--retries',
      '5',
      '-t',
      'crashes',
      '-t',
      'good',
      '--reporter',
      'dot',
    ]);
    expect(stdout).toMatch(/^f\.\n\n2 passed \(1 flaky\) of 2 cases/);
    expect(code).toBe(0);
  });
});

test('--repeat: until it does not pass', async () => {
  const here = counting();
  const report = jsonReport(await here.qtest(['--repeat', '5', '-t', 'third', '-t', 'good', '-t', 'skips', '--json']));
  expect(resultOf(report, 'third')).toMatchObject({ status: 'fail', runs: 3 });
  expect(resultOf(report, 'good')).toMatchObject({ status: 'pass', runs: 5 });
  expect(resultOf(report, 'skips')).not.toHaveProperty('runs');
  expect([runsOf(here, 'third'), runsOf(here, 'good')]).toEqual([3, 5]);
});

test('--bail: what has not started is skipped, with the reason', async () => {
  const given = ['--json', '-t', 'bad', '-t', 'good', '-t', 'skips', '-t', 'flaky'];
  const once = await counting().qtest([...given, '--bail']);
  expect(once.code).toBe(1);
  expect(statuses(jsonReport(once))).toEqual([
    'counting flaky: fail',
    'counting bad: skip',
    'counting good: skip',
    'counting skips: skip',
  ]);
  expect(resultOf(jsonReport(once), 'good').reason).toBe('not run, as 1 case did not pass (--bail)');
  const twice = jsonReport(await counting().qtest([...given, '--bail=2']));
  expect(statuses(twice).slice(0, 3)).toEqual(['counting flaky: fail', 'counting bad: fail', 'counting good: skip']);
});

test('--last-failed: those that did not pass, until they do; what was not run stays', async () => {
  const here = counting();
  const failed = async (...args: readonly string[]): Promise<readonly string[]> =>
    statuses(jsonReport(await here.qtest([...args, '--json'])));
  const none = await here.qtest(['--last-failed']);
  expect(none.stderr).toBe(
    'qtest: no cases: none of those selected did not pass when it was last run (--last-failed)\n',
  );
  expect(none.code).toBe(1);
  await here.qtest(['-t', 'flaky', '-t', 'bad', '-t', 'good']);
  await here.qtest(['-t', 'good']);
  expect(await failed('--last-failed')).toEqual(['counting flaky: fail', 'counting bad: fail']);
  expect(await failed('--last-failed', '-t', 'flaky')).toEqual(['counting flaky: pass']);
  expect(await failed('--last-failed')).toEqual(['counting bad: fail']);
  // Another config, another memory.
  here.write({ 'other/qtest.config.json': '{ "plugins": ["../counting.ts"] }' });
  expect((await here.qtest(['--config', 'other/qtest.config.json', '--last-failed'])).stderr).toContain(
    'no cases: none',
  );
});

test.each(['[x]', '["counting', '[1]'])('a memory that is bad, %s, is no reason to stop', async (text) => {
  const here = counting();
  const spoil = (): void => here.write({ 'node_modules/.cache/qtest/last-failed.json': text });
  spoil();
  const plain = await here.qtest(['-t', 'good', '--reporter', 'dot']);
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout).not.toContain('warning');
  spoil();
  const all = await here.qtest(['-t', 'good', '-t', 'bad', '--last-failed', '--reporter', 'dot']);
  expect(all.stdout).toMatch(/^warning: --last-failed: every case is run, as .*last-failed.json can't be read: .*$/m);
  expect(all.stdout).toContain('1 passed, 1 failed of 2 cases');
  expect(all).toMatchObject({ code: 1, stderr: '' });
  // It is whole again.
  const { stdout } = await here.qtest(['-t', 'good', '-t', 'bad', '--last-failed', '--reporter', 'dot']);
  expect(stdout).toContain('1 failed of 1 case');
});

test('what cannot be: exit 2', async () => {
  const here = counting();
  for (const [args, message] of [
    [['--retries', '0'], "option '--retries <n>' argument '0' is invalid. Expected an integer from 1 to 1000000."],
    [['--bail=x'], "option '--bail [n]' argument 'x' is invalid."],
    [['--repeat', '2', '--retries', '1'], "option '--repeat <n>' cannot be used with option '--retries <n>'"],
  ] as const) {
    const { code, stderr } = await here.qtest(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  }
});
