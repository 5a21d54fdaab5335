import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { install, NO_PACKAGES, pack, sh } from './support/npm.ts';
import { emptyFolder, project } from './support/project.ts';
import { REPOSITORY } from './support/run.ts';

/** From an empty folder to a package that runs elsewhere, with the host as npm would publish it. */
const app = emptyFolder();
let tarballs: readonly string[] = [];
/** With `@qtest/create-plugin`. */
let creator: readonly string[] = [];
let offline = false;

beforeAll(async () => {
  tarballs = await pack(['sdk', 'parts', 'machine', 'devices', 'host']);
  creator = [...tarballs, ...(await pack(['create-plugin']))];
  writeFileSync(join(app, 'package.json'), '{ "private": true }\n');
  offline = !(await install(tarballs, app));
}, 120_000);

describe.each([
  {
    command: 'qtest init',
    run: (args: string) => sh(`npx qtest init ${args}`, app),
    args: '',
    name: 'qtest-plain',
    cases: 2,
    log: 'src/index.ts:countsSeconds():L18: the time is 1000000000 ns',
  },
  {
    command: 'npm create @qtest/plugin',
    // What npm makes of it, but for the registry. Nothing is installed in the folder.
    run: (args: string) => {
      const packages = creator.map((file) => `--package '${file}'`).join(' ');
      return sh(`npm exec --yes --prefer-offline ${packages} -- create-plugin ${args}`, emptyFolder());
    },
    args: '--device',
    name: '@org/qtest-own',
    cases: 3,
    log: 'src/index.ts:irq():L46: the IRQ came after 1000000 ns',
  },
])('$command $args', { timeout: 240_000 }, ({ run, args, name, cases, log }) => {
  const folder = join(app, `new${args}`);
  const passed = new RegExp(`\\n${cases} passed of ${cases} cases in `);

  test('creates a package that passes its own tests at once', async ({ skip }) => {
    skip(offline, NO_PACKAGES);
    const created = await run(`'${folder}' --name ${name} ${args}`);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toContain(`${name} in ${folder}\n`);
    expect(await install(tarballs, folder, '--save-dev')).toBe(true);
    const { code, stdout } = await sh('npm test', folder);
    expect(stdout).toMatch(/^# fail 0$|^ℹ fail 0$/m);
    expect(stdout).toMatch(passed);
    expect(code).toBe(0);
  });

  test('packs into what runs elsewhere', async ({ skip }) => {
    skip(offline, NO_PACKAGES);
    const packed = await sh('npm pack', folder);
    expect(packed).toMatchObject({ code: 0 });
    const tarball = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '');
    const elsewhere = emptyFolder();
    writeFileSync(join(elsewhere, 'package.json'), '{ "private": true }\n');
    expect(await install([...tarballs, tarball], elsewhere)).toBe(true);
    const installed = join(elsewhere, 'node_modules', name);
    expect(existsSync(join(installed, 'dist/index.d.ts'))).toBe(true);
    expect(existsSync(join(installed, 'test'))).toBe(false);
    const { code, stdout } = await sh(`npx qtest --plugin ${name}`, elsewhere);
    expect(stdout).toMatch(passed);
    // By the source map.
    expect(stdout).toContain(log);
    expect(code).toBe(0);
    const publint = await sh(`'${join(REPOSITORY, 'node_modules/.bin/publint')}' run --strict '${folder}'`, folder);
    expect(publint).toMatchObject({ code: 0 });
  });

  test('its test fails when a case does', async ({ skip }) => {
    skip(offline, NO_PACKAGES);
    const file = join(folder, 'src/index.ts');
    const source = readFileSync(file, 'utf8');
    writeFileSync(file, source.replace(/assert\.equal\(/, 'assert.notEqual('));
    const { code, stdout } = await sh('npm test', folder);
    writeFileSync(file, source);
    expect(stdout).toContain(`1 failed of ${cases} cases`);
    expect(code).not.toBe(0);
  });
});

describe('what it refuses', () => {
  const { path, qtest, write } = project(undefined, { 'a-file': '' });
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await qtest(['init', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };

  test('a folder that is not empty', async () => {
    write({ 'full/notes.txt': 'mine' });
    expect(await refused('full')).toMatch(/full is not empty: it has 'notes\.txt'/);
    expect(existsSync(join(path, 'full/package.json'))).toBe(false);
  });

  test('a file', async () => {
    expect(await refused('a-file')).toContain('a-file is a file: expected a folder that is new, or empty');
  });

  test('a folder below a file', async () => {
    expect(await refused('a-file/below')).toContain('a-file/below cannot be written: ');
  });

  test.each(['Clock', 'qtest-', '-clock', 'a b', '../x', '@org', '@org/', '@/x', 'a/b', `a${'b'.repeat(214)}`, ''])(
    'the name %j',
    async (name) => {
      expect(await refused('new', `--name=${name}`)).toContain(`--name '${name}': expected lower-case letters`);
      expect(existsSync(join(path, 'new'))).toBe(false);
    },
  );

  test("a folder whose name can't be a package's", async () => {
    expect(await refused('My Tests')).toContain('Give one with --name');
  });

  test('a second folder', async () => {
    expect(await refused('new', 'newer')).toContain("'init' takes one argument, but was given 'newer'");
  });
});

test('a folder that has .git alone, as the working directory', async () => {
  const { path, qtest } = project();
  const folder = join(path, 'qtest-clock');
  mkdirSync(join(folder, '.git'), { recursive: true });
  const { code, stdout } = await qtest(['init', '--json'], { cwd: folder });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ version: 1, package: 'qtest-clock', folder });
  expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({ name: 'qtest-clock' });
  expect(readFileSync(join(folder, 'src/index.ts'), 'utf8')).toContain("name: 'clock',");
  expect(existsSync(join(folder, '.gitignore'))).toBe(true);
});
