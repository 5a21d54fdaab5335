import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { expect, test } from 'vitest';

import { project } from './support/project.ts';
import { BIN, run } from './support/run.ts';

const folder = project('command');

/** Starts the command in a Node that says it is another version. */
const VERSIONS: readonly (readonly [version: string, isGood: boolean])[] = [
  ['18.20.8', false],
  ['20.20.2', false],
  ['22.17.1', false],
  ['22.18.0', true],
  ['23.11.1', false],
  ['24.0.0', true],
  ['26.1.0', true],
];

test.each(VERSIONS)('Node %s: %s', async (version, isGood) => {
  folder.write({
    'pretend.cjs': `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: process.env.PRETEND } });`,
  });
  const { code, stdout, stderr } = await run(process.execPath, ['--require', './pretend.cjs', BIN, 'list'], {
    cwd: folder.path,
    env: { PRETEND: version },
  });
  if (isGood) {
    expect(stdout).toContain('9 cases in 2 plugins');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  } else {
    expect(stderr).toMatch(
      new RegExp(`^qtest needs Node \\^22\\.18 \\|\\| >=24, but this is Node ${version} \\(.*\\)\\.\nInstall Node 24 `),
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }
});

/** A Node on this machine that is too old. */
async function oldNode(): Promise<string | undefined> {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)];
  for (const node of new Set(folders.map((path) => join(path, 'node')).filter((path) => existsSync(path)))) {
    const { stdout } = await run(node, ['--version'], { cwd: folder.path });
    const [, major] = /^v(\d+)\./.exec(stdout) ?? [];
    if (Number(major) < 22) return node;
  }
  return undefined;
}

test('a Node that is too old, in earnest', async ({ skip }) => {
  const node = await oldNode();
  if (node === undefined) return skip('there is no Node below 22 on this machine');
  const { code, stdout, stderr } = await run(node, [BIN], { cwd: folder.path });
  expect(stderr).toMatch(
    /^qtest needs Node \^22\.18 \|\| >=24, but this is Node \d+\.\d+\.\d+ \(\/.*\)\.\nInstall Node 24 from https:\/\/nodejs\.org, or `nvm install 24`\.\n$/,
  );
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});
