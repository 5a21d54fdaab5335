import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';

import type { TraceEvent } from '@qtest/sdk';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import type { CaseResult, SelectedCase } from './events.ts';
import { SpecReporter } from './spec.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch();
  vi.stubEnv('FORCE_COLOR', undefined);
  vi.stubEnv('NO_COLOR', undefined);
});
afterEach(() => {
  folder.remove();
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

const selected = (name: string, plugin = 'rtc'): SelectedCase => ({ plugin, name, clock: 'virtual', vcpus: 1 });
const result = (name: string, fields: Partial<CaseResult> = {}): CaseResult => ({
  ...selected(name),
  status: 'pass',
  duration: 2,
  log: [],
  failures: [],
  accesses: [],
  notes: [],
  ...fields,
});

const counts = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1234 };

const report = (cases: readonly SelectedCase[], tty = false): { reporter: SpecReporter; text: () => string } => {
  const output = Object.assign(
    new PassThrough(),
    tty ? { isTTY: true, columns: 40, getColorDepth: () => WriteStream.prototype.getColorDepth() } : {},
  );
  const chunks: string[] = [];
  output.on('data', (chunk) => chunks.push(String(chunk)));
  const reporter = new SpecReporter({
    output,
    cwd: folder.path,
    descriptions: new Map([['rtc', 'real-time clock']]),
    rerun: ({ plugin, name }) => `npx qtest --plugin ${plugin} -t ${name}`,
  });
  reporter.runStart(cases);
  return { reporter, text: () => chunks.join('') };
};

test('a tree by plugin and path, in the order of the selection', () => {
  const names = ['alarm/wildcard/hour', 'alarm/wildcard/minute', 'alarm/off', 'ram'];
  const { reporter, text } = report([...names.map((name) => selected(name)), selected('run', 'pci')]);
  reporter.caseEnd(result('run', { plugin: 'pci', clock: 'realtime', duration: 5012 }));
  reporter.caseEnd(result('alarm/wildcard/minute', { log: ['src/alarm.ts:L4: a line\nand another'] }));
  reporter.caseEnd(result('ram', { status: 'skip', reason: 'needs the realtime clock' }));
  expect(text()).toBe('');
  reporter.caseEnd(result('alarm/wildcard/hour'));
  reporter.caseEnd(result('alarm/off', { notes: ['3 events were lost'] }));
  reporter.done({ ...counts, pass: 4, skip: 1 }, { interrupted: false });
  expect(text()).toBe(
    `
rtc  real-time clock
  alarm
    wildcard
      ✓ hour  2 ms
      ✓ minute  2 ms
        src/alarm.ts:L4: a line
        and another
    ✓ off  2 ms
      note: 3 events were lost
  ↓ ram  needs the realtime clock

pci
  ✓ run  realtime, 5.01 s

4 passed, 1 skipped of 5 cases in 1.23 s

`,
  );
});

test('the accesses of a traced case are shown as well when timers have pushed them out of the end of its trace', () => {
  const accesses = ['outb 0x71 ← 0x05'];
  const first: TraceEvent = {
    seq: 0,
    time: 0n,
    type: 'access',
    op: 'out',
    size: 1,
    address: 0x71,
    value: 5,
    text: 'outb 0x71 ← 0x05',
  };
  const shown = (ticks: number): string => {
    const timers = Array.from({ length: ticks }, (_, tick): TraceEvent => {
      return { seq: tick + 1, time: BigInt(tick), type: 'timer', device: 'pit0', timer: 'edge' };
    });
    const { reporter, text } = report([selected('alarm/rings')]);
    reporter.caseEnd(
      result('alarm/rings', { status: 'fail', accesses, trace: { events: [first, ...timers], lost: 0 } }),
    );
    reporter.done({ ...counts, fail: 1 }, { interrupted: false });
    return text();
  };
  expect(shown(15)).not.toContain('last accesses');
  expect(shown(16)).toMatch(/last of its trace\n[^]*timer pit0\.edge\n\n {4}last accesses\n {6}outb 0x71 ← 0x05\n/);
});

test('a failure in full: message, difference, source, accesses, notes, and how to run it again', () => {
  const { reporter, text } = report([selected('periodic/drift')]);
  reporter.caseEnd(
    result('periodic/drift', {
      status: 'fail',
      failures: [
        {
          name: 'AssertionError',
          message: 'register A',
          actual: '0x26 (38)',
          expected: '0x27 (39)',
          location: { file: `${folder.path}/src/drift.ts`, line: 4, column: 9 },
          excerpt: { first: 2, lines: ['', 'function testDrift() {', '\tassert.equal(read(0x0a), 0x27);', '}'] },
          stack: 'AssertionError: register A\n    at testDrift (…)',
          vcpu: 1,
          causes: ['the first cause', 'the second'],
        },
      ],
      accesses: ['outb 0x70 ← 0x0a', 'inb 0x71 → 0x26'],
      notes: ['a timer was left running'],
    }),
  );
  reporter.done({ ...counts, fail: 1 }, { interrupted: false });
  expect(text()).toBe(
    `
rtc  real-time clock
  periodic
    ✗ drift  2 ms

1) rtc › periodic/drift

    VCPU 1: AssertionError: register A
      caused by: the first cause
      caused by: the second

    expected  0x27 (39)
    actual    0x26 (38)

    src/drift.ts:4:9
      2 |
      3 | function testDrift() {
    > 4 | \tassert.equal(read(0x0a), 0x27);
        | \t       ^
      5 | }

    last accesses
      outb 0x70 ← 0x0a
      inb 0x71 → 0x26

    note: a timer was left running

    run it again: npx qtest --plugin rtc -t periodic/drift

0 passed, 1 failed of 1 case in 1.23 s

`,
  );
});

test('several VCPUs: how they took turns', () => {
  const { reporter, text } = report(['a', 'b', 'c', 'd'].map((name) => selected(name)));
  reporter.caseEnd(result('a', { schedule: 100, attempts: 100 }));
  reporter.caseEnd(result('b', { status: 'fail', schedule: 17, attempts: 17 }));
  reporter.caseEnd(result('c', { status: 'fail', schedule: 17 }));
  reporter.caseEnd(result('d', { status: 'timeout', schedule: 'free' }));
  reporter.done({ ...counts, pass: 1, fail: 2, timeout: 1 }, { interrupted: false });
  expect(text()).toContain('  ✓ a  100 seeds, 2 ms\n  ✗ b  17 seeds, 2 ms\n  ✗ c  2 ms\n  ✗ d  timed out, 2 ms\n');
  expect(text()).toContain('\n    schedule: seed 17; 16 before it passed\n    run it again: ');
  expect(text()).toContain('\n    schedule: seed 17\n    run it again: ');
  expect(text()).toContain('\n    schedule: free, so that the next run may go otherwise\n    run it again: ');
});

test("a comparison is shown once: Node's own is left out, and so is one that the message tells", () => {
  const { reporter, text } = report([selected('a'), selected('b')]);
  const failure = { name: 'AssertionError', actual: '{\n  a: 1\n}', expected: '{\n  a: 2\n}' };
  const message = 'Expected values to be strictly deep-equal:\n+ actual - expected\n\n  {\n+   a: 1\n-   a: 2\n  }\n';
  reporter.caseEnd(result('a', { status: 'fail', failures: [{ ...failure, message }] }));
  const told = { ...failure, actual: '1', expected: '2', message: 'expected 2, got 1\n\n1 !== 2\n' };
  reporter.caseEnd(result('b', { status: 'fail', failures: [told] }));
  reporter.done({ ...counts, fail: 2 }, { interrupted: false });
  expect(text()).toContain(
    'strictly deep-equal:\n\n    - expected\n    + actual\n\n      {\n    -   a: 2\n    +   a: 1\n      }\n\n',
  );
  expect(text()).toContain('AssertionError: expected 2, got 1\n\n    run it again');
});

describe('what failed outside the plugin’s own code', () => {
  test('is shown with its stack; a source that is gone is left out', () => {
    const { reporter, text } = report([selected('a'), selected('b'), selected('c')]);
    const failure = { name: 'Error', message: 'boom' };
    reporter.caseEnd(
      result('a', { status: 'crash', failures: [{ ...failure, stack: 'Error: boom\n    at f (x.ts:1:2)\n    at g' }] }),
    );
    reporter.caseEnd(result('b', { status: 'timeout' }));
    reporter.caseEnd(
      result('c', { status: 'fail', failures: [{ ...failure, location: { file: '/gone/x.ts', line: 1, column: 1 } }] }),
    );
    reporter.done({ ...counts, crash: 1, known: 0, timeout: 1, fail: 1 }, { interrupted: false });
    expect(text()).toContain('  ✗ a  crashed, 2 ms\n  ✗ b  timed out, 2 ms\n');
    expect(text()).toContain('\n    boom\n      at f (x.ts:1:2)\n      at g\n');
    expect(text()).toContain('2) rtc › b\n\n    timed out\n');
    expect(text()).toContain('\n    boom\n\n    /gone/x.ts:1:1\n\n    run it again');
    expect(text()).toContain('0 passed, 1 failed, 1 timed out, 1 crashed of 3 cases');
  });
});

test('when interrupted, what has ended is shown, and that counts are missing', () => {
  const { reporter, text } = report([selected('a'), selected('b'), selected('c')]);
  reporter.caseEnd(result('c'));
  reporter.warning('slow');
  reporter.warning('slow');
  reporter.done({ ...counts, pass: 1 }, { interrupted: true });
  expect(text()).toContain(
    '  ✓ c  2 ms\n\nwarning: slow (2 times)\n\ninterrupted\n1 passed of 1 case (3 were selected) in 1.23 s\n',
  );
});

describe('colours', () => {
  test('by FORCE_COLOR, and not by NO_COLOR', () => {
    vi.stubEnv('FORCE_COLOR', '1');
    const coloured = report([selected('a')]);
    coloured.reporter.caseEnd(result('a'));
    expect(coloured.text()).toContain('\u001b[32m✓\u001b[39m a');
    vi.stubEnv('FORCE_COLOR', undefined);
    vi.stubEnv('NO_COLOR', '1');
    const plain = report([selected('a')], true);
    plain.reporter.caseEnd(result('a'));
    plain.reporter.done({ ...counts, pass: 1 }, { interrupted: false });
    expect(plain.text()).toContain('  ✓ a  2 ms');
  });
});

test('on a terminal a line tells what runs, within its width, and goes', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  vi.stubEnv('NO_COLOR', '1');
  const { reporter, text } = report([selected('a'), selected('a-case-whose-name-is-longer-than-the-line')], true);
  reporter.caseStart(selected('a'));
  vi.advanceTimersByTime(1250);
  expect(text().split('\r').at(-1)).toBe('\u001b[2K  0/2  rtc › a  1.2 s');
  reporter.caseStart(selected('a-case-whose-name-is-longer-than-the-line'));
  reporter.caseEnd(result('a'));
  vi.advanceTimersByTime(100);
  expect(text().split('\r').at(-1)).toHaveLength('\u001b[2K'.length + 39);
  reporter.done({ ...counts, pass: 1 }, { interrupted: true });
  expect(text()).toContain('\r\u001b[2K\ninterrupted');
});
