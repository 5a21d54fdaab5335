import { cpSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { emptyFolder, project } from './support/project.ts';
import { REPOSITORY, run, type Ended } from './support/run.ts';

/** The packages of the command in files of their own: whole, newer than what tsc has read, and no more of them than is needed. */

const PACKAGES = ['sdk', 'parts', 'machine', 'serve', 'host'];
const BINS = [
  ['qtest', 'host/bin/qtest.js', 2],
  ['qtest-system-x86_64', 'serve/bin/qtest-system-x86_64.cjs', 1],
] as const;

/** What the commands need of a checkout. */
function checkout(): string {
  const root = emptyFolder();
  for (const name of PACKAGES) {
    for (const part of ['package.json', 'tsconfig.json', 'dist', 'bin', 'preflight.cjs']) {
      const from = join(REPOSITORY, name, part);
      if (statSync(from, { throwIfNoEntry: false }) !== undefined)
        cpSync(from, join(root, name, part), { recursive: true, preserveTimestamps: true });
    }
    mkdirSync(join(root, 'node_modules/@qtest'), { recursive: true });
    symlinkSync(join(root, name), join(root, 'node_modules/@qtest', name));
  }
  return root;
}

const version = (root: string, bin: string): Promise<Ended> =>
  run(process.execPath, [join(root, bin), '--version'], { cwd: root });

/** Has tsc have read a package's sources a minute after it was bundled. */
function readLater(root: string, name: string): void {
  const later = new Date(statSync(join(root, name, 'dist/.bundle')).mtimeMs + 60_000);
  utimesSync(join(root, name, 'dist/.tsbuildinfo'), later, later);
}

describe.each(BINS)('%s in a checkout', (command, bin, exitCode) => {
  test('that is built', async () => {
    expect(await version(checkout(), bin)).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(PACKAGES)('in which tsc has read newer sources of %s: npm run build', async (name) => {
    const root = checkout();
    readLater(root, name);
    expect(await version(root, bin)).toEqual({
      code: exitCode,
      stdout: '',
      stderr: `${command} is not built: the bundle in ${join(root, name, 'dist')} is older than its types. Run \`npm run build\` first.\n`,
    });
  });

  test.each(['parts', 'host'])('in which %s has never been built', async (name) => {
    const root = checkout();
    rmSync(join(root, name, 'dist'), { recursive: true });
    const { code, stderr } = await version(root, bin);
    expect(stderr).toBe(
      `${command} is not built: ${join(root, name, 'dist')} has no bundle. Run \`npm run build\` first.\n`,
    );
    expect(code).toBe(exitCode);
  });

  test.each([
    ['a thread', 'host/dist/runner-worker.js'],
    ['the stand-in', 'serve/dist/standin/main.cjs'],
    ['the page of reports', 'host/dist/report/page.js'],
    ['a library', 'machine/dist/testing.js'],
  ])('in which the file of %s is missing', async (_what, name) => {
    const root = checkout();
    const file = join(root, name);
    rmSync(file);
    const { code, stderr } = await version(root, bin);
    expect(stderr).toBe(`${command} is not built: there is no ${file}. Run \`npm run build\` first.\n`);
    expect(code).toBe(exitCode);
  });

  test('a published package is not asked', async () => {
    const root = checkout();
    rmSync(join(root, 'sdk/tsconfig.json'));
    readLater(root, 'host');
    expect(await version(root, bin)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('what is loaded', () => {
  const folder = project('command', {
    'loads.mjs': `
      import { registerHooks } from 'node:module';
      import { writeSync } from 'node:fs';
      registerHooks({ load: (url, context, next) => (writeSync(2, 'loads ' + url + '\\n'), next(url, context)) });`,
  });

  /** Files of our packages that the command's main thread loads, from their package's folder on. */
  async function loads(...args: readonly string[]): Promise<readonly string[]> {
    const { code, stderr } = await folder.qtest(args, { env: { NODE_OPTIONS: '--import=./loads.mjs' } });
    expect(code).toBe(0);
    return stderr
      .split('\n')
      .flatMap((line) => /^loads file:\/\/.*\/((?:sdk|parts|machine|devices|serve|host)\/.*)/.exec(line)?.[1] ?? []);
  }

  test.each([['--version'], ['-V'], ['completion', 'bash']])(
    '%s: not what parses the command line',
    async (...args) => {
      const files = await loads(...args);
      expect(files).toContain('host/dist/cli-main.js');
      expect(files.filter((file) => /host\/dist\/(?:program|base)-/.test(file))).toEqual([]);
      expect(files.length).toBeLessThanOrEqual(7);
    },
  );

  test('list: no machine, no device, no runner', async () => {
    const files = await loads('list', '--plugin', './clock.ts');
    expect(files.some((file) => /host\/dist\/list-/.test(file))).toBe(true);
    expect(files.filter((file) => /^(?:machine|devices|serve)\/|host\/dist\/run/.test(file))).toEqual([]);
    expect(files.length).toBeLessThanOrEqual(20);
  });

  test('a shortcut prints what the program prints', async () => {
    for (const [short, long] of [
      [['--version'], ['--no-config', '--version']],
      [
        ['completion', 'bash'],
        ['--no-config', 'completion', 'bash'],
      ],
      [
        ['completion', 'fish'],
        ['--no-config', 'completion', 'fish'],
      ],
      [
        ['completion', 'zsh'],
        ['--no-config', 'completion', 'zsh'],
      ],
    ] as const) {
      const printed = await folder.qtest(short);
      expect(printed).toEqual(await folder.qtest(long));
      expect(printed.stdout).not.toBe('');
    }
  });
});

test('the library, the contract and the helpers of tests share their classes', async () => {
  const script = `
    import { createHooks, loadPlugins } from '@qtest/host';
    import { ContractError, deviceContract } from '@qtest/host/contract';
    import { testMachine, CaseError } from '@qtest/host/testing';
    import { QtestError } from '@qtest/sdk';
    try { testMachine((machine) => machine.add('no-such-device')); }
    catch (error) { console.log(error instanceof QtestError, error.constructor === QtestError); }
    console.log(typeof createHooks, typeof loadPlugins, typeof deviceContract, typeof ContractError, typeof CaseError);`;
  const folder = project('command', { 'share.mjs': script });
  const { stdout, stderr } = await run(process.execPath, ['share.mjs'], { cwd: folder.path });
  expect(stderr).toBe('');
  expect(stdout).toBe('true true\nfunction function function function function\n');
});
