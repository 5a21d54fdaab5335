import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BankCoverage, TypeCoverage } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, resultOf } from './support/report.ts';
import { REPOSITORY } from './support/run.ts';

const { path, qtest, write } = project('command');
const RTC = ['--no-config', '--plugin', join(REPOSITORY, 'plugins/qtest-rtc')];

interface File {
  readonly version: number;
  readonly coverage: readonly TypeCoverage[];
}

function coverageIn(file: string): File {
  const found: File = JSON.parse(readFileSync(join(path, file), 'utf8'));
  return found;
}

function registerOf(banks: readonly BankCoverage[] | undefined, name: string) {
  return banks?.flatMap(({ registers }) => registers).find((register) => register.name === name);
}

test('the RTC package: what a case has touched, and what the run has', async () => {
  const given = [...RTC, '-t', 'alarm/interrupt', '-t', 'periodic/64hz'];
  const { stdout, stderr, code } = await qtest([...given, '--json', '--coverage', 'coverage.json']);
  expect(code).toBe(0);
  // Standard output is one document.
  expect(stderr).toMatch(/^register coverage\n\ndevice {2,}read .*\nmc146818rtc +\d+\/130 /m);
  const report: ReturnType<typeof jsonReport> & File = JSON.parse(stdout);
  expect(report.coverage).toEqual(coverageIn('coverage.json').coverage);
  expect(coverageIn('coverage.json').version).toBe(1);
  const total = report.coverage.find(({ type }) => type === 'mc146818rtc');
  const cases = report.cases.map(({ coverage = [] }) => coverage.find(({ device }) => device === 'rtc0')?.banks);
  expect(cases).toHaveLength(given.filter((word) => word === '-t').length);
  const reads = cases.map((banks) => registerOf(banks, 'C')?.reads ?? 0);
  expect(Math.min(...reads)).toBeGreaterThan(0);
  expect(registerOf(total?.banks, 'C')?.reads).toBe(reads.reduce((sum, count) => sum + count, 0));
  // Reading C clears the flags that it shows.
  expect(registerOf(total?.banks, 'C')?.fields.find(({ name }) => name === 'UF')?.effect).toBe(true);
  // Each begins with nothing: the alarm is the first one's alone.
  expect(cases.map((banks) => registerOf(banks, 'SECONDS_ALARM') !== undefined)).toEqual([true, false]);
  // Nobody has been at this one: a case says nothing of it, and the run that it was not touched.
  expect(cases.map((banks) => registerOf(banks, 'RAM_40'))).toEqual([undefined, undefined]);
  expect(registerOf(total?.banks, 'RAM_40')).toMatchObject({ reads: 0, writes: 0 });
});

test('a case that is killed has its coverage; one that is run again, that of all its runs', async () => {
  write({
    'killed.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({
  name: 'killed',
  description: 'hangs',
  run: {
    hangs({ vcpu }) {
      vcpu.outb(0x70, 0x0a);
      vcpu.inb(0x71);
      for (;;);
    },
  },
});
`,
  });
  const ended = await qtest([
    '--plugin',
    './killed.ts',
    '--json',
    '--coverage',
    '--timeout',
    '300ms',
    '--retries',
    '1',
  ]);
  const { status, coverage, retries } = resultOf(jsonReport(ended), 'hangs');
  expect({ status, retries }).toEqual({ status: 'timeout', retries: 1 });
  expect(coverage).toMatchObject([{ device: 'rtc0', banks: [{ name: 'ports' }, { name: 'ports[INDEX]' }] }]);
  expect(registerOf(coverage?.[0]?.banks, 'A')).toMatchObject({ reads: 2, writes: 0 });
});

test('without --coverage nothing is measured', async () => {
  const ended = await qtest(['--plugin', './clock.ts', '-t', 'ram/keeps', '--json']);
  expect(resultOf(jsonReport(ended), 'ram/keeps')).not.toHaveProperty('coverage');
  expect(JSON.parse(ended.stdout)).not.toHaveProperty('coverage');
});

test('a minimum: of all, or of a type of device; from the command line or the config', async () => {
  const given = ['--plugin', './clock.ts', '-t', 'ram/keeps'];
  const enough = await qtest([...given, '--coverage-min', '10', '--coverage-min', 'mc146818rtc=20']);
  expect(enough.code).toBe(0);
  expect(enough.stdout).toContain('1 passed of 1 case');
  expect(enough.stdout).toContain('register coverage\n');
  const little = await qtest([...given, '--coverage-min', 'mc146818rtc=99.5', '--coverage-min', 'i8259=1']);
  expect(little.code).toBe(1);
  expect(little.stderr).toMatch(
    /^qtest: coverage of mc146818rtc is \d\d\.\d %, less than 99\.5 %\nmc146818rtc lacks\n/m,
  );
  expect(little.stderr).toMatch(/ports\[INDEX\]: never touched: SECONDS … RAM_3F/);
  expect(little.stderr).toMatch(/^qtest: coverage of i8259 is 0\.0 %, less than 1 %\n/m);
  write({
    'min.config.ts': `export default { plugins: ['./clock.ts'], coverage: 'own.json', coverageMin: { lamp: 1 } };`,
  });
  const absent = await qtest(['--config', 'min.config.ts', '-t', 'ram/keeps']);
  expect(absent.code).toBe(1);
  expect(absent.stderr).toMatch(/^qtest: coverage of lamp: no machine of this run has one .*\bmc146818rtc\b/m);
  expect(coverageIn('own.json').coverage.length).toBeGreaterThan(5);
});

test('what cannot be: exit 2', async () => {
  for (const [args, message] of [
    [
      ['--coverage', 'list'],
      "option '--coverage [file]' argument 'list' is invalid. Expected a file, whose name ends in",
    ],
    [['--coverage-min', '101'], "argument '101' is invalid. Expected a percentage from 0 to 100, or type=percentage"],
    [['--coverage-min', '50', '--shard', '1/2'], "--coverage-min is for a whole run: give it to 'qtest merge-reports'"],
  ] as const) {
    const { code, stderr } = await qtest(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  }
});

test.each([
  ['absent/coverage.json', 'there is no such folder: make it first'],
  ['folder.json', 'it is a folder'],
])('a file that cannot be written: %s', async (file, why) => {
  write({ 'folder.json/file': '' });
  const { code, stderr } = await qtest([...RTC, '-t', 'ram/*', '--reporter', 'dot', '--coverage', file]);
  expect(stderr).toContain(`qtest: the coverage ${file} can't be written: ${why}\n`);
  expect(code).toBe(1);
});
