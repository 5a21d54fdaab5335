import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { project } from './support/project.ts';
import { BIN, start } from './support/run.ts';

const FILES = ['o.blob', 'o.dot', 'o.gh', 'o.html', 'o.json', 'o.jsonl', 'o.tap', 'o.xml'];
const REPORTERS = 'spec,json=o.json,junit=o.xml,html=o.html,blob=o.blob,jsonl=o.jsonl,tap=o.tap,dot=o.dot,github=o.gh';
const SLOW = ['--plugin', './slow.ts', '--jobs', '1', '--reporter', REPORTERS];

function slowProject(): ReturnType<typeof project> & { read: (name: string) => string; reports: () => string[] } {
  const here = project('command');
  return {
    ...here,
    read: (name) => readFileSync(join(here.path, name), 'utf8'),
    reports: () => readdirSync(here.path).filter((name) => name.startsWith('o.')),
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

test('a kill leaves what was reported, and the reports of before; the next run takes over', async () => {
  const here = slowProject();
  here.write(Object.fromEntries(FILES.map((name) => [name, `${name} of before`])));
  const running = here.start(SLOW);
  await until(() => here.reports().includes('o.dot.partial') && here.read('o.dot.partial').length >= 6);
  running.signal('SIGKILL');
  await running.ended;
  for (const name of FILES) expect(here.read(name)).toBe(`${name} of before`);
  const ended = here.read('o.dot.partial').length;
  expect(ended).toBeLessThan(12);
  const told = {
    json: count(here.read('o.json.partial'), /"name": "c\d+"/g),
    junit: count(here.read('o.xml.partial'), /<testcase /g),
    html: count(here.read('o.html.partial'), /^[✓✗] slow › c\d+/gm),
    tap: count(here.read('o.tap.partial'), /^(?:not )?ok /gm),
    jsonl: count(here.read('o.jsonl.partial'), /"type":"caseEnd"/g),
    blob: count(gunzipSync(readFileSync(join(here.path, 'o.blob.partial'))).toString(), /"type":"caseEnd"/g),
  };
  // They are told one after another: a kill may come between two of them.
  for (const n of Object.values(told)) expect([ended, ended + 1]).toContain(n);
  expect(here.read('o.gh.partial')).toContain('::error ');

  expect((await here.qtest(SLOW)).code).toBe(1);
  expect(here.reports()).toEqual(FILES);
  expect(JSON.parse(here.read('o.json'))).toMatchObject({ summary: { pass: 9, fail: 3 } });
  expect(here.read('o.xml')).toMatch(/^<\?xml[^]* tests="12" failures="3"[^]*<\/testsuites>\n$/);
  expect(here.read('o.html')).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
}, 60_000);

test('of two runs with the same files, the one that began last writes them, and the other says so', async () => {
  const here = slowProject();
  const first = here.start(SLOW);
  await until(() => here.reports().includes('o.dot.partial') && here.read('o.dot.partial').length >= 1);
  const [second, ended] = await Promise.all([here.qtest(SLOW), first.ended]);
  expect(second).toMatchObject({ code: 1, stderr: '' });
  const told = ended.stderr.trimEnd().split('\n');
  expect(told).toHaveLength(FILES.length);
  for (const name of FILES) {
    expect(told.join('\n')).toContain(
      `qtest: the report ${name} can't be put in its place: ${name}.partial is not this run's any more`,
    );
  }
  expect(ended.code).toBe(1);
  expect(here.reports()).toEqual(FILES);
  expect(JSON.parse(here.read('o.json'))).toMatchObject({ summary: { pass: 9, fail: 3 } });
}, 60_000);

test('a folder that vanishes: exit 1, and a line for each report', async () => {
  const here = slowProject();
  here.write({ 'out/keep': '' });
  const args = ['--plugin', './slow.ts', '-t', 'c1', '-t', 'c2', '--jobs', '1'];
  const running = here.start([...args, '--reporter', 'spec,tap=out/o.tap,json=out/o.json']);
  await until(() => readdirSync(join(here.path, 'out')).includes('o.json.partial'));
  rmSync(join(here.path, 'out'), { recursive: true });
  const { code, stdout, stderr } = await running.ended;
  expect(stdout).toContain('2 passed of 2 cases');
  expect(stderr.trimEnd().split('\n')).toEqual(
    ['o.tap', 'o.json'].map(
      (name) => `qtest: the report out/${name} can't be put in its place: its folder is there no more`,
    ),
  );
  expect(code).toBe(1);
});

test.skipIf(process.platform !== 'linux')(
  'a disk that becomes full: exit 1, and what there is of the report stays',
  async () => {
    const here = slowProject();
    here.write({ 'o.json': 'of before' });
    const words = [process.execPath, BIN, '--plugin', './slow.ts', '-t', 'c1', '-t', 'c2', '-t', 'c3'];
    const script = `ulimit -f 1; trap "" XFSZ; ${[...words, '--reporter', 'dot,json=o.json'].map((word) => `'${word}'`).join(' ')}`;
    const { code, stderr } = await start('bash', ['-c', script], { cwd: here.path }).ended;
    expect(stderr).toMatch(
      /^qtest: the report o.json is not complete: EFBIG: file too large, write; what there is of it is in o.json.partial\n$/,
    );
    expect(code).toBe(1);
    expect(here.read('o.json')).toBe('of before');
    expect(here.read('o.json.partial')).toContain('"name": "c1"');
  },
);

test.skipIf(process.platform === 'win32')('a FIFO is written directly', async () => {
  const here = slowProject();
  execFileSync('mkfifo', [join(here.path, 'fifo')]);
  const reader = start('cat', ['fifo'], { cwd: here.path });
  const { code } = await here.qtest(['--plugin', './slow.ts', '-t', 'c1', '--reporter', 'dot,json=fifo']);
  expect(JSON.parse((await reader.ended).stdout)).toMatchObject({ summary: { pass: 1 } });
  expect(code).toBe(0);
});
