import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf } from './support/report.ts';
import { REPOSITORY } from './support/run.ts';

/** `--schedule`, on the race that the documentation shows. */

const race = project(undefined, {
  'race.ts': readFileSync(join(REPOSITORY, 'examples/race/race.ts'), 'utf8'),
  'qtest.config.json': '{ "plugins": ["./race.ts"] }',
  'mark.ts': `import { writeFileSync } from 'node:fs';
import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'mark', description: '', apply({ hooks }) {
  hooks.caseEnd.tap('mark', ({ seed }) => { if (seed === 5) writeFileSync('mark', ''); });
} });
`,
});

/** What a shell makes of a command without quotes: its words after `npx qtest`. */
const words = (command: string): string[] => command.split(' ').slice(2);

test('explore finds a seed, and the command in the report finds it again every time; with the guard it passes', async () => {
  const { code, stdout, stderr } = await race.qtest(['--schedule', 'explore=100']);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toMatch(/\n {2}✗ unguarded {2}\d+ seeds, .*\n {2}✓ guarded {2}100 seeds, /);
  const [, seed, passed] = /schedule: seed (\d+); (\d+) before it passed\n/.exec(stdout) ?? [];
  expect(Number(passed)).toBe(Number(seed) - 1);
  const found = failureText({ code, stdout, stderr }, 'race', 'unguarded');
  expect(found.rerun).toBe(`npx qtest --plugin ./race.ts -t unguarded --schedule ${seed}`);
  for (let n = 0; n < 5; n++) {
    const again = failureText(await race.qtest(words(found.rerun)), 'race', 'unguarded');
    expect(again.text).toBe(found.text.replace(/; \d+ before it passed/, ''));
    expect(again.rerun).toBe(found.rerun);
  }
  // None before it fails.
  const before = await race.qtest(['--json', '-t', 'unguarded', '--schedule', `explore=${passed}`]);
  expect(before.code).toBe(0);
});

test('for a program', async () => {
  const explored = jsonReport(await race.qtest(['--json', '--schedule', 'explore=100']));
  const { schedule, attempts, status } = resultOf(explored, 'unguarded');
  expect({ status, attempts }).toEqual({ status: 'fail', attempts: schedule });
  expect(resultOf(explored, 'guarded')).toMatchObject({ status: 'pass', schedule: 100, attempts: 100 });
  expect(explored.summary).toMatchObject({ pass: 1, fail: 1 });
  const once = resultOf(jsonReport(await race.qtest(['--json', '--schedule', String(schedule)])), 'unguarded');
  expect(once).toMatchObject({ status: 'fail', schedule });
  expect(once).not.toHaveProperty('attempts');
});

test('several machines explore at once', async () => {
  const report = jsonReport(await race.qtest(['--json', '--jobs', '2', '--schedule', 'explore=100']));
  expect(report.cases.map(({ name, status }) => `${name}: ${status}`).toSorted()).toEqual([
    'guarded: pass',
    'unguarded: fail',
  ]);
});

test('free, and the guard holds there too', async () => {
  const report = jsonReport(await race.qtest(['--json', '-t', 'guarded', '--schedule', 'free']));
  expect(resultOf(report, 'guarded')).toMatchObject({ status: 'pass', schedule: 'free' });
});

test('the config says it, and the command before it', async () => {
  race.write({ 'explore.json': '{ "plugins": ["./race.ts"], "schedule": "explore=100" }' });
  const config = ['--json', '--config', 'explore.json', '-t', 'guarded'];
  expect(resultOf(jsonReport(await race.qtest(config)), 'guarded')).toMatchObject({ attempts: 100 });
  const seven = resultOf(jsonReport(await race.qtest([...config, '--schedule', '7'])), 'guarded');
  expect(seven).toMatchObject({ schedule: 7 });
  expect(seven).not.toHaveProperty('attempts');
});

test('Ctrl-C while it explores', async () => {
  const running = race.start(['--plugin', './mark.ts', '--plugin', './race.ts', '--schedule', 'explore=1000000']);
  await vi.waitUntil(() => existsSync(join(race.path, 'mark')), { timeout: 20_000, interval: 10 });
  // The unguarded case has failed by its seed or has been ended; the guarded one would go on for an hour.
  running.signal('SIGINT');
  const { code, stdout } = await running.ended;
  expect(stdout).toMatch(/\ninterrupted\n0 passed, .* of 2 cases in /);
  expect(stdout).toMatch(/\n {2}↓ guarded {2}.*interrupted/);
  expect(code).toBe(130);
});

describe('what holds for two and four VCPUs on a PC, whoever comes first', () => {
  const vcpus = project('vcpus');
  const PCI = join(REPOSITORY, 'plugins/qtest-pci');

  test.each([
    // Two seeds of each rate of switching.
    ['--schedule', 'explore=16'],
    ['--schedule', 'free'],
    ['--clock', 'realtime'],
  ])('%s %s', { timeout: 120_000 }, async (option, value) => {
    const args = [
      '--json',
      '--plugin',
      './pc.ts',
      '--plugin',
      PCI,
      '-t',
      'pc/2',
      '-t',
      'pc/4',
      '-t',
      'smp',
      option,
      value,
    ];
    const { cases, summary } = jsonReport(await vcpus.qtest(args, { timeout: 100_000 }));
    expect(cases.filter(({ status }) => status !== 'pass')).toEqual([]);
    expect(summary.pass).toBe(22);
    if (value === 'explore=16') expect(cases.map(({ attempts }) => attempts)).toEqual(Array(22).fill(16));
  });
});
