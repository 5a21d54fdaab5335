import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';

/** A module with a plugin, in JavaScript: no compiler stands between its author and the host. */
const plugin = (fields: string): string =>
  `import { defineDevice, definePlugin } from '@qtest/sdk';\nexport default definePlugin({ description: '', run() {}, ${fields} });\n`;

/** Runs sub-commands that load plugins; each must end in the same way. Gives what the first one wrote. */
async function refused({ qtest }: Project, args: readonly string[] = []): Promise<string> {
  const [run, ...others] = await Promise.all([qtest(args), qtest(['list', '--json', ...args])]);
  for (const { code, stdout, stderr } of [run, ...others]) {
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(firstLine(stderr)).toBe(firstLine(run.stderr));
  }
  expect(run.stderr).toMatch(/^qtest: /);
  return run.stderr;
}

const firstLine = (text: string): string | undefined => text.split('\n')[0];

describe('a plugin that is not there', () => {
  test('by a short name: every package that was tried, and of what may be installed a guess in our own scope alone', async () => {
    const folder = project();
    const stderr = await refused(folder, ['--plugin', 'lamp']);
    expect(stderr).toContain(`plugin 'lamp' was not found. Tried these packages, from ${folder.path}:`);
    expect(stderr).toContain('\n  qtest-lamp\n  @qtest/qtest-lamp\n  lamp\n');
    expect(stderr).toContain("A guess, if it is one of this project's: npm install --save-dev @qtest/qtest-lamp");
    expect(stderr).not.toMatch(/npm install --save-dev (?!@qtest\/)/);
  });

  test('in a scope', async () => {
    const stderr = await refused(project(), ['--plugin', '@org/lamp']);
    expect(stderr).toContain('\n  @org/lamp\n  @org/qtest-lamp\n');
    // Whoever was there first may have published what he likes under that name.
    expect(stderr).not.toContain('npm install');
  });

  test('by a path: the nearest file', async () => {
    const folder = project(undefined, { 'tests/lamp.ts': '' });
    const stderr = await refused(folder, ['--plugin', './tests/lamb.ts']);
    expect(stderr).toContain(
      `plugin './tests/lamb.ts' was not found: there is no file or folder ${folder.path}/tests/lamb.ts.`,
    );
    expect(stderr).toContain("Did you mean './tests/lamp.ts'?");
  });

  test('by a path without its ./', async () => {
    const stderr = await refused(project(undefined, { 'lamp.ts': '' }), ['--plugin', 'lamp.ts']);
    expect(stderr).toContain("There is a file of that name: to run it, write './lamp.ts'.");
  });

  test('named in the config', async () => {
    const folder = project(undefined, { 'qtest.config.ts': `export default { plugins: ['lamp'] };` });
    expect(await refused(folder)).toContain(`plugin 'lamp' was not found. Tried these packages, from ${folder.path}:`);
  });

  test('a package without an entry', async () => {
    const folder = project(undefined, {
      'node_modules/qtest-lamp/package.json': '{ "name": "qtest-lamp", "exports": "./dist/index.js" }',
    });
    const stderr = await refused(folder, ['--plugin', 'lamp']);
    expect(stderr).toContain(
      `the package in ${folder.path}/node_modules/qtest-lamp has no entry: there is no ./dist/index.js`,
    );
    expect(stderr).toContain('Has it been built?');
  });
});

test('a package without a plugin', async () => {
  const folder = project(undefined, {
    'node_modules/qtest-lamp/package.json': '{ "name": "qtest-lamp", "type": "module", "exports": "./index.js" }',
    'node_modules/qtest-lamp/index.js': 'export const lamp = 1;',
  });
  expect(await refused(folder, ['--plugin', 'lamp'])).toContain(
    `'lamp' (${folder.path}/node_modules/qtest-lamp/index.js) is not a plugin: expected export default definePlugin({ … }), but it exports lamp`,
  );
});

test('a plugin of a wrong shape: every key, what was expected and what was found', async () => {
  const folder = project(undefined, { 'x.js': plugin(`name: 'Lamp', vcpus: 0, run: { a: 1 }, runs: {}`) });
  const stderr = await refused(folder, ['--plugin', './x.js']);
  expect(stderr).toContain(`plugin './x.js' (${folder.path}/x.js):`);
  expect(stderr).toContain("runs: unknown key. Did you mean 'run'?");
  expect(stderr).toContain("name: expected lower case letters, digits and single hyphens, but found 'Lamp'");
  expect(stderr).toContain('vcpus: expected an integer from 1 to 8, but found 0');
  expect(stderr).toContain("run['a']: expected a function, or an object with run, but found 1");
});

describe("a module that fails to load: its own error and stack, never 'not found'", () => {
  test('it throws', async () => {
    const folder = project(undefined, {
      'lamp.ts': `import { light } from './light.ts';\nexport default light();\n`,
      'light.ts': `export function light(): never {\n  throw new RangeError('the bulb is broken');\n}\n`,
    });
    const stderr = await refused(folder, ['--plugin', './lamp.ts']);
    expect(stderr).toContain(
      `plugin './lamp.ts' (${folder.path}/lamp.ts) failed to load:\nRangeError: the bulb is broken\n`,
    );
    expect(stderr).toMatch(/ at light \(.*\/light\.ts:2:9\)\n +at .*\/lamp\.ts:2:16/);
    expect(stderr).not.toMatch(/not found|node:internal/);
  });

  test('in a package', async () => {
    const folder = project(undefined, {
      'node_modules/qtest-lamp/package.json': '{ "name": "qtest-lamp", "type": "module", "exports": "./index.js" }',
      'node_modules/qtest-lamp/index.js': `throw new Error('no mains');`,
    });
    const stderr = await refused(folder, ['--plugin', 'lamp']);
    expect(stderr).toContain(`(${folder.path}/node_modules/qtest-lamp/index.js) failed to load:\nError: no mains\n`);
    expect(stderr).toContain('/qtest-lamp/index.js:1:7');
  });

  test('its syntax is wrong: the file, the line and the place', async () => {
    const folder = project(undefined, { 'lamp.js': `export default {\n  name: 'lamp',\n  run() { ] };\n` });
    const stderr = await refused(folder, ['--plugin', './lamp.js']);
    expect(stderr).toMatch(/lamp\.js:3\n {2}run\(\) \{ \] \};\n {10}\^\n\nSyntaxError: Unexpected token '\]'/);
  });

  test('its TypeScript cannot be stripped', async () => {
    const folder = project(undefined, { 'lamp.ts': 'enum State { On }\nexport default State.On;\n' });
    const stderr = await refused(folder, ['--plugin', './lamp.ts']);
    expect(stderr).toMatch(/failed to load:[^]*enum/);
    expect(stderr).toContain('no enums, namespaces or parameter properties (tsconfig: erasableSyntaxOnly)');
  });

  test('what it imports is missing', async () => {
    const folder = project(undefined, { 'lamp.ts': `import 'qtest-bulb';\n` });
    const stderr = await refused(folder, ['--plugin', './lamp.ts']);
    expect(stderr).toContain(`plugin './lamp.ts' (${folder.path}/lamp.ts) failed to load:`);
    expect(stderr).toContain(`Cannot find package 'qtest-bulb' imported from ${folder.path}/lamp.ts`);
  });

  test('it throws null', async () => {
    const folder = project(undefined, { 'lamp.js': 'throw null;' });
    expect(await refused(folder, ['--plugin', './lamp.js'])).toContain('failed to load:\nnull\n');
  });

  test('it ends the process', async () => {
    const folder = project(undefined, { 'lamp.js': 'process.exit(0);' });
    expect(await refused(folder, ['--plugin', './lamp.js'])).toContain(
      'ended before it was done: a plugin or the config called process.exit(), or waits for what never comes',
    );
  });
});

describe('a wrong range of the API', () => {
  test.each([
    [
      '^9.0.0',
      "was written for version ^9.0.0 of the plugin API, but this is 0.1.0: 'lamp' needs a newer version of @qtest/host",
    ],
    [
      '0.0.1',
      "was written for version 0.0.1 of the plugin API, but this is 0.1.0: 'lamp' needs a newer version of the plugin",
    ],
    ['latest', "api: expected a version range, such as '^0.1.0', but found 'latest'"],
  ])('%s', async (api, message) => {
    const folder = project(undefined, { 'lamp.js': plugin(`name: 'lamp', api: '${api}'`) });
    const stderr = await refused(folder, ['--plugin', './lamp.js']);
    expect(stderr).toContain(`plugin './lamp.js' (${folder.path}/lamp.js)`);
    expect(stderr).toContain(message);
  });
});

describe('two of one name', () => {
  const folder = project(undefined, {
    'a.js': plugin(`name: 'lamp'`),
    'b.js': plugin(`name: 'lamp'`),
    'c.js': plugin(`name: 'torch', devices: [defineDevice({ type: 'bulb', description: '' }, {})]`),
    'd.js': plugin(`name: 'candle', devices: [defineDevice({ type: 'bulb', description: '' }, {})]`),
    'e.js': plugin(`name: 'moon', devices: [defineDevice({ type: 'i8259', description: '' }, {})]`),
  });

  test('plugins', async () => {
    expect(await refused(folder, ['--plugin', './a.js', '--plugin', './b.js'])).toContain(
      `two plugins are named 'lamp': './a.js' (${folder.path}/a.js) and './b.js' (${folder.path}/b.js): leave one out, or rename it`,
    );
  });

  test('one plugin twice', async () => {
    expect(await refused(folder, ['--plugin', './a.js', '--plugin', `${folder.path}/a.js`])).toContain(
      `plugin 'lamp' is given twice, as './a.js' and as '${folder.path}/a.js'`,
    );
  });

  test('device types', async () => {
    expect(await refused(folder, ['--plugin', './c.js', '--plugin', './d.js'])).toContain(
      `plugin 'candle' defines a device of type 'bulb', which plugin 'torch' defines already: give it another type, such as 'candle-bulb'`,
    );
    expect(await refused(folder, ['--plugin', './e.js'])).toContain(
      `plugin 'moon' defines a device of type 'i8259', which the host defines already`,
    );
  });
});

test("apply() that throws: the plugin's name and its error", async () => {
  const folder = project(undefined, {
    'lamp.js': plugin(`name: 'lamp', apply() { throw new Error('no hooks for me'); }`),
  });
  const { code, stderr } = await folder.qtest(['--plugin', './lamp.js']);
  expect(stderr).toBe("qtest: plugin 'lamp': apply(): no hooks for me\n");
  expect(code).toBe(2);
});
