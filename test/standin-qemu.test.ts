import { spawn, spawnSync } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { emptyFolder } from './support/project.ts';
import { LineClient } from './support/qtest-client.ts';
import { REPOSITORY } from './support/run.ts';

/** The stand-in and Debian's QEMU are asked the same: with its other accelerators QEMU does all of the protocol but the clock. */

const OWN = join(REPOSITORY, 'serve/bin/qtest-system-x86_64.cjs');
const QEMU = 'qemu-system-x86_64';
const hasQemu = spawnSync(QEMU, ['--version']).status === 0;

interface Started {
  readonly qtest: LineClient;
  readonly qmp: LineClient;
}

async function start(command: string, args: readonly string[]): Promise<Started> {
  const path = emptyFolder();
  const accept = async (name: string): Promise<Promise<Socket>> => {
    const server = createServer();
    const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(join(path, name), resolve));
    return socket.then((taken) => {
      server.close();
      return taken;
    });
  };
  // Not awaited as one promise: a promise of a promise settles with the inner one.
  const sockets = [{ socket: accept('qtest') }, { socket: accept('qmp') }];
  const child = spawn(
    command,
    [
      ...args,
      ...['-qtest', `unix:${join(path, 'qtest')}`, '-qtest-log', '/dev/null', '-display', 'none', '-vga', 'none'],
      ...['-net', 'none', '-S', '-nodefaults', '-qmp', `unix:${join(path, 'qmp')}`],
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const [qtest, qmp] = await Promise.all(sockets.map(({ socket }) => socket));
  if (qtest === undefined || qmp === undefined) throw new Error('nobody has connected');
  return { qtest: new LineClient(qtest), qmp: new LineClient(qmp) };
}

async function both(...args: readonly string[]): Promise<readonly [Started, Started]> {
  return [await start(process.execPath, [OWN, ...args]), await start(QEMU, args)];
}

const config = (devfn: number, offset: number): string[] => [
  `outl 0xcf8 ${0x8000_0000 + devfn * 256 + offset}`,
  'inl 0xcfc',
];

const cmos = (index: number): string[] => [`outb 0x70 ${index}`, 'inb 0x71'];

const REQUESTS: Readonly<Record<string, readonly string[]>> = {
  protocol: [
    'endianness',
    'foo',
    'foo bar',
    'FOO 1 2',
    'inb 0x5000',
    'inw 0x5000',
    'inl 0x5000',
    'irq_intercept_in foo',
  ],
  numbers: ['outb 112 10', 'inb 0x71', 'outb 0160 0x10b', 'inb 113', 'outw 0x70 -1', 'writel 0x1000 -1', 'readl 4096'],
  memory: [
    'writeq 0x1000 0x1122334455667788',
    'readq 0x1000',
    'readl 0x1002',
    'readw 0x1007',
    'readb 0x1003',
    'read 0x1000 8',
    'b64read 0x1000 8',
    'memset 0x1002 4 0xff',
    'memset 0x1000 0 0x12',
    'read 0x0fff 10',
    'write 0x1000 4 0xab',
    'write 0x1004 2 0x010203',
    'read 0x1000 8',
    'b64write 0x1000 3 AAEC',
    'read 0x1000 4',
  ],
  nothing: [
    ...['readb 0xe0000001', 'readw 0xe0000002', 'readl 0xe0000004', 'readq 0xe0000008', 'read 0xe0000001 9'],
    ...['writeq 0xe0000000 -1', 'readq 0xe0000000', 'readl 0x7fffffe', 'read 0x7fffffe 4', 'read 0xdffffffe 8'],
    ...['readl 0x1000000000', 'b64read 0x1000000000 6', 'inl 0x5ff0'],
    ...['readq 0x20000000000000', 'readl 0xfffffffffffffff0', 'read 0x1ffffffffffffe 8'],
  ],
  interception: ['irq_intercept_in ioapic', 'irq_intercept_in ioapic', 'irq_intercept_in isa-serial'],
  rtc: [10, 11, 12, 13, 0x10, 0x14, 0x15, 0x16, 0x17, 0x18, 0x30, 0x31, 0x34, 0x35, 0x38, 0x3d, 0x5f].flatMap(cmos),
  // Not the PIIX3's command register, of which QEMU clears at power-on what its reset sets.
  pci: [
    ...[0, 4, 8, 0x0c, 0x3c].flatMap((offset) => config(0, offset)),
    ...[0, 8, 0x0c, 0x3c].flatMap((offset) => config(1 << 3, offset)),
  ],
  edu: [
    ...[0, 8, 0x0c, 0x10, 0x3c].flatMap((offset) => config(4 * 8, offset)),
    'outl 0xcf8 0x80002010',
    'outl 0xcfc 0xffffffff',
    'inl 0xcfc',
    'outl 0xcfc 0xe0000000',
    'outl 0xcf8 0x80002004',
    'outw 0xcfc 7',
    'readl 0xe0000000',
    'writel 0xe0000004 0x12345678',
    'readl 0xe0000004',
  ],
  pic: [
    'inb 0x21',
    'inb 0xa1',
    'outb 0x20 0x11',
    'outb 0x21 8',
    'outb 0x21 4',
    'outb 0x21 1',
    'outb 0x21 0x5a',
    'inb 0x21',
  ],
  ioapic: ['writel 0xfec00000 1', 'readl 0xfec00010', 'writel 0xfec00000 0x10', 'readl 0xfec00010'],
  hotplug: [
    ...[0, 4, 8, 0x0c, 0x10].map((offset) => `inl ${0xae00 + offset}`),
    'outl 0xae10 1',
    'inl 0xae10',
    'inl 0xae0c',
    'outl 0xae10 0',
    // Both have let it go then.
    'outl 0xae08 0x10',
    ...config(4 * 8, 0),
  ],
  fw_cfg: [
    'outw 0x510 0',
    'inb 0x511',
    'inb 0x511',
    'outw 0x510 3',
    'inb 0x511',
    'inb 0x511',
    'inb 0x511',
    'inb 0x511',
  ],
};

describe.skipIf(!hasQemu)("answers as QEMU's does", () => {
  it.each(Object.keys(REQUESTS))('%s', async (name) => {
    const [own, qemu] = await both('-device', 'edu,addr=04.0');
    const requests = REQUESTS[name] ?? [];
    const answers = async ({ qtest }: Started): Promise<string[]> => {
      const given: string[] = [];
      for (const request of requests) given.push(`${request}: ${await qtest.ask(request)}`);
      return given;
    };
    expect(await answers(own)).toEqual(await answers(qemu));
  });

  it('on the monitor, where it refuses', async () => {
    const [own, qemu] = await both();
    const messages = [
      '{"execute": "query-version"}',
      '{"execute": "qmp_capabilities", "id": 1}',
      '{"execute": "qmp_capabilities"}',
      'null',
      '{}',
      '{"execute": true}',
      '{"execute": "x", "arguments": []}',
      '{"execute": "x", "extra": true}',
      '{"exec-oob": "query-status"}',
      '{]',
      '{"a": 1, "a": 2}',
      '{"execute": "x"}',
      '{"execute": "qom-get"}',
      '{"execute": "qom-get", "arguments": {"path": "/foo", "property": "x"}}',
      '{"execute": "qom-get", "arguments": {"path": "/machine", "property": "x"}}',
      '{"execute": "qom-get", "arguments": {"path": 1, "property": "x"}}',
      '{"execute": "qom-set", "arguments": {"path": "/machine", "property": "rtc-time"}}',
      '{"execute": "stop", "arguments": {"a": 1}}',
      '{"execute": "device_add", "arguments": {}}',
      '{"execute": "device_add", "arguments": {"driver": "foo"}}',
      '{"execute": "device_add", "arguments": {"driver": "edu", "foo": 1}}',
      '{"execute": "device_add", "arguments": {"driver": "edu", "addr": "1f.8"}}',
      '{"execute": "device_add", "arguments": {"driver": "edu", "id": "e", "addr": "9"}}',
      '{"execute": "device_add", "arguments": {"driver": "edu", "id": "e"}}',
      '{"execute": "device_add", "arguments": {"driver": "ib700"}}',
      '{"execute": "device_del", "arguments": {"id": "nope"}}',
      '{"execute": "device_del", "arguments": {"id": "e"}}',
      '{"execute": "device_del", "arguments": {"id": "e"}}',
      '{"execute": "query-status"}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "foo", "node-name": "a"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "constructor", "node-name": "a"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "a", "size": "1k"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "a", "size": 1.5}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "a"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "a"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "9"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "b", "foo": 1}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "b"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "b", "file": "x"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "b", "file": {}}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "b", "file": "a"}}',
      '{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "c", "filename": "/nonexistent"}}',
      '{"execute": "blockdev-del", "arguments": {"node-name": "a"}}',
      '{"execute": "blockdev-del", "arguments": {"node-name": "b"}}',
      '{"execute": "blockdev-del", "arguments": {"node-name": "b"}}',
      '{"execute": "query-block"}',
      '{"execute": "human-monitor-command", "arguments": {"command-line": "drive_add 0 if=none,id=d"}}',
      '{"execute": "query-block"}',
      '{"execute": "human-monitor-command", "arguments": {"command-line": "drive_del d"}}',
      '{"execute": "human-monitor-command", "arguments": {"command-line": "drive_del d"}}',
      '{"execute": "object-add", "arguments": {"id": "m"}}',
      '{"execute": "object-add", "arguments": {"qom-type": "foo", "id": "m"}}',
      '{"execute": "object-add", "arguments": {"qom-type": "constructor", "id": "m"}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 4096, "constructor": 1}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "size": 4096}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m"}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": "1"}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 0}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "sized": 1}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 4096}}',
      '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 4096}}',
      '{"execute": "object-del", "arguments": {"id": "m"}}',
      '{"execute": "object-del", "arguments": {"id": "m"}}',
      '{"execute": "x-exit-preconfig"}',
      '{"execute": "query-name"}',
      '{"execute": "device-list-properties", "arguments": {"typename": "foo"}}',
      '{"execute": "qom-list-types", "arguments": {"implements": "foo"}}',
      '{"execute": "human-monitor-command"}',
      '{"execute": "human-monitor-command", "arguments": {"command-line": "foo"}}',
      '{"execute": "human-monitor-command", "arguments": {"command-line": "info foo"}}',
    ];
    const answers = async ({ qmp }: Started): Promise<unknown[]> => {
      expect(await qmp.line()).toMatch(/^\{"QMP": /);
      const given: unknown[] = [];
      for (const message of messages) {
        qmp.send(`${message}\n`);
        const line = ((await qmp.line()) ?? '').replaceAll(/pc-i440fx(?:-[\d.]+)?-machine/g, 'MACHINE');
        given.push([message, JSON.parse(line)]);
      }
      return given;
    };
    expect(await answers(own)).toEqual(await answers(qemu));
  });
});

/** What is told of a command line that is wrong. */
describe.skipIf(!hasQemu)("refuses as QEMU's does", () => {
  it.each([
    ['-foo'],
    ['-device'],
    ['-M foo'],
    ['-M pc,foo'],
    ['-device foo'],
    ['-device edu,foo=1'],
    ['-device edu,addr=zz'],
    ['-device edu,bus=foo'],
    ['-device edu,id=9x'],
    ['-device edu,multifunction=foo'],
    ['-device edu,id=a -device edu,id=a'],
    ['-device ioapic'],
    ['-device isa-pit'],
    ['-device pvpanic,ioport=zz'],
    ['-device pvpanic,ioport=70000'],
    ['-M isapc -device edu'],
    ['-M none -device edu'],
    ['-smp foo'],
    ['-smp cpus=2,foo=1'],
    ['-m foo'],
    ['-chardev foo,id=a'],
    ['-chardev null'],
    ['-serial foo'],
    ['-serial chardev:zz'],
    ['-mon chardev=zz'],
    ['-mon foo=1'],
    ['-qtest foo'],
    ['-rtc base=foo'],
    ['-rtc clock=foo'],
    ['-rtc foo=1'],
    ['-name a=b'],
    ['-fw_cfg foo'],
    ['-display foo'],
    ['-vga foo'],
    ['-watchdog-action foo'],
    ['-action panic=foo'],
    ['-boot order=z'],
    ['-boot foo=1'],
    ['-boot reboot-timeout=foo'],
    ['-uuid foo'],
    ['-drive file=/nonexistent'],
    ['-drive if=scsi,file=/dev/null,format=raw'],
    ['-blockdev foo'],
    ['-netdev foo,id=a'],
    ['-netdev socket'],
    ['-netdev socket,id=a'],
    ['-netdev hubport,id=a'],
    ['-netdev user,id=a -netdev user,id=a'],
    ['-drive if=foo'],
    ['-drive media=foo'],
    ['-drive if=ide,unit=5'],
    ['-drive if=none,index=1,bus=1'],
    ['-drive if=none,id=a -drive if=none,id=a'],
    ['-drive if=none,file=/nonexistent'],
    ['-drive if=pflash,format=raw,file=/dev/null'],
    ['-blockdev null-co'],
    ['-blockdev null-co,node-name=a -blockdev null-co,node-name=a'],
    ['-blockdev raw,node-name=a'],
    ['-blockdev raw,node-name=a,file=x'],
    ['-blockdev file,node-name=a'],
    ['-blockdev file,node-name=a,filename=/nonexistent'],
    ['-blockdev null-co,node-name=9'],
    ['-blockdev null-co,node-name=a,foo=1'],
    ['-object foo,id=a'],
    ['-object memory-backend-ram'],
    ['-object memory-backend-ram,id=a'],
    ['-object memory-backend-ram,id=a,size=foo'],
    ['-object memory-backend-ram,id=a,size=1M -object memory-backend-ram,id=a,size=1M'],
    ['-audio foo'],
    ['-audiodev foo,id=a'],
    ['-audiodev none'],
    ['-drive if=none,id=9x'],
    ['-drive if=none,id=a,node-name=b'],
    ['-drive if=none,id=a,driver=foo'],
    ['-drive if=none,id=a,driver=null-co,node-name=9x'],
    ['-drive if=none,id=a,driver=null-co,node-name=a'],
    ['-drive if=none,id=a -blockdev null-co,node-name=a'],
    [`-drive if=none,id=a,driver=null-co,node-name=${'b'.repeat(32)}`],
    [`-blockdev null-co,node-name=${'b'.repeat(32)}`],
  ])('%s', (line) => {
    const words = line.split(' ');
    const told = (command: string, args: readonly string[]): { status: number | null; stderr: string } => {
      const quiet = ['-display', 'none', '-S'];
      const { status, stderr } = spawnSync(command, [...args, ...quiet, ...words], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      return {
        status,
        stderr: stderr
          .replaceAll(/^q(?:emu|test)-system-x86_64: /gm, '')
          .replaceAll(/pc-i440fx(?:-[\d.]+)?/g, 'MACHINE'),
      };
    };
    expect(told(process.execPath, [OWN])).toEqual(told(QEMU, []));
  });
});
