import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, resultOf, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

/** Tells how much memory a process has taken at most, KiB. */
const PEAK = `
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => writeFileSync(process.env.PEAK, String(process.resourceUsage().maxRSS)));
`;
/** The host's heap, MiB: a few times what it takes. That of a VCPU's thread is its own. */
const HEAP = 384;
const MIB = 2 ** 20;
const TIMEOUT = 280_000;

const values = project('values', { 'peak.mjs': PEAK });
const PLUGIN = ['--plugin', './values.ts'];
const textOf = (name: string): string => readFileSync(join(values.path, name), 'utf8');
const qtest = (...args: string[]): Promise<Ended> =>
  values.qtest([...PLUGIN, ...args], {
    env: {
      NODE_OPTIONS: `--max-old-space-size=${HEAP} --import ./peak.mjs`,
      PEAK: join(values.path, 'peak.txt'),
    },
    timeout: TIMEOUT,
  });
/** Bytes of memory that the last run has taken. */
const peak = (): number => Number(textOf('peak.txt')) * 1024;

/** Every case, told by every reporter that writes a file. */
const FILES = ['json', 'jsonl', 'junit', 'html', 'tap', 'blob'];
let ended: Ended;
let report: Report;
beforeAll(async () => {
  ended = await qtest('--reporter', ['spec', ...FILES.map((name) => `${name}=out.${name}`)].join(','));
  report = JSON.parse(textOf('out.json'));
}, TIMEOUT);

const named = (prefix: string): string[] =>
  report.cases.map(({ name }) => name).filter((name) => name.startsWith(`${prefix}/`));

test('the run goes on to its end, whatever a case gives', () => {
  expect([ended.stderr, ended.code]).toEqual(['', 1]);
  expect(ended.stdout).toMatch(new RegExp(`of ${report.cases.length} cases in `));
  const statuses = report.cases.map(({ name, status }) => [name.split('/')[0], status].join(' '));
  expect([...new Set(statuses)].toSorted()).toEqual([
    ...[
      'assert fail',
      'error fail',
      'hostile crash',
      'left pass',
      'log pass',
      'no-data fail',
      'skip skip',
      'timeout timeout',
      'value pass',
    ],
  ]);
});

test('every report is whole, and of a bounded size', () => {
  for (const name of FILES)
    expect([name, readFileSync(join(values.path, `out.${name}`)).length < 100 * MIB]).toEqual([name, true]);
  const lines = textOf('out.jsonl').trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ type: 'done' });
  expect(textOf('out.junit')).toMatch(/<\/testsuites>\s*$/);
  expect(textOf('out.html')).toMatch(/<\/html>\s*$/);
  expect(textOf('out.tap')).toContain(`\nnot ok ${report.cases.length} `);
  expect(gunzipSync(readFileSync(join(values.path, 'out.blob'))).includes('"type":"done"')).toBe(true);
});

describe('what a case returns', () => {
  test('bytes are packed', () => {
    const { value, notes } = resultOf(report, 'value/ram-64');
    expect(value).toEqual({ type: 'Uint8Array', bytes: 64, base64: Buffer.alloc(64).toString('base64') });
    expect(notes).toEqual([]);
  });

  test('what is beyond the limit is left out, and told', () => {
    const { value, notes } = resultOf(report, 'value/ram-64m');
    expect(value).toMatchObject({ type: 'Uint8Array', bytes: MIB });
    expect(notes).toEqual([`what it returned is cut: ${63 * MIB} bytes left out. ${KEPT}`]);
    expect(ended.stdout).toContain(`note: ${notes[0]}`);
  });

  test('all else that is too much is cut as well', () => {
    const whole = named('value').filter((name) => resultOf(report, name).notes.length === 0);
    expect(whole).toEqual(['value/ram-64', 'value/cycle', 'value/map-by-object']);
  });

  test(
    '64 MiB take no more memory than reading them does',
    async () => {
      for (const reporter of ['json', 'jsonl', 'junit', 'tap', 'html', 'spec', 'dot', 'github', 'blob=x.blob']) {
        const { code } = await qtest('-t', 'value/ram-64m', '--reporter', reporter);
        expect([reporter, code, peak() < 500 * MIB]).toEqual([reporter, 0, true]);
      }
    },
    TIMEOUT,
  );
});

const KEPT = 'A report keeps 1 MiB of bytes and characters, 100000 items and 64 levels of a value';

test('what is logged is cut, and told', () => {
  const { log, notes } = resultOf(report, 'log/lines');
  expect(log).toHaveLength(10_001);
  expect([log[0], log[5000], log.at(-1)].map((line) => line?.replace(/^.*: /, ''))).toEqual([
    'line 0',
    '… 290000 lines left out …',
    'line 299999',
  ]);
  expect(notes).toEqual([expect.stringContaining('its log is cut: 290000 lines left out.')]);
  const [long = ''] = resultOf(report, 'log/long').log;
  expect(long).toMatch(/^values\.ts:.*: x+… \(\d+ characters cut\)$/);
  expect(resultOf(report, 'log/long-lines').notes).toEqual([
    'its log is cut: 8 lines were longer than 16384 characters',
  ]);
});

test.each([
  ['message-getter', /^\(its message cannot be read, as that throws: \[Error: boom\]\)$/m],
  ['message-number', /\(its message is no text: 7\)/],
  ['message-huge', /^x+… \(104841216 characters cut\)/m],
  ['name-getter', /\(its name cannot be read, as that throws: \[Error: boom\]\): odd/],
  ['cause-endless', /caused by: \(more than 5 causes\)/],
  ['proxy', /thrown value: \(a Proxy\)/],
  ['tag-throws', /thrown value: \{ Symbol\(Symbol.toStringTag\): \[Getter\] \}/],
  ['wide', /thrown value: \{ key0: 0, .*… \(\d+ characters cut\)/],
  ['abandoned', /not mine/],
  ['abandoned-of-two', /VCPU 0: not mine/],
  ['late', /late 0[^]*note: 19980 more errors after the case had returned, or outside its call, are left out/],
  ['skip-throws', /boom/],
])('an error is a failure that says what it can: %s', (name, message) => {
  const { text } = failureText(ended, 'values', `error/${name}`);
  expect(text.replaceAll(/^ {4}/gm, '')).toMatch(message);
});

test('a comparison of what is large shows a part', () => {
  for (const name of named('assert')) expect(failureText(ended, 'values', name).text.length).toBeLessThan(80_000);
  expect(resultOf(report, 'assert/bytes-64m').failures[0]).toMatchObject({
    actual: expect.stringMatching(/^Uint8Array\(67108864\) \[[^]* more items/),
  });
});

test('a thread that sends what the host would not is a crash of its case', () => {
  expect(resultOf(report, 'hostile/slice').failures.map(({ message }) => message)).toEqual([
    "the VCPU's thread died: the VCPU's thread gave a result that is not the host's own",
  ]);
});

test('a reason to skip is cut; there may be none', () => {
  expect(resultOf(report, 'skip/long').reason).toMatch(/^x+… \(\d+ characters cut\)$/);
  expect(resultOf(report, 'skip/empty').reason).toBe('');
});

test('what is left running is counted', () => {
  expect(resultOf(report, 'left/timers').notes).toEqual([expect.stringMatching(/^left running: Timeout \(10000\);/)]);
});

test('a script is replayed whatever was logged', async () => {
  const args = ['-t', 'log/control', '--trace-export', 'qtest,jsonl,vcd,perfetto', '--reporter', 'dot'];
  expect((await qtest(...args)).code).toBe(0);
  const script = 'qtest-traces/values.log-control.qtest';
  expect(textOf(script)).toContain(String.raw`: \x00\x01\x1b[2J # OK 0x1 [R +0.1] inb 0x70 FAIL`);
  const { stdout, code } = await values.qtest(['replay', script, '--machine', 'pc', '--no-config']);
  expect([stdout, code]).toEqual([`${script}: 1 request on the machine pc, 1 of 1 replies as recorded\n`, 0]);
});

test('a trace of what is logged without end is bounded', async () => {
  const { code } = await qtest('-t', 'log/long*', '--trace-export', 'qtest,jsonl', '--reporter', 'dot');
  expect(code).toBe(0);
  expect(textOf('qtest-traces/values.log-long.qtest')).toMatch(/^# log values\.ts:.*: x+…$/m);
});

describe("what a plugin's code throws in the host", () => {
  const throwing = `const throwing = () => { throw new Error('boom'); };
const odd = () => Object.defineProperties(new Error('odd'), Object.fromEntries(
  ['message', 'stack', 'name', 'code', 'cause'].map((name) => [name, { get: throwing }])));
const proxy = () => new Proxy(new Error('behind'), { get: throwing, getPrototypeOf: throwing, has: throwing });`;
  const plugin = (name: string, head: string, more: string): string => `
import { definePlugin } from '@qtest/sdk';
${throwing}
${head}
export default definePlugin({ name: '${name}', description: '', ${more}, run: { a() {} } });`;
  values.write({
    'import.mjs': plugin('import', 'throw new Proxy({}, { getPrototypeOf: throwing });', 'vcpus: 1'),
    'rejects.mjs': plugin('rejects', 'await Promise.reject(odd());', 'vcpus: 1'),
    'init.mjs': plugin('init', '', 'init() { throw odd(); }'),
    'apply.mjs': plugin('apply', '', 'apply() { throw proxy(); }'),
    'tap.mjs': plugin('tap', '', "apply({ hooks }) { hooks.caseEnd.tapPromise('x', () => Promise.reject(odd())); }"),
    'gate.mjs': plugin('gate', '', "apply({ hooks }) { hooks.caseEnd.tap('x', (end) => end.fail('y'.repeat(5e7))); }"),
    'strays.mjs': plugin(
      'strays',
      '',
      "apply({ hooks }) { hooks.caseStart.tap('x', () => { for (let n = 0; n < 50000; n++) void Promise.reject(n ? new Error(`stray ${n}`) : proxy()); }); }",
    ),
    'rows.mjs': plugin(
      'rows',
      '',
      "apply({ hooks }) { let n = 0; hooks.guestError.tap('x', () => { throw new Error(`row ${++n}`); }); }",
    ).replace('a() {}', 'a({ vcpu }) { for (let n = 0; n < 1000; n++) vcpu.readb(0xfe000000); }'),
  });
  const unreadable = String.raw`\(its message cannot be read, as that throws: \[Error: boom\]\)`;

  test.each([
    ['import', 2, /^qtest: plugin '.\/import.mjs' \(.*\) failed to load:\n\(a Proxy\)\n$/],
    // Node itself has looked at this one.
    ['rejects', 2, /^qtest: plugin '.\/rejects.mjs' \(.*\) failed to load:\nError: boom\n/],
    ['init', 1, new RegExp(`plugin 'init': init\\(\\): ${unreadable}`)],
    ['apply', 2, /^qtest: plugin 'apply': apply\(\): \(a Proxy\)\n$/],
    ['tap', 1, new RegExp(`plugin 'tap', hook 'caseEnd': ${unreadable}`)],
    ['gate', 1, /failed by the hook caseEnd: y+… \(49983616 characters cut\)/],
    [
      'strays',
      1,
      /nobody caught[^]*\(a Proxy\)[^]*stray 19[^]*more errors in the host that nobody caught are left out/,
    ],
    ['rows', 1, /hook 'guestError': row 20\n(?![^]*row 21)/],
  ])('%s', async (name, code, message) => {
    const { stdout, stderr, ...more } = await values.qtest(['--plugin', `./${name}.mjs`], {
      env: { NODE_OPTIONS: `--max-old-space-size=${HEAP}` },
      timeout: TIMEOUT,
    });
    expect(stdout + stderr).toMatch(message);
    expect([more.code, stderr.includes('internal error')]).toEqual([code, false]);
  });
});
