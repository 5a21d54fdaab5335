import { expect, test } from 'vitest';

import { parseDrift } from './support/drift.ts';
import { jsonReport } from './support/report.ts';
import { BIN, REPOSITORY, run } from './support/run.ts';

test('qtest --clock virtual: the whole RTC package passes', async () => {
  const ended = await run(process.execPath, [BIN, '--clock', 'virtual', '--json'], { cwd: REPOSITORY });
  const { summary, cases, warnings } = jsonReport(ended);
  const realtime = cases.filter(({ name }) => name.startsWith('drift/realtime/'));
  expect(cases.filter(({ status }) => status !== 'pass')).toEqual(realtime);
  expect(realtime.map(({ status, reason }) => ({ status, reason }))).toEqual(
    [2, 1024].map(() => ({ status: 'skip', reason: 'needs the realtime clock (--clock realtime)' })),
  );
  expect(cases.length).toBeGreaterThan(100);
  expect(summary).toMatchObject({ pass: cases.length - 2, skip: 2, fail: 0, timeout: 0, crash: 0 });
  expect(warnings).toEqual([]);
  for (const hz of [2, 1024]) {
    const { log, value } = cases.find(({ name }) => name === `drift/${hz}hz`) ?? {};
    expect(parseDrift(log?.[0])).toEqual({ hz, duration: 5000, expected: 5000, ratio: 0 });
    expect(value).toMatchObject({ hz, interrupts: 5 * hz, duration_ms: 5000, drift: 0 });
  }
  expect(ended).toMatchObject({ code: 0, stderr: '' });
});
