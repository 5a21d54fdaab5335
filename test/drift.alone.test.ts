import { expect, test } from 'vitest';

import { parseDrift } from './support/drift.ts';
import { jsonReport } from './support/report.ts';
import { BIN, REPOSITORY, run } from './support/run.ts';

test('five seconds of periodic interrupts in real time do not drift', async ({ skip }) => {
  const args = [BIN, '-t', 'drift/realtime/**', '--jobs', '2', '--json'];
  const ended = await run(process.execPath, args, { cwd: REPOSITORY, timeout: 100_000 });
  const { cases } = jsonReport(ended);
  expect(cases.map(({ name }) => name).toSorted()).toEqual(['drift/realtime/1024hz', 'drift/realtime/2hz']);
  for (const { name, status, log } of cases.filter((result) => result.status !== 'skip')) {
    expect({ name, status }).toEqual({ name, status: 'pass' });
    const { hz, expected, ratio } = parseDrift(log.at(-1));
    expect(name).toBe(`drift/realtime/${hz}hz`);
    expect(expected).toBe(5000);
    expect(ratio).toBeLessThanOrEqual(0.0002);
  }
  expect(ended.code).toBe(0);
  // The case itself has measured that this host cannot keep such times, emulator or not.
  const busy = cases.find(({ status }) => status === 'skip');
  if (busy !== undefined) skip(`${busy.name}: ${busy.reason}`);
});
