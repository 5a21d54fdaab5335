import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { HAS_QEMU, NEEDS_QEMU } from './support/qemu.ts';
import { LineClient } from './support/qtest-client.ts';

const recorded = project('trace');
const PC = ['--machine', 'pc', '--no-config'];
const SCRIPT = 'qtest-traces/trace.pass-portable.qtest';
const textOf = (name: string): string => readFileSync(join(recorded.path, name), 'utf8');

beforeAll(async () => {
  const args = ['--plugin', './trace.ts', '--trace-export', 'qtest', '-t', 'pass/*'];
  expect((await recorded.qtest(args)).code).toBe(0);
});

test.each([
  ['portable', 13],
  ['periodic', 11],
])('what a case has recorded is answered alike: %s', async (name, requests) => {
  const { stdout, code } = await recorded.qtest(['replay', `qtest-traces/trace.pass-${name}.qtest`, ...PC]);
  expect(stdout).toBe(
    `qtest-traces/trace.pass-${name}.qtest: ${requests} requests on the machine pc, ${requests} of ${requests} replies as recorded\n`,
  );
  expect(code).toBe(0);
});

test("a plugin's machine can be meant, and is the one that is replayed on", async () => {
  const { stdout, code } = await recorded.qtest(['replay', SCRIPT, '--plugin', './trace.ts', '--no-config']);
  expect(stdout).toMatch(/13 requests on the machine trace, 13 of 13 replies as recorded/);
  expect(code).toBe(0);
});

describe('a reply that is another', () => {
  const other = (): void =>
    recorded.write({ 'other.qtest': textOf(SCRIPT).replace('inb 0x71\n# OK 0x0002', 'inb 0x71\n# OK 0x0082') });

  test('is told, decoded, with what came before it', async () => {
    other();
    const { stdout, code } = await recorded.qtest(['replay', 'other.qtest', ...PC]);
    expect(stdout).toBe(`other.qtest: 3 requests on the machine pc; the last is answered otherwise than it was recorded

line 6: inb 0x71
  recorded  inb 0x71 → 0x82          rtc0.B {SET, 24H}
  here      inb 0x71 → 0x02          rtc0.B {24H}

before it
  outb 0x70 ← 0x0b         rtc0 index B
  outb 0x71 ← 0x02         rtc0.B {24H}
`);
    expect(code).toBe(1);
  });

  test('--json', async () => {
    other();
    const { stdout, code } = await recorded.qtest(['replay', 'other.qtest', '--json', ...PC]);
    const report: unknown = JSON.parse(stdout);
    expect(report).toMatchObject({
      version: 1,
      file: 'other.qtest',
      machine: 'pc',
      requests: 3,
      compared: 3,
      difference: { line: 6, request: 'inb 0x71', before: [expect.any(String), expect.any(String)] },
    });
    expect(code).toBe(1);
  });
});

test.each([
  ['a word that is no number', 'outb 0x70 0xb\ninb zz\n', `bad.qtest:2:5: inb: 'zz' is no port`],
  ['one that is missing', 'outb 0x70\n', 'bad.qtest:1:10: outb: argument 2 is missing'],
  ['a request that there is not', '# a comment\n\ninp 0x70\n', `bad.qtest:3:1: Unknown command 'inp'`],
  [
    'in a log',
    '[R +0.000001] readl 0x10 \n[R +0.1] readl -\n',
    `bad.qtest:2:16: readl: argument 1, '-', is no integer`,
  ],
  ['a reply to nothing', '[S +0.000001] OK\n', `bad.qtest:1:15: 'OK' is a reply, and no request stands before it`],
  ['nothing', '# only a comment\n', 'bad.qtest: there is no request in it'],
])('bad input is named by line and column: %s', async (_what, text, message) => {
  recorded.write({ 'bad.qtest': text });
  const { stderr, code } = await recorded.qtest(['replay', 'bad.qtest', ...PC]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test.each([
  [
    'a file that is not there',
    'absent.qtest',
    'absent.qtest cannot be read: there is no such file; expected a script, as ',
  ],
  [
    'a folder',
    'node_modules',
    'node_modules cannot be read: it is a folder, and not a regular file; expected a script, as ',
  ],
  ['what is no text', 'binary.qtest', 'binary.qtest is no text; expected a script, as '],
])('what cannot be a script: %s', async (_what, file, message) => {
  recorded.write({ 'binary.qtest': '\u007fELF\0\0' });
  const { stderr, code } = await recorded.qtest(['replay', file, ...PC]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test.skipIf(!HAS_QEMU)(
  `a real QEMU answers the script alike, and its log is replayed here (${NEEDS_QEMU})`,
  async () => {
    // Keeps the CPU out of the way: cli, hlt at the reset vector.
    const rom = Buffer.alloc(0x1_0000, 0xf4);
    rom.set([0xfa, 0xf4, 0xeb, 0xfc], 0xfff0);
    writeFileSync(join(recorded.path, 'halt.rom'), rom);
    const socket = join(recorded.path, 'qtest.sock');
    const machine = ['-machine', 'pc', '-accel', 'tcg', '-bios', 'halt.rom', '-display', 'none'];
    const args = [...machine, '-qtest', `unix:${socket},server=on,wait=off`, '-qtest-log', 'qemu.log'];
    const qemu = spawn('qemu-system-x86_64', args, { cwd: recorded.path, stdio: 'ignore' });
    const answers: string[] = [];
    try {
      const client = await LineClient.to(socket);
      for (const line of textOf(SCRIPT).split('\n')) {
        if (line !== '' && !line.startsWith('#')) answers.push(await client.ask(line));
      }
      client.socket.destroy();
    } finally {
      qemu.kill();
    }
    const expected = textOf(SCRIPT)
      .split('\n')
      .filter((line) => line.startsWith('# OK'))
      .map((line) => line.slice(2));
    expect(expected).toHaveLength(13);
    expect(answers).toEqual(expected);
    const { stdout, code } = await recorded.qtest(['replay', 'qemu.log', ...PC]);
    expect(stdout).toBe('qemu.log: 13 requests on the machine pc, 13 of 13 replies as recorded\n');
    expect(code).toBe(0);
  },
);
