import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { qtest } from '../../testing/qtest.ts';
import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import { importModule } from '../foreign/import-module.ts';
import { loadPlugins } from './load.ts';
import type { LoadedPlugin } from './types.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch({ 'package.json': '{ "type": "module" }' });
});
afterEach(() => folder.remove());

const load = (...specs: readonly string[]): Promise<readonly LoadedPlugin[]> =>
  loadPlugins(specs.map((spec) => ({ spec, from: folder.path })));

const plugin = (fields: string): string =>
  `import { defineDevice, definePlugin } from '@qtest/sdk';\nexport default definePlugin({ description: 'x', run() {}, ${fields} });`;

test('a package', async () => {
  folder.write({
    'node_modules/qtest-rtc/package.json':
      '{ "name": "qtest-rtc", "version": "1.2.3", "type": "module", "exports": "./dist/index.js" }',
    'node_modules/qtest-rtc/dist/index.js': plugin(`name: 'rtc'`),
  });
  const root = `${folder.path}/node_modules/qtest-rtc`;
  expect(await load('rtc')).toEqual([
    expect.objectContaining({
      name: 'rtc',
      description: 'x',
      spec: 'rtc',
      url: `file://${root}/dist/index.js`,
      packageName: 'qtest-rtc',
      version: '1.2.3',
      root,
      options: {},
      cases: [{ name: 'run', requires: [], vcpus: 1 }],
    }),
  ]);
});

test('a TypeScript file', async () => {
  folder.write({ 'x.ts': plugin(`name: 'x' as const`) });
  expect(await load('./x.ts')).toMatchObject([{ name: 'x', root: folder.path }]);
});

describe('what is not a plugin', () => {
  test.each([
    ['export const plugin = {};', 'it exports plugin'],
    ['', 'it exports nothing'],
    ['export default { name: "x" };', 'its default export is something else'],
  ])('%s', async (text, found) => {
    folder.write({ 'x.js': text });
    await expect(load('./x.js')).rejects.toMatchObject({
      code: 'PLUGIN_INVALID',
      message: `'./x.js' (${folder.path}/x.js) is not a plugin: expected export default definePlugin({ … }), but ${found}`,
    });
  });

  test('a wrong shape names the file and every problem', async () => {
    folder.write({ 'x.js': plugin(`name: 'X', vcpus: 9`) });
    await expect(load('./x.js')).rejects.toMatchObject({
      code: 'PLUGIN_INVALID',
      message:
        `plugin './x.js' (${folder.path}/x.js):\n  name: expected lower case letters, digits and single hyphens, but found 'X'` +
        `\n  vcpus: expected an integer from 1 to 8, but found 9`,
    });
  });
});

test('the range of the API is checked, before the shape', async () => {
  folder.write({
    'older.js': plugin(`name: 'older', api: '0.0.1', hooks: 1`),
    'newer.js': plugin(`name: 'newer', api: '^9.1.0'`),
    'odd.js': plugin(`name: 'odd', api: 'yes'`),
    'wide.js': plugin(`name: 'wide', api: '>=0.1.0 <9'`),
  });
  await expect(load('./older.js')).rejects.toThrow(
    /was written for version 0\.0\.1 of the plugin API, but this is .*a newer version of the plugin/,
  );
  await expect(load('./newer.js')).rejects.toThrow(
    /was written for version \^9\.1\.0 .*a newer version of @qtest\/host/,
  );
  await expect(load('./odd.js')).rejects.toMatchObject({
    code: 'PLUGIN_API',
    message: expect.stringContaining("but found 'yes'"),
  });
  expect(await load('./wide.js')).toHaveLength(1);
});

test('two plugins of one name, and one plugin twice, name both', async () => {
  folder.write({ 'a.js': plugin(`name: 'a'`), 'b.js': plugin(`name: 'a'`) });
  await expect(load('./a.js', './b.js')).rejects.toMatchObject({
    code: 'PLUGIN_DUPLICATE',
    message: expect.stringMatching(/two plugins are named 'a': '\.\/a\.js' \(.*a\.js\) and '\.\/b\.js' \(.*b\.js\)/),
  });
  await expect(load('./a.js', `${folder.path}/a.js`)).rejects.toThrow("plugin 'a' is given twice, as './a.js' and as");
});

test('two devices of one type; one device that two plugins share is fine', async () => {
  const device = (type: string): string => `devices: [defineDevice({ type: '${type}', description: '' }, {})]`;
  folder.write({
    'a.js': plugin(`name: 'a', ${device('lamp')}`),
    'b.js': plugin(`name: 'b', ${device('lamp')}`),
    'c.js': plugin(`name: 'c', ${device('i8259')}`),
    'shared.js': `import { defineDevice } from '@qtest/sdk';\nexport const shared = defineDevice({ type: 'shared', description: '' }, {});`,
    'd.js': `import { shared } from './shared.js';\n${plugin(`name: 'd', devices: [shared]`)}`,
    'e.js': `import { shared } from './shared.js';\n${plugin(`name: 'e', devices: [shared]`)}`,
  });
  await expect(load('./a.js', './b.js')).rejects.toMatchObject({
    code: 'DEVICE_DUPLICATE',
    message: expect.stringContaining("plugin 'b' defines a device of type 'lamp', which plugin 'a' defines already"),
  });
  await expect(load('./c.js')).rejects.toThrow(
    "plugin 'c' defines a device of type 'i8259', which the host defines already",
  );
  expect(await load('./d.js', './e.js')).toHaveLength(2);
});

// What Node's own loader says can be seen only in a process without vitest's.
describe('a module that fails to load shows its own error', () => {
  const failure = (name: string, text: string): string => {
    folder.write({ [name]: text });
    const { code, stdout, stderr } = qtest(folder.path, 'list', '--plugin', `./${name}`);
    expect(stderr).toContain(`qtest: plugin './${name}' (${folder.path}/${name}) failed to load:\n`);
    expect(stderr).not.toContain('node:internal');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };

  test('one that throws, with its stack', () => {
    const text = failure('x.ts', `const fail = (): never => {\n  throw new TypeError('boom');\n};\nfail();`);
    expect(text).toContain('TypeError: boom\n    at fail ');
    expect(text).toContain('x.ts:2:9');
  });

  test('one that throws nothing', () => {
    expect(failure('x.js', 'throw null;')).toContain('failed to load:\nnull');
  });

  test('a syntax error, with its line', () => {
    expect(failure('x.js', 'const a = 1;\nconst b = ;')).toMatch(/x\.js:2\nconst b = ;\n\s+\^\n\nSyntaxError/);
  });

  test('a syntax error in a module that it imports', () => {
    folder.write({ 'y.js': 'const b = ;' });
    expect(failure('x.js', `import './y.js';`)).toMatch(
      /SyntaxError: Unexpected token ';'\nin a module that it imports: node .*x\.js tells which/,
    );
  });

  test('a package that it lacks', () => {
    expect(failure('x.js', `import 'nope';`)).toContain("Cannot find package 'nope' imported from");
  });

  test('TypeScript that is more than types', () => {
    expect(failure('x.ts', 'enum A { B }')).toContain('erasableSyntaxOnly');
  });

  test('TypeScript below node_modules', () => {
    folder.write({
      'node_modules/qtest-ts/package.json': '{ "name": "qtest-ts", "exports": "./index.ts" }',
      'node_modules/qtest-ts/index.ts': 'export default 1 as number;',
    });
    const { code, stderr } = qtest(folder.path, 'list', '--plugin', 'ts');
    expect(stderr).toContain('a published package has to ship JavaScript');
    expect(code).toBe(2);
  });

  test('one that ends the process', () => {
    folder.write({ 'x.js': 'process.exit(0);' });
    const { code, stderr } = qtest(folder.path, 'list', '--plugin', './x.js');
    expect(stderr).toContain('qtest: ended before it was done');
    expect(code).toBe(2);
  });
});

test('a module that never finishes loading is given up', async () => {
  folder.write({ 'x.js': 'await new Promise(() => {});' });
  await expect(importModule(`file://${folder.path}/x.js`, { what: 'x', exit: 2 }, 20)).rejects.toThrow(
    'it did not finish loading within 0.02 s',
  );
});
