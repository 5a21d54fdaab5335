import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { project } from './support/project.ts';
import { BIN, run, type Ended } from './support/run.ts';

const command = project('command');

/** Runs the command in a shell, with what stands behind it there. */
async function shell(args: readonly string[], behind: string, before = ''): Promise<Ended> {
  const words = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ');
  const script = `${before}{ ${words}; echo $? >code; } ${behind}`;
  rmSync(join(command.path, 'code'), { force: true });
  const { stdout, stderr } = await run('bash', ['-c', `${script}; while [ ! -s code ]; do sleep 0.05; done`], {
    cwd: command.path,
  });
  return { code: Number(readFileSync(join(command.path, 'code'), 'utf8')), stdout, stderr };
}

const WAYS = {
  'a reader that has gone at the start': '| true',
  'a reader that goes with the first line': '| head -n 1',
  'no output': '>&-',
  'no output and no error output': '>&- 2>&-',
  'a reader of both that has gone': '2>&1 | true',
} as const;

/** One case passes, one fails. */
const TWO = ['--plugin', './clock.ts', '-t', 'time/virtual', '-t', 'wrong/rate'];

test.each(Object.entries(WAYS))(
  '%s changes nothing',
  async (_, behind) => {
    for (const name of ['spec', 'dot', 'tap', 'jsonl', 'json', 'junit', 'html', 'blob']) {
      const { code, stderr } = await shell([...TWO, '--reporter', name, '--add-reporter', 'jsonl=out.jsonl'], behind);
      expect(stderr).not.toMatch(/EPIPE|internal error| at /);
      expect(code).toBe(1);
      const lines = readFileSync(join(command.path, 'out.jsonl'), 'utf8').trimEnd().split('\n');
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ type: 'done', summary: { pass: 1, fail: 1 } });
      rmSync(join(command.path, 'out.jsonl'));
    }
  },
  60_000,
);

test('what plugins and cases print does not hold the run up when nobody reads it', async () => {
  for (const behind of ['| true', '2>&1 | true', '2>/dev/full | true']) {
    for (const name of ['spec', 'json']) {
      const { code } = await shell(['--plugin', './noisy.ts', '--reporter', name], behind);
      expect(code).toBe(0);
    }
  }
}, 60_000);

const COMMANDS: readonly (readonly [args: readonly string[], code: number])[] = [
  [['list'], 0],
  [['list', '--json'], 0],
  [['--plugin', '?'], 0],
  [['machine', '--machine', 'pc'], 0],
  [['machine', '--machine', 'pc', '--json'], 0],
  [['completion', 'bash'], 0],
  [['--help'], 0],
  [['help', 'list'], 0],
  [['--version'], 0],
  [['compat', ...TWO, '--backend', 'native', '--json'], 1],
  [['contract', '--device', 'mc146818rtc', '--json'], 0],
  [['diff', '--backend', 'native', '--device', 'rtc0', '--count', '100'], 0],
];

test.each(COMMANDS)('%j: nobody reads it; the disk is full', async (args, code) => {
  expect(await shell(args, '| true')).toMatchObject({ code, stderr: '' });
  if (!existsSync('/dev/full')) return;
  const full = await shell(args, '>/dev/full');
  expect(full.stderr).toBe('qtest: standard output is not complete: ENOSPC: no space left on device, write\n');
  expect(full.code).toBe(1);
});

test.skipIf(!existsSync('/dev/full'))('a full disk: exit 1, the line once, the files are whole', async () => {
  for (const name of ['spec', 'tap', 'json', 'junit']) {
    const args = [
      '--plugin',
      './clock.ts',
      '-t',
      'time/virtual',
      '--reporter',
      name,
      '--add-reporter',
      'jsonl=out.jsonl',
    ];
    const { code, stderr } = await shell(args, '>/dev/full');
    expect(stderr).toBe('qtest: standard output is not complete: ENOSPC: no space left on device, write\n');
    expect(code).toBe(1);
    expect(readFileSync(join(command.path, 'out.jsonl'), 'utf8')).toContain('"type":"done"');
  }
});

test.skipIf(process.platform !== 'linux')('a disk that takes a part of what is written: exit 1', async () => {
  // The limit of a file's size cuts a write short, as a disk does that becomes full.
  const args = ['--plugin', './clock.ts', '-t', 'time/virtual', '--reporter', 'html'];
  const { code, stderr } = await shell(args, '>page.html', 'ulimit -f 8; trap "" XFSZ; ');
  expect(stderr).toMatch(/^qtest: standard output is not complete: EFBIG/);
  expect(code).toBe(1);
});

test('a slow reader gets it all', async () => {
  const { code, stdout } = await shell(['--plugin', './noisy.ts', '-t', 'to-output', '--json'], '| { sleep 2; cat; }');
  expect(JSON.parse(stdout)).toMatchObject({ summary: { pass: 1 } });
  expect(code).toBe(0);
});
