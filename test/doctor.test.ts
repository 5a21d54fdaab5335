import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { HAS_QEMU, NEEDS_QEMU, processesWith } from './support/qemu.ts';

const PLUGIN = `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'one', description: '', run() {} });
`;

/** A project with one plugin in its config. */
const fine = (files: Readonly<Record<string, string>> = {}): Project =>
  project(undefined, {
    'qtest.config.ts': `export default { plugins: ['./one.ts'], clock: 'virtual' };\n`,
    'one.ts': PLUGIN,
    ...files,
  });

/** What it finds, and how it ends. */
async function found({ qtest }: Project, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await qtest(['doctor', '--json', ...args], { env });
  expect(stderr).toBe('');
  const findings: {
    plugins: unknown[];
    emulators: Record<string, { isFine: boolean; reason?: string }>;
    problems: { severity: string; about: string; message: string }[];
  } = JSON.parse(stdout);
  return { code, ...findings, problems: findings.problems.map((problem) => ({ ...problem })) };
}

/** A PATH on which there is a shell and no emulator. */
const NO_QEMU = { PATH: dirname(process.execPath) };

test('what there is', async () => {
  const folder = fine();
  const findings = await found(folder);
  expect(findings).toMatchObject({
    code: 0,
    version: 1,
    node: { version: process.versions.node, needed: '^22.18 || >=24' },
    typescript: true,
    config: { file: join(folder.path, 'qtest.config.ts'), keys: ['plugins', 'clock'] },
    problems: [],
  });
  expect(findings.plugins).toEqual([
    {
      spec: './one.ts',
      isFine: true,
      name: 'one',
      file: join(folder.path, 'one.ts'),
      api: '^0.1.0',
      cases: 1,
      devices: [],
    },
  ]);
});

test('for a reader', async () => {
  const folder = fine();
  const { code, stdout } = await folder.qtest(['doctor'], { env: NO_QEMU });
  expect(stdout).toMatch(/^Node {8}✓ \d+\.\d+\.\d+ \(needed: \^22\.18 \|\| >=24\) {2}\//m);
  expect(stdout).toContain('\nTypeScript  ✓ Node strips types\n');
  expect(stdout).toContain(`\nconfig      ✓ ${folder.path}/qtest.config.ts  plugins, clock\n`);
  expect(stdout).toContain(`\nplugins     ✓ one  API ^0.1.0  1 case  ${folder.path}/one.ts\n`);
  expect(stdout).toMatch(/^emulators {3}– qemu {2}qemu-system-x86_64: there is no such command\. Install it/m);
  expect(stdout).toMatch(/\n\nnothing is wrong\n$/);
  expect(code).toBe(0);
});

test.skipIf(!HAS_QEMU)(`the QEMU (${NEEDS_QEMU})`, async () => {
  const { emulators } = await found(fine());
  expect(emulators['qemu']).toMatchObject({ isFine: true, version: expect.stringMatching(/^\d+\.\d+/) });
  expect(emulators['qemu']).toHaveProperty('accelerators', expect.arrayContaining(['tcg']));
});

test('a QEMU tells of its accelerator qtest by starting with it, and not by its list', async () => {
  const folder = fine({
    'upstream-qemu': `#!/bin/sh
case "$*" in
  -version) echo 'QEMU emulator version 7.2.0';;
  '-accel help') echo 'Accelerators supported in QEMU binary:'; echo tcg;;
  '-accel qtest '*) echo '{"QMP": {"version": {}, "capabilities": []}}'; sleep 86397;;
esac
`,
  });
  chmodSync(join(folder.path, 'upstream-qemu'), 0o755);
  const { code, emulators } = await found(folder, ['--qemu', './upstream-qemu']);
  expect(emulators['qemu']).toMatchObject({ isFine: true, accelerators: ['tcg', 'qtest'] });
  expect(code).toBe(0);
  expect(processesWith(folder.path)).toEqual([]);
});

test('the v86 is the one that the backend would use', async () => {
  const { code, emulators, problems } = await found(fine());
  expect(emulators['v86']).toMatchObject({ isFine: true, version: expect.stringMatching(/^0\.5\.\d+$/) });
  expect({ code, problems }).toEqual({ code: 0, problems: [] });
});

describe('no QEMU', () => {
  test('is no problem where none is asked for', async () => {
    const { code, emulators, problems } = await found(fine(), [], NO_QEMU);
    expect(emulators['qemu']?.reason).toMatch(/apt install qemu-system-x86/);
    expect({ code, problems }).toEqual({ code: 0, problems: [] });
  });

  test('is a warning where the config names one', async () => {
    const { code, problems } = await found(fine(), ['--qemu', './nope']);
    expect(problems).toMatchObject([{ severity: 'warning', about: 'qemu' }]);
    expect(code).toBe(1);
  });

  test('is an error where the cases run on it', async () => {
    const { code, problems } = await found(fine(), ['--backend', 'qemu'], NO_QEMU);
    expect(problems).toMatchObject([{ severity: 'error', about: 'qemu' }]);
    expect(code).toBe(2);
  });
});

test('the v86', async () => {
  const { emulators } = await found(fine());
  expect(emulators['v86']).toMatchObject({
    isFine: true,
    version: expect.stringMatching(/^0\.5\.\d+$/),
    path: expect.stringMatching(/\/node_modules\/v86$/),
  });
});

test('no plugin at all is a warning, with what to write', async () => {
  const { code, problems } = await found(project());
  expect(problems).toMatchObject([{ severity: 'warning', about: 'plugins' }]);
  expect(problems[0]?.message).toContain('export default defineConfig({ plugins:');
  expect(code).toBe(1);
});

test('one broken plugin does not hide the others', async () => {
  const folder = fine({
    'qtest.config.ts': `export default { plugins: ['./throws.ts', 'absent', './one.ts', './old.ts', './again.ts'] };`,
    'throws.ts': `throw new Error('here it is');`,
    'old.ts': PLUGIN.replace("name: 'one'", "name: 'old', api: '^7.0.0'"),
    'again.ts': PLUGIN,
  });
  const { code, plugins, problems } = await found(folder);
  expect(plugins).toMatchObject([
    { spec: './throws.ts', isFine: false, file: join(folder.path, 'throws.ts') },
    { spec: 'absent', isFine: false },
    { spec: './one.ts', isFine: true },
    { spec: './old.ts', isFine: false },
    { spec: './again.ts', isFine: false },
  ]);
  expect(problems.map(({ about, severity }) => `${severity} ${about}`)).toEqual([
    'error ./throws.ts',
    'error absent',
    'error ./old.ts',
    'error ./again.ts',
  ]);
  const [thrown, absent, old, again] = problems.map(({ message }) => message);
  expect(thrown).toContain('Error: here it is');
  expect(absent).toContain('npm install --save-dev @qtest/qtest-absent');
  expect(old).toContain(`was written for version ^7.0.0 of the plugin API, but this is 0.1.0`);
  expect(again).toContain("two plugins are named 'one'");
  expect(code).toBe(2);
});

test('a config that cannot be used, and a plugin of the command line', async () => {
  const folder = fine({ 'qtest.config.ts': `export default { plugin: [] };` });
  const { code, plugins, problems } = await found(folder, ['--plugin', './one.ts']);
  expect(problems).toMatchObject([{ severity: 'error', about: 'config' }]);
  expect(problems[0]?.message).toContain("Did you mean 'plugins'?");
  expect(plugins).toMatchObject([{ spec: './one.ts', isFine: true }]);
  expect(code).toBe(2);
});

test('types that are not stripped', async () => {
  const folder = fine({ 'one.js': PLUGIN });
  const off = { NODE_OPTIONS: '--no-experimental-strip-types' };
  const { code, problems } = await found(folder, ['--no-config', '--plugin', './one.js'], off);
  expect(problems).toMatchObject([{ severity: 'warning', about: 'typescript' }]);
  expect(code).toBe(1);
});
