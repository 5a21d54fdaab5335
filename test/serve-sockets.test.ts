import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { emptyFolder } from './support/project.ts';
import { LineClient } from './support/qtest-client.ts';
import { BIN, REPOSITORY, start, type Running } from './support/run.ts';

/** Where sockets and logs are, for `qtest serve` and for what takes QEMU's place. */

const STANDIN = join(REPOSITORY, 'serve/bin/qtest-system-x86_64.cjs');

interface Server {
  readonly name: string;
  /** What a command line has to listen on a unix socket. */
  readonly args: (socket: string, log?: string) => readonly string[];
  /** The status of one that cannot listen. */
  readonly failure: number;
  /** The status after Ctrl-C. */
  readonly interrupted: number;
}

const SERVERS: readonly Server[] = [
  {
    name: 'qtest serve',
    args: (socket, log) => [
      ...[BIN, 'serve', '--machine', 'pc', '--qtest', `unix:${socket}`],
      ...(log === undefined ? [] : ['--qtest-log', log]),
    ],
    failure: 2,
    interrupted: 130,
  },
  {
    name: 'the stand-in',
    args: (socket, log = 'none') => [STANDIN, '-qtest', `unix:${socket},server=on`, '-qtest-log', log],
    failure: 1,
    interrupted: 0,
  },
];

function launch(args: readonly string[], cwd: string): Running {
  const running = start(process.execPath, args, { cwd, timeout: 60_000 });
  onTestFinished(async () => {
    running.signal('SIGKILL');
    await running.ended;
  });
  return running;
}

/** Runs until it is reached, then kills it: its socket stays. */
async function leaveStale(args: readonly string[], cwd: string, socket: string): Promise<void> {
  const running = launch(args, cwd);
  const client = await LineClient.to(socket);
  running.signal('SIGKILL');
  await running.ended;
  client.close();
  expect(lstatSync(socket).isSocket()).toBe(true);
}

describe.each(SERVERS)('$name', ({ args, failure, interrupted }) => {
  it.each<[string, (path: string, folder: string) => void, RegExp]>([
    ['a regular file', (path) => writeFileSync(path, 'precious'), /there is a regular file/],
    ['a folder', (path) => mkdirSync(path), /there is a folder/],
    ['a FIFO', (path) => void spawnSync('mkfifo', [path]), /there is a FIFO/],
    ['a link that leads nowhere', (path) => symlinkSync('nowhere', path), /there is a symbolic link/],
    [
      'a link to a file',
      (path, folder) => {
        writeFileSync(join(folder, 'file'), 'precious');
        symlinkSync('file', path);
      },
      /there is a symbolic link/,
    ],
  ])('leaves %s where it is', async (_what, make, message) => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    make(socket, cwd);
    const before = readdirSync(cwd);
    const { ino } = lstatSync(socket);
    const { code, stdout, stderr } = await launch(args(socket), cwd).ended;
    expect({ code, stdout }).toEqual({ code: failure, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain(socket);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(lstatSync(socket).ino).toBe(ino);
    expect(readdirSync(cwd)).toEqual(before);
    for (const name of before.filter((file) => lstatSync(join(cwd, file)).isFile()))
      expect(readFileSync(join(cwd, name), 'utf8')).toBe('precious');
  });

  it.each<[string, (cwd: string) => string, RegExp]>([
    ['a folder that is not there', (cwd) => join(cwd, 'gone/s'), /there is no folder/],
    [
      'below a file',
      (cwd) => (writeFileSync(join(cwd, 'f'), ''), join(cwd, 'f/s')),
      /not a directory|there is no folder/i,
    ],
    ['too long', (cwd) => join(cwd, 'x'.repeat(108)), /at most 107 bytes|less than 108 bytes/],
  ])('refuses a path in %s', async (_what, path, message) => {
    const cwd = emptyFolder();
    const { code, stderr } = await launch(args(path(cwd)), cwd).ended;
    expect(code).toBe(failure);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('takes the longest path that a socket can have', async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's'.repeat(107 - Buffer.byteLength(cwd) - 1));
    launch(args(socket), cwd);
    expect(await (await LineClient.to(socket)).ask('endianness')).toBe('OK little');
  });

  it('replaces a socket that nobody listens to any more, and only that', async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    await leaveStale(args(socket), cwd, socket);
    const running = launch(args(socket), cwd);
    const client = await LineClient.to(socket);
    expect(await client.ask('endianness')).toBe('OK little');
    const second = await launch(args(socket), cwd).ended;
    expect(second.code).toBe(failure);
    expect(second.stderr).toContain('somebody listens there already');
    expect(await client.ask('endianness')).toBe('OK little');
    running.signal('SIGTERM');
    expect((await running.ended).code).toBe(0);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('takes a path of before once, when two want it at the same time', async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    await leaveStale(args(socket), cwd, socket);
    const both = [launch(args(socket), cwd), launch(args(socket), cwd)];
    const lost = await Promise.race(both.map(async ({ ended }) => await ended));
    expect(lost.code).toBe(failure);
    expect(await (await LineClient.to(socket)).ask('endianness')).toBe('OK little');
    expect(both.filter((running) => running.isAlive())).toHaveLength(1);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('removes its socket on %s', async (signal) => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    const running = launch(args(socket), cwd);
    await LineClient.to(socket);
    running.signal(signal);
    const { code, stderr } = await running.ended;
    expect(code).toBe(signal === 'SIGINT' ? interrupted : 0);
    expect(stderr).not.toMatch(/Error|^\s+at /m);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it("leaves another's socket that has taken the place of its own", async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    const first = launch(args(socket), cwd);
    await LineClient.to(socket);
    renameSync(socket, `${socket}.moved`);
    launch(args(socket), cwd);
    expect(await (await LineClient.to(socket)).ask('endianness')).toBe('OK little');
    first.signal('SIGTERM');
    expect((await first.ended).code).toBe(0);
    expect(lstatSync(socket).isSocket()).toBe(true);
    await new Promise<void>((resolve, reject) =>
      connect({ path: socket }).once('connect', resolve).once('error', reject),
    );
  });

  it.skipIf(process.platform !== 'linux')('keeps no descriptor of clients that it has refused', async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    const { pid } = launch(args(socket), cwd);
    const first = await LineClient.to(socket);
    expect(await first.ask('endianness')).toBe('OK little');
    const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
    const before = descriptors();
    const refused = await Promise.all(
      Array.from({ length: 200 }, async (): Promise<Socket> => {
        // Its own end stays open, whatever the other does.
        const client = connect({ path: socket, allowHalfOpen: true });
        client.on('error', () => {});
        await new Promise((resolve) => client.once('end', resolve).once('error', resolve).resume());
        return client;
      }),
    );
    expect(await first.ask('endianness')).toBe('OK little');
    expect(descriptors()).toBeLessThanOrEqual(before);
    for (const client of refused) client.destroy();
  });

  it('goes on when its log cannot be written, and says which', async () => {
    const cwd = emptyFolder();
    const socket = join(cwd, 's');
    const running = launch(args(socket, '/dev/full'), cwd);
    const client = await LineClient.to(socket);
    for (let n = 0; n < 3; n++) expect(await client.ask('endianness')).toBe('OK little');
    running.signal('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(code).toBe(0);
    const told = stderr.split('\n').filter((line) => line.includes('ENOSPC'));
    expect(told).toEqual([expect.stringMatching(/qtest-log \/dev\/full: ENOSPC: .*It ends here/)]);
    expect(stderr).not.toContain('plugin');
  });
});

it('ends on SIGTERM when it is at FIFOs', async () => {
  const cwd = emptyFolder();
  for (const args of [
    [BIN, 'serve', '--machine', 'pc', '--qtest', 'pipe:p'],
    [STANDIN, '-qtest', 'pipe:p', '-qtest-log', 'none'],
  ]) {
    if (!existsSync(join(cwd, 'p.in'))) spawnSync('mkfifo', ['p.in', 'p.out'], { cwd });
    const running = launch(args, cwd);
    const answer = spawnSync('sh', ['-c', 'echo endianness > p.in; head -1 < p.out'], { cwd, encoding: 'utf8' });
    expect(answer.stdout).toBe('OK little\n');
    running.signal('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/Error/);
  }
});

it('takes nothing but FIFOs for pipes', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'p.in'), 'precious');
  spawnSync('mkfifo', ['p.out'], { cwd });
  const served = await launch([BIN, 'serve', '--machine', 'pc', '--qtest', 'pipe:p'], cwd).ended;
  expect(served).toMatchObject({ code: 2, stderr: expect.stringContaining('p.in is no FIFO') });
  const standin = await launch([STANDIN, '-qtest', 'pipe:p'], cwd).ended;
  expect(standin).toMatchObject({ code: 1, stderr: expect.stringContaining("Could not open 'p'") });
  expect(readFileSync(join(cwd, 'p.in'), 'utf8')).toBe('precious');
});

it('says that a port is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cwd = emptyFolder();
  const served = await launch([BIN, 'serve', '--machine', 'pc', '--qtest', `tcp:127.0.0.1:${port}`], cwd).ended;
  expect(served).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^qtest: cannot listen on tcp:.*EADDRINUSE.*\n$/),
  });
  const standin = await launch([STANDIN, '-qmp', `tcp:127.0.0.1:${port},server=on`], cwd).ended;
  expect(standin).toEqual({
    code: 1,
    stdout: '',
    stderr: `qtest-system-x86_64: Failed to bind socket to '127.0.0.1:${port}': Address already in use\n`,
  });
});

it('removes every socket of the stand-in, when it ends by an error or is told to quit', async () => {
  const cwd = emptyFolder();
  const all = [
    '-qtest',
    'unix:q,server=on',
    '-chardev',
    'socket,path=m,id=m,server=on',
    '-mon',
    'chardev=m,mode=control',
  ];
  const running = launch([STANDIN, ...all, '-serial', 'unix:c,server=on', '-monitor', 'unix:h,server=on'], cwd);
  const qmp = await LineClient.to(join(cwd, 'm'));
  for (const name of ['q', 'c', 'h']) await LineClient.to(join(cwd, name));
  qmp.send("{'execute': 'qmp_capabilities'}{'execute': 'quit'}");
  expect(await running.ended).toMatchObject({ code: 0 });
  expect(readdirSync(cwd)).toEqual([]);
  writeFileSync(join(cwd, 'c'), 'precious');
  const failed = await launch([STANDIN, ...all, '-serial', 'unix:c,server=on'], cwd).ended;
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Failed to bind socket to 'c': there is a regular file"),
  });
  expect(readdirSync(cwd)).toEqual(['c']);
});
