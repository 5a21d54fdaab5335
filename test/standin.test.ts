import { spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { emptyFolder } from './support/project.ts';
import { LineClient } from './support/qtest-client.ts';
import { REPOSITORY, run, start, type Ended } from './support/run.ts';

const BIN = join(REPOSITORY, 'serve/bin/qtest-system-x86_64.cjs');
const CLIENT = join(REPOSITORY, 'test/fixtures/standin/libqtest-client.c');

const hasCompiler = spawnSync('cc', ['--version']).status === 0;

afterEach(() => vi.unstubAllEnvs());

function standin(...args: readonly string[]): Promise<Ended> {
  return run(process.execPath, [BIN, ...args], { cwd: emptyFolder() });
}

interface Emulator {
  readonly qtest: LineClient;
  readonly qmp: LineClient;
  /** Sends a command; gives its reply. Events that come before are kept for `event()`. */
  readonly command: (execute: string, args?: object) => Promise<unknown>;
  /** The next event of a name; others are passed over. */
  readonly event: (name: string) => Promise<unknown>;
  readonly ended: Promise<Ended>;
  readonly signal: (name: NodeJS.Signals) => void;
}

/** Starts it as libqtest does: listens on two sockets, of which it connects to both. */
async function emulator(...args: readonly string[]): Promise<Emulator> {
  const path = emptyFolder();
  const accept = async (name: string): Promise<{ socket: Promise<Socket>; path: string }> => {
    const at = join(path, name);
    const server = createServer();
    const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(at, resolve));
    void socket.then(() => server.close());
    return { socket, path: at };
  };
  const [qtestSide, qmpSide] = [await accept('qtest'), await accept('qmp')];
  const running = start(
    process.execPath,
    [
      BIN,
      ...['-qtest', `unix:${qtestSide.path}`, '-qtest-log', '/dev/null'],
      ...['-chardev', `socket,path=${qmpSide.path},id=char0`, '-mon', 'chardev=char0,mode=control', '-display', 'none'],
      ...args,
      ...['-accel', 'qtest'],
    ],
    { cwd: path },
  );
  onTestFinished(async () => {
    running.signal('SIGKILL');
    await running.ended;
  });
  const qtest = new LineClient(await qtestSide.socket);
  const qmp = new LineClient(await qmpSide.socket);
  const events: { event: string }[] = [];
  const next = async (): Promise<Record<string, unknown>> => {
    const line = await qmp.line();
    if (line === undefined) throw new Error('the monitor has closed');
    expect(line.endsWith('\r')).toBe(true);
    return JSON.parse(line) as Record<string, unknown>;
  };
  const command = async (execute: string, given?: object): Promise<unknown> => {
    qmp.send(JSON.stringify({ execute, ...(given !== undefined && { arguments: given }) }));
    for (;;) {
      const message = await next();
      if (typeof message['event'] !== 'string') return message['return'] ?? message;
      events.push({ ...message, event: message['event'] });
    }
  };
  const event = async (name: string): Promise<unknown> => {
    for (;;) {
      const message = events.shift() ?? (await next());
      if (message.event === name) return 'data' in message ? message.data : undefined;
    }
  };
  expect(await qtest.ask('endianness')).toBe('OK little');
  expect(await next()).toHaveProperty('QMP.version.qemu.major');
  expect(await command('qmp_capabilities')).toEqual({});
  return { qtest, qmp, command, event, ended: running.ended, signal: (name) => running.signal(name) };
}

it.skipIf(!hasCompiler)('is driven by a C program that does what libqtest does', async () => {
  const path = emptyFolder();
  const built = spawnSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', join(path, 'client'), CLIENT], {
    encoding: 'utf8',
  });
  expect(built.stderr).toBe('');
  // libqtest reads the architecture off the name.
  symlinkSync(BIN, join(path, 'qtest-system-x86_64'));
  const ended = await run(join(path, 'client'), ['./qtest-system-x86_64'], { cwd: path });
  expect(ended).toEqual({
    code: 0,
    stdout: ['rtc', 'pci', 'plug', 'watchdog', 'panic', 'absent'].map((name) => `ok ${name}\n`).join(''),
    stderr: '',
  });
  expect(dirname(process.execPath)).not.toBe('');
});

it('ends with the status 0 on SIGTERM, with requests under way', async () => {
  const { qtest, signal, ended } = await emulator();
  qtest.send('clock_step 9000000000000000000\n');
  signal('SIGTERM');
  expect(await ended).toEqual({ code: 0, stdout: '', stderr: '' });
});

it("has QEMU's pc, as far as its devices are there", async () => {
  const { qtest, command } = await emulator('-m', '64M', '-smp', '2', '-uuid', '4600cb32-38ec-4b2f-8acb-81c6ea54f2d8');
  expect(await qtest.ask('outl 0xcf8 0x80000000')).toBe('OK');
  expect(await qtest.ask('inl 0xcfc')).toBe('OK 0x12378086');
  // fw_cfg: the RAM's size, the CPUs, the UUID.
  const item = async (key: number, size: number): Promise<string> => {
    await qtest.ask(`outw 0x510 ${key}`);
    let bytes = '';
    for (let n = 0; n < size; n++) bytes += (await qtest.ask('inb 0x511')).slice(-2);
    return bytes;
  };
  expect(await item(0, 4)).toBe('51454d55');
  expect(await item(3, 8)).toBe('0000000400000000');
  expect(await item(5, 2)).toBe('0200');
  expect(await item(2, 16)).toBe('4600cb3238ec4b2f8acb81c6ea54f2d8');
  expect(await command('query-cpus-fast')).toHaveLength(2);
  expect(await command('qom-get', { path: '/machine', property: 'type' })).toBe('pc-i440fx-machine');
  // The HPET is there by default, and can be left out.
  expect(await qtest.ask('readl 0xfed00000')).toBe('OK 0x000000008086a201');
  const without = await emulator('-M', 'pc,hpet=off');
  expect(await without.qtest.ask('readl 0xfed00000')).toBe('OK 0x0000000000000000');
});

it.each([
  ['', 0x1230, 0x1230],
  ['-no-fd-bootchk', 0x1231, 0x1231],
  ['-boot c', 0x0200, 0x0200],
  ['-boot nda', 0x3410, 0x3410],
  ['-boot order=', 0, 0],
  ['-boot order= -boot order=c', 0x0200, 0x0200],
  ['-boot once=a', 0x0100, 0x1230],
  ['-boot once=a,order=c', 0x0100, 0x0200],
  ['-boot once=d -boot order=nda', 0x0300, 0x3410],
])('tells the firmware of %j, before and after a reset', async (args, before, after) => {
  const { qtest, command, event } = await emulator('-nodefaults', ...args.split(' ').filter((word) => word !== ''));
  const order = async (): Promise<number> => {
    const byte = async (index: number): Promise<number> => {
      await qtest.ask(`outb 0x70 ${index}`);
      return Number((await qtest.ask('inb 0x71')).slice(3));
    };
    return (await byte(0x38)) | ((await byte(0x3d)) << 8);
  };
  expect(await order()).toBe(before);
  expect(await command('system_reset')).toEqual({});
  expect(await event('RESET')).toEqual({ guest: false, reason: 'host-qmp-system-reset' });
  expect(await order()).toBe(after);
});

it('shows firmware below 4 GiB and below 1 MiB', async () => {
  const path = emptyFolder();
  const image = Buffer.from(Array.from({ length: 65_536 }, (_, n) => n & 0xff));
  writeFileSync(join(path, 'bios'), image);
  const { qtest } = await emulator('-S', '-bios', join(path, 'bios'));
  expect(await qtest.ask('read 0xffff0000 0x10000')).toBe(`OK 0x${image.toString('hex')}`);
  expect(await qtest.ask('read 0xf0000 0x10000')).toBe(`OK 0x${image.toString('hex')}`);
});

it('shows what a flash holds, the first one below 4 GiB and below 1 MiB, the next one below it', async () => {
  const path = emptyFolder();
  writeFileSync(join(path, 'code'), Buffer.alloc(0x2000, 'c'));
  writeFileSync(join(path, 'vars'), Buffer.alloc(0x1000, 'v'));
  const { qtest, command } = await emulator(
    ...['code', 'vars'].flatMap((name) => ['-drive', `if=pflash,format=raw,file=${join(path, name)}`]),
  );
  expect(await qtest.ask('readl 0xffffdffc')).toBe('OK 0x0000000076767676');
  expect(await qtest.ask('readl 0xffffe000')).toBe('OK 0x0000000063636363');
  expect(await qtest.ask('readl 0xffffcffc')).toBe('OK 0x0000000000000000');
  expect(await qtest.ask('readl 0xffffc')).toBe('OK 0x0000000063636363');
  expect(await command('query-block')).toMatchObject([
    { device: 'pflash0', inserted: { drv: 'raw', file: join(path, 'code'), image: { 'virtual-size': 0x2000 } } },
    { device: 'pflash1' },
  ]);
});

it('knows the events of pvpanic and the members of a machine of the version whose part it takes', async () => {
  for (const [version, events, members] of [
    ['7.2', 3, {}],
    ['', 7, { acpi: false }],
    ['8.0', 3, { acpi: false }],
    ['9.1', 7, { acpi: false }],
  ] as const) {
    vi.stubEnv('QTEST_QEMU_VERSION', version);
    const { qtest, command } = await emulator(
      '-device',
      'pvpanic',
      '-audio',
      'none',
      '-run-with',
      'exit-with-parent=on',
    );
    expect(await qtest.ask('inb 0x505')).toBe(`OK 0x000${events}`);
    expect(await command('query-machines')).toContainEqual({
      name: 'none',
      'cpu-max': 1,
      'hotpluggable-cpus': false,
      'numa-mem-supported': false,
      deprecated: false,
      'default-ram-id': 'ram',
      ...members,
    });
  }
  vi.stubEnv('QTEST_QEMU_VERSION', 'latest');
  expect(await standin('-version')).toMatchObject({ code: 1, stderr: expect.stringContaining('as 7.2 or 10.0.2') });
});

it('opens and lists block nodes and drives, though no device has one', async () => {
  const { command } = await emulator(
    ...['-blockdev', 'driver=raw,node-name=fmt,file.driver=null-co,file.node-name=proto,file.size=4096'],
    ...['-drive', 'if=none,id=empty', '-drive', 'if=none,id=full,file=null-co://,format=raw,file.read-zeroes=on'],
  );
  const names = async (): Promise<string[]> =>
    ((await command('query-named-block-nodes')) as { 'node-name': string }[])
      .map((node) => node['node-name'])
      .toSorted();
  expect(await names()).toEqual(['#block0', '#block1', 'fmt', 'proto']);
  expect(await command('query-block')).toMatchObject([
    { device: 'empty' },
    { device: 'full', inserted: { drv: 'raw' } },
  ]);
  const refused = async (name: string, args: object): Promise<unknown> =>
    ((await command(name, args)) as { error: { desc: string } }).error.desc;
  expect(await refused('blockdev-del', { 'node-name': 'proto' })).toBe('Node proto is not owned by the monitor');
  expect(await refused('blockdev-del', { 'node-name': 'x' })).toBe("Failed to find node with node-name='x'");
  expect(await refused('blockdev-add', { driver: 'null-co' })).toBe("'node-name' must be specified for the root node");
  expect(await refused('blockdev-add', { driver: 'null-co', 'node-name': 'fmt' })).toBe(
    "Duplicate nodes with node-name='fmt'",
  );
  expect(await refused('blockdev-add', { driver: 'raw', 'node-name': 'a', file: 'x' })).toBe(
    "Cannot find device='x' nor node-name='x'",
  );
  expect(await command('blockdev-add', { driver: 'null-co', 'node-name': 'below' })).toEqual({});
  expect(await command('blockdev-add', { driver: 'raw', 'node-name': 'above', file: 'below' })).toEqual({});
  expect(await refused('blockdev-del', { 'node-name': 'below' })).toBe('Block device below is in use');
  for (const name of ['above', 'below', 'fmt'])
    expect(await command('blockdev-del', { 'node-name': name })).toEqual({});
  const human = (line: string): Promise<unknown> => command('human-monitor-command', { 'command-line': line });
  expect(await human('drive_del full')).toBe('');
  expect(await human('drive_del full')).toBe("Device 'full' not found\r\n");
  expect(await human('drive_add 0 if=none,id=full')).toBe('OK\r\n');
  expect(await names()).toEqual([]);
  const added = await command('device_add', { driver: 'virtio-blk-pci', drive: 'full' });
  expect(added).toMatchObject({ error: { desc: "'virtio-blk-pci' is not a valid device model name" } });
});

it('lets an out-of-band command overtake one that takes its time, and no other', async () => {
  const [monitor, config] = [join(emptyFolder(), 'qmp'), join(emptyFolder(), 'config')];
  expect(spawnSync('mkfifo', [config]).status).toBe(0);
  const { signal, ended } = await emulator('-qmp', `unix:${monitor},server=on`);
  const qmp = new LineClient(connect(monitor));
  expect(await qmp.line()).toContain('"QMP"');
  const ids = async (count: number): Promise<unknown[]> => {
    const replies = await Promise.all(Array.from({ length: count }, () => qmp.line()));
    return replies.map((reply) => (JSON.parse(reply ?? '{}') as { id?: unknown }).id);
  };
  qmp.send("{'execute': 'qmp_capabilities', 'id': 0, 'arguments': {'enable': ['oob']}}");
  expect(await ids(1)).toEqual([0]);
  // Its configuration comes by a FIFO that nobody has opened yet.
  const slow = (name: string, id: number): string =>
    `{'execute': 'blockdev-add', 'id': ${id}, 'arguments': {'driver': 'blkdebug', 'node-name': '${name}',` +
    ` 'config': '${config}', 'image': {'driver': 'null-co'}}}`;
  qmp.send(slow('b', 1));
  qmp.send("{'execute': 'query-name', 'id': 2}");
  qmp.send("{'id': 3}");
  qmp.send("{'exec-oob': 'migrate-pause', 'id': 4}");
  expect(await ids(1)).toEqual([4]);
  writeFileSync(config, '[inject-error]\nevent = "read_aio"\n');
  expect(await ids(3)).toEqual([1, 2, 3]);
  // It is no reason to stay.
  qmp.send(slow('c', 5));
  qmp.send("{'exec-oob': 'migrate-pause', 'id': 6}");
  expect(await ids(1)).toEqual([6]);
  signal('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

it('plugs and lets go of PCI devices as the guest has its part in it', async () => {
  const { qtest, command, event } = await emulator('-device', 'edu,id=old,addr=5', '-device', 'pci-bridge,id=b,addr=7');
  const id = async (slot: number): Promise<string> => {
    await qtest.ask(`outl 0xcf8 ${0x8000_0000 + slot * 0x800}`);
    return await qtest.ask('inl 0xcfc');
  };
  await command('device_add', { driver: 'edu', id: 'new', addr: '6' });
  expect(await qtest.ask('inl 0xae00')).toBe('OK 0x0040');
  expect(await command('device_del', { id: 'new' })).toEqual({});
  expect(await qtest.ask('inl 0xae04')).toBe('OK 0x0040');
  expect(await id(6)).toBe('OK 0x11e81234');
  expect(await qtest.ask('outl 0xae08 0x40')).toBe('OK');
  expect(await event('DEVICE_DELETED')).toEqual({ device: 'new', path: '/machine/peripheral/new' });
  expect([await id(6), await id(5)]).toEqual(['OK 0xffffffff', 'OK 0x11e81234']);
  expect(await qtest.ask('inl 0xae04')).toBe('OK 0x0000');
  // Nobody has asked for this one, and it has gone before the next request.
  qtest.send('outl 0xae08 0x20\noutl 0xcf8 0x80002800\ninl 0xcfc\n');
  expect([await qtest.line(), await qtest.line(), await qtest.line()]).toEqual(['OK', 'OK', 'OK 0xffffffff']);
  expect(await event('DEVICE_DELETED')).toMatchObject({ device: 'old' });
  // The board's own stay.
  expect(await qtest.ask('inl 0xae0c')).toBe('OK 0xfffffffc');
  await qtest.ask('outl 0xae08 1');
  expect(await id(0)).toBe('OK 0x12378086');
  const without = await emulator('-no-acpi');
  expect(await without.qtest.ask('inl 0xae0c')).toBe('OK 0xffffffff');
  expect(await without.command('device_add', { driver: 'edu' })).toMatchObject({
    error: { desc: "Bus 'pci.0' does not support hotplugging" },
  });
});

it('has objects of memory, which nobody takes', async () => {
  const { command } = await emulator('-object', 'memory-backend-ram,id=m0,size=4096');
  expect(await command('qom-get', { path: '/objects/m0', property: 'size' })).toBe(4096);
  const given = { 'qom-type': 'memory-backend-ram', id: 'm1', size: 1 };
  expect(await command('object-add', given)).toEqual({});
  expect(await command('qom-list', { path: '/objects' })).toContainEqual({
    name: 'm1',
    type: 'child<memory-backend-ram>',
  });
  for (const [args, desc] of [
    [given, "attempt to add duplicate property 'm1' to object (type 'container')"],
    [{ ...given, id: 'm2', size: '1' }, "Parameter 'size' expects uint64"],
    [{ ...given, id: 'm2', sized: 1 }, "Parameter 'sized' is unexpected"],
    [{ ...given, id: 'm2', size: 0 }, "property 'size' of memory-backend-ram doesn't take value '0'"],
    [{ 'qom-type': 'memory-backend-ram', id: 'm2' }, "Parameter 'size' is missing"],
    [{ 'qom-type': 'iothread', id: 'm2' }, 'invalid object type: iothread'],
  ] as const)
    expect(await command('object-add', args)).toMatchObject({ error: { class: 'GenericError', desc } });
  const backends = (await command('query-memdev')) as { id: string; size: number }[];
  expect(backends.map(({ id, size }) => [id, size])).toEqual([
    ['m0', 4096],
    ['pc.ram', 128 * 2 ** 20],
    ['m1', 1],
  ]);
  expect(await command('object-del', { id: 'm1' })).toEqual({});
  expect(await command('object-del', { id: 'm1' })).toMatchObject({ error: { desc: "object 'm1' not found" } });
});

it('reads options from a file', async () => {
  const file = join(emptyFolder(), 'config');
  writeFileSync(
    file,
    '# A machine.\n[memory]\nsize = "64"\n\n[device "e"]\n  driver = "edu"\n  addr = "9"\n[smp-opts]\ncpus = "2"\n',
  );
  const { command } = await emulator('-readconfig', file);
  expect(await command('query-memdev')).toMatchObject([{ size: 64 * 2 ** 20 }]);
  expect(await command('query-cpus-fast')).toHaveLength(2);
  expect(await command('qom-get', { path: '/machine/peripheral/e', property: 'addr' })).toBe('09.0');
  for (const [text, why] of [
    ['[foo]', ":1: There is no option group 'foo'"],
    ['size = "1"', ':1: no group defined'],
    ['[memory]\nsize 1', ':2: parse error'],
    ['[device]\ndriver = "e1000"\n', ":2: 'e1000' is not a valid device model name"],
    ['[memory]\nfoo = "1"', ":2: Invalid parameter 'foo'"],
  ] as const) {
    writeFileSync(file, text);
    expect((await standin('-readconfig', file)).stderr).toBe(`qtest-system-x86_64: ${file}${why}\n`);
  }
});

it('waits with --preconfig', async () => {
  const { command, event } = await emulator('--preconfig');
  expect(await command('query-status')).toMatchObject({ status: 'prelaunch' });
  expect(await command('query-cpus-fast')).toHaveProperty('error');
  expect(await command('x-exit-preconfig')).toEqual({});
  await event('RESUME');
  expect(await command('query-cpus-fast')).toHaveLength(1);
  expect(await command('x-exit-preconfig')).toHaveProperty('error');
});

it.each([
  ['pause', 'STOP'],
  ['reset', 'RESET'],
  ['shutdown', 'POWERDOWN'],
  ['none', undefined],
])('does with %s what is asked for when a watchdog expires', async (action, follows) => {
  const { qtest, command, event } = await emulator('-watchdog-action', action, '-device', 'ib700');
  await qtest.ask('outb 0x443 15');
  expect(await event('WATCHDOG')).toEqual({ action });
  if (follows !== undefined) await event(follows);
  expect(await command('query-status')).toMatchObject({ running: action !== 'pause' });
});

it('exits on a reset, where it is told to', async () => {
  const { qtest, event, ended } = await emulator('-no-reboot');
  await qtest.ask('outb 0x64 0xfe');
  expect(await event('SHUTDOWN')).toEqual({ guest: true, reason: 'guest-reset' });
  expect(await ended).toMatchObject({ code: 0 });
});

it('tells of a panic and of a shutdown of the guest', async () => {
  const first = await emulator('-device', 'pvpanic-pci,addr=04.0,events=7', '-action', 'panic=pause');
  for (const request of ['outl 0xcf8 0x80002010', 'outl 0xcfc 0xe0000000', 'outl 0xcf8 0x80002004', 'outw 0xcfc 2'])
    expect(await first.qtest.ask(request)).toBe('OK');
  await first.qtest.ask('writeb 0xe0000000 1');
  expect(await first.event('GUEST_PANICKED')).toEqual({ action: 'pause' });
  expect(await first.command('query-status')).toMatchObject({ status: 'guest-panicked', running: false });
  await first.qtest.ask('writeb 0xe0000000 4');
  await first.event('GUEST_PVSHUTDOWN');
  expect(await first.event('SHUTDOWN')).toEqual({ guest: true, reason: 'guest-shutdown' });
  expect(await first.ended).toMatchObject({ code: 0 });
});

it('tells when the guest sets its clock', async () => {
  const { qtest, event } = await emulator('-rtc', 'base=2020-01-01,clock=vm');
  for (const request of ['outb 0x70 11', 'outb 0x71 0x82', 'outb 0x70 4', 'outb 0x71 1', 'outb 0x70 11', 'outb 0x71 2'])
    await qtest.ask(request);
  expect(await event('RTC_CHANGE')).toEqual({
    offset: 3600,
    'qom-path': expect.stringMatching(/^\/machine\/unattached\//),
  });
});

it('stands still before it is started, and goes on then', async () => {
  const { qtest, command, event } = await emulator('-S');
  expect(await command('query-status')).toEqual({ status: 'prelaunch', singlestep: false, running: false });
  for (const request of ['irq_intercept_in ioapic', 'outb 0x43 0x30', 'outb 0x40 10', 'outb 0x40 0'])
    await qtest.ask(request);
  expect(await qtest.ask('clock_step 1000000')).toBe('OK 1000000');
  expect(await command('cont')).toEqual({});
  await event('RESUME');
  expect(await qtest.line()).toBe('IRQ raise 0');
});

it('connects a serial port to a character device, both ways', async () => {
  const path = emptyFolder();
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(join(path, 'com1'), resolve));
  const { qtest } = await emulator('-chardev', `socket,id=s0,path=${join(path, 'com1')}`, '-serial', 'chardev:s0');
  const line = new LineClient(await accepted);
  server.close();
  for (const request of ['outb 0x3fb 0x80', 'outb 0x3f8 1', 'outb 0x3f9 0', 'outb 0x3fb 3', 'outb 0x3fa 1'])
    await qtest.ask(request);
  for (const char of 'hi\n') {
    await qtest.ask(`outb 0x3f8 ${char.charCodeAt(0)}`);
    await qtest.ask('clock_step 1000000');
  }
  expect(await line.line()).toBe('hi');
  line.send('ok');
  let got = '';
  while (got.length < 2) {
    await qtest.ask('clock_step 100000');
    if ((Number((await qtest.ask('inb 0x3fd')).slice(3)) & 1) !== 0)
      got += String.fromCharCode(Number((await qtest.ask('inb 0x3f8')).slice(3)));
  }
  expect(got).toBe('ok');
});

it.each([
  [['-foo'], '-foo: invalid option'],
  [['-device'], '-device: requires an argument'],
  [['-M', 'q35'], 'unsupported machine type\nUse -machine help to list supported machines'],
  [['-M', 'pc,foo=1'], "Property 'pc-i440fx-machine.foo' not found"],
  [['-M', 'pc,foo'], "-M pc,foo: Expected '=' after parameter 'foo'"],
  [['-accel', 'tcg'], 'invalid accelerator tcg'],
  [['-cpu', ''], "unable to find CPU model ''"],
  [['-smp', '300'], "Invalid SMP CPUs 300. The max CPUs supported by machine 'pc-i440fx' is 8"],
  [['-smp', 'foo'], "Parameter 'smp.cpus' expects integer"],
  [['-device', 'e1000'], "-device e1000: 'e1000' is not a valid device model name"],
  [['-device', 'virtio-net-pci'], "-device virtio-net-pci: 'virtio-net-pci' is not a valid device model name"],
  [['-device', 'ioapic'], "-device ioapic: Parameter 'driver' expects a pluggable device type"],
  [['-device', 'edu,foo=1'], "-device edu,foo=1: Property 'edu.foo' not found"],
  [['-device', 'edu,addr=zz'], "-device edu,addr=zz: Property 'edu.addr' doesn't take value 'zz'"],
  [['-device', 'edu,addr=1'], '-device edu,addr=1: PCI: slot 1 function 0 not available for edu, in use by PIIX3,id='],
  [['-device', 'edu,bus=foo'], "-device edu,bus=foo: Bus 'foo' not found"],
  [['-device', 'edu,id=a', '-device', 'edu,id=a'], "-device edu,id=a: Duplicate ID 'a' for device"],
  [['-device', 'pvpanic,ioport=zz'], "-device pvpanic,ioport=zz: Parameter 'ioport' expects integer"],
  [['-device', 'pvpanic,ioport=70000'], "-device pvpanic,ioport=70000: Parameter 'ioport' expects uint16_t"],
  [['-M', 'isapc', '-device', 'edu'], "-device edu: No 'PCI' bus found for device 'edu'"],
  [['-M', 'none', '-device', 'edu'], "-device edu: No 'PCI' bus found for device 'edu'"],
  [['-vga', 'foo'], 'unknown vga type: foo'],
  [['-display', 'foo'], "-display foo: Parameter 'type' does not accept value 'foo'"],
  [
    ['-serial', 'foo'],
    "-serial foo: 'foo' is not a valid char driver\n-serial foo: could not connect serial device to character backend 'foo'",
  ],
  [['-serial', 'chardev:zz'], "-serial chardev:zz: could not connect serial device to character backend 'chardev:zz'"],
  [['-mon', 'chardev=zz'], '-mon chardev=zz: chardev "zz" not found'],
  [['-chardev', 'foo,id=a'], "-chardev foo,id=a: 'foo' is not a valid char driver name"],
  [['-chardev', 'null'], '-chardev null: chardev: no id specified'],
  [['-rtc', 'base=foo'], "invalid datetime format\nvalid formats: '2006-06-17T16:01:21' or '2006-06-17'"],
  [['-rtc', 'clock=foo'], "invalid option value 'foo'"],
  [['-rtc', 'foo=1'], "-rtc foo=1: Invalid parameter 'foo'"],
  [['-fw_cfg', 'foo'], '-fw_cfg foo: name, plus exactly one of file, string and gen_id, are needed'],
  [['-bios', '/nonexistent'], "could not load PC BIOS '/nonexistent'"],
  [['-kernel', '/nonexistent'], "could not open kernel file '/nonexistent': No such file or directory"],
  [
    ['-drive', 'file=/nonexistent'],
    "-drive file=/nonexistent: Could not open '/nonexistent': No such file or directory",
  ],
  [['-drive', 'if=scsi'], '-drive if=scsi: machine type does not support if=scsi,bus=0,unit=0'],
  [['-drive', 'if=foo'], "-drive if=foo: unsupported bus type 'foo'"],
  [['-drive', 'if=floppy,index=1'], '-drive if=floppy,index=1: machine type does not support if=floppy,bus=0,unit=1'],
  [
    ['-drive', 'if=none,format=qcow2,file=/dev/null'],
    "-drive if=none,format=qcow2,file=/dev/null: Unknown driver 'qcow2'",
  ],
  [['-blockdev', 'null-co'], "-blockdev null-co: 'node-name' must be specified for the root node"],
  [['-netdev', 'user,id=a', '-netdev', 'user,id=a'], "-netdev user,id=a: Duplicate ID 'a' for netdev"],
  [['-netdev', 'socket,id=a'], '-netdev socket,id=a: exactly one of listen=, connect=, mcast= or udp= is required'],
  [['-object', 'foo,id=a'], "-object foo,id=a: Parameter 'qom-type' does not accept value 'foo'"],
  [['-blockdev', 'foo'], "-blockdev foo: Parameter 'driver' does not accept value 'foo'"],
  [['-netdev', 'foo,id=a'], "-netdev foo,id=a: Parameter 'type' does not accept value 'foo'"],
  [['-uuid', 'foo'], '-uuid foo: failed to parse UUID string: wrong format'],
  [['-watchdog-action', 'foo'], "-watchdog-action foo: Parameter 'watchdog' does not accept value 'foo'"],
  [['-qtest', 'unix:/nonexistent/x'], "Failed to connect to '/nonexistent/x': No such file or directory"],
])("refuses %j in QEMU's words", async (args, message) => {
  const quiet = args.includes('-qtest') ? [] : ['-qtest', 'null'];
  expect(await standin(...quiet, ...args)).toEqual({
    code: 1,
    stdout: '',
    stderr: `qtest-system-x86_64: ${message}\n`,
  });
});

it('lists what there is', async () => {
  const version = await standin('-version');
  expect(version.code).toBe(0);
  expect(version.stdout).toMatch(/^QEMU emulator version \d+\.\d+\.\d+ \(/);
  expect((await standin('-machine', 'help')).stdout).toMatch(/^pc +Standard PC .* \(alias of pc-i440fx\)$/m);
  expect((await standin('-device', 'help')).stdout).toMatch(/^name "edu", bus PCI, desc ".+"$/m);
  expect((await standin('-device', 'edu,help')).stdout).toContain('  dma_mask=<uint64>      - (default: 268435455)\n');
  expect((await standin('-device', 'ib700,help')).stdout).toBe('There are no options for ib700.\n');
  expect((await standin('-accel', 'help')).stdout).toContain('qtest\n');
  for (const option of ['-help', '-h', '--help']) expect((await standin(option)).stdout).toContain('-qtest-log file');
});

it('has a monitor for humans', async () => {
  const { command } = await emulator('-device', 'edu,id=e');
  const human = (line: string): Promise<unknown> => command('human-monitor-command', { 'command-line': line });
  expect(await human('info status')).toBe('VM status: running\r\n');
  expect(await human('info qtree')).toContain('dev: edu, id "e"\r\n');
  expect(await human('info mtree')).toContain('0000000000000070-0000000000000071 (prio 0, i/o): rtc0.ports\r\n');
  expect(await human('info pci')).toContain('PCI device 1234:11e8\r\n');
  expect(await human('info pic')).toContain("isa-i8259 'pic0': ");
  expect(await human('info irq')).toContain('IRQ statistics for isa-i8259:');
  expect(await human('info registers')).toMatch(/^CPU#0: no registers/);
  expect(await human('info nothing')).toBe("unknown command: 'info nothing'\r\n");
  expect(await human('nothing')).toBe("unknown command: 'nothing'\r\n");
  expect(await human('help')).toContain('info qtree');
  // QEMU's own test of its monitor takes this list apart.
  for (const line of String(await human('help info'))
    .trimEnd()
    .split('\r\n'))
    expect(line).toMatch(/^info \S+ {2}-- /);
});

/** What this test reads of `SchemaInfo`. */
interface SchemaEntry {
  readonly name: string;
  readonly 'arg-type'?: string;
  readonly 'ret-type'?: string;
  readonly 'element-type'?: string;
  readonly members?: readonly { readonly type?: string }[];
}

it('describes itself: every command, event and type that the schema names is in it', async () => {
  const { command } = await emulator();
  const schema = (await command('query-qmp-schema')) as SchemaEntry[];
  const names = new Set(schema.map(({ name }) => name));
  const commands = ((await command('query-commands')) as { name: string }[]).map(({ name }) => name);
  for (const name of commands) expect(names).toContain(name);
  for (const entry of schema) {
    for (const type of [entry['arg-type'], entry['ret-type'], entry['element-type']])
      if (type !== undefined) expect([entry.name, names.has(type)]).toEqual([entry.name, true]);
    for (const member of entry.members ?? []) if (member.type !== undefined) expect(names).toContain(member.type);
  }
});

it('gives for every object of the tree the properties that it lists', async () => {
  const { command } = await emulator('-device', 'edu,id=e', '-device', 'pvpanic');
  const visit = async (path: string): Promise<number> => {
    let count = 1;
    const listed = (await command('qom-list', { path })) as { name: string; type: string }[];
    for (const { name, type } of listed) {
      if (type.startsWith('child<')) count += await visit(`${path === '/' ? '' : path}/${name}`);
      else expect(await command('qom-get', { path, property: name })).not.toHaveProperty('error');
    }
    return count;
  };
  expect(await visit('/')).toBeGreaterThan(20);
  expect(await command('qom-get', { path: '/machine/peripheral/e', property: 'addr' })).toBe('02.0');
  expect(await command('qom-list', { path: 'ioapic' })).toContainEqual({ name: 'type', type: 'string' });
});
