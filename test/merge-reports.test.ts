import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

import { XMLParser } from 'fast-xml-parser';
import { beforeAll, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, type Report } from './support/report.ts';

const { path, qtest, write } = project('command');
const GIVEN = ['--plugin', './clock.ts', '-t', '!ram/leaves-a-timer', '--coverage'];

/** What a run says but for how long it took, in the order of the names. */
function timeless({ cases, summary, ...more }: Report): unknown {
  const untimed = cases.map(({ duration: _, ...result }) => ({ ...result, failures: result.failures.length }));
  const named = untimed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { ...more, cases: named, summary: { ...summary, duration: 0 } };
}

/** JUnit's cases, in the order of the names. */
function junitCases(file: string): unknown {
  const parser = new XMLParser({
    ignoreAttributes: false,
    parseAttributeValue: true,
    isArray: (name) => name === 'testcase',
  });
  const parsed: Junit = parser.parse(readFileSync(join(path, file), 'utf8'));
  const { testcase, ...suite } = parsed.testsuites.testsuite;
  const cases = testcase.map(({ '@_time': _, ...one }) => one);
  return {
    suite: { ...suite, '@_time': 0, '@_timestamp': '' },
    cases: cases.toSorted((a, b) => (a['@_name'] < b['@_name'] ? -1 : 1)),
  };
}

interface Junit {
  readonly testsuites: { readonly testsuite: { readonly testcase: readonly { '@_name': string; '@_time': number }[] } };
}

let whole: Report;
beforeAll(async () => {
  mkdirSync(join(path, 'blobs'));
  const parts = ['1/2', '2/2'].map((shard) =>
    qtest([...GIVEN, '--shard', shard, '--reporter', `blob=blobs/${shard[0]}.blob`]),
  );
  const run = qtest([...GIVEN, '--json', '--add-reporter', 'junit=whole.xml']);
  expect((await Promise.all(parts)).map(({ code }) => code)).toContain(1);
  whole = jsonReport(await run);
});

test('the blobs of the shards make the report of the whole run', async () => {
  const merged = await qtest(['merge-reports', 'blobs', '--json', '--add-reporter', 'junit=merged.xml,spec=spec.txt']);
  expect(merged.code).toBe(1);
  const report = jsonReport(merged);
  expect(timeless(report)).toEqual(timeless(whole));
  expect(report.cases.map(({ name }) => name).slice(0, 3)).toEqual(['ram/keeps', 'time/one-second', 'time/virtual']);
  expect(junitCases('merged.xml')).toEqual(junitCases('whole.xml'));
  const spec = readFileSync(join(path, 'spec.txt'), 'utf8');
  expect(spec).toContain("clock  the PC's clock");
  expect(spec).toContain('run it again: npx qtest --plugin ./clock.ts -t wrong/rate');
  expect(spec).toMatch(/AssertionError: the rate[^]*?clock\.ts:\d+:\d+\n/);
  expect(merged.stderr).toContain('register coverage\n');
});

test('coverage is joined, from blobs and files, and is as much as it must be', async () => {
  const merged = await qtest([
    'merge-reports',
    'blobs/1.blob',
    'blobs/2.blob',
    '--coverage=all.json',
    '--reporter',
    'dot',
  ]);
  expect(merged.stdout).toMatch(/^\d passed, 2 failed.* of 7 cases/m);
  const files = await qtest([
    'merge-reports',
    'all.json',
    '--coverage-min',
    'mc146818rtc=99',
    '--coverage',
    'again.json',
  ]);
  expect(files.code).toBe(1);
  expect(files.stderr).toContain('less than 99 %');
  expect(files.stdout).not.toContain('passed');
  expect(readFileSync(join(path, 'again.json'), 'utf8')).toBe(readFileSync(join(path, 'all.json'), 'utf8'));
  expect((await qtest(['merge-reports', 'all.json', '--coverage-min', '1'])).code).toBe(0);
});

test('a shard that is missing is said, and is no success', async () => {
  const third = ['--plugin', './clock.ts', '-t', 'time/*', '--reporter'];
  const names = ['1', '2', '3'];
  const runs = names.map((name) => qtest([...third, `blob=${name}.blob`, '--shard', `${name}/3`]));
  expect((await Promise.all(runs)).map(({ code }) => code)).toEqual([0, 0, 0]);
  expect((await qtest(['merge-reports', '1.blob', '2.blob', '3.blob'])).code).toBe(0);
  const { code, stdout } = await qtest(['merge-reports', '1.blob', '3.blob']);
  expect(code).toBe(1);
  expect(stdout).toContain('warning: a shard is missing, and the cases in it: 2/3\n');
  const asked = await qtest(['merge-reports', '1.blob', '2.blob', '3.blob', '--coverage']);
  expect(asked.code).toBe(1);
  expect(asked.stderr).toContain('qtest: there is no coverage in them: run with --coverage\n');
});

test('places in sources are where the sources are now', async () => {
  const { path: elsewhere, qtest: there } = project();
  cpSync(join(path, 'clock.ts'), join(elsewhere, 'clock.ts'));
  cpSync(join(path, 'blobs'), join(elsewhere, 'blobs'), { recursive: true });
  const moved = readFileSync(join(path, 'blobs/1.blob'));
  const lines = gunzipSync(moved).toString().replaceAll(JSON.stringify(path).slice(1, -1), '/gone/away');
  writeFileSync(join(elsewhere, 'blobs/1.blob'), gzipSync(lines));
  const report = jsonReport(await there(['merge-reports', 'blobs', '--json']));
  const files = report.cases.flatMap(({ failures }) => failures.map(({ location }) => location?.file ?? ''));
  // One of the parts is of a folder that is there no more, the other of one that still is.
  expect(new Set(files)).toEqual(new Set([join(elsewhere, 'clock.ts'), join(path, 'clock.ts')]));
});

test('what cannot be: exit 2', async () => {
  const blob = readFileSync(join(path, 'blobs/1.blob'));
  const text = gunzipSync(blob).toString();
  cpSync(join(path, 'blobs/1.blob'), join(path, 'twice.blob'));
  writeFileSync(join(path, 'cut.blob'), blob.subarray(0, blob.length / 2));
  writeFileSync(join(path, 'early.blob'), gzipSync(text.split('\n').slice(0, 3).join('\n')));
  writeFileSync(join(path, 'newer.blob'), gzipSync(text.replace('"version":1', '"version":2')));
  writeFileSync(join(path, 'alone.blob'), gzipSync(text.replace(/"shard":\{[^}]*\},/, '')));
  writeFileSync(join(path, 'quarter.blob'), gzipSync(text.replace('"count":2', '"count":4')));
  writeFileSync(join(path, 'other.gz'), gzipSync('hello\n'));
  writeFileSync(join(path, 'damaged.blob'), gzipSync(text.replace('"cases":[', '"cases":[1,')));
  write({
    'notes.txt': 'hello\n',
    'empty.blob': '',
    'report.json': '{ "version": 1 }',
    'bad.json': '{ "version": 1, "coverage": [1] }',
  });
  mkdirSync(join(path, 'nothing'));
  for (const [args, message] of [
    [[], "missing required argument 'blob'"],
    [['absent'], 'absent: there is no such file or folder'],
    [['nothing'], 'nothing: the folder is empty; expected blobs'],
    [['notes.txt'], 'notes.txt is neither a blob, as --reporter blob=FILE writes it, nor coverage of version 1'],
    [['report.json'], 'report.json is neither a blob'],
    [['bad.json'], 'bad.json is neither a blob'],
    [['other.gz'], 'other.gz is no blob of qtest: expected what --reporter blob=FILE has written'],
    [['cut.blob'], 'cut.blob is not whole: expected what --reporter blob=FILE has written, to its end'],
    [['early.blob'], 'early.blob is not whole'],
    [['empty.blob'], 'empty.blob is empty: the run that was to write it did not come to its end'],
    [['newer.blob'], /newer\.blob, written by qtest \d+\.\d+\.\d+, is of version 2: expected version 1/],
    [['blobs', 'twice.blob'], 'shard 1/2 is in blobs/1.blob and in twice.blob: give each part of a run once'],
    [['blobs', './blobs/1.blob'], 'blobs/1.blob is given twice: give each part of a run once'],
    [['damaged.blob'], "damaged.blob, line 2, is damaged: expected the event 'runStart' as JSON"],
    [['blobs/1.blob', 'alone.blob'], /the case 'clock › .*' is in blobs\/1\.blob and in alone\.blob/],
    [
      ['blobs/2.blob', 'quarter.blob'],
      'blobs/2.blob is shard 2/2 and quarter.blob shard 1/4: give the parts of one run',
    ],
  ] as const) {
    const { code, stderr } = await qtest(['merge-reports', ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  }
  rmSync(join(path, 'nothing'), { recursive: true });
});
