import { PassThrough, type Writable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';

import { XMLValidator } from 'fast-xml-parser';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { DotReporter } from './dot.ts';
import type { CaseResult, ReportContext, Reporter } from './events.ts';
import { GithubReporter } from './github.ts';
import { HtmlReporter } from './html.ts';
import { JsonReporter } from './json.ts';
import { jsonlReporter } from './jsonl.ts';
import { JunitReporter } from './junit.ts';
import { SpecReporter } from './spec.ts';
import { TapReporter } from './tap.ts';

beforeEach(() => vi.stubEnv('GITHUB_ACTIONS', 'true'));
afterEach(() => vi.unstubAllEnvs());

/** What it does is done wherever it is not escaped; each part of it at the start of a line too. */
const EVIL =
  '::error::x\n \u00a0::stop-commands::t\n##[group]\u001b]52;c;aGk=\u0007\u001b[2J\u009b8m\u202e\u2028\ud800\0\rz';

const place = { file: `/p/${EVIL}`, line: 1, column: 1 };
const base = { plugin: EVIL, clock: 'virtual', vcpus: 1, duration: 1 } as const;
const FAILED: CaseResult = {
  ...base,
  name: `${EVIL}/${EVIL}`,
  status: 'fail',
  log: [EVIL],
  notes: [EVIL],
  accesses: [EVIL],
  reason: EVIL,
  value: { [EVIL]: EVIL },
  failures: [
    {
      ...{ name: EVIL, code: EVIL, message: EVIL, stack: `${EVIL}\n    at ${EVIL}`, causes: [EVIL] },
      ...{ actual: EVIL, expected: `${EVIL}\n${EVIL}` },
    },
    { name: 'Error', message: EVIL, location: place, excerpt: { first: 1, lines: [EVIL] } },
  ],
  trace: {
    lost: 0,
    events: [
      { seq: 0, time: 0n, type: 'log', text: EVIL, source: place },
      { seq: 1, time: 0n, type: 'timer', device: EVIL, timer: EVIL },
      { seq: 2, time: 0n, type: 'irq', line: EVIL, level: 1 },
    ],
  },
};
const plainResult = { ...base, log: [EVIL], notes: [EVIL], accesses: [], failures: [] };
const RESULTS: readonly CaseResult[] = [
  FAILED,
  { ...plainResult, name: `skip ${EVIL}`, status: 'skip', reason: EVIL },
  { ...plainResult, name: `known ${EVIL}`, status: 'known', reason: EVIL },
  { ...plainResult, name: `flaky ${EVIL}`, status: 'pass', retries: 1, earlier: FAILED.failures },
];
const context: ReportContext = {
  cwd: '/p',
  descriptions: new Map([[EVIL, EVIL]]),
  rerun: () => EVIL,
};

const MAKE: Readonly<Record<string, (output: Writable) => Reporter>> = {
  spec: (output) => new SpecReporter({ output, ...context }),
  dot: (output) => new DotReporter(output, context),
  tap: (output) => new TapReporter(output, context),
  junit: (output) => new JunitReporter(output, context),
  json: (output) => new JsonReporter(output),
  jsonl: (output) => jsonlReporter(output),
  html: (output) => new HtmlReporter(output, context),
  github: (output) => new GithubReporter(output, context, {}),
};

function textOf(make: (output: Writable) => Reporter): string {
  const output = new PassThrough({ highWaterMark: 2 ** 24 });
  const reporter = make(output);
  reporter.runStart?.(RESULTS.map(({ plugin, name, clock, vcpus }) => ({ plugin, name, clock, vcpus })));
  for (const result of RESULTS) {
    reporter.caseStart?.(result);
    reporter.caseEnd(result);
  }
  reporter.warning?.(EVIL);
  reporter.done(
    { pass: 1, fail: 1, skip: 1, timeout: 0, crash: 0, known: 1, flaky: 1, duration: 1 },
    { interrupted: false, traces: { folder: `/p/${EVIL}`, files: 1 } },
  );
  return String(output.read());
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Commands that the report is made of, with no end of line in them; and the page's styles, which are no commands. */
const OWN: Readonly<Record<string, RegExp>> = {
  github: /^::(?:error|warning) ?[^:]*::/,
  html: /^::(?:before|after)\b/,
};

test.each(Object.entries(MAKE))('%s: nothing reaches the terminal, or the runner of Actions', (name, make) => {
  const text = textOf(make);
  const hidden = text.split('\n').filter((line) => HIDDEN.test(line));
  expect(hidden).toEqual([]);
  const commands = text.split('\n').filter((line) => line.trimStart().startsWith('::') || line.includes('##['));
  const own = OWN[name] ?? /^(?!)/;
  expect(commands.filter((line) => !own.test(line))).toEqual([]);
  if (name === 'github') expect(commands).toHaveLength(3);
});

test('JSON says what there was', () => {
  const { cases }: { cases: CaseResult[] } = JSON.parse(textOf((output) => new JsonReporter(output)));
  expect(cases.map(({ name, log }) => [name, log])).toEqual(RESULTS.map(({ name, log }) => [name, log]));
});

test('JUnit is XML', () => {
  expect(XMLValidator.validate(textOf((output) => new JunitReporter(output, context)))).toBe(true);
});

test('the blocks of the HTML report say what there was', () => {
  const [, block = ''] = /id="case-0">([^<]*)</.exec(textOf((output) => new HtmlReporter(output, context))) ?? [];
  const { log }: { log: string[] } = JSON.parse(inflateRawSync(Buffer.from(block, 'base64')).toString());
  expect(log).toEqual([EVIL]);
});

test('a terminal that has colours gets our own alone', () => {
  vi.stubEnv('FORCE_COLOR', '1');
  vi.stubEnv('NO_COLOR', undefined);
  const text = textOf((output) => new SpecReporter({ output, ...context }));
  expect(text).toContain('\u001b[33m↓\u001b[39m');
  const [first, ...rest] = text.split('\u001b');
  expect(rest.filter((part) => !/^\[(?:1|2|22|3[1236]|39)m/.test(part))).toEqual([]);
  const uncoloured = [first, ...rest.map((part) => part.replace(/^\[\d+m/, ''))].join('');
  expect(uncoloured.split('\n').filter((line) => HIDDEN.test(line))).toEqual([]);
});
