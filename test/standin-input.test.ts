import { spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { emptyFolder } from './support/project.ts';
import { LineClient } from './support/qtest-client.ts';
import { REPOSITORY, start, type Ended, type Running } from './support/run.ts';

/** What the stand-in for QEMU is given: names that every object has, files without end, QEMU's own JSON. */

const BIN = join(REPOSITORY, 'serve/bin/qtest-system-x86_64.cjs');

const NAMES = ['constructor', '__proto__', 'hasOwnProperty', 'toString'];

let cwd: string;
beforeAll(() => {
  cwd = emptyFolder();
  spawnSync('mkfifo', [join(cwd, 'fifo')]);
  mkdirSync(join(cwd, 'folder'));
  writeFileSync(join(cwd, 'sparse'), '');
  truncateSync(join(cwd, 'sparse'), 2 ** 36);
  writeFileSync(join(cwd, 'again'), '[readconfig "x"]\n');
});

function launch(...args: readonly string[]): Running {
  const running = start(process.execPath, [BIN, '-nodefaults', ...args], { cwd, timeout: 60_000 });
  onTestFinished(async () => {
    running.signal('SIGKILL');
    await running.ended;
  });
  return running;
}

/** Its one line of refusal; QEMU's own has sometimes two. */
async function refusal(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr }: Ended = await launch(...args).ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^qtest-system-x86_64: /);
  expect(stderr).not.toMatch(/^\s+at |^\w*Error:/m);
  return stderr;
}

describe.each(NAMES)('the name %s', (name) => {
  it.each<[readonly string[], RegExp]>([
    [['-device', `edu,${name}=1`], /Property 'edu\.\S+' not found/],
    [['-device', `{'driver': 'edu', '${name}': 1}`], /Property 'edu\.\S+' not found/],
    [['-device', 'edu', '-global', `edu.${name}=1`], /Property 'edu\.\S+' not found/],
    [['-device', name], /is not a valid device model name/],
    [['-device', `edu,bus=${name}`], /Bus '\S+' not found/],
    [['-object', `memory-backend-ram,id=x,size=4096,${name}=1`], /Parameter '\S+' is unexpected/],
    [['-object', `memory-backend-ram,id=x,size=4096,${name}.a=1`], /Parameter '\S+' is unexpected/],
    [['-blockdev', `null-co,node-name=x,${name}.a=1`], /Parameter '\S+' is unexpected/],
    [['-chardev', `socket,id=x,path=s,${name}=1`], /Invalid parameter/],
  ])('is none that is known: %j', async (args, message) => expect(await refusal(...args)).toMatch(message));
});

it('has no properties, types, arguments or paths but those of its own', async () => {
  const socket = join(cwd, 'm');
  launch('-qmp', 'unix:m,server=on', '-device', 'edu,id=constructor', '-fw_cfg', 'name=__proto__,string=a');
  const qmp = await LineClient.to(socket);
  expect(await qmp.line()).toContain('QMP');
  const ask = async (execute: string, given: string): Promise<string> => {
    qmp.send(`{'execute': '${execute}', 'arguments': ${given}}`);
    return (await qmp.line())?.trim() ?? '';
  };
  expect(await ask('qmp_capabilities', '{}')).toBe('{"return": {}}');
  for (const name of NAMES) {
    expect(await ask('query-status', `{'${name}': 1}`)).toContain(`Parameter '${name}' is unexpected`);
    expect(await ask('qom-list-properties', `{'typename': '${name}'}`)).toContain(`Class '${name}' not found`);
    expect(await ask('device-list-properties', `{'typename': '${name}'}`)).toContain(`Device '${name}' not found`);
    expect(await ask('qom-get', `{'path': '/machine', 'property': '${name}'}`)).toContain('not found');
    expect(await ask('qom-list', `{'path': '/${name}'}`)).toContain('not found');
    expect(await ask('device_add', `{'driver': 'edu', '${name}': '1'}`)).toContain(`Property 'edu.${name}' not found`);
    expect(await ask('device_del', `{'id': '${name}2'}`)).toContain('not found');
    expect(await ask(name, '{}')).toContain(`The command ${name} has not been found`);
    expect(await ask('human-monitor-command', `{'command-line': '${name}'}`)).toContain('unknown command');
  }
  expect(await ask('qom-get', "{'path': '/machine/peripheral/constructor', 'property': 'type'}")).toBe(
    '{"return": "edu"}',
  );
});

describe.each(['/dev/zero', 'fifo', 'folder', 'sparse'])('as a file, %s', (file) => {
  it.each([
    [['-bios', file], 'could not load PC BIOS'],
    [['-fw_cfg', `name=opt/a,file=${file}`], "can't load"],
    [['-drive', `if=pflash,format=raw,file=${file}`], 'pflash'],
    [['-readconfig', file], 'Could not open'],
  ])('is refused: %j', async (args, message) => expect(await refusal(...args)).toContain(message));
});

it('reads no config file that names another', async () => {
  expect(await refusal('-readconfig', 'again')).toContain("again:1: There is no option group 'readconfig'");
});

it('configures no block node from what has no end', async () => {
  launch('-qmp', 'unix:b,server=on');
  const qmp = await LineClient.to(join(cwd, 'b'));
  await qmp.line();
  qmp.send("{'execute': 'qmp_capabilities'}");
  await qmp.line();
  qmp.send(
    "{'execute': 'blockdev-add', 'arguments': {'driver': 'blkdebug', 'node-name': 'd', 'config': '/dev/zero', 'image': {'driver': 'null-co'}}}",
  );
  expect(await qmp.line()).toContain("Could not open '/dev/zero': it is a device or a FIFO");
});

it.each([
  [['-qtest', 'tcp:127.0.0.1:99999'], 'address resolution failed for 127.0.0.1:99999'],
  [['-qtest', 'tcp:127.0.0.1:-1,server=on'], "'-1' is no port"],
  [['-qmp', 'tcp::'], "'' is no port"],
  [['-qtest', 'unix:,server=on'], "Parameter 'path' is empty"],
  [['-chardev', 'socket,id=a,path='], "Parameter 'path' is empty"],
  [['-monitor', `unix:${'x'.repeat(108)}`], 'Path must be less than 108 bytes'],
  [['-monitor', 'unix:s,server=perhaps'], "Parameter 'server' expects 'on' or 'off'"],
  [['-monitor', 'unix:s,server=on,abstract=on'], "'abstract' is not here"],
  [['-qtest', 'stdio', '-qtest-log', 'folder'], '-qtest-log folder: EISDIR'],
  [['-qtest', 'file:folder'], "Could not open 'folder': Is a directory"],
])('refuses %j in a line', async (args, message) => expect(await refusal(...args)).toContain(message));

it('stays, when there is nothing but what is null', async () => {
  const all = ['-monitor', '-qmp', '-qtest', '-serial'].map(async (option) => {
    const { ended } = start(process.execPath, [BIN, '-nodefaults', option, 'null'], { cwd, timeout: 3000 });
    await expect(ended).rejects.toThrow('did not end within 3000 ms');
  });
  await Promise.all(all);
});

it('takes JSON as QEMU does, wherever QEMU takes JSON', async () => {
  launch(
    ...[
      '-qmp',
      'unix:j,server=on',
      '-device',
      "{'driver': 'edu', 'id': 'it\\u0073', 'addr': 4, \"multifunction\": true}",
    ],
    ...['-object', "{'qom-type': 'memory-backend-ram', 'id': 'm', 'size': 4096}"],
    ...['-blockdev', "{'driver': 'null-co', 'node-name': 'n'}"],
    ...['-netdev', "{'type': 'user', 'id': 'net'}", '-audiodev', "{'driver': 'none', 'id': 'a'}"],
  );
  const qmp = await LineClient.to(join(cwd, 'j'));
  await qmp.line();
  qmp.send("{'execute': 'qmp_capabilities'}");
  await qmp.line();
  qmp.send("{'execute': 'qom-get', 'arguments': {'path': '/machine/peripheral/its', 'property': 'addr'}}");
  expect(await qmp.line()).toContain('{"return": "04.0"}');
});

it.each([
  ["{'driver': 'edu'", 'JSON parse error, expected separator in dict'],
  ["{'driver': 'edu', 'driver': 'edu'}", 'JSON parse error, duplicate key'],
  ["{'driver': 'edu', 'id': null}", "Invalid parameter type for 'id', expected: string"],
  ["{'driver': {'a': 1}}", "Invalid parameter type for 'driver', expected: string"],
])('refuses the JSON %s', async (text, message) => expect(await refusal('-device', text)).toContain(message));
