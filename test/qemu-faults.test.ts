import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { processesWith, zombiesOf } from './support/qemu.ts';

/** A QEMU as far as detection goes, which then opens its pipes as QEMU does, for reading and writing. */
const HEAD = `#!/bin/sh
case "$1" in
  -version) echo 'QEMU emulator version 7.2.0 (fake)'; exit;;
  -accel) if [ "$2" = help ]; then echo tcg; fi; exit;;
esac
for word; do
  case "$word" in pipe,id=qtest,path=*) qtest=\${word#*path=};; pipe,id=qmp,path=*) qmp=\${word#*path=};; esac
done
`;
const OPEN = `exec 5<>"$qmp.in" 6<>"$qmp.out" 3<>"$qtest.in" 4<>"$qtest.out"\n`;
/** Answers the host's greeting and the request for IRQs. */
const GREET = `${OPEN}read -r line <&3; echo 'OK little' >&4\nread -r line <&3; echo OK >&4\nread -r line <&3\n`;
/** Stays: at a pipe that nobody writes to. It forks nothing, for a child that is killed before it runs another program has its name. */
const STAY = 'read -r line <&6';
/** Stays, before it has a pipe. */
const SLEEP = 'sleep 86399';

const PLUGIN = `
import { definePlugin } from '@qtest/sdk';
export default definePlugin({
  name: 'one',
  description: 'one access',
  init(machine) {
    machine.add('isa-bus');
    machine.add('mc146818rtc');
  },
  run: { access: ({ vcpu }) => vcpu.inb(0x71), next: ({ vcpu }) => vcpu.inb(0x71) },
});
`;

interface Outcome {
  readonly code: number | undefined;
  readonly text: string;
}

/** Runs a case on a fake QEMU, and checks that it has left nothing behind. */
async function runOn(script: string | undefined, args: readonly string[] = [], mode = 0o755): Promise<Outcome> {
  const fake: Project = project(undefined, { 'one.ts': PLUGIN, ...(script !== undefined && { 'fake-qemu': script }) });
  if (script !== undefined) chmodSync(join(fake.path, 'fake-qemu'), mode);
  const tmp = join(fake.path, 'tmp');
  mkdirSync(tmp);
  const { code, stdout, stderr } = await fake.qtest(
    ['--plugin', './one.ts', '--backend', 'qemu', '--qemu', './fake-qemu', ...args],
    { env: { TMPDIR: tmp } },
  );
  expect(
    readdirSync(tmp).filter((name) => name.startsWith('qtest-qemu-')),
    'folders and FIFOs left behind',
  ).toEqual([]);
  expect(processesWith(fake.path), 'processes left behind').toEqual([]);
  expect(zombiesOf('fake-qemu'), 'processes whose end nobody has taken in').toEqual([]);
  return { code, text: stdout + stderr };
}

describe('a QEMU that cannot be used ends the command', () => {
  test.each<[what: string, script: string | undefined, message: RegExp, mode?: number]>([
    [
      'missing',
      undefined,
      /fake-qemu: there is no such command\. Install it \(Debian, Ubuntu: apt install qemu-system-x86;.*--qemu/,
    ],
    ['not executable', `#!/bin/sh\n`, /fake-qemu: it is not executable\. Install it/, 0o644],
    [
      'too old',
      `#!/bin/sh\necho 'QEMU emulator version 2.11.1'\n`,
      /is QEMU 2\.11\.1, which is too old: expected 6\.0 or later/,
    ],
    [
      'something else',
      `#!/bin/sh\necho 'GNU bash, version 5'\n`,
      /expected 'QEMU emulator version …', but it wrote 'GNU bash, version 5'/,
    ],
    [
      'silent',
      `#!/bin/sh\n`,
      /but it wrote nothing\n {2}command line: .*fake-qemu -version\n {2}it exited with status 0\n/,
    ],
    [
      'failing',
      `#!/bin/sh\necho 'no library' >&2; exit 5\n`,
      /command line: .*fake-qemu -version\n {2}it exited with status 5\n {2}standard error: no library/,
    ],
    [
      'without accelerators',
      `#!/bin/sh\necho 'QEMU emulator version 8.0.0'\n`,
      /expected the accelerator tcg or qtest/,
    ],
  ])('%s', async (_what, script, message, mode) => {
    const { code, text } = await runOn(script, [], mode);
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  test('hanging', { timeout: 60_000 }, async () => {
    const { code, text } = await runOn(`#!/bin/sh\n${SLEEP}\n`);
    expect(text).toMatch(/has not ended within 10 s\n {2}command line: .*-version\n {2}it was running, and was killed/);
    expect(code).toBe(2);
  });
});

describe('a QEMU that breaks down fails its case, with its command line, its status and what it wrote', () => {
  test.each<[what: string, body: string, message: RegExp]>([
    [
      'exits at once',
      `echo 'bad option' >&2; exit 1`,
      /QEMU has ended at its start\n.*command line: .*-qtest chardev:qtest.*\n +it exited with status 1\n +standard error: bad option\n/,
    ],
    [
      'answers the greeting with garbage',
      `${OPEN}echo 'HTTP/1.1 400 Bad Request' >&4; ${STAY}`,
      /QEMU answered 'endianness' with 'HTTP\/1\.1 400 Bad Request', and not with 'OK little'/,
    ],
    [
      'answers garbage',
      `${GREET}printf '\\033what?\\n' >&4; ${STAY}`,
      /QEMU answers 'inb 113' with '\\x1bwhat\?', which is not the qtest protocol\n.*command line: /,
    ],
    [
      'gives no number',
      `${GREET}echo 'OK x' >&4; ${STAY}`,
      /QEMU answers 'inb 113' with 'OK x': expected a value of 8 bits, 0x…/,
    ],
    ['refuses', `${GREET}echo 'FAIL no' >&4; ${STAY}`, /QEMU refuses 'inb 113': no\n/],
    [
      'closes the pipe in mid-answer',
      `${GREET}printf 'OK 0x' >&4; echo aborting >&2; kill -ABRT $$`,
      /QEMU has closed its qtest pipe in its answer to 'inb 113', after 'OK 0x'\n.*command line: .*\n +it died of SIGABRT\n +standard error: aborting\n/,
    ],
  ])('%s', async (_what, body, message) => {
    const { code, text } = await runOn(`${HEAD}${body}\n`);
    expect(text).toMatch(message);
    expect(text).toMatch(/\b2 failed of 2 cases/);
    expect(code).toBe(1);
  });

  test('hangs', async () => {
    const { code, text } = await runOn(`${HEAD}${GREET}echo 'I sleep' >&2; ${STAY}\n`, ['--timeout', '500ms']);
    expect(text).toMatch(
      /Timeout: no end within 500ms.*\n\n +QtestError: QEMU has not answered 'inb 113'\n +command line: .*\n +it was running, and was killed\n +standard error: I sleep\n/,
    );
    expect(text).toMatch(/\b2 timed out of 2 cases/);
    expect(code).toBe(1);
  });

  test('never opens its pipe', { timeout: 60_000 }, async () => {
    const { code, text } = await runOn(`${HEAD}${SLEEP}\n`, ['-t', 'access']);
    expect(text).toMatch(/QEMU has not opened its pipe 'qtest' within 10 s of its start\n.*command line: /);
    expect(code).toBe(1);
  });

  test('opens its pipe and never answers', { timeout: 60_000 }, async () => {
    const { code, text } = await runOn(`${HEAD}${OPEN}${STAY}\n`, ['-t', 'access']);
    expect(text).toMatch(/QEMU has not answered 'endianness' within 10 s of its start\n.*command line: /);
    expect(code).toBe(1);
  });
});
