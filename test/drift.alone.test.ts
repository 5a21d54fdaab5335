import { expect, test } from 'vitest';

import { parseDrift } from './support/drift.ts';
import { jsonReport } from './support/report.ts';
import { BIN, REPOSITORY, run } from './support/run.ts';

test.each([
  ['two machines at once', ['--jobs', '2']],
  ['after other cases, on one machine', ['--clock', 'realtime', '-t', 'periodic/64hz', '-t', 'time/runs']],
])('five seconds of periodic interrupts in real time do not drift: %s', async (_, more) => {
  const args = [BIN, '--plugin', '@qtest/qtest-rtc', '-t', 'drift/realtime/**', '--json', ...more];
  const ended = await run(process.execPath, args, { cwd: REPOSITORY, timeout: 100_000 });
  const cases = jsonReport(ended).cases.filter(({ name }) => name.startsWith('drift/'));
  expect(cases.map(({ name }) => name).toSorted()).toEqual(['drift/realtime/1024hz', 'drift/realtime/2hz']);
  for (const { name, status, log } of cases.filter((result) => result.status !== 'skip')) {
    expect({ name, status }).toEqual({ name, status: 'pass' });
    // One line: it has been measured once.
    expect(log).toHaveLength(1);
    const { hz, expected, ratio } = parseDrift(log[0]);
    expect(name).toBe(`drift/realtime/${hz}hz`);
    expect(expected).toBe(5000);
    expect(ratio).toBeLessThanOrEqual(0.0002);
  }
  expect(ended.code).toBe(0);
  // The case itself has seen that this host is busy with other programs.
  const busy = cases.find(({ status }) => status === 'skip');
  if (busy !== undefined) expect(busy.reason).toMatch(/^this host is too busy/);
});
