import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { jsonReport } from './support/report.ts';
import type { RunOptions } from './support/run.ts';

/** A plugin's module. */
const plugin = (name: string, typescript = false): string =>
  `import { definePlugin${typescript ? ', type CaseContext' : ''} } from '@qtest/sdk';
export default definePlugin({ name: '${name}', description: '', run({ log }${typescript ? ': CaseContext' : ''}) { log('I am ${name}'); } });
`;

/** Files of an installed package. */
const installed = (
  folder: string,
  manifest: object,
  files: Readonly<Record<string, string>>,
): Record<string, string> => ({
  [`${folder}/package.json`]: JSON.stringify({ type: 'module', ...manifest }),
  ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text])),
});

/** Runs plugins; gives the names of those that ran, as they say themselves. */
async function ran(
  { qtest }: Project,
  args: readonly string[],
  options: Partial<RunOptions> = {},
): Promise<readonly string[]> {
  const ended = await qtest(['--json', ...args], options);
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  return jsonReport(ended).cases.flatMap(({ log }) => log.map((line) => line.replace(/^.*I am /, '')));
}

describe('a short name', () => {
  const simple = (folder: string, name: string): Record<string, string> =>
    installed(
      folder,
      { name: folder.replace('node_modules/', ''), exports: './index.js' },
      { 'index.js': plugin(name) },
    );
  const folder = project(undefined, {
    ...simple('node_modules/qtest-lamp', 'prefixed'),
    ...simple('node_modules/@qtest/qtest-lamp', 'ours'),
    ...simple('node_modules/lamp', 'literal'),
    ...simple('node_modules/@org/lamp', 'scoped'),
    ...simple('node_modules/@org/qtest-lamp', 'scoped-and-prefixed'),
    ...simple('node_modules/@org/qtest-bulb', 'bulb'),
  });

  test('is qtest-…, then @qtest/qtest-…, then a package of that very name', async () => {
    const remove = (name: string): void => rmSync(join(folder.path, 'node_modules', name), { recursive: true });
    expect(await ran(folder, ['--plugin', 'lamp'])).toEqual(['prefixed']);
    remove('qtest-lamp');
    expect(await ran(folder, ['--plugin', 'lamp'])).toEqual(['ours']);
    expect(await ran(folder, ['--plugin', 'qtest-lamp'])).toEqual(['ours']);
    remove('@qtest/qtest-lamp');
    expect(await ran(folder, ['--plugin', 'lamp'])).toEqual(['literal']);
  });

  test('in a scope', async () => {
    expect(
      await ran(folder, ['--plugin', '@org/lamp', '--plugin', '@org/qtest-lamp', '--plugin', '@org/bulb']),
    ).toEqual(['scoped', 'scoped-and-prefixed', 'bulb']);
  });
});

test('exports for import alone, by a condition, by main, by an index file', async () => {
  const folder = project(undefined, {
    ...installed(
      'node_modules/qtest-a',
      { name: 'qtest-a', exports: { import: './a.mjs' } },
      { 'a.mjs': plugin('import-only') },
    ),
    ...installed(
      'node_modules/qtest-b',
      {
        name: 'qtest-b',
        exports: { '.': { browser: './none.js', node: { default: './b.js' } }, './extra': './extra.js' },
      },
      { 'b.js': plugin('nested'), 'extra.js': plugin('subpath') },
    ),
    ...installed('node_modules/qtest-c', { name: 'qtest-c', main: 'lib/c' }, { 'lib/c.js': plugin('by-main') }),
    ...installed('node_modules/qtest-d', { name: 'qtest-d' }, { 'index.js': plugin('by-index') }),
  });
  const names = ['a', 'b', 'qtest-b/extra', 'c', 'd'];
  expect(
    await ran(
      folder,
      names.flatMap((name) => ['--plugin', name]),
    ),
  ).toEqual(['import-only', 'nested', 'subpath', 'by-main', 'by-index']);
});

test('a path: to a file, to a folder, absolute', async () => {
  const folder = project(undefined, {
    'tests/lamp.mjs': plugin('file'),
    ...installed('tests/bulb', { name: 'bulb', exports: './lib.js' }, { 'lib.js': plugin('folder') }),
    'tests/torch.js': plugin('absolute'),
  });
  const specs = ['./tests/lamp.mjs', './tests/bulb', join(folder.path, 'tests/torch.js')];
  expect(
    await ran(
      folder,
      specs.flatMap((spec) => ['--plugin', spec]),
    ),
  ).toEqual(['file', 'folder', 'absolute']);
});

test("config entries are resolved from the config's folder, the command line's from the working directory", async () => {
  const folder = project(undefined, {
    'qtest.config.json': '{ "plugins": ["./lamp.js", "bulb"] }',
    'lamp.js': plugin('outer-lamp'),
    ...installed('node_modules/qtest-bulb', { exports: './index.js' }, { 'index.js': plugin('outer-bulb') }),
    'inner/lamp.js': plugin('inner-lamp'),
    ...installed('inner/node_modules/qtest-bulb', { exports: './index.js' }, { 'index.js': plugin('inner-bulb') }),
    'other/config.json': '{ "plugins": ["./lamp.js"] }',
    'other/lamp.js': plugin('other-lamp'),
  });
  const cwd = join(folder.path, 'inner');
  expect(await ran(folder, [], { cwd })).toEqual(['outer-lamp', 'outer-bulb']);
  expect(await ran(folder, ['--plugin', './lamp.js', '--plugin', 'bulb'], { cwd })).toEqual([
    'inner-lamp',
    'inner-bulb',
  ]);
  expect(await ran(folder, ['--config', '../other/config.json'], { cwd })).toEqual(['other-lamp']);
});

test('a file in no package at all', async () => {
  const folder = project(undefined, { 'one.ts': plugin('one', true) });
  rmSync(join(folder.path, 'package.json'));
  expect(await ran(folder, ['--plugin', './one.ts'])).toEqual(['one']);
});

describe('TypeScript, without a build', () => {
  test('a file, and a package that is linked as a workspace', async () => {
    const folder = project(undefined, {
      'lamp.ts': plugin('file', true),
      ...installed(
        'packages/bulb',
        { name: 'qtest-bulb', exports: './src/index.ts' },
        { 'src/index.ts': plugin('workspace', true) },
      ),
    });
    symlinkSync('../packages/bulb', join(folder.path, 'node_modules/qtest-bulb'));
    expect(await ran(folder, ['--plugin', './lamp.ts', '--plugin', 'bulb'])).toEqual(['file', 'workspace']);
  });

  test('is refused in an installed package, saying why', async () => {
    const folder = project(
      undefined,
      installed('node_modules/qtest-bulb', { exports: './index.ts' }, { 'index.ts': plugin('installed', true) }),
    );
    const { code, stderr } = await folder.qtest(['--plugin', 'bulb']);
    expect(stderr).toContain(`plugin 'bulb' (${folder.path}/node_modules/qtest-bulb/index.ts) failed to load:`);
    expect(stderr).toContain(
      'Node does not strip types below node_modules: a published package has to ship JavaScript.',
    );
    expect(code).toBe(2);
  });
});

describe('options', () => {
  const options = project('options');

  test('are validated, and reach init() and the cases', async () => {
    const { cases } = jsonReport(await options.qtest(['--json']));
    expect(cases).toMatchObject([
      { plugin: 'lamp', status: 'pass', log: [expect.stringMatching(/: red at 0x300$/)] },
      { plugin: 'plain', status: 'pass', log: [expect.stringMatching(/: \{"any":\[1,\{"thing":null\}\]\}$/)] },
    ]);
  });

  test('are kept for a plugin that the command line names', async () => {
    const { cases } = jsonReport(await options.qtest(['--json', '--plugin', './lamp.ts']));
    expect(cases).toMatchObject([{ plugin: 'lamp', status: 'pass', log: [expect.stringMatching(/: red at 0x300$/)] }]);
  });

  test('that are wrong: exit 2, each key with what its schema says', async () => {
    options.write({
      'wrong.config.ts': `export default { plugins: [['./lamp.ts', { color: 'red', port: '0x300' }]] };`,
    });
    const { code, stdout, stderr } = await options.qtest(['--config', 'wrong.config.ts']);
    expect(stderr).toBe(
      `qtest: options of plugin 'lamp':
  color: there is no such option
  port: expected a port
  colour: expected a colour, such as red
`,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('that cannot be copied to the VCPUs', async () => {
    options.write({ 'wrong.config.ts': `export default { plugins: [['./plain.ts', { on: () => true }]] };` });
    const { code, stderr } = await options.qtest(['--config', 'wrong.config.ts']);
    expect(stderr).toContain("options of plugin 'plain': expected data, which can be copied to the VCPUs' threads");
    expect(code).toBe(2);
  });
});

test("a plugin's own device in another plugin's machine", async () => {
  const hooks = project('hooks');
  const { cases } = jsonReport(await hooks.qtest(['--json', '-t', 'virtual/card']));
  expect(cases).toMatchObject([{ plugin: 'timer', name: 'virtual/card', status: 'pass' }]);
  const { stdout } = await hooks.qtest(['machine', '--plugin', './card.ts', '--plugin', './timer.ts']);
  expect(stdout).toMatch(/\n {2}post0 {5}post-card .* POST card\n/);
  expect(stdout).toMatch(/\n {2}io +0080-0080 +post0\.port\n/);
  const without = await hooks.qtest(['--plugin', './timer.ts', '-t', 'virtual/card']);
  expect(without.stdout).toContain('AssertionError: expected 0x55 (85), got 0xff (255)');
  expect(without.code).toBe(1);
});
