import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { qtest } from '../../testing/qtest.ts';
import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import { loadConfig } from './load.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch({ 'package.json': '{ "type": "module" }' });
});
afterEach(() => folder.remove());

const messageOf = async (options: { file?: string } = {}): Promise<string> => {
  const error: unknown = await loadConfig({ cwd: folder.path, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'CONFIG' });
  return error instanceof Error ? error.message : '';
};

describe('where a config is found', () => {
  const esm = `export default { plugins: ['rtc'] };`;
  const json = `{ "plugins": ["rtc"] }`;
  const yaml = `plugins:\n  - rtc\n`;
  test.each([
    [
      'qtest.config.ts',
      `import type { Config } from '@qtest/sdk';\nexport default { plugins: ['rtc'] } satisfies Config;`,
    ],
    ['qtest.config.mts', `export default { plugins: ['rtc'] as const };`],
    ['qtest.config.js', esm],
    ['qtest.config.mjs', esm],
    ['qtest.config.json', json],
    ['.qtestrc', yaml],
    ['.qtestrc.json', json],
    ['.qtestrc.yaml', yaml],
    ['.qtestrc.yml', yaml],
    ['.qtestrc.js', esm],
    ['.qtestrc.mjs', esm],
    ['.qtestrc.ts', esm],
    ['package.json', `{ "qtest": ${json} }`],
  ])('%s', async (name, text) => {
    folder.write({ [name]: text });
    const file = `${folder.path}/${name}`;
    expect(await loadConfig({ cwd: folder.path })).toEqual({ file, dir: folder.path, config: { plugins: ['rtc'] } });
  });

  test('nowhere', async () => {
    expect(await loadConfig({ cwd: folder.path })).toEqual({ file: undefined, dir: folder.path, config: {} });
  });

  test('in a folder above, up to the first package.json', async () => {
    folder.write({ 'qtest.config.json': json, 'a/b/x.ts': '', 'other/package.json': '{}', 'other/c/x.ts': '' });
    expect(await loadConfig({ cwd: `${folder.path}/a/b` })).toMatchObject({ dir: folder.path });
    expect(await loadConfig({ cwd: `${folder.path}/other/c` })).toMatchObject({ file: undefined });
  });

  test('in one place before another', async () => {
    const places = ['package.json', '.qtestrc', 'qtest.config.json', 'qtest.config.mjs', 'qtest.config.ts'];
    for (const [index, name] of places.entries()) {
      const config = `{ "jobs": ${index + 1} }`;
      folder.write({
        [name]:
          name === 'package.json'
            ? `{ "qtest": ${config} }`
            : /ts$|mjs$/.test(name)
              ? `export default ${config};`
              : config,
      });
      expect(await loadConfig({ cwd: folder.path })).toMatchObject({
        file: `${folder.path}/${name}`,
        config: { jobs: index + 1 },
      });
    }
  });

  test('where --config says, and not at all with --no-config', async () => {
    folder.write({ 'qtest.config.json': '{ "jobs": 2 }', 'sub/ci.json': '{ "jobs": 4 }' });
    expect(await loadConfig({ cwd: folder.path, file: 'sub/ci.json' })).toEqual({
      file: `${folder.path}/sub/ci.json`,
      dir: `${folder.path}/sub`,
      config: { jobs: 4 },
    });
    expect(await loadConfig({ cwd: folder.path, noConfig: true })).toMatchObject({ file: undefined, config: {} });
  });
});

describe('what is wrong with a config', () => {
  test('no default export', async () => {
    folder.write({ 'qtest.config.ts': 'export const config = {};' });
    expect(await messageOf()).toBe(
      'qtest.config.ts has no default export (it exports config): write export default defineConfig({ … })',
    );
  });

  test('a module with nothing in it', async () => {
    folder.write({ 'qtest.config.ts': '' });
    expect(await messageOf()).toBe('qtest.config.ts has no default export: write export default defineConfig({ … })');
  });

  test('a default export of nothing', async () => {
    folder.write({ 'qtest.config.ts': 'export default undefined;' });
    expect(await messageOf()).toContain(
      'qtest.config.ts: expected an object, such as { "plugins": ["rtc"] }, but found undefined',
    );
  });

  test.each(['.qtestrc.js', 'qtest.config.json', '.qtestrc'])('an empty %s', async (name) => {
    folder.write({ [name]: ' \n' });
    expect(await messageOf()).toBe(
      `${name}: expected an object, such as { "plugins": ["rtc"] }, but the file is empty`,
    );
  });

  test('an unknown key, also in package.json', async () => {
    folder.write({ 'package.json': '{ "qtest": { "plugin": ["rtc"] } }' });
    expect(await messageOf()).toContain("package.json, key 'qtest': unknown key 'plugin'. Did you mean 'plugins'?");
  });

  test('JSON and YAML that are not', async () => {
    folder.write({ 'qtest.config.json': '{\n  "jobs": 1,\n}' });
    expect(await messageOf()).toMatch(
      /^qtest\.config\.json failed to load: Expected double-quoted property name in JSON .*line 3 column 1/,
    );
    folder.write({ 'bad.yaml': 'jobs: [1\nclock: virtual' });
    expect(await messageOf({ file: 'bad.yaml' })).toMatch(/^bad\.yaml failed to load: .*\(2:\d+\)/s);
  });

  test('a --config that is not there, is a folder, is of another kind, or has no such key', async () => {
    folder.write({ 'folder/x': '', 'qtest.toml': 'jobs = 1' });
    expect(await messageOf({ file: 'nope.ts' })).toBe('nope.ts: there is no such config file');
    expect(await messageOf({ file: 'folder' })).toContain('folder: expected a config file');
    expect(await messageOf({ file: 'qtest.toml' })).toMatch(/^qtest\.toml: expected a config file ending in .*\.ts/);
    expect(await messageOf({ file: 'package.json' })).toBe("package.json: it has no key 'qtest'");
  });

  // What Node's own loader says can be seen only in a process without vitest's.
  test('a module that throws shows its own error; one whose error looks like a missing file is not passed over', () => {
    folder.write({
      'qtest.config.ts': `import { readFileSync } from 'node:fs';\nreadFileSync('nope.txt');\nexport default {};`,
    });
    const { code, stderr } = qtest(folder.path, 'list');
    expect(stderr).toContain('qtest: qtest.config.ts failed to load:\nError: ENOENT: no such file or directory');
    expect(stderr).toContain('qtest.config.ts:2:1');
    expect(stderr).not.toContain('node:internal');
    expect(code).toBe(2);
  });

  test('a syntax error names its line, in JavaScript and in TypeScript', () => {
    for (const name of ['qtest.config.js', 'qtest.config.ts']) {
      folder.write({ [name]: `export default {\n  plugins: [,;\n};` });
      const { code, stderr } = qtest(folder.path, 'list', '--config', name);
      expect(stderr).toContain(`qtest: ${name} failed to load:`);
      expect(stderr).toMatch(new RegExp(`${name}:2\\n(?:.*\\n)?\\s+plugins: \\[,;\\n\\s+\\^`));
      expect(code).toBe(2);
    }
  });
});
