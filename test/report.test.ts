import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText } from './support/report.ts';
import { run, type Ended } from './support/run.ts';

const command = project('command');

/** Runs a command that a report has shown, as a reader does who copies it into a shell. */
function shell(line: string): Promise<Ended> {
  return run('sh', ['-c', line], { cwd: command.path });
}

describe('a failure in full', () => {
  let ended: Ended;
  beforeAll(async () => {
    ended = await command.qtest(['-t', 'wrong', '-t', 'time/virtual']);
  });

  test("the message, the line in the plugin's own file, the last accesses, decoded", () => {
    expect(failureText(ended, 'clock', 'wrong/rate').text).toMatch(
      new RegExp(
        [
          '',
          '    AssertionError: the rate: expected 9, got 6',
          '',
          '    clock\\.ts:(\\d+):14',
          '      \\d+ \\|       vcpu\\.readl\\(0x10_0000\\);',
          '      \\d+ \\|       dev\\.write\\(rtc\\.B, rtc\\.B\\.PIE\\.mask \\| rtc\\.B\\.DM\\.mask\\);',
          "    > \\1 \\|       assert\\.equal\\(rate\\(context\\), 9, 'the rate'\\);",
          '         \\|              \\^',
          '      \\d+ \\|     \\},',
          '',
          '    last accesses',
          '      outb 0x70 ← 0x0b +rtc0 index B',
          '      outb 0x71 ← 0x44 +rtc0\\.B \\{PIE, DM\\}',
          '      outb 0x70 ← 0x0a +rtc0 index A',
          '      inb 0x71 → 0x26 +rtc0\\.A \\{DV=2, RS=6\\}',
          '',
          '$',
        ].join('\n'),
      ),
    );
  });

  test('both sides of a comparison, by lines', () => {
    const { text } = failureText(ended, 'clock', 'wrong/time');
    expect(text).toContain('\n    - expected\n    + actual\n\n');
    expect(text).toMatch(/\n {4}- +month: 2,\n {4}\+ +month: 1,\n/);
    expect(text).toMatch(/\n {4}- +weekday: 3,\n {4}\+ +weekday: \d,\n/);
    expect(text).toMatch(/\n {6} +year: 2000\n/);
  });

  test('after the tree, before the counts', () => {
    expect(ended.stdout).toMatch(
      /^\nclock {2}[^]*\n {4}✗ rate {2}[^]*\n1\) clock › wrong\/rate\n[^]*\n2\) clock › wrong\/time\n[^]*\n1 passed, 2 failed of 3 cases in [^\n]*\n\n$/,
    );
    expect(ended.code).toBe(1);
  });

  test('the command that runs that case again', async () => {
    const first = failureText(ended, 'clock', 'wrong/rate');
    const again = await shell(first.rerun);
    expect(again.stdout).toMatch(/\n0 passed, 1 failed of 1 case in /);
    expect(failureText(again, 'clock', 'wrong/rate')).toEqual(first);
    expect(again.code).toBe(1);
  });
});

test('the command says again what the first one said: config, clock, time-out', async () => {
  const env = { HANG: join(command.path, 'hangs') };
  const first = await command.qtest(['--config', 'bench/qtest.config.ts', '--clock', 'virtual', '--timeout', '150ms'], {
    env,
  });
  const failure = failureText(first, 'wall', 'run');
  expect(failure.text).toContain('no end within 150ms of wall time');
  const again = await shell(`HANG='${env.HANG}' ${failure.rerun}`);
  expect(again.stdout).toMatch(/\n {2}✗ run {2}timed out, [\d.]+ m?s\n/);
  expect(failureText(again, 'wall', 'run')).toEqual(failure);
});
