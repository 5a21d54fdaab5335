import { join } from 'node:path';

import { expect, test } from 'vitest';

import { parseDrift } from './support/drift.ts';
import { project } from './support/project.ts';
import { jsonReport } from './support/report.ts';
import { BIN, REPOSITORY, run } from './support/run.ts';

test('qtest --clock virtual: all packages pass', async () => {
  const ended = await run(process.execPath, [BIN, '--clock', 'virtual', '--json'], { cwd: REPOSITORY });
  const { summary, cases, warnings } = jsonReport(ended);
  const realtime = cases.filter(({ name }) => name.startsWith('drift/realtime/'));
  expect(cases.filter(({ status }) => status !== 'pass')).toEqual(realtime);
  expect(realtime.map(({ status, reason }) => ({ status, reason }))).toEqual(
    [2, 1024].map(() => ({ status: 'skip', reason: 'needs the realtime clock (--clock realtime)' })),
  );
  for (const name of ['rtc', 'pci', 'pc']) {
    expect(cases.filter(({ plugin }) => plugin === name).length).toBeGreaterThan(100);
  }
  expect(summary).toMatchObject({ pass: cases.length - 2, skip: 2, fail: 0, timeout: 0, crash: 0 });
  expect(warnings).toEqual([]);
  for (const hz of [2, 1024]) {
    const { log, value } = cases.find(({ name }) => name === `drift/${hz}hz`) ?? {};
    expect(parseDrift(log?.[0])).toEqual({ hz, duration: 5000, expected: 5000, ratio: 0 });
    expect(value).toMatchObject({ hz, interrupts: 5 * hz, duration_ms: 5000, drift: 0 });
  }
  expect(ended).toMatchObject({ code: 0, stderr: '' });
});

test.for(['qemu', 'strict'])(
  'the PCI package passes on a host bridge that is %s, the same twice',
  async (configAddress) => {
    const plugin = join(REPOSITORY, 'plugins/qtest-pci/dist/index.js');
    const { qtest } = project(undefined, {
      'qtest.config.json': JSON.stringify({ plugins: [[plugin, { configAddress }]] }),
    });
    const runs = await Promise.all([1, 2].map(() => qtest(['--clock', 'virtual', '--json'])));
    const reports = runs.map(jsonReport);
    for (const { summary, warnings } of reports) {
      expect(summary).toMatchObject({ skip: 0, fail: 0, timeout: 0, crash: 0 });
      expect(summary.pass).toBeGreaterThan(100);
      expect(warnings).toEqual([]);
    }
    const [one, other] = reports.map(({ cases }) => cases.map(({ name, status, value }) => ({ name, status, value })));
    expect(one).toEqual(other);
  },
);
