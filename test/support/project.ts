import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll } from 'vitest';

import { BIN, REPOSITORY, run, start, type Ended, type RunOptions, type Running } from './run.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'qtest-e2e-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A user's project. */
export interface Project {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Writes files, by path relative to the project. */
  readonly write: (files: Readonly<Record<string, string>>) => void;
  /** Runs `qtest` in it. */
  readonly qtest: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Ended>;
  /** Starts `qtest` in it. */
  readonly start: (args: readonly string[], options?: Partial<RunOptions>) => Running;
}

/** An empty folder of this test file's own. */
export function emptyFolder(): string {
  return mkdtempSync(join(root, 'p-'));
}

/**
 * Makes a project in a folder of its own, in which `@qtest/sdk`, `@qtest/parts` and `@qtest/host` are linked as npm links workspaces.
 * @param fixture a folder of `test/fixtures` that is copied into it.
 */
export function project(fixture?: string, files: Readonly<Record<string, string>> = {}): Project {
  const path = emptyFolder();
  const write = (given: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(given)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    }
  };
  write({ 'package.json': '{ "private": true, "type": "module" }\n' });
  if (fixture !== undefined) cpSync(join(REPOSITORY, 'test/fixtures', fixture), path, { recursive: true });
  write(files);
  mkdirSync(join(path, 'node_modules/@qtest'), { recursive: true });
  mkdirSync(join(path, 'node_modules/.bin'), { recursive: true });
  for (const name of ['sdk', 'parts', 'host'])
    symlinkSync(join(REPOSITORY, name), join(path, 'node_modules/@qtest', name));
  symlinkSync(BIN, join(path, 'node_modules/.bin/qtest'));
  return {
    path,
    write,
    qtest: (args, options) => run(process.execPath, [BIN, ...args], { cwd: path, ...options }),
    start: (args, options) => start(process.execPath, [BIN, ...args], { cwd: path, ...options }),
  };
}
