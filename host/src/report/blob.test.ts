import { Writable } from 'node:stream';

import { expect, test } from 'vitest';

import { blobReporter } from './blob.ts';
import type { CaseResult } from './events.ts';
import { readBlob } from './read-blob.ts';

const CASE: CaseResult = {
  ...{ plugin: 'p', name: 'one', clock: 'virtual', vcpus: 1, status: 'pass', duration: 1 },
  ...{ failures: [], log: [], notes: [], accesses: [] },
};
const SUMMARY = { pass: 2, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1 };

/** What a blob of these results has. */
function there(results: readonly CaseResult[]): unknown[] {
  const chunks: Buffer[] = [];
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  const context = { cwd: '/here', descriptions: new Map<string, string>(), rerun: () => 'again' };
  const reporter = blobReporter(output, context, '1.0.0');
  for (const result of results) reporter.caseEnd(result);
  reporter.done(SUMMARY, { interrupted: false });
  const { lines } = readBlob('a.blob', Buffer.concat(chunks), '/here');
  return lines.flatMap((line) => (line.type === 'caseEnd' ? [line.result] : []));
}

test('what is packed in several pieces is read as one', () => {
  const large = { ...CASE, log: Array.from({ length: 5000 }, (_, n) => `line ${n}: ä`) };
  const results = [large, { ...large, name: 'two' }, { ...CASE, name: 'three' }];
  expect(there(results)).toEqual(results);
});

test('a bigint is one again, and what only looks like it stays', () => {
  const value = { big: -(2n ** 80n), other: { $bigint: '0x' } };
  expect(there([{ ...CASE, value }])).toEqual([{ ...CASE, value }]);
});
