import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import type { Running } from './support/run.ts';

const command = project('command');

/** Waits until a case, or a hook, has written its mark. */
async function marked(mark: string, running: Running): Promise<void> {
  const gone = running.ended.then(({ stdout, stderr }) => {
    throw new Error(`it has ended:\n${stdout}${stderr}`);
  });
  gone.catch(() => undefined);
  await Promise.race([gone, vi.waitUntil(() => existsSync(mark), { timeout: 20_000, interval: 10 })]);
}

let marks = 0;
const newMark = (): string => join(command.path, `mark-${++marks}`);

describe.each(['SIGINT', 'SIGTERM'] as const)('%s while a case runs', (signal) => {
  test('a summary, exit 130, and no process is left', async () => {
    const mark = newMark();
    const running = command.start(
      ['--plugin', './clock.ts', '--plugin', './wall.ts', '-t', 'time/virtual', '-t', 'run'],
      { env: { HANG: mark } },
    );
    await marked(mark, running);
    running.signal(signal);
    const { code, stdout, stderr } = await running.ended;
    expect(stderr).toContain('interrupted: ending what runs (Ctrl-C again to leave at once)\n');
    expect(stdout).toMatch(/\n {4}✓ virtual /);
    expect(stdout).toMatch(/\n {2}↓ run {2}.*interrupted\n/);
    expect(stdout).toMatch(/\ninterrupted\n1 passed, 1 skipped of 2 cases in /);
    expect(code).toBe(130);
    expect(running.isAlive()).toBe(false);
  });
});

test('with several machines: each case is accounted for', async () => {
  const mark = newMark();
  const running = command.start(
    [
      '--json',
      '--jobs',
      '2',
      '--plugin',
      './wall.ts',
      '--plugin',
      './clock.ts',
      '-t',
      'run',
      '-t',
      'time/{virtual,skips-itself}',
    ],
    {
      env: { HANG: mark },
    },
  );
  await marked(mark, running);
  running.signal('SIGINT');
  const { code, stdout } = await running.ended;
  const { interrupted, summary, cases } = JSON.parse(stdout);
  expect(interrupted).toBe(true);
  expect(summary.pass + summary.skip).toBe(3);
  expect(cases).toHaveLength(3);
  expect(cases).toContainEqual(expect.objectContaining({ name: 'run', status: 'skip', reason: 'interrupted' }));
  expect(code).toBe(130);
  expect(running.isAlive()).toBe(false);
});

test('a second Ctrl-C ends it at once', async () => {
  const [mark, lingers] = [newMark(), newMark()];
  const running = command.start(['--plugin', './lingers.ts', '--plugin', './wall.ts'], {
    env: { HANG: mark, LINGER: lingers },
  });
  await marked(mark, running);
  running.signal('SIGINT');
  // The hook `done` is given ten seconds.
  await marked(lingers, running);
  const since = performance.now();
  running.signal('SIGINT');
  const { code, stdout } = await running.ended;
  expect(performance.now() - since).toBeLessThan(5000);
  expect(stdout).not.toContain('1 skipped');
  expect(code).toBe(130);
  expect(running.isAlive()).toBe(false);
});
