import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { qtest, type Ended } from '../../testing/qtest.ts';
import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import { runCommandLine } from './command-line.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch({
    'package.json': '{ "type": "module" }',
    'qtest.config.ts': `export default { plugins: ['./rtc.ts'] };`,
    'rtc.ts': `import { definePlugin } from '@qtest/sdk';
      export default definePlugin({ name: 'rtc', description: 'real-time clock', run: {
        'periodic/drift'() {}, 'alarm/hour': { run() {}, description: 'each hour', requires: ['virtual-clock'], timeout: '5s' } } });`,
  });
});
afterEach(() => folder.remove());

const command = (...args: readonly string[]): Ended => qtest(folder.path, ...args);

test('list', () => {
  expect(command('list')).toEqual({
    code: 0,
    stdout: `rtc  real-time clock
  periodic/drift
  alarm/hour      each hour (needs virtual-clock; at most 5s)

2 cases in 1 plugin
`,
    stderr: '',
  });
  expect(command('-t', 'alarm', 'list').stdout).toContain('1 case in 1 plugin');
  expect(command('list', '-t', 'alarm').stdout).toContain('1 case in 1 plugin');
});

test('a NUL, which no command line of a process has, in whatever argument', async () => {
  for (const args of [['--plugin', './a\0.ts'], ['-t', 'a\0'], ['init', 'a\0'], ['--reporter', 'json=a\0'], ['a\0']]) {
    const stderr = new PassThrough();
    const code = await runCommandLine(args, { cwd: folder.path, stdout: new PassThrough(), stderr });
    expect(code).toBe(2);
    expect(String(stderr.read())).toMatch(
      /^qtest: "[^"\0]*a\\u0000[^"\0]*": no name, path or pattern has a NUL character\n$/,
    );
  }
});

test("--plugin '?' lists the plugins, as QEMU did", () => {
  const stdout = 'Available test modules:\n  rtc  real-time clock\n';
  for (const args of [[], ['list'], ['machine']]) {
    expect(command(...args, '--plugin', '?')).toEqual({ code: 0, stdout, stderr: '' });
  }
  expect(command('--no-config', '--plugin', '?')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('(none: list them'),
  });
});

test('--help and --version', () => {
  expect(command('--version')).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  const help = command('--help');
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('\nExamples:\n'), stderr: '' });
  expect(command('-h')).toEqual(help);
  expect(command('help')).toEqual(help);
});

test('the help of a command: with the options that all share, and the examples', () => {
  const help = command('list', '--help');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Usage: qtest list [options]\n\nlist the cases without running them\n');
  expect(help.stdout).toContain('--plugin <name>');
  expect(help.stdout).toContain('\nExamples:\n');
  expect(command('help', 'list')).toEqual(help);
});

describe('usage: exit 2, with what was expected', () => {
  test.each([
    [
      ['lst'],
      "unknown command 'lst': expected run, list, machine, contract, diff, compat, doctor, init, merge-reports, serve, replay, completion, help. Did you mean 'list'? To select cases: qtest -t 'lst'",
    ],
    [['list', 'alarm'], "'list' takes no arguments, but was given 'alarm'. To select cases: -t 'alarm'"],
    [['run', 'alarm'], "'run' takes no arguments, but was given 'alarm'. To select cases: -t 'alarm'"],
    [
      ['--plugins', 'x'],
      "unknown option '--plugins'\n(Did you mean --plugin?)\n('qtest --help' tells what there is)\n",
    ],
    [['list', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)\n"],
    [['-x'], "unknown option '-x'\n"],
    [['--plugin'], "option '-p, --plugin <name>' argument missing"],
    [['--json=yes'], "unknown option '--json=yes'"],
    [['--plugin='], "option '-p, --plugin <name>' argument '' is invalid. It is empty."],
    [['--jobs', '0'], "option '--jobs <n>' argument '0' is invalid. Expected an integer from 1 to 64."],
    [['--jobs', '1e1'], "option '--jobs <n>' argument '1e1' is invalid. Expected an integer from 1 to 64."],
    ...['1.5', '-1', '4294967296', 'random', 'explore', 'explore=0', 'explore=x', 'explore=1000001'].map(
      (how): [string[], string] => [
        ['--schedule', how],
        `option '--schedule <how>' argument '${how}' is invalid. Expected a seed from 0 to 4294967295, 'free', or 'explore=N' for the seeds from 1 to N, at most 1000000.`,
      ],
    ),
    [['--schedule'], "option '--schedule <how>' argument missing"],
    [['--clock', 'wall'], "option '--clock <kind>' argument 'wall' is invalid. Allowed choices are virtual, realtime."],
    [
      ['--timeout', '10'],
      "option '--timeout <duration>' argument '10' is invalid. Expected a duration above zero and up to 24d, such as 10s or 500ms.",
    ],
    [['--no-config'], 'no plugin to run: the command line names none, and there is no config.'],
    [['--plugin', 'nope'], "plugin 'nope' was not found. Tried these packages"],
    [['--config', 'nope.ts'], 'nope.ts: there is no such config file'],
  ])('%j', (args, message) => {
    const { code, stdout, stderr } = command(...args);
    expect(stderr).toMatch(/^qtest: /);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

test('nothing selected: exit 1', () => {
  expect(command('-t', 'drift')).toEqual({
    code: 1,
    stdout: '',
    stderr: "qtest: no cases matched -t 'drift' in rtc. Nearest: periodic/drift. 'qtest list' shows all 2\n",
  });
});

test('what a plugin leaves running in the host does not keep the command', () => {
  folder.write({
    'rtc.ts': `setInterval(() => {}, 1000);\n${'import { definePlugin } from "@qtest/sdk";\nexport default definePlugin({ name: "rtc", description: "", run() {} });'}`,
  });
  const { code, stdout, stderr } = command('list');
  expect(stdout).toContain('1 case in 1 plugin');
  expect(stderr).toContain('a plugin has left something running in the host (Timeout)');
  expect(code).toBe(0);
});

test.skipIf(process.platform === 'win32')('a pipe that a plugin leaves open is named', () => {
  folder.write({
    'rtc.ts': `import { createServer, connect } from 'node:net';
      import { definePlugin } from '@qtest/sdk';
      const server = createServer();
      await new Promise((resolve) => server.listen('left.sock', resolve));
      await new Promise((resolve) => connect('left.sock', resolve));
      server.unref();
      export default definePlugin({ name: 'rtc', description: '', run() {} });`,
  });
  const { code, stderr } = command('list');
  expect(stderr).toBe('qtest: ended, although a plugin has left something running in the host (PipeWrap)\n');
  expect(code).toBe(0);
});

test('--json keeps standard output to the document, whatever a module or a case writes there', () => {
  folder.write({
    'noisy.ts': `import { definePlugin } from '@qtest/sdk';
      console.log('from the module');
      export default definePlugin({ name: 'noisy', description: '', run() {
        process.stdout.write('from the case\\n');
      } });`,
  });
  const { code, stdout, stderr } = command('--json', '--plugin', './noisy.ts');
  expect(JSON.parse(stdout)).toMatchObject({ summary: { pass: 1 }, cases: [{ plugin: 'noisy' }] });
  expect(stderr).toContain('from the module\n');
  expect(stderr).toContain('from the case\n');
  expect(code).toBe(0);
});
