import { PassThrough } from 'node:stream';

import { expect, test } from 'vitest';

import { JsonReporter } from './json.ts';

test('one document, with every field of every case', () => {
  const output = new PassThrough();
  const reporter = new JsonReporter(output);
  const selected = { plugin: 'rtc', name: 'a', clock: 'virtual', vcpus: 1 } as const;
  const result = {
    ...selected,
    status: 'pass',
    duration: 2,
    log: ['x'],
    failures: [],
    value: { ns: 5n },
    accesses: [],
    notes: [],
  } as const;
  reporter.warning('slow');
  reporter.caseEnd(result);
  // A case is written when it ends.
  const begun = String(output.read());
  expect(begun).toContain('"name": "a"');
  const summary = { pass: 1, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 3 };
  reporter.done(summary, { interrupted: true });
  expect(JSON.parse(begun + String(output.read()))).toEqual({
    version: 1,
    summary,
    interrupted: true,
    cases: [{ ...result, value: { ns: '5' } }],
    warnings: ['slow'],
  });
});
