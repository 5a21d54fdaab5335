import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { Parser, type FinalResults } from 'tap-parser';
import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import type { Ended } from './support/run.ts';

/** Names, messages and lines with all that a format may stumble over. */
const UGLY = `import { definePlugin } from '@qtest/sdk';

export default definePlugin({
  name: 'ugly',
  description: 'quotes "and" <tags> & more',
  run: {
    'a/pass': ({ log }) => log('\\u001b[31mred\\u001b[0m ]]> \\0 & <b>\\r\\nsecond line'),
    'a/fail # TODO "x" <&>': ({ assert }) => assert.equal('one\\ntwo & <three>', 'one', 'it\\'s "not" <equal>, 100%: no\\nsecond'),
    'b/crash': () => process.exit(3),
    'b/hang': { timeout: '300ms', run: () => { for (;;); } },
    'b/skip': ({ skip }) => skip('no # card "here"'),
    'b/known': { expect: { native: 'the model lacks <it> & # more' }, run: ({ assert }) => assert.fail('as expected') },
  },
});
`;

const ugly = project(undefined, { 'ugly.ts': UGLY });
const read = (name: string): string => readFileSync(join(ugly.path, name), 'utf8');

let ended: Ended;
beforeAll(async () => {
  const args = ['--plugin', './ugly.ts', '--reporter', 'spec,github,tap=out.tap,junit=out.xml'];
  ended = await ugly.qtest(args, { env: { GITHUB_STEP_SUMMARY: join(ugly.path, 'summary.md') } });
});

test('the cases end as they should', () => {
  expect(ended.stdout).toContain('1 passed, 1 failed, 1 timed out, 1 crashed, 1 known to differ, 1 skipped of 6 cases');
  expect(ended.code).toBe(1);
});

test('tap: read by tap-parser', () => {
  const text = read('out.tap');
  let results: FinalResults | undefined;
  const extra: string[] = [];
  const parser = new Parser({ strict: true }, (final) => {
    results = final;
  });
  parser.on('extra', (line: string) => extra.push(line));
  parser.end(text);
  expect(extra).toEqual([]);
  expect(results).toMatchObject({
    ok: false,
    count: 6,
    pass: 2,
    skip: 1,
    todo: 1,
    bailout: false,
    plan: { start: 1, end: 6 },
  });
  // Those that fail, without the known difference.
  const failures = results?.failures.filter(({ todo }) => todo === false) ?? [];
  const names = failures.map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(['ugly › a/fail # TODO "x" <&>', 'ugly › b/crash', 'ugly › b/hang']));
  expect(failures.find(({ name }) => name.includes('a/fail'))?.diag).toMatchObject({
    status: 'fail',
    message: 'it\'s "not" <equal>, 100%: no',
    at: { file: join(ugly.path, 'ugly.ts'), line: 8 },
    expected: 'one',
    text: expect.stringContaining('run it again: npx qtest'),
  });
  expect(text).toContain('# SKIP no \\# card "here"\n');
  expect(text).toContain('# TODO the model lacks <it> & \\# more\n');
});

describe('junit: read by an XML parser', () => {
  const parsed = (): Suites => {
    const options = {
      ignoreAttributes: false,
      attributeNamePrefix: '',
      alwaysCreateTextNode: true,
      trimValues: false,
      htmlEntities: true,
    };
    const isArray = (name: string): boolean => ['testsuite', 'testcase', 'property'].includes(name);
    const document: { testsuites: Suites } = new XMLParser({ ...options, isArray }).parse(read('out.xml'));
    return document.testsuites;
  };

  test('it is well formed, and holds no character that XML forbids', () => {
    expect(XMLValidator.validate(read('out.xml'))).toBe(true);
    // oxlint-disable-next-line no-control-regex -- They are what is looked for.
    expect(read('out.xml')).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
  });

  test("it keeps the schema's rules: counts, attributes, the outcome of each case", () => {
    const suites = parsed();
    const [suite, ...others] = suites.testsuite;
    expect(others).toEqual([]);
    const counts = { tests: '6', failures: '2', errors: '1' };
    expect(suites).toMatchObject({ name: 'qtest', ...counts });
    expect(suite).toMatchObject({ name: 'ugly', ...counts, skipped: '2' });
    expect(suite?.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
    const cases = suite?.testcase ?? [];
    expect(cases).toHaveLength(6);
    for (const one of cases) {
      expect(one.time).toMatch(/^\d+\.\d{3}$/);
      expect(['failure', 'error', 'skipped'].filter((key) => key in one).length).toBeLessThanOrEqual(1);
    }
    const sum = cases.reduce((total, { time }) => total + Number(time), 0);
    expect(Math.abs(sum - Number(suite?.time))).toBeLessThan(0.01);
  });

  test('every text comes back as it was', () => {
    const cases = parsed().testsuite[0]?.testcase ?? [];
    const named = (name: string): Case | undefined => cases.find((one) => one.name === name);
    expect(named('a/fail # TODO "x" <&>')).toMatchObject({
      classname: 'ugly.a',
      file: 'ugly.ts',
      failure: { message: 'it\'s "not" <equal>, 100%: no', type: 'AssertionError' },
    });
    expect(named('a/fail # TODO "x" <&>')?.failure?.['#text']).toContain('one\n+ two & <three>');
    expect(named('b/hang')?.failure?.type).toBe('timeout');
    expect(named('b/crash')?.error?.type).toBe('crash');
    expect(named('b/skip')?.skipped?.message).toBe('no # card "here"');
    expect(named('b/known')?.skipped?.message).toBe('known difference: the model lacks <it> & # more');
    expect(named('a/pass')?.['system-out']?.['#text']).toMatch(
      /ugly\.ts.*: \\x1b\[31mred\\x1b\[0m \]\]> \\x00 & <b>\r?\nsecond line$/,
    );
  });
});

describe('github', () => {
  test("annotations on the plugin's lines", () => {
    const lines = ended.stdout.split('\n').filter((line) => line.startsWith('::'));
    expect(lines).toHaveLength(3);
    const annotation = lines.find((line) => line.includes('a/fail')) ?? '';
    const [, properties = '', text = ''] = /^::error ([^:]*)::(.*)$/.exec(annotation) ?? [];
    expect(properties).toMatch(/^file=ugly\.ts,line=8,col=\d+,title=ugly › a\/fail # TODO "x" <&>$/);
    expect(text).toMatch(/^AssertionError: it's "not" <equal>, 100%25: no%0Asecond: expected one/);
    // Not in the plugin's files: it has a title alone.
    expect(lines.find((line) => line.includes('› b/crash::'))).toMatch(/^::error title=ugly › b\/crash::/);
  });

  test('a summary of the job', () => {
    expect(read('summary.md')).toMatch(
      /^### qtest: 1 passed, 1 failed, 1 timed out, 1 crashed, 1 known to differ, 1 skipped\n/,
    );
    expect(read('summary.md')).toContain(
      'a/fail # TODO "x" &lt;&amp;&gt;: it\'s "not" &lt;equal&gt;, 100%: no</summary>',
    );
    expect(read('summary.md')).toContain('- ugly › b/known: the model lacks &lt;it&gt; &amp; # more\n');
  });

  test('in Actions by itself, beside spec; and not when reporters are named', async () => {
    const env = { GITHUB_ACTIONS: 'true' };
    const given = ['--plugin', './ugly.ts', '-t', 'a/*'];
    const usual = await ugly.qtest(given, { env });
    expect(usual.stdout).toMatch(/1 passed, 1 failed of 2 cases in [^\n]*\n\n::error file=/);
    expect((await ugly.qtest([...given, '--reporter', 'spec'], { env })).stdout).not.toContain('::error');
  });

  test('a job summary that cannot be written is a warning', async () => {
    const env = { GITHUB_STEP_SUMMARY: join(ugly.path, 'no/such') };
    const { code, stdout } = await ugly.qtest(['--plugin', './ugly.ts', '-t', 'a/pass', '--reporter', 'github'], {
      env,
    });
    expect(stdout).toMatch(/^::warning::no job summary: ENOENT/m);
    expect(code).toBe(0);
  });
});

interface Outcome {
  readonly message: string;
  readonly type: string;
  readonly '#text': string;
}

interface Case {
  readonly name: string;
  readonly time: string;
  readonly failure?: Outcome;
  readonly error?: Outcome;
  readonly skipped?: Outcome;
  readonly 'system-out'?: Outcome;
}

interface Suites {
  readonly testsuite: readonly {
    readonly time: string;
    readonly timestamp: string;
    readonly testcase: readonly Case[];
  }[];
}
