import { spawnSync } from 'node:child_process';
import { constants, existsSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { project, type Project } from './support/project.ts';
import { LineClient } from './support/qtest-client.ts';
import type { Running } from './support/run.ts';

interface Served {
  readonly path: string;
  readonly socket: string;
  readonly running: Running;
  readonly client: () => Promise<LineClient>;
}

function serve(args: readonly string[] = [], into: Project = project()): Served {
  const socket = join(into.path, 's');
  const running = into.start(['serve', '--machine', 'pc', '--qtest', `unix:${socket}`, ...args], { timeout: 60_000 });
  onTestFinished(async () => {
    running.signal('SIGKILL');
    await running.ended;
  });
  return { path: into.path, socket, running, client: () => LineClient.to(socket) };
}

it('answers a client, and the next one after it, which finds the machine as it was left', async () => {
  const { client, running, socket } = serve();
  const first = await client();
  expect(await first.ask('endianness')).toBe('OK little');
  expect(await first.ask('outb 0x70 0x0a')).toBe('OK');
  expect(await first.ask('inb 0x71')).toBe('OK 0x0026');
  expect(await first.ask('irq_intercept_in ioapic')).toBe('OK');
  expect(await first.ask('writel 0x1000 0xfeedface')).toBe('OK');
  first.close();
  const second = await client();
  expect(await second.ask('inb 0x71')).toBe('OK 0x0026');
  expect(await second.ask('readl 0x1000')).toBe('OK 0x00000000feedface');
  second.close();
  running.signal('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 0, stdout: '' });
  expect(existsSync(socket)).toBe(false);
});

it('tells of interrupts before the reply that brought them about', async () => {
  const { client } = serve();
  const qtest = await client();
  for (const request of ['irq_intercept_in ioapic', 'outb 0x70 0x0b', 'outb 0x71 0x42', 'outb 0x70 0x0c'])
    expect(await qtest.ask(request)).toBe('OK');
  expect(await qtest.ask('clock_step 1000000')).toBe('IRQ raise 8\nOK 1000000');
  expect(await qtest.ask('inb 0x71')).toBe('IRQ lower 8\nOK 0x00c0');
});

it('refuses a second client, and takes one when the first has gone in the middle of a line', async () => {
  const { client } = serve();
  const first = await client();
  expect(await first.ask('outb 0x70 0x40')).toBe('OK');
  const second = await client();
  expect(await second.line()).toBe('FAIL another client is connected: this machine takes one at a time');
  expect(await second.line()).toBeUndefined();
  first.send('outb 0x71 0x5');
  // What has been answered behind it has been read: so has the half line, when the connection is closed.
  first.socket.end();
  await first.closed();
  const third = await client();
  expect(await third.ask('inb 0x71')).toBe('OK 0x0000');
});

it('answers every request of many that come together, in their order', async () => {
  const { client } = serve();
  const qtest = await client();
  qtest.send(Array.from({ length: 5000 }, (_, n) => `writel 0x1000 ${n}\nreadl 0x1000\n`).join(''));
  for (let n = 0; n < 5000; n++) {
    expect(await qtest.line()).toBe('OK');
    expect(await qtest.line()).toBe(`OK 0x${n.toString(16).padStart(16, '0')}`);
  }
});

it('lives through what is no request', async () => {
  const { client, running } = serve();
  const qtest = await client();
  const lines: readonly [string, RegExp][] = [
    ['', /^FAIL Unknown command ''$/],
    ['\0\0\0', /^FAIL Unknown command '\?\?\?'$/],
    ['inb', /^FAIL inb: argument 1 is missing$/],
    ['inb 0x12345', /^FAIL inb: '0x12345' is no port/],
    ['outb 0x70 \xff', /^FAIL outb: argument 2, '\?', is no integer$/],
    ['read 0 0xffffffffffffffff', /^FAIL read: 18446744073709551615 bytes; at most 16777216 at once$/],
    ['memset 0 0xffffffffffffffff 0', /^FAIL memset: /],
    ['write 0x1000 4 0xzz', /^FAIL write: /],
    [`b64write 0 4 ${'A'.repeat(10_000_000)}`, /^OK$/],
    ['x'.repeat(10_000_000), /^FAIL Unknown command 'x{64}\.\.\.'$/],
    ['y'.repeat(40_000_000), /^FAIL the line is longer than 33554688 bytes$/],
    ['clock_step 99999999999999999999', /^FAIL clock_step: argument 1/],
  ];
  for (const [line, reply] of lines) expect(await qtest.ask(line)).toMatch(reply);
  expect(await qtest.ask('endianness')).toBe('OK little');
  expect(running.isAlive()).toBe(true);
});

it('waits for a client that does not read, and keeps no more than a little for it', async () => {
  const { client } = serve();
  const qtest = await client();
  expect(await qtest.ask('endianness')).toBe('OK little');
  qtest.socket.pause();
  const COUNT = 60;
  qtest.send('read 0 0x100000\n'.repeat(COUNT));
  // More than a hundred megabytes of replies: they come when they are read, whole.
  qtest.socket.resume();
  for (let n = 0; n < COUNT; n++) expect((await qtest.line())?.length).toBe('OK 0x'.length + 2 * 0x10_0000);
});

it('gives up a long step when its client goes', async () => {
  const { client } = serve();
  const first = await client();
  first.send('clock_step 9000000000000000000\n');
  first.socket.end();
  await first.closed();
  const second = await client();
  expect(await second.ask('endianness')).toBe('OK little');
});

it('speaks on a port of the loopback, and on no other unless it is told to', async () => {
  const { qtest, start } = project();
  const refused = await qtest(['serve', '--machine', 'pc', '--qtest', 'tcp:0.0.0.0:0']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toBe(
    "qtest: 'tcp:0.0.0.0:0': '0.0.0.0' can be reached from elsewhere, and whoever connects has the machine: --allow-remote allows it; " +
      'expected unix:PATH, tcp:127.0.0.1:PORT, stdio or pipe:PATH\n',
  );
  const free = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const bound = free.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  await new Promise((resolve) => free.close(resolve));
  const running = start(['serve', '--machine', 'pc', '--qtest', `tcp:127.0.0.1:${port}`]);
  const { connect } = await import('node:net');
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isThere) continue;
    expect(await new LineClient(socket).ask('endianness')).toBe('OK little');
    break;
  }
  running.signal('SIGTERM');
  expect(await running.ended).toMatchObject({
    code: 0,
    stderr: `qtest: the machine pc is at tcp:127.0.0.1:${port}\n`,
  });
});

it('speaks on the standard streams, until the input ends', async () => {
  const { path } = project();
  const { BIN } = await import('./support/run.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'serve', '--machine', 'isapc'], {
    cwd: path,
    input: 'endianness\ninl 0xcf8\noutb 0x70 0xa\ninb 0x71\nclock_step 100\n',
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: 'OK little\nOK 0xffffffff\nOK\nOK 0x0026\nOK 100\n',
    stderr: '',
  });
});

it('speaks on two FIFOs, as QEMU names them', async () => {
  const { path, start } = project();
  const fifo = join(path, 'p');
  spawnSync('mkfifo', [`${fifo}.in`, `${fifo}.out`]);
  const running = start(['serve', '--machine', 'pc', '--qtest', `pipe:${fifo}`]);
  onTestFinished(async () => {
    running.signal('SIGKILL');
    await running.ended;
  });
  const out = openSync(`${fifo}.in`, constants.O_RDWR);
  const back = openSync(`${fifo}.out`, constants.O_RDWR | constants.O_NONBLOCK);
  writeSync(out, 'endianness\ninb 0x5000\n');
  let text = '';
  const chunk = Buffer.alloc(100);
  while (!text.endsWith('OK 0x00ff\n')) {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      text += chunk.toString('latin1', 0, readSync(back, chunk));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
  expect(text).toBe('OK little\nOK 0x00ff\n');
});

it("serves the machine of a plugin's init(), with the plugin's devices", async () => {
  const into = project('machines');
  const socket = join(into.path, 's');
  into.write({
    'port.ts': `
      import { defineDevice, definePlugin, deviceSchema, property } from '@qtest/sdk';
      const schema = deviceSchema({
        type: 'latch', bus: 'isa', description: 'keeps a byte',
        properties: { ioBase: property.number({ max: 0xffff }) },
        state: { value: 'u8' },
        regions: ({ ioBase }) => ({ port: { space: 'io', base: ioBase, size: 1 } }),
      });
      const latch = defineDevice(schema, {
        regions: { port: { read: ({ state }) => state.value, write: ({ state }, _offset, value) => void (state.value = value) } },
      });
      export default definePlugin({
        name: 'latch', description: 'a latch', devices: [latch],
        init: (machine) => void machine.add(latch, { bus: machine.add('isa-bus'), ioBase: 0x300 }),
        run: () => {},
      });
    `,
  });
  for (const [args, second] of [
    [[], 'OK 0x00ff'],
    [['--machine', 'isapc', '--device', 'latch,ioBase=0x300', '--device', 'latch,ioBase=0x301'], 'OK 0x0022'],
  ] as const) {
    const running = into.start(['serve', '--no-config', '--plugin', './port.ts', '--qtest', `unix:${socket}`, ...args]);
    const client = await LineClient.to(socket);
    await client.ask('outb 0x300 0x11');
    await client.ask('outb 0x301 0x22');
    expect(await client.ask('inb 0x300')).toBe('OK 0x0011');
    expect(await client.ask('inb 0x301')).toBe(second);
    running.signal('SIGTERM');
    expect((await running.ended).code).toBe(0);
  }
});

it('logs requests and replies', async () => {
  const { client, path } = serve(['--qtest-log', 'log']);
  const qtest = await client();
  await qtest.ask('outb 0x70 0x0a');
  await qtest.ask('inb 0x71');
  const log = readFileSync(join(path, 'log'), 'utf8').replaceAll(/\+\d+\.\d{6}/g, '+T');
  expect(log).toBe('[R +T] outb 0x70 0x0a\n[S +T] OK\n[R +T] inb 0x71\n[S +T] OK 0x0026\n');
});

it.each([
  [
    ['--qtest', 'foo'],
    "qtest: 'foo': this is no address; expected unix:PATH, tcp:127.0.0.1:PORT, stdio or pipe:PATH\n",
  ],
  [
    ['--qtest', `unix:/tmp/${'x'.repeat(120)}`],
    /^qtest: 'unix:\/tmp\/x+': the path of a unix socket has at most 107 bytes; /,
  ],
  [['--qtest', 'pipe:nowhere'], /^qtest: pipe:nowhere: ENOENT.*; make nowhere\.in and nowhere\.out with mkfifo\n$/],
  [['--device', 'nothing'], /^qtest: unknown device type 'nothing'/],
  [['--device', 'edu,slot'], "qtest: --device 'edu,slot': 'slot' is no property=value\n"],
  [['--clock', 'realtime'], /^qtest: the protocol moves the virtual clock/],
])('refuses %j', async (args, message) => {
  const { qtest } = project();
  const ended = await qtest(['serve', '--machine', 'pc', ...args]);
  expect(ended.code).not.toBe(0);
  if (typeof message === 'string') expect(ended.stderr).toBe(message);
  else expect(ended.stderr).toMatch(message);
});

it('refuses to serve without a machine', async () => {
  const { qtest } = project();
  const ended = await qtest(['serve']);
  expect(ended).toMatchObject({
    code: 2,
    stderr: 'qtest: which machine? No plugin is named: give --machine pc, or one plugin whose machine it is\n',
  });
});
