import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';

import { isQtestError } from '@qtest/sdk';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Budget } from './bounded-json.ts';
import { DotReporter } from './dot.ts';
import { GithubReporter } from './github.ts';
import { HtmlReporter } from './html.ts';
import { joinRuns, replay, type JoinedRun } from './join.ts';
import { jsonlReporter } from './jsonl.ts';
import { JunitReporter } from './junit.ts';
import { readBlob } from './read-blob.ts';
import { SpecReporter } from './spec.ts';
import { TapReporter } from './tap.ts';
import { TraceFiles } from './traces/files.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const CASE = { plugin: 'p', name: 'a/one', clock: 'virtual', vcpus: 1 };
const SECOND = { ...CASE, name: 'a/two' };
const place = { file: '/here/a.ts', line: 1, column: 2 };
const event = (seq: number, fields: Readonly<Record<string, Json>>): Json => ({
  ...{ seq, time: { $bigint: '5' }, vcpu: 0, source: place },
  ...fields,
});
const banks = [
  {
    name: 'ports',
    registers: [
      {
        ...{ name: 'A', offset: 0, reads: 1, writes: 2 },
        fields: [
          {
            ...{ name: 'X', access: 'rw', mask: 1, seenSet: 1, seenClear: 0, wroteSet: 1, wroteClear: 0 },
            ...{ values: [1], effect: true },
          },
        ],
      },
    ],
  },
];
const RESULT = {
  ...{ ...CASE, status: 'fail', duration: 1.5, log: ['a'], notes: ['b'], accesses: ['c'], reason: 'r', value: [1] },
  ...{ schedule: 1, attempts: 2, retries: 1, runs: 1 },
  failures: [
    {
      ...{ name: 'Error', code: 'E', message: 'm', stack: 's', location: place, vcpu: 0, causes: ['x'] },
      ...{ excerpt: { first: 1, lines: ['source'] }, actual: '1', expected: '2' },
    },
  ],
  earlier: [{ name: 'Error', message: 'before' }],
  trace: {
    events: [
      event(0, { type: 'access', op: 'in', size: 1, address: 1, value: 2, device: 'd', register: 'A', text: 'inb' }),
      event(1, { type: 'access', op: 'write', size: 8, address: 1, value: 2, data: '00', by: 'd', text: 'write' }),
      event(2, { type: 'irq', line: 'd.irq', level: 1 }),
      event(3, { type: 'timer', device: 'd', timer: 't' }),
      event(4, { type: 'reset', device: 'd' }),
      event(5, { type: 'snapshot', action: 'save' }),
      event(6, { type: 'clock', by: { $bigint: '1' } }),
      event(7, { type: 'handler', line: 'l', vector: 8 }),
      event(8, { type: 'log', text: 'on' }),
    ],
    ...{ lost: 1, failed: 1 },
  },
  coverage: [{ device: 'd0', type: 'd', banks }],
};
const SUMMARY = { pass: 1, fail: 1, skip: 0, timeout: 0, crash: 0, known: 0, duration: 3 };
const PASSED = { ...SECOND, status: 'pass', duration: 1, log: [], notes: [], accesses: [], failures: [] };
const HEADER = {
  ...{ format: 'qtest-blob', version: 1, host: '1.0.0', cwd: '/here', descriptions: { p: 'it' } },
  ...{ shard: { index: 1, count: 2 }, order: ['p › a/one', 'p › a/two'] },
};
const LINES = [
  HEADER,
  { type: 'runStart', cases: [CASE, SECOND] },
  { type: 'caseStart', case: CASE },
  { type: 'caseEnd', result: RESULT, rerun: "npx qtest -t 'a/o'\\''ne'" },
  { type: 'caseEnd', result: PASSED, rerun: 'npx qtest -t a/two' },
  { type: 'warning', message: 'w' },
  {
    ...{ type: 'done', summary: SUMMARY, interrupted: false },
    ...{ coverage: [{ type: 'd', used: 1, items: 2, banks }], traces: { folder: '/here/t', files: 2 } },
  },
] as const;

function joined(lines: readonly Json[], budget = new Budget()): JoinedRun {
  const bytes = gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return joinRuns([readBlob('a.blob', bytes, '/here', budget)]);
}

function why(lines: readonly Json[], budget?: Budget): string {
  try {
    joined(lines, budget);
  } catch (error) {
    return isQtestError(error) ? `${error.code}: ${error.message}` : `no error of ours: ${String(error)}`;
  }
  return 'none';
}

/** Tells all reporters of it. */
function reported(run: JoinedRun): void {
  const context = { cwd: '/here', ...run.context };
  const sink = (): PassThrough => new PassThrough({ highWaterMark: 2 ** 26 });
  for (const reporter of [
    new SpecReporter({ output: sink(), ...context }),
    new DotReporter(sink(), context),
    new TapReporter(sink(), context),
    new JunitReporter(sink(), context),
    new GithubReporter(sink(), context, {}),
    new HtmlReporter(sink(), context),
    jsonlReporter(sink()),
    // In a folder that there is not: the traces are made, and are not written.
    new TraceFiles('/dev/null/none', ['vcd', 'perfetto', 'qtest', 'jsonl'], () => {}),
  ]) {
    replay(run, reporter);
    reporter.done(run.summary, { interrupted: run.interrupted });
  }
}

test('all that a blob may have is taken', () => {
  const run = joined(LINES);
  expect(run.summary).toEqual(SUMMARY);
  expect(run.results.map(({ name, status }) => [name, status])).toEqual([
    ['a/one', 'fail'],
    ['a/two', 'pass'],
  ]);
  expect(run.traces).toEqual({ folder: '/here/t', files: 2 });
  expect(run.warnings).toEqual(['w', 'a shard is missing, and the cases in it: 2/2']);
  reported(run);
});

const changed = (n: number, line: Json): Json[] => LINES.map((other: Json, index) => (index === n ? line : other));

test.each([
  ['a summary that has no failure', changed(6, { ...LINES[6], summary: { ...SUMMARY, pass: 2, fail: 0 } }), 1, 0],
  ['a case that does not end', LINES.filter((_, n) => n !== 4), 1, 1],
])('%s: the verdict is that of the results', (_name, lines, fail, crash) => {
  const { summary, failed, warnings } = joined(lines);
  expect(summary).toMatchObject({ fail, crash, pass: 1 - crash });
  expect(failed).toBe(true);
  expect(warnings).toContainEqual(expect.stringContaining('a.blob is damaged: its summary has '));
});

test('a case without an end has crashed, with where that is not said', () => {
  const { results } = joined(LINES.filter((_, n) => n !== 4));
  expect(results[1]).toMatchObject({
    ...{ name: 'a/two', status: 'crash' },
    failures: [{ message: 'a.blob does not say how it ended' }],
  });
});

const deep = (levels: number): Json => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
const result = (fields: Readonly<Record<string, Json>>): Json[] =>
  changed(3, { ...LINES[3], result: { ...RESULT, ...fields } });

test.each([
  [
    changed(0, { ...HEADER, shard: { index: 1, count: 1e9 } }),
    'line 1',
    'shard.count: expected a whole number from 1 to 1000',
  ],
  [changed(0, { ...HEADER, shard: { index: 3, count: 2 } }), 'line 1', 'shard.index: expected at most shard.count, 2'],
  [changed(0, { ...HEADER, order: [1] }), 'line 1', 'order[0]: expected a string'],
  [result({ value: deep(600) }), 'line 4', 'expected JSON of at most 500 levels, but found 602'],
  [result({ vcpus: 1e9 }), 'line 4', 'result.vcpus: expected a whole number from 1 to 8, but found 1000000000'],
  [
    result({ trace: { events: [event(0, { type: 'odd' })], lost: 0 } }),
    'line 4',
    'result.trace.events[0].type: expected access, irq',
  ],
  [
    result({ trace: { events: [event(0, { type: 'log', text: 1 })], lost: 0 } }),
    'line 4',
    'result.trace.events[0].text: expected a string',
  ],
  [
    result({ status: 'good' }),
    'line 4',
    "result.status: expected pass, fail, timeout, crash, known, skip, but found 'good'",
  ],
  [result({ other: 1 }), 'line 4', "result: expected no other key, but found 'other'"],
  [result({ name: 'three' }), 'line 4', "expected a case of 'runStart', but found 'p › three'"],
  [
    changed(3, { ...LINES[3], rerun: 'npx qtest; rm -rf /' }),
    'line 4',
    "rerun: expected a command line of 'npx qtest'",
  ],
  [changed(3, { ...LINES[3], rerun: 'npx qtest `id`' }), 'line 4', 'rerun: '],
  [changed(4, LINES[3]), 'line 5', "'p › a/one' ends a second time"],
  [changed(2, LINES[1]), 'line 3', "expected one 'runStart'"],
  [changed(5, LINES[6]), 'line 6', "expected nothing behind 'done'"],
  [changed(1, { type: 'runStart', cases: [CASE, CASE] }), 'line 2', "cases: 'p › a/one' is there twice"],
  [
    changed(5, { type: 'oops' }),
    'line 6',
    "type: expected runStart, caseStart, caseEnd, warning, done, but found 'oops'",
  ],
])('%#: file, line and key are named', (lines, line, problem) => {
  expect(why(lines)).toContain(`USAGE: a.blob, ${line}, is damaged: `);
  expect(why(lines)).toContain(problem);
});

test('what is more than fits is refused before it is unpacked, or made values of', () => {
  const bomb = gzipSync(Buffer.alloc(2 ** 20));
  const budget = Object.assign(new Budget(), { bytes: 1000 });
  expect(() => readBlob('a.blob', bomb, '/here', budget)).toThrow('a.blob: unpacked it has more than the 1000 bytes');
  expect(why(LINES, Object.assign(new Budget(), { values: 40 }))).toMatch(
    /a\.blob, line 4, is damaged.*more than 16777216 values/,
  );
});

/** All places in JSON, as paths. */
function pathsOf(value: Json): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  const inside = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [[], ...inside.flatMap(([key, item]) => pathsOf(item).map((path) => [key, ...path]))];
}

function replaced(value: Json, [key, ...rest]: readonly (string | number)[], by: Json): Json {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((item: Json, n) => (n === key ? replaced(item, rest, by) : item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === key ? replaced(item, rest, by) : item]),
  );
}

const odd = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    -1,
    0,
    1,
    1e9,
    2 ** 53,
    1.5,
    '',
    '\u001b[2J',
    [],
    {},
    { $bigint: '-1' },
    { $bigint: '99999999999999999999' },
    { $number: 'NaN' },
    { $undefined: true },
    '__proto__',
  ),
  fc.jsonValue({ depthSize: 'small' }).map((value): Json => JSON.parse(JSON.stringify(value))),
);

test('whatever stands anywhere is refused with file and line, or is a report in every format', () => {
  const places = LINES.flatMap((line: Json, n) => pathsOf(line).map((path) => [n, path] as const));
  fc.assert(
    fc.property(fc.constantFrom(...places), odd, ([n, path], by) => {
      const lines = changed(n, replaced(LINES[n] ?? null, path, by));
      const told = why(lines);
      if (told !== 'none')
        expect(told).toMatch(/^USAGE: a\.blob(?:, line \d+, is damaged: | is no blob| is not whole|, written by)/);
      else reported(joined(lines));
    }),
    { numRuns: 1500, interruptAfterTimeLimit: 20_000 },
  );
}, 40_000);
