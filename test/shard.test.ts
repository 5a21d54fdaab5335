import { expect, test } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, statuses } from './support/report.ts';

const { qtest } = project('command');
const GIVEN = ['--plugin', './clock.ts', '-t', 'ram/keeps', '-t', 'time/*'];

test('the shards of a run are the run', async () => {
  const whole = statuses(jsonReport(await qtest([...GIVEN, '--json', '--add-reporter', 'json=whole.json'])));
  for (const more of [[], ['--durations', 'whole.json']]) {
    const shards = await Promise.all(
      ['1/2', '2/2'].map((part) => qtest([...GIVEN, ...more, '--json', '--shard', part])),
    );
    expect(shards.map(({ code }) => code)).toEqual([0, 0]);
    const ended = shards.flatMap((shard) => statuses(jsonReport(shard)));
    expect(ended).toHaveLength(whole.length);
    expect(new Set(ended)).toEqual(new Set(whole));
  }
});

test('list shows a part; a part without cases is a warning', async () => {
  expect((await qtest(['list', ...GIVEN, '--shard', '1/1'])).stdout).toContain('5 cases in 1 plugin');
  const parts = await Promise.all(
    ['1/2', '2/2'].map((part) => qtest(['--plugin', './wall.ts', '--json', '--shard', part])),
  );
  expect(parts.map(({ code }) => code)).toEqual([0, 0]);
  const warnings = parts.flatMap((part) => jsonReport(part).warnings);
  expect(warnings).toEqual(['this shard has no cases']);
});

test('what cannot be: exit 2', async () => {
  for (const [args, message] of [
    [['--shard', '0/2'], "option '--shard <i/n>' argument '0/2' is invalid. Expected i/n, such as 1/4"],
    [['--durations', 'package.json'], '--durations package.json: it is for the parts of --shard i/n'],
    [['--shard', '3/2'], "argument '3/2' is invalid."],
    [
      ['--shard', '1/2', '--durations', 'nope.json'],
      '--durations nope.json: expected a report that --reporter json=FILE',
    ],
    [['--shard', '1/2', '--durations', 'package.json'], "but it has no list 'cases'"],
    [['--shard', '1/2', '--durations', 'clock.ts'], '--durations clock.ts: expected a report'],
  ] as const) {
    const { code, stderr } = await qtest(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  }
});
