import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { project, type Project } from './support/project.ts';

/** Paths that no file can have are mistakes of the user's: one line, and exit code 2; 1 where they are a report's, which cannot be written. */

const PLUGIN = `
  import { definePlugin } from '@qtest/sdk';
  export default definePlugin({ name: 't', description: 't', run: { a() {} } });
`;

let into: Project;
beforeAll(() => {
  into = project(undefined, { 't.ts': PLUGIN });
  symlinkSync('loop', join(into.path, 'loop'));
  writeFileSync(join(into.path, 'file'), '');
});

async function refusal(args: readonly string[], exit = 2): Promise<string> {
  const { code, stdout, stderr } = await into.qtest(args);
  expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  expect(stderr).toMatch(/^qtest: /);
  expect(stderr).not.toMatch(/internal error|^\s+at /m);
  return stderr;
}

describe.each([
  ['too long', `./${'x'.repeat(300)}`, 'ENAMETOOLONG'],
  ['a link to itself', './loop', 'ELOOP'],
])('a path that is %s', (_what, path, code) => {
  it.each([
    [['--plugin', path]],
    [['--config', path, '--plugin', './t.ts']],
    [['--plugin', './t.ts', '--shard', '1/2', '--durations', path]],
    [['init', '--name', 'qtest-x', path]],
    [['merge-reports', path]],
    [['replay', path, '--machine', 'pc']],
    [['compat', '--plugin', './t.ts', '--into', path]],
    [['serve', '--machine', 'pc', '--qtest', `pipe:${path}`]],
    [['serve', '--machine', 'pc', '--qtest-log', path]],
  ])('%j', async (args) => expect(await refusal(args)).toContain(code));

  it.each([
    [['--plugin', './t.ts', '--reporter', `json=${path}`]],
    [['--plugin', './t.ts', '--trace-export', 'vcd', '--trace-dir', path]],
  ])('%j', async (args) => expect(await refusal(args, 1)).toContain(code));
});

it.each([
  ['plugins', `['./t\\0.ts']`, 'plugins[0]'],
  ['plugins', `[['./t\\0.ts', {}]]`, 'plugins[0]'],
  ['reporters', `['json=a\\0b']`, 'reporters[0]'],
  ['qemu', `'a\\0b'`, 'qemu'],
  ['coverage', `'a\\0.json'`, 'coverage'],
])("a NUL in the config's %s: %s", async (key, value, place) => {
  into.write({ 'nul.config.mjs': `export default { plugins: ['./t.ts'], ${key}: ${value} };\n` });
  const stderr = await refusal(['--config', 'nul.config.mjs']);
  expect(stderr).toContain(`${place}: expected a text without a NUL character`);
});

it('takes a NUL in the options of a plugin, which are its own', async () => {
  into.write({
    'options.config.mjs': `export default { plugins: [['./o.ts', { text: 'a\\0b' }]] };\n`,
    'o.ts': `
      import { definePlugin } from '@qtest/sdk';
      export default definePlugin({ name: 'o', description: 'o', run: { a({ options, assert }) { assert.equal(options.text, 'a\\0b'); } } });
    `,
  });
  expect((await into.qtest(['--config', 'options.config.mjs'])).code).toBe(0);
});

it("a NUL in a package's entry", async () => {
  into.write({ 'node_modules/qtest-nul/package.json': JSON.stringify({ name: 'qtest-nul', main: 'a\0b' }) });
  expect(await refusal(['--plugin', 'nul'])).toContain("plugin 'nul': the package in");
});

it('reads no script from what has no end', async () => {
  expect(await refusal(['replay', '/dev/zero', '--machine', 'pc'])).toContain('it is a device or a FIFO');
});
