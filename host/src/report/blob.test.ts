import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { blobReporter } from './blob.ts';
import { Budget } from './bounded-json.ts';
import type { CaseResult } from './events.ts';
import { readBlob } from './read-blob.ts';

const CASE: CaseResult = {
  ...{ plugin: 'p', name: 'one', clock: 'virtual', vcpus: 1, status: 'pass', duration: 1 },
  ...{ failures: [], log: [], notes: [], accesses: [] },
};
const SUMMARY = { pass: 2, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1 };

function bytesOf(results: readonly CaseResult[], cwd = '/here'): Buffer {
  const chunks: Buffer[] = [];
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  const context = { cwd, descriptions: new Map<string, string>(), rerun: () => 'npx qtest' };
  const reporter = blobReporter(output, context, '1.0.0');
  reporter.runStart(results.map(({ plugin, name, clock, vcpus }) => ({ plugin, name, clock, vcpus })));
  for (const result of results) reporter.caseEnd(result);
  reporter.done(SUMMARY, { interrupted: false });
  return Buffer.concat(chunks);
}

/** What a blob of these results has. */
function there(results: readonly CaseResult[], { from = '/here', to = '/here' } = {}): unknown[] {
  const { lines } = readBlob('a.blob', bytesOf(results, from), to, new Budget());
  return lines.flatMap((line) => (line.type === 'caseEnd' ? [line.result] : []));
}

test('what is packed in several pieces is read as one', () => {
  const large = { ...CASE, log: Array.from({ length: 5000 }, (_, n) => `line ${n}: ä`) };
  const results = [large, { ...large, name: 'two' }, { ...CASE, name: 'three' }];
  expect(there(results)).toEqual(results);
});

test('what JSON has no word for is itself again, and what only looks like it stays', () => {
  const value = {
    ...{ big: -(2n ** 80n), numbers: [NaN, Infinity, -Infinity, -0, 0], gone: [undefined], $own: { $$: 1 } },
    others: [{ $bigint: '1' }, { $number: 'NaN' }, { $undefined: true }, { $bigint: '0x' }],
  };
  expect(there([{ ...CASE, value }])).toEqual([{ ...CASE, value }]);
});

test('places are moved to where the sources are now; what only looks like one is not', () => {
  const here = import.meta.dirname;
  const place = { file: '/gone/away/blob.ts', line: 1, column: 2 };
  const failure = { name: 'Error', message: 'no', location: place };
  const event = { seq: 0, time: 5n, type: 'log', text: 'on', source: place } as const;
  const result: CaseResult = { ...CASE, value: place, failures: [failure], trace: { events: [event], lost: 0 } };
  const [moved] = there([result], { from: '/gone/away', to: here });
  const now = { ...place, file: join(here, 'blob.ts') };
  expect(moved).toEqual({
    ...result,
    failures: [{ ...failure, location: now }],
    trace: { events: [{ ...event, source: now }], lost: 0 },
  });
});

test.each([
  ['{"type":"caseEnd"}', "the event 'caseEnd'", 'result: expected an object, but found undefined'],
  [
    '{"type":"caseEnd","result":{"plugin":"p","name":"one"}}',
    "the event 'caseEnd'",
    'result.clock: expected virtual, realtime, but found undefined',
  ],
  ['{"type":"done","summary":{},"interrupted":false}', "the event 'done'", 'summary.pass: expected a whole number'],
  ['{"type":"case', 'an event', 'it is no JSON'],
  ['[]', 'an event', 'expected an object, but found []'],
  [
    '{"type":"other"}',
    "the event 'other'",
    "type: expected runStart, caseStart, caseEnd, warning, done, but found 'other'",
  ],
])('the damaged line %s is told of by its number', (damaged, expected, problem) => {
  const lines = gunzipSync(bytesOf([CASE]))
    .toString()
    .split('\n');
  const bytes = gzipSync([lines[0], damaged, ...lines.slice(1)].join('\n'));
  expect(() => readBlob('a.blob', bytes, '/here', new Budget())).toThrow(
    `a.blob, line 2, is damaged: expected ${expected} as JSON, what --reporter blob=FILE has written. Run or copy that part again (${problem}`,
  );
});
