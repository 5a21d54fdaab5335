import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { jsonReport, resultOf, statuses } from './support/report.ts';
import { BIN, REPOSITORY, run } from './support/run.ts';

const command = project('command');
const { qtest } = command;

const CLOCK = [
  'ram/keeps',
  'ram/leaves-a-timer',
  'time/one-second',
  'time/virtual',
  'time/real',
  'time/skips-itself',
  'wrong/rate',
  'wrong/time',
];

/** Names of the cases that patterns select. */
async function selected(...patterns: readonly string[]): Promise<readonly string[]> {
  const { code, stdout } = await qtest(['list', '--json', ...patterns.flatMap((pattern) => ['-t', pattern])]);
  expect(code).toBe(0);
  const list: { plugins: readonly { name: string; cases: readonly { name: string }[] }[] } = JSON.parse(stdout);
  return list.plugins.flatMap(({ name, cases }) =>
    cases.map((found) => (name === 'clock' ? found.name : `${name}: ${found.name}`)),
  );
}

describe('qtest list', () => {
  test('for a reader', async () => {
    expect(await qtest(['list'])).toEqual({
      code: 0,
      stdout: `clock  the PC's clock
  ram/keeps           RAM keeps what is written
  ram/leaves-a-timer
  time/one-second     (needs virtual-clock; at most 5s)
  time/virtual        (virtual)
  time/real           (realtime)
  time/skips-itself
  wrong/rate
  wrong/time

wall  one case that ends unless it is told to hang
  run

9 cases in 2 plugins
`,
      stderr: '',
    });
  });

  test('for a program', async () => {
    const { code, stdout, stderr } = await qtest(['list', '--json', '-t', 'time']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      version: 1,
      plugins: [
        {
          name: 'clock',
          description: "the PC's clock",
          file: join(command.path, 'clock.ts'),
          cases: [
            { name: 'time/one-second', requires: ['virtual-clock'], timeout: '5000000000', vcpus: 1 },
            { name: 'time/virtual', clock: 'virtual', requires: [], vcpus: 1 },
            { name: 'time/real', clock: 'realtime', requires: [], vcpus: 1 },
            { name: 'time/skips-itself', requires: [], vcpus: 1 },
          ],
        },
      ],
    });
  });

  test("--plugin '?' lists the plugins", async () => {
    const stdout =
      "Available test modules:\n  clock  the PC's clock\n  wall   one case that ends unless it is told to hang\n";
    expect(await qtest(['--plugin', '?'])).toEqual({ code: 0, stdout, stderr: '' });
  });
});

describe('qtest machine', () => {
  test('for a reader', async () => {
    const { code, stdout, stderr } = await qtest(['machine', '--plugin', './clock.ts', '--clock', 'realtime']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^machine of clock {2}realtime clock, 1 VCPU, \d+ bytes of state\n\ndevices\n/);
    expect(stdout).toMatch(/\n {2}rtc0 {5}mc146818rtc {5}on isa0 {2}MC146818A.*\n {6}irq=8 ioBase=0x70 /);
    expect(stdout).toContain(
      '\nmemory\n  0000000000000000-0000000007ffffff  ram  128 MiB\n' +
        '  00000000000a0000-00000000000fffff       384 KiB  RAM if pmc0 says so\n',
    );
    expect(stdout).toMatch(/\n {2}io {6}0070-0071 +rtc0\.ports\n/);
    expect(stdout).toContain(
      '\n  isa0.route[3-15] → isa0.irq[3-15] → pic0.ir[3-15] and ioapic0.intin[3-15]\n  isa0.reset → RESET\n',
    );
    expect(stdout).toContain(
      '\n  pic0.int → apic0.lint0[0]\n  pit0.irq → isa0.irq[0] → ioapic0.intin[2] and pic0.ir[0]\n',
    );
    expect(stdout).toContain('\n  rtc0.irq → isa0.irq[8] → pic0.ir[8] and ioapic0.intin[8]\n');
    expect(stdout).toContain('\n  apic0.intr[0] → INTR\n');
  });

  test('for a program', async () => {
    const { code, stdout } = await qtest(['machine', '--json']);
    expect(code).toBe(0);
    const { version, machines } = JSON.parse(stdout);
    expect(version).toBe(1);
    expect(machines).toHaveLength(2);
    expect(machines[0]).toMatchObject({
      plugin: 'clock',
      clock: 'virtual',
      vcpus: 1,
      devices: expect.arrayContaining([
        expect.objectContaining({ id: 'isa0', type: 'piix3', bus: 'pci0' }),
        expect.objectContaining({ id: 'pic0', bus: 'isa0' }),
        expect.objectContaining({
          id: 'rtc0',
          type: 'mc146818rtc',
          properties: expect.objectContaining({ irq: 8, ioBase: 0x70 }),
        }),
      ]),
      memory: [{ kind: 'ram', base: 0, size: 128 * 2 ** 20 }],
    });
    expect(machines[0].regions).toContainEqual({
      device: 'rtc0',
      region: 'ports',
      space: 'io',
      base: 0x70,
      size: 2,
      priority: 0,
    });
    expect(machines[0].lines).toContainEqual({ name: 'rtc0.irq', kind: 'output', to: ['isa0.irq[8]'] });
  });
});

describe('qtest machine --machine', () => {
  test('the normal machine', async () => {
    const { code, stdout, stderr } = await qtest(['machine', '--machine', 'pc', '--no-config']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^machine of pc {2}virtual clock, 1 VCPU/);
    expect(stdout).toMatch(/\n {2}isa0 +piix3 +on pci0 {2}/);
    expect(stdout).toMatch(/\n {2}io {6}0cfc-0cff +pci0\.data +priority 2\n/);
  });

  test('isapc, and none, for a program', async () => {
    const types = async (name: string): Promise<string[]> => {
      const { stdout } = await qtest(['machine', '--machine', name, '--json']);
      return JSON.parse(stdout).machines.flatMap(({ devices }: { devices: { type: string }[] }) =>
        devices.map(({ type }) => type),
      );
    };
    expect(await types('isapc')).toEqual(expect.arrayContaining(['isa-bus', 'i8259', 'mc146818rtc']));
    expect(await types('none')).toEqual([]);
  });

  test('another one', async () => {
    const { code, stderr } = await qtest(['machine', '--machine', 'q35']);
    expect(code).toBe(2);
    expect(stderr).toContain("'--machine <name>' argument 'q35' is invalid. Allowed choices are pc, isapc, none.");
  });
});

describe('-t', () => {
  test('names, folders and globs', async () => {
    expect(await selected()).toEqual([...CLOCK, 'wall: run']);
    expect(await selected('time/real')).toEqual(['time/real']);
    expect(await selected('ram')).toEqual(['ram/keeps', 'ram/leaves-a-timer']);
    expect(await selected('time/*')).toEqual(CLOCK.filter((name) => name.startsWith('time/')));
    expect(await selected('*/r*')).toEqual(['time/real', 'wrong/rate']);
    expect(await selected('{ram,wrong}/*', '!*/time', '!ram/l*')).toEqual(['ram/keeps', 'wrong/rate']);
    expect(await selected('run', 'wrong')).toEqual(['wrong/rate', 'wrong/time', 'wall: run']);
    expect(await selected('!time', '!ram', '!wrong')).toEqual(['wall: run']);
  });

  test('that matches nothing: exit 1, and the nearest names', async () => {
    const nothing = await qtest(['-t', 'time/reel']);
    expect(nothing).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^qtest: no cases matched -t 'time\/reel' in clock, wall\. Nearest: time\/real, .*'qtest list' shows all 9\n$/,
      ),
    });
    expect(await qtest(['list', '-t', 'time/reel'])).toEqual(nothing);
  });

  test('of which one matches nothing: a warning', async () => {
    const { code, stdout } = await qtest(['-t', 'time/virtual', '-t', 'tiem']);
    expect(stdout).toContain("warning: -t 'tiem' matched no case\n");
    expect(code).toBe(0);
  });
});

describe('--clock', () => {
  test('left out: each case on the clock that it names, the others on the virtual one', async () => {
    const report = jsonReport(await qtest(['--json', '-t', 'time/*', '-t', 'run']));
    expect(report.cases.map(({ name, clock, status }) => `${name} ${clock}: ${status}`).toSorted()).toEqual([
      'run virtual: pass',
      'time/one-second virtual: pass',
      'time/real realtime: pass',
      'time/skips-itself virtual: skip',
      'time/virtual virtual: pass',
    ]);
    expect(resultOf(report, 'time/real').log).toEqual([
      expect.stringMatching(/^clock\.ts:run\(\):L\d+: realtime: at least 20 ms$/),
    ]);
  });

  test('virtual', async () => {
    const { code, stdout } = await qtest(['--clock', 'virtual', '-t', 'time/*']);
    expect(stdout).toContain('\n    ↓ real  needs the realtime clock (--clock realtime)\n');
    expect(stdout).toMatch(/\n2 passed, 2 skipped of 4 cases in /);
    expect(code).toBe(0);
  });

  test('realtime', async () => {
    const { code, stdout } = await qtest(['--clock', 'realtime', '-t', 'time/*', '-t', 'run']);
    expect(stdout).toMatch(/\n {4}✓ real {2}realtime, /);
    expect(stdout).toMatch(/\n {2}✓ run {2}realtime, .*\n {4}wall\.ts:run\(\):L\d+: realtime\n/);
    expect(stdout).toMatch(/\n {4}↓ virtual {2}.*needs the virtual clock \(--clock virtual\)\n/);
    expect(stdout).toMatch(/\n {4}↓ one-second {2}.*needs the virtual clock \(--clock virtual\)\n/);
    expect(stdout).toMatch(/\n2 passed, 3 skipped of 5 cases in /);
    expect(code).toBe(0);
  });
});

test('--timeout', async () => {
  const { code, stdout } = await qtest(['--plugin', './wall.ts', '--timeout', '200ms'], {
    env: { HANG: join(command.path, 'hangs') },
  });
  expect(stdout).toMatch(/\n {2}✗ run {2}timed out, /);
  expect(stdout).toContain('Timeout: no end within 200ms of wall time; the VCPU was killed');
  expect(stdout).toMatch(/\n0 passed, 1 timed out of 1 case in /);
  expect(code).toBe(1);
});

test('--jobs: the same report, however many machines', async () => {
  const [one, two, four] = await Promise.all(['1', '2', '4'].map((jobs) => qtest(['--jobs', jobs])));
  const timeless = (text = ''): string =>
    text.replace(/\b(?:\d+\.)?\d+ m?s\b/g, '…').replace('to its standard output\n', '');
  expect(one?.stdout).toMatch(/\n6 passed, 2 failed, 1 skipped of 9 cases in /);
  expect(timeless(two?.stdout)).toBe(timeless(one?.stdout));
  expect(timeless(four?.stdout)).toBe(timeless(one?.stdout));
  expect([one?.code, two?.code, four?.code]).toEqual([1, 1, 1]);
});

describe('--config', () => {
  test("names the file; its plugins are resolved from its folder, the command line's from the working directory", async () => {
    const report = jsonReport(await qtest(['--json', '--config', 'bench/qtest.config.ts']));
    expect(report.cases).toMatchObject([{ plugin: 'wall', clock: 'realtime', status: 'pass' }]);
    const named = jsonReport(
      await qtest(['--json', '--config', 'bench/qtest.config.ts', '--plugin', './clock.ts', '-t', 'ram/keeps']),
    );
    expect(named.cases).toMatchObject([{ plugin: 'clock', clock: 'realtime', status: 'pass' }]);
  });

  test('is found from a folder below', async () => {
    const { stdout } = await qtest(['list', '-t', 'run'], { cwd: join(command.path, 'bench') });
    expect(stdout).toContain('1 case in 1 plugin');
    command.write({ 'deep/down/x': '' });
    expect((await qtest(['list'], { cwd: join(command.path, 'deep/down') })).stdout).toContain('9 cases in 2 plugins');
  });

  test('--no-config', async () => {
    expect((await qtest(['--no-config'])).stderr).toContain(
      'qtest: no plugin to run: the command line names none, and there is no config',
    );
    const { code, stdout } = await qtest(['--no-config', '--plugin', './wall.ts']);
    expect(stdout).toContain('wall  one case');
    expect(code).toBe(0);
  });
});

test('--json: one document, whatever a case writes', async () => {
  const { code, stdout, stderr } = await qtest(['--json', '-t', 'ram', '-t', 'wrong/rate', '-t', 'time/skips-itself']);
  const { version, summary, interrupted, cases, warnings } = JSON.parse(stdout);
  expect({ version, interrupted, warnings }).toEqual({ version: 1, interrupted: false, warnings: [] });
  expect(summary).toEqual({ pass: 2, fail: 1, skip: 1, timeout: 0, crash: 0, known: 0, duration: expect.any(Number) });
  expect(cases).toEqual([
    {
      plugin: 'clock',
      name: 'ram/keeps',
      clock: 'virtual',
      vcpus: 1,
      status: 'pass',
      duration: expect.any(Number),
      log: [expect.stringMatching(/^clock\.ts:run\(\):L\d+: 64 bytes\nof RAM$/)],
      failures: [],
      accesses: [],
      notes: [],
      value: { bytes: 64, last: '127' },
    },
    expect.objectContaining({
      name: 'ram/leaves-a-timer',
      status: 'pass',
      notes: [expect.stringContaining('left running: Timeout')],
    }),
    expect.objectContaining({ name: 'time/skips-itself', status: 'skip', reason: 'nobody has wound it up' }),
    expect.objectContaining({
      name: 'wrong/rate',
      status: 'fail',
      failures: [
        expect.objectContaining({
          name: 'AssertionError',
          message: expect.stringMatching(/^the rate: expected 9, got 6\b/),
          actual: '6',
          expected: '9',
          location: { file: join(command.path, 'clock.ts'), line: expect.any(Number), column: expect.any(Number) },
        }),
      ],
      accesses: expect.arrayContaining(['outb 0x71 ← 0x44         rtc0.B {PIE, DM}']),
    }),
  ]);
  expect(stderr).toContain('written by the case\n');
  expect(stderr).toContain('to its standard output\n');
  expect(code).toBe(1);
});

test('--version and --help', async () => {
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'host/package.json'), 'utf8'));
  expect(await qtest(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  const help = await qtest(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const word of [
    'list',
    'machine',
    '--plugin <name>',
    '--test <pattern>',
    '--clock',
    '--timeout',
    '--jobs',
    '--config',
    '--no-config',
    '--json',
  ]) {
    expect(help.stdout).toContain(word);
  }
  expect(help.stdout).toMatch(/\nExamples:\n {2}qtest .*\n/);
  expect(help.stdout).toMatch(/\nExit codes:\s+0 [^]*\b130\b/);
});

test('colours: by NO_COLOR and FORCE_COLOR, and none for a pipe', async () => {
  const run = async (env: Readonly<Record<string, string | undefined>>): Promise<string> =>
    (await qtest(['-t', 'wrong', '-t', 'time/virtual'], { env })).stdout;
  const [forced, none, pipe] = await Promise.all([
    run({ FORCE_COLOR: '1', NO_COLOR: undefined }),
    run({ NO_COLOR: '1' }),
    run({ NO_COLOR: undefined }),
  ]);
  expect(forced).toContain('\u001b[32m✓\u001b[39m virtual');
  expect(forced).toContain('\u001b[31m✗\u001b[39m rate');
  expect(none).not.toContain('\u001b');
  expect(pipe).not.toContain('\u001b');
});

test('whoever reads its output may go', async () => {
  const list = `'${process.execPath}' '${BIN}' list`;
  const { code, stdout, stderr } = await run('sh', ['-c', `(${list}; ${list}; ${list}) | head -n 1`], {
    cwd: command.path,
  });
  expect(stdout).toBe("clock  the PC's clock\n");
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

describe('exit codes', () => {
  test('0: all passed', async () => {
    const { code, stdout, stderr } = await qtest(['-t', 'time/virtual']);
    expect(stdout).toMatch(
      /^\nclock {2}the PC's clock\n {2}time\n {4}✓ virtual {2}.*\n {6}clock\.ts:run\(\):L\d+: virtual\n\n1 passed of 1 case in .*\n\n$/,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('0: all skipped, with a warning', async () => {
    const { code, stdout } = await qtest(['-t', 'time/skips-itself']);
    expect(stdout).toContain('↓ skips-itself  nobody has wound it up\n');
    expect(stdout).toContain('warning: every case was skipped: nothing has been tested\n');
    expect(stdout).toMatch(/\n0 passed, 1 skipped of 1 case in /);
    expect(code).toBe(0);
  });

  test('1: one failed', async () => {
    const report = await qtest(['--json', '-t', 'time/virtual', '-t', 'wrong/time']);
    expect(statuses(jsonReport(report))).toEqual(['clock time/virtual: pass', 'clock wrong/time: fail']);
    expect(report.code).toBe(1);
  });

  test.each([
    [['lst'], /unknown command 'lst': expected run, list, machine/],
    [['list', 'ram'], /'list' takes no arguments, but was given 'ram'.*-t 'ram'/],
    [['--plugins', './clock.ts'], /unknown option '--plugins'\s.*Did you mean --plugin\b/],
    [['--clock', 'wall'], /--clock.*virtual.*realtime/],
    [['--jobs', '0'], /--jobs.*expected an integer from 1 to 64/i],
    [['--timeout', '10'], /--timeout.*expected a duration above zero and up to 24d, such as/i],
    [['-t'], /option '-t.*--test <pattern>/],
  ])('2: usage: %j', async (args, message) => {
    const { code, stdout, stderr } = await qtest(args);
    expect(stderr).toMatch(/^qtest: /);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
