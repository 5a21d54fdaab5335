import { PassThrough } from 'node:stream';

import type { RunSummary } from '@qtest/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import type { RunCases, RunOptions } from '../runner/run-options.ts';
import { list } from './list.ts';
import type { CliOptions } from './options.ts';
import { run } from './run.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch({
    'package.json': '{ "type": "module" }',
    'qtest.config.js': `export default { plugins: ['./hook.js', ['./plugins/rtc.js', { rate: 6 }]], timeout: '5s', failOn: ['guestError'] };`,
    'plugins/rtc.js': `import { definePlugin } from '@qtest/sdk';
      export default definePlugin({ name: 'rtc', description: 'clock', run: { pass() {}, fail() {}, skip: { run() {}, requires: ['realtime-clock'] } } });`,
    'hook.js': `import { definePlugin } from '@qtest/sdk';
      export default definePlugin({ name: 'hook', description: 'a hook', apply({ hooks }) {
        hooks.configResolved.tap('x', (config) => { globalThis.resolved = config; });
        hooks.done.tap('x', () => { if (globalThis.failDone) throw new Error('gate'); });
      } });`,
  });
});
afterEach(() => folder.remove());

/** Ends every case as its name says. */
const fake =
  (seen: RunOptions[] = [], during: () => void | Promise<void> = () => undefined): (() => Promise<RunCases>) =>
  async () =>
  async (options) => {
    seen.push(options);
    await during();
    const summary = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 1 } satisfies RunSummary;
    const end = { duration: 1, log: [], accesses: [], notes: [] };
    for (const selected of options.selected) {
      options.reporter.caseStart?.(selected);
      const status = selected.name === 'fail' ? 'fail' : 'pass';
      summary[status]++;
      options.reporter.caseEnd({
        ...selected,
        ...end,
        status,
        failures: status === 'fail' ? [{ name: 'Error', message: 'boom' }] : [],
      });
    }
    for (const { case: skipped, reason } of options.skipped) {
      summary.skip++;
      options.reporter.caseEnd({ ...skipped, ...end, status: 'skip', reason, failures: [] });
    }
    return summary;
  };

interface Ran {
  readonly code: number;
  readonly text: string;
}

const command = async (
  action: typeof run,
  given: Partial<CliOptions>,
  runner?: () => Promise<RunCases>,
): Promise<Ran> => {
  const stdout = new PassThrough();
  const io = { cwd: folder.path, stdout, stderr: new PassThrough() };
  const code = await action({ plugin: [], test: [], ...given }, io, runner);
  return { code, text: String(stdout.read() ?? '') };
};

test('the config goes to the runner, what the command line says before it', async () => {
  const seen: RunOptions[] = [];
  await command(run, { jobs: 3 }, fake(seen));
  expect(globalThis).toMatchObject({
    resolved: {
      file: `${folder.path}/qtest.config.js`,
      plugins: ['hook', 'rtc'],
      clock: 'virtual',
      jobs: 3,
      timeout: 5_000_000_000n,
    },
  });
  await command(run, { timeout: 7n, clock: 'realtime', schedule: { kind: 'free' } }, fake(seen));
  expect(seen).toMatchObject([
    {
      jobs: 3,
      schedule: { kind: 'seeded', seed: 1 },
      timeout: 5_000_000_000n,
      stallLimit: 5_000_000,
      failOn: ['guestError'],
    },
    { jobs: 1, timeout: 7n, schedule: { kind: 'free' } },
  ]);
  expect(seen.map(({ selected, skipped }) => [selected.length, skipped.length])).toEqual([
    [2, 1],
    [3, 0],
  ]);
  expect(seen[0]?.plugins.map(({ name, options }) => [name, options])).toEqual([
    ['hook', {}],
    ['rtc', { rate: 6 }],
  ]);
});

test('a case failed: exit 1, with the command that runs it again, extensions included', async () => {
  const { code, text } = await command(run, {}, fake());
  expect(code).toBe(1);
  expect(text).toContain('run it again: npx qtest --plugin ./hook.js --plugin ./plugins/rtc.js -t fail\n');
  expect(text).toContain('1 passed, 1 failed, 1 skipped of 3 cases');
});

test('all passed or skipped: exit 0; all skipped: with a warning', async () => {
  expect(await command(run, { test: ['pass', 'skip'] }, fake())).toMatchObject({ code: 0 });
  const { code, text } = await command(run, { test: ['skip'] }, fake());
  expect(code).toBe(0);
  expect(text).toContain('warning: every case was skipped: nothing has been tested');
});

test('a pattern that matches nothing beside one that does: a warning', async () => {
  const { code, text } = await command(run, { test: ['pass', 'nope'] }, fake());
  expect(code).toBe(0);
  expect(text).toContain("warning: -t 'nope' matched no case");
});

test('a plugin of the command line keeps the options that the config gives it, whatever it is called by', async () => {
  const seen: RunOptions[] = [];
  await command(run, { plugin: [`${folder.path}/plugins/rtc.js`] }, fake(seen));
  expect(seen[0]?.plugins).toMatchObject([{ name: 'rtc', options: { rate: 6 } }]);
});

test('an error of the hook done makes the command fail', async () => {
  Object.assign(globalThis, { failDone: true });
  try {
    const { code, text } = await command(run, { test: ['pass'] }, fake());
    expect(code).toBe(1);
    expect(text).toContain("warning: plugin 'hook', hook 'done': gate");
  } finally {
    Object.assign(globalThis, { failDone: false });
  }
});

test('Ctrl-C aborts the run, whose summary is printed: exit 130', async () => {
  const seen: RunOptions[] = [];
  const interrupt = (): void => void process.emit('SIGINT');
  const { code, text } = await command(run, { test: ['pass'] }, fake(seen, interrupt));
  expect(seen[0]?.signal.aborted).toBe(true);
  expect(code).toBe(130);
  expect(text).toContain('interrupted\n1 passed of 1 case');
  expect(process.listenerCount('SIGINT')).toBe(0);
});

test('an error that nobody caught in the host is a warning: exit 1', async () => {
  const stray = (): void => void process.emit('uncaughtException', new Error('late'));
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    const { code, text } = await command(run, { test: ['pass'] }, fake([], stray));
    expect(code).toBe(1);
    expect(text).toMatch(
      /warning: an error in the host that nobody caught, as of a hook's timer or promise:\nError: late\n {4}at /,
    );
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
});

test('--json: one document, for run and for list', async () => {
  const { text } = await command(run, { json: true }, fake());
  expect(JSON.parse(text)).toMatchObject({ version: 1, summary: { pass: 1, fail: 1, skip: 1 }, cases: [{}, {}, {}] });
  const listed = await command(list, { json: true, test: ['skip'] });
  expect(JSON.parse(listed.text)).toEqual({
    version: 1,
    plugins: [
      {
        name: 'rtc',
        description: 'clock',
        file: `${folder.path}/plugins/rtc.js`,
        cases: [{ name: 'skip', requires: ['realtime-clock'], vcpus: 1 }],
      },
    ],
  });
});
