import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import { BIN } from './support/run.ts';
import { startWatching, type Watching } from './support/watching.ts';

vi.setConfig({ testTimeout: 120_000 });

const plugin = (name: string, level: string, more = ''): string => `import { definePlugin } from '@qtest/sdk';
import { wanted } from './${level}.ts';
${more}
export default definePlugin({
  name: '${name}',
  description: 'compares',
  init: (machine) => void machine.ram(0, 4096),
  run: {
    good({ log }) { log('${name} has run'); },
    level({ vcpu, assert }) {
      vcpu.writeb(0, 1);
      assert.equal(vcpu.readb(0), wanted);
    },
  },
});
`;

const ONE = 'export const wanted: number = 1;\n';
const TWO = 'export const wanted: number = 2;\n';

const FILES = {
  'qtest.config.ts': `export default { plugins: ['./up.ts', './down.ts'] };\n`,
  'up.ts': plugin('up', 'up-level'),
  'up-level.ts': ONE,
  'down.ts': plugin('down', 'down-level'),
  'down-level.ts': ONE,
};

/** Its first case says so, and does not end. */
const HANGS = plugin('up', 'up-level').replace("log('up has run');", "console.error('hangs'); log(''); for (;;);");

const WATCHING = /^watching \d+ files; \? for the keys\r?\n/m;

async function quit(watching: Watching): Promise<void> {
  watching.press('q');
  expect(await watching.ended).toBe(0);
  expect(watching.isAlive()).toBe(false);
}

test('a change runs the cases of the plugins that it is about, in what is there then', async () => {
  const { path, write } = project(undefined, FILES);
  const watching = startWatching(path, []);
  expect(await watching.until(WATCHING)).toContain('4 passed of 4 cases');
  write({ 'down-level.ts': TWO });
  const failed = await watching.until(WATCHING);
  expect(failed).toContain('down-level.ts has changed\n');
  expect(failed).toContain('AssertionError: expected 2, got 1');
  expect(failed).toContain('1 passed, 1 failed of 2 cases');
  expect(failed).not.toContain('up has run');
  // What cannot be loaded is told, and waited for; what else changes meanwhile is not forgotten.
  write({ 'up.ts': 'export default {' });
  expect(await watching.until(WATCHING)).toMatch(/up\.ts has changed\n[^]*plugin '\.\/up\.ts' .* failed to load/);
  write({ 'down-level.ts': ONE });
  await watching.until(WATCHING);
  write({ 'up.ts': plugin('up', 'new-level') });
  expect(await watching.until(WATCHING)).toContain('new-level.ts');
  // It is not there, and then it is.
  write({ 'new-level.ts': ONE });
  expect(await watching.until(WATCHING)).toContain('4 passed of 4 cases');
  write({ 'qtest.config.ts': `export default { plugins: ['./down.ts'] };\n` });
  expect(await watching.until(WATCHING)).toContain('2 passed of 2 cases');
  await quit(watching);
});

test('a folder that was not there is seen when it comes, and when it comes back', async () => {
  const { path, write } = project(undefined, { ...FILES, 'up.ts': plugin('up', 'new/deep/level') });
  const watching = startWatching(path, []);
  expect(await watching.until(WATCHING)).toContain('new/deep/level.ts');
  write({ 'new/deep/level.ts': ONE });
  expect(await watching.until(WATCHING)).toContain('4 passed of 4 cases');
  rmSync(join(path, 'new'), { recursive: true });
  await watching.until(WATCHING);
  write({ 'new/deep/level.ts': TWO });
  expect(await watching.until(/level\.ts has changed[^]*?passed[^\n]*/)).toMatch(/, 1 failed of \d cases/);
  await quit(watching);
});

test('a case that is there no more is none of those that failed', async () => {
  const { path, write } = project(undefined, { ...FILES, 'up-level.ts': TWO });
  const watching = startWatching(path, ['--reporter', 'dot']);
  expect(await watching.until(WATCHING)).toContain('3 passed, 1 failed of 4 cases');
  write({ 'up.ts': plugin('up', 'up-level').replace(/level\(\{[^]*?\n {4}\},/, '') });
  expect(await watching.until(WATCHING)).toContain('1 passed of 1 case');
  watching.press('f');
  await watching.until('every case that was run has passed\n');
  await quit(watching);
});

test('devices and hooks: those of the plugin, and of all that a hook is for', async () => {
  const { path, write } = project(undefined, {
    ...FILES,
    'qtest.config.ts': `export default { plugins: ['./up.ts', './down.ts', './extends.ts'] };\n`,
    'extends.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'extends', description: '', apply() {} });
`,
  });
  const watching = startWatching(path, ['--reporter', 'dot']);
  await watching.until(WATCHING);
  write({
    'extends.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'extends', description: '', apply({ hooks }) {
  hooks.caseStart.tap('extends', ({ skip }) => skip('not today'));
} });
`,
  });
  expect(await watching.until(WATCHING)).toContain('0 passed, 4 skipped of 4 cases');
  await quit(watching);
});

test.each([
  { on: 'pipes', terminal: false },
  { on: 'a terminal', terminal: true },
])('keys, on $on', async ({ terminal }) => {
  const { path } = project(undefined, { ...FILES, 'up-level.ts': TWO });
  const watching = startWatching(path, ['--reporter', 'dot'], terminal);
  expect(await watching.until(WATCHING)).toContain('3 passed, 1 failed of 4 cases');
  watching.press('?');
  expect(await watching.until('quit')).toMatch(/^ {2}a {6}run all cases\r?$/m);
  watching.press('f');
  expect(await watching.until(WATCHING)).toContain('0 passed, 1 failed of 1 case');
  watching.press('p');
  await watching.until('plugin (empty: all): ');
  watching.press('dowm\bn\r');
  expect(await watching.until(WATCHING)).toContain('2 passed of 2 cases');
  watching.press('t');
  await watching.until('cases (empty: all): ');
  watching.press('level\r');
  expect(await watching.until(WATCHING)).toContain('1 passed of 1 case');
  // A change is for the filters as well.
  writeFileSync(join(path, 'down-level.ts'), TWO);
  expect(await watching.until(WATCHING)).toContain('0 passed, 1 failed of 1 case');
  watching.press('a');
  expect(await watching.until(WATCHING)).toContain('2 passed, 2 failed of 4 cases');
  await quit(watching);
});

test('a change while cases run ends them, and runs them again', async () => {
  const { path, write } = project(undefined, {
    ...FILES,
    'up.ts': HANGS,
  });
  const watching = startWatching(path, ['--timeout', '60s', '--reporter', 'dot']);
  await watching.until('hangs\n');
  write({ 'up.ts': FILES['up.ts'] });
  expect(await watching.until(WATCHING)).toMatch(/interrupted: ending what runs[^]*4 passed of 4 cases/);
  await quit(watching);
});

test('Ctrl-C, on a terminal: 130', async () => {
  const { path } = project(undefined, FILES);
  const watching = startWatching(path, [], true);
  await watching.until(WATCHING);
  watching.press('\u0003');
  expect(await watching.ended).toBe(130);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s, while it waits and while cases run: 130, and nothing is left',
  async (name) => {
    const { path } = project(undefined, FILES);
    const waiting = startWatching(path, []);
    await waiting.until(WATCHING);
    waiting.signal(name);
    expect(await waiting.ended).toBe(130);
    expect(waiting.isAlive()).toBe(false);
    const { path: other } = project(undefined, { ...FILES, 'up.ts': HANGS });
    const running = startWatching(other, ['--timeout', '60s']);
    await running.until('hangs\n');
    running.signal(name);
    expect(await running.ended).toBe(130);
    expect(running.isAlive()).toBe(false);
  },
);

/** Where a user may have a namespace of its own, with limits of its own. */
const hasNamespaces = spawnSync('unshare', ['-Ur', 'true']).status === 0;

test.skipIf(!hasNamespaces)('where nothing more can be watched: exit 2', () => {
  const { path } = project(undefined, FILES);
  const script = 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"';
  const command = [process.execPath, BIN, '--watch'];
  const { status, stderr } = spawnSync('unshare', ['-Ur', 'sh', '-c', script, 'sh', ...command], {
    cwd: path,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).toMatch(
    /^qtest: the folder .* can't be watched: ENOSPC.*\. Raise the limit \(.*\), or run without --watch$/m,
  );
  expect(status).toBe(2);
});

test('it is for running cases alone', async () => {
  const { qtest } = project('command');
  const { code, stderr } = await qtest(['list', '--watch']);
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--watch runs cases, and 'list' does not"),
  });
});
