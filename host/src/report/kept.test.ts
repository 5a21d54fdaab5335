import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';

import type { CaseResult, ReportContext, Reporter } from './events.ts';
import { GithubReporter } from './github.ts';
import { JunitReporter } from './junit.ts';

const output = new Writable({ write: (_chunk, _encoding, done) => done() });
const context: ReportContext = { cwd: '/', descriptions: new Map(), rerun: () => 'again' };

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Tells a reporter of a failed case with a trace, which nobody else has. */
function tellOfTrace(reporter: Reporter): WeakRef<object> {
  const trace = { events: [], lost: 0 };
  const result: CaseResult = {
    ...{ plugin: 'p', name: 'one', clock: 'virtual', vcpus: 1, status: 'fail', duration: 1 },
    ...{ failures: [{ name: 'Error', message: 'no' }], log: [], notes: [], accesses: [], trace },
  };
  reporter.caseEnd(result);
  return new WeakRef(trace);
}

test.each([
  { name: 'junit', reporter: new JunitReporter(output, context) },
  { name: 'github', reporter: new GithubReporter(output, context, {}) },
])('$name does not keep the trace of a case that has ended', async ({ reporter }) => {
  const trace = tellOfTrace(reporter);
  // A reference that has just been made keeps what it is to until the next task.
  await setImmediate();
  collectGarbage();
  expect(trace.deref()).toBeUndefined();
  // It has been told, and is there up to here.
  reporter.done({ pass: 0, fail: 1, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1 }, { interrupted: false });
});
