import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, type Report } from './support/report.ts';
import type { Ended, Running } from './support/run.ts';

/** A plugin's code that never comes back, where it runs on the host's own thread. */

const folder = project('hangs');

const PLUGINS = ['--plugin', './hangs.ts', '--plugin', './sound.ts', '--timeout', '1s'];

/** A case's time-out is a second: that is the bound, whatever else is slow here. */
const hanging = (hang: string, args: readonly string[] = ['--json', ...PLUGINS]): Promise<Ended> =>
  folder.qtest(args, { env: { HANG: hang } });

const statuses = ({ cases }: Report): string => cases.map(({ name, status }) => `${name} ${status}`).join(', ');

describe('a loop in what the host calls for a machine or a case: these cases fail, the others run', () => {
  test.each([
    ['init', "plugin 'hangs': init(): it did not come back within 1 s"],
    ['device.reset', "plugin 'hangs': at power-on: device 'spinner0' did not come back within 1 s"],
    ['device.base', "plugin 'hangs': at power-on: device 'spinner0' did not come back within 1 s"],
  ])('%s', async (hang, message) => {
    const ended = await hanging(hang);
    const report = jsonReport(ended);
    expect(statuses(report)).toBe('first fail, second fail, last pass');
    expect(report.cases[0]?.failures[0]?.message).toContain(message);
    expect(ended.code).toBe(1);
  });

  test.each(['machineInit', 'machineReady', 'caseStart', 'vcpuStart', 'caseEnd'])('%s, of every case', async (hang) => {
    const ended = await hanging(hang);
    const report = jsonReport(ended);
    expect(statuses(report)).toBe('first fail, second fail, last fail');
    for (const { failures } of report.cases)
      expect(failures[0]?.message).toContain(`plugin 'hangs', hook '${hang}': it did not come back within 1 s`);
    expect(ended.code).toBe(1);
  });

  test.each(['tick', 'irq', 'guestError'])(
    '%s: the case that it heard of, and not for its own time-out',
    async (hang) => {
      const report = jsonReport(await hanging(hang));
      expect(statuses(report)).toBe('first fail, second pass, last pass');
      expect(report.cases[0]?.failures.map(({ message }) => message)).toEqual([
        expect.stringContaining(`plugin 'hangs', hook '${hang}': it did not come back within 1 s`),
      ]);
    },
  );

  test.each(['report', 'done'])('%s: every case is reported', async (hang) => {
    const ended = await hanging(hang);
    const report = jsonReport(ended);
    expect(statuses(report)).toBe('first pass, second pass, last pass');
    expect(ended.stderr + report.warnings.join()).toContain(`hook '${hang}': it did not come back within 1 s`);
    expect(ended.code).toBe(1);
  });
});

test.each([
  ['apply', 2, "plugin 'hangs': apply(): it did not come back within 1 s"],
  ['configResolved', 1, "plugin 'hangs', hook 'configResolved': it did not come back within 1 s"],
  ['options', 2, "options of plugin 'hangs': it did not come back within 1 s"],
])('a loop in %s ends the command', async (hang, code, message) => {
  const ended = await hanging(hang);
  expect(ended.stderr).toContain(`qtest: ${message}`);
  expect(ended.code).toBe(code);
});

describe('a loop of promises, which V8 cannot break off: the command is ended', () => {
  test.each([
    ['init:micro', "plugin 'hangs': init()"],
    ['machineReady:micro', "plugin 'hangs', hook 'machineReady'"],
    ['caseStart:micro', "plugin 'hangs', hook 'caseStart'"],
    ['device.regions', "plugin 'hangs': init(), device 'spinner0' keeps the host's thread (at "],
    ['caseStart:timer', "what a plugin has left running in the host (called last: plugin 'hangs', hook"],
    ['tick:micro', "plugin 'hangs', hook 'tick'"],
  ])('%s: it is said whose, and every case is in the reports', async (hang, whose) => {
    const args = ['--reporter', 'spec,json=out.json,junit=out.xml', ...PLUGINS];
    const { code, stdout, stderr } = await hanging(hang, args);
    expect(stderr).toMatch(/^qtest: /);
    expect(stderr).toContain(whose);
    expect(stderr).toContain('did not come back within 1 s: an endless loop');
    expect(stderr).not.toContain('debugger');
    const report = jsonReport({ code, stderr, stdout: readFileSync(join(folder.path, 'out.json'), 'utf8') });
    expect(statuses(report)).toMatch(/^first (?:crash|fail), second skip, last skip$/);
    expect(readFileSync(join(folder.path, 'out.xml'), 'utf8')).toContain('</testsuites>');
    expect(stdout).toContain('2 skipped of 3 cases');
    expect(code).toBe(1);
  });

  test('in a schema', async () => {
    const { code, stderr } = await hanging('options:micro');
    expect(stderr).toContain("qtest: options of plugin 'hangs': the schema keeps the host's thread");
    expect(code).toBe(2);
  });
});

describe('a module that never ends', () => {
  test.each([
    ['for (;;);', /^qtest: plugin '\.\/top\.ts' \(.*\) keeps the host's thread \(at .*top\.ts:1:1\)/],
    ['for (;;) await null;', /^qtest: plugin '\.\/top\.ts' \(.*\) keeps the host's thread/],
    [
      'await new Promise(() => {});',
      /^qtest: plugin '\.\/top\.ts' .* failed to load:\n.*did not finish loading within 1 s/,
    ],
    [
      "import { definePlugin } from '@qtest/sdk'; export default { ...definePlugin({ name: 'x', description: '' }), get run() { for (;;); } };",
      /^qtest: plugin '\.\/top\.ts' \(.*\): it did not come back within 1 s/,
    ],
  ])('a plugin: %s', async (text, message) => {
    const { qtest } = project(undefined, { 'top.ts': text });
    const { code, stderr } = await qtest(['--plugin', './top.ts', '--timeout', '1s']);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  test.each(['for (;;);', 'for (;;) await null;', 'export default { get plugins() { for (;;); } };'])(
    'the config: %s',
    async (text) => {
      const { qtest } = project(undefined, { 'qtest.config.ts': text });
      const { code, stderr } = await qtest(['list', '--timeout', '1s']);
      expect(stderr).toMatch(/^qtest: qtest\.config\.ts.* did not come back within 1 s/);
      expect(code).toBe(2);
    },
  );
});

test.each(['message', 'stack', 'name', 'code', 'cause'])('an error whose %s is an endless loop', async (field) => {
  const { qtest } = project(undefined, {
    'odd.ts': `import { definePlugin } from '@qtest/sdk';
const error = Object.defineProperty(new Error('odd'), '${field}', { get() { for (;;); } });
export default definePlugin({ name: 'odd', description: '', init() { throw error; }, run: () => {} });`,
  });
  const ended = await qtest(['--json', '--plugin', './odd.ts', '--timeout', '1s']);
  expect(jsonReport(ended).cases).toMatchObject([{ name: 'run', status: 'fail' }]);
  expect(ended.code).toBe(1);
});

describe('Ctrl-C is heard meanwhile', () => {
  /** Waits until the plugin hangs. */
  async function hung(mark: string, running: Running): Promise<void> {
    const gone = running.ended.then(({ stdout, stderr }) => {
      throw new Error(`it has ended:\n${stdout}${stderr}`);
    });
    gone.catch(() => undefined);
    await Promise.race([gone, vi.waitUntil(() => existsSync(mark), { timeout: 20_000, interval: 5 })]);
  }

  let marks = 0;
  test.each([
    'init',
    'init:micro',
    'device.reset',
    'device.regions',
    'machineInit',
    'caseStart',
    'caseStart:micro',
    'caseStart:timer',
    'tick',
    'guestError',
    'caseEnd',
    'report',
    'done',
    'apply',
    'options',
    'options:micro',
  ])('in %s: exit 130', async (hang) => {
    const mark = join(folder.path, `mark-${++marks}`);
    const running = folder.start(['--plugin', './hangs.ts', '--plugin', './sound.ts'], {
      env: { HANG: hang, MARK: mark },
    });
    await hung(mark, running);
    running.signal('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(stderr).toContain('interrupted');
    // A run that has begun accounts for each case.
    if (stdout !== '') expect(stdout).toMatch(/\ninterrupted\n.* of 3 cases in /);
    expect(code).toBe(130);
  });

  const LOOP = "import { writeFileSync } from 'node:fs';\nwriteFileSync('mark', '');\nfor (;;);\n";
  test.each([
    ['a plugin', 'top.ts', ['--plugin', './top.ts']],
    ['the config', 'qtest.config.ts', ['list']],
  ])('at the top level of %s: exit 130', async (_, file, args) => {
    const { path, start } = project(undefined, { [file]: LOOP });
    const running = start(args);
    await hung(join(path, 'mark'), running);
    running.signal('SIGINT');
    const { code, stderr } = await running.ended;
    expect(stderr).toContain('interrupted, in ');
    expect(code).toBe(130);
  });

  test('shortly before the bound has passed: it is broken off, and the run ends by itself', async () => {
    const mark = join(folder.path, `mark-${++marks}`);
    const running = folder.start(PLUGINS, { env: { HANG: 'init', MARK: mark } });
    await hung(mark, running);
    running.signal('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(stderr).toContain('interrupted: ending what runs');
    expect(stdout).toMatch(/\ninterrupted\n.* of 3 cases in /);
    expect(code).toBe(130);
  });

  test.each(['init', 'init:micro'])('SIGTERM in %s ends it', async (hang) => {
    const mark = join(folder.path, `mark-${++marks}`);
    const running = folder.start(['--plugin', './hangs.ts'], { env: { HANG: hang, MARK: mark } });
    await hung(mark, running);
    // Once the watchdog has seen that the event loop stands still, which nobody can see.
    await new Promise((resolve) => void setTimeout(resolve, 1_000));
    running.signal('SIGTERM');
    const { code } = await running.ended;
    expect(code).toBeUndefined();
  });
});
