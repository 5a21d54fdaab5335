import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';

/** What a terminal, a reader or the runner of GitHub Actions would fall for; as the source of a plugin has it. */
const EVIL = String.raw`\x1b]52;c;aGk=\x07\x1b[2J\x9b8m\u202e\u2028\ud800\0\rz\n::stop-commands::t\n  ##[group]x`;

const { path, qtest, write } = project(undefined, {
  'evil.ts': `
import { defineDevice, definePlugin, deviceSchema, property } from '@qtest/sdk';

const schema = deviceSchema({
  type: 'evil${EVIL}',
  description: 'evil ${EVIL}',
  bus: 'isa',
  properties: { text: property.string({ default: 'evil ${EVIL}' }) },
  state: { byte: 'u8' },
  regions: () => ({ ports: { space: 'io', base: 0x300, size: 1 } }),
});
const device = defineDevice(schema, { reset() {}, regions: { ports: { read: () => 1, write() {} } } });

export default definePlugin({
  name: 'evil',
  description: 'evil ${EVIL}',
  devices: [device],
  init(machine) {
    const isa = machine.add('isa-bus');
    machine.add(device, { bus: isa });
  },
  run: {
    '::error::\\u202ename': { description: 'evil ${EVIL}', run: ({ log }) => log('${EVIL}') },
    skip: ({ skip }) => skip('${EVIL}'),
    value: () => ({ '${EVIL}': '${EVIL}' }),
    fail: ({ assert, vcpu }) => { vcpu.inb(0x300); assert.equal('${EVIL}', 'b\\n${EVIL}', '${EVIL}'); },
    cause: () => { throw new Error('${EVIL}', { cause: new Error('why ${EVIL}') }); },
  },
});
`,
});

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Lines that do what they should not. */
function bad(text: string): string[] {
  const isCommand = (line: string): boolean => /^\s*::(?!error |warning |before|after)|##\[/.test(line);
  return text.split('\n').filter((line) => HIDDEN.test(line.replaceAll('\t', ' ')) || isCommand(line));
}

describe('what a plugin says', () => {
  const plugin = ['--plugin', './evil.ts'];
  test.each([
    [[...plugin, '--trace=fail'], 1],
    [[...plugin, '--reporter', 'dot'], 1],
    [[...plugin, '--reporter', 'tap'], 1],
    [[...plugin, '--reporter', 'junit'], 1],
    [[...plugin, '--reporter', 'json'], 1],
    [[...plugin, '--reporter', 'jsonl', '--trace'], 1],
    [[...plugin, '--reporter', 'html'], 1],
    [[...plugin, '-t', `no${String.raw`\x1b[2J`}${'\u001b[2J\n::error::x'}`], 1],
    [['list', ...plugin], 0],
    [['list', ...plugin, '--json'], 0],
    [['machine', ...plugin], 0],
    [['machine', ...plugin, '--json'], 0],
    [['contract', ...plugin], 0],
    [['doctor', ...plugin], 0],
    [['doctor', ...plugin, '--json'], 0],
    [['--plugin', '?', ...plugin], 0],
    [['compat', ...plugin, '--backend', 'native'], 1],
    [['compat', ...plugin, '--backend', 'native', '--markdown'], 1],
    [['compat', ...plugin, '--backend', 'native', '--json'], 1],
    [['list', '--plugin', './\u001b[2J\n::error::x'], 2],
    [['\u001b[2J\n::error::x'], 2],
    [['--clock', '\u001b[2J\n::error::x'], 2],
    [['merge-reports', '\u001b[2J\n::error::x'], 2],
    [['replay', '\u001b[2J\n::error::x'], 2],
  ])('%j', async (args, expected) => {
    const { stdout, stderr, code } = await qtest(args, { env: { GITHUB_ACTIONS: 'true' } });
    expect(bad(stdout)).toEqual([]);
    expect(bad(stderr)).toEqual([]);
    expect(code).toBe(expected);
  });

  test('what is made of it by merge-reports, and the traces', async () => {
    await qtest([...plugin, '--trace', '--reporter', 'blob=evil.blob']);
    const merged = await qtest(['merge-reports', 'evil.blob', '--trace-export', 'qtest,vcd,perfetto,jsonl'], {
      env: { GITHUB_ACTIONS: 'true' },
    });
    expect(merged.code).toBe(1);
    expect(bad(merged.stdout)).toEqual([]);
    expect(merged.stdout).toMatch(/^traces: \d+ files in qtest-traces$/m);
    const files = readdirSync(join(path, 'qtest-traces'));
    expect(files.length).toBeGreaterThanOrEqual(4);
    for (const file of files)
      expect(readFileSync(join(path, 'qtest-traces', file), 'utf8').replaceAll('\n', '')).not.toMatch(HIDDEN);
    const script = files.find((file) => file.includes('fail') && file.endsWith('.qtest')) ?? '';
    expect((await qtest(['replay', join('qtest-traces', script), '--machine', 'none'])).stderr).not.toContain(
      'no text',
    );
  });
});

test('a stack that a plugin has made puts no other file into a report', async () => {
  const secret = 'nobody is to see this';
  const { path: outside, write: writeOutside } = project();
  writeOutside({ 'secret.txt': `${secret}\n` });
  symlinkSync(join(outside, 'secret.txt'), join(path, 'link.txt'));
  execFileSync('mkfifo', [join(path, 'fifo')]);
  write({ large: '' });
  truncateSync(join(path, 'large'), 2 ** 32);
  const places = [
    `${path}/../${outside.split('/').at(-1)}/secret.txt:1:1`,
    `${path}/link.txt:1:1`,
    `${path}/fifo:1:1`,
    `${path}/large:1:1`,
    `${path}:1:1`,
    'file:///%2f:1:1',
    'file://host/x:1:1',
  ];
  const cases = places.map(
    (place, n) =>
      `c${n}: () => { throw Object.assign(new Error('made'), { stack: 'Error: made\\n    at f (${place})' }); },`,
  );
  write({
    'stack.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'stack', description: '', run: {
${cases.join('\n')}
log: ({ log }) => { (0, eval)('(log) => log("said")\\n//# sourceURL=file:///%2f%00')(log); },
mapped: () => { throw new Error('mapped'); },
} });
//# source${'MappingURL'}=data:application/json,${encodeURIComponent(
      JSON.stringify({
        version: 3,
        sources: [`${outside}/secret.txt`],
        names: [],
        mappings: ';;;;;;;;;;;;AAAA'.repeat(9),
      }),
    )}
`,
  });
  const args = ['--plugin', './stack.ts', '--reporter', 'spec,json=s.json,html=s.html', '--trace=fail'];
  const { stdout, code } = await qtest(args);
  expect(code).toBe(1);
  expect(stdout).toContain('1 passed, 8 failed of 9 cases');
  expect(stdout).toContain('said');
  expect(stdout + readFileSync(join(path, 's.json'), 'utf8')).not.toContain(secret);
});

describe('merge-reports', () => {
  let lines: readonly string[];

  beforeAll(async () => {
    write({
      'two.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'two', description: '', run: { good() {}, bad({ assert }) { assert.equal(1, 2); } } });
`,
    });
    await qtest(['--plugin', './two.ts', '--reporter', 'blob=two.blob']);
    lines = gunzipSync(readFileSync(join(path, 'two.blob')))
      .toString()
      .trimEnd()
      .split('\n');
  });

  const blob = (name: string, given: readonly string[]): string => {
    writeFileSync(join(path, name), gzipSync(`${given.join('\n')}\n`));
    return name;
  };

  test('the source of a failure is what it was, and travels in the blob', async () => {
    write({ 'two.ts': 'gone\n' });
    const { stdout } = await qtest(['merge-reports', 'two.blob']);
    expect(stdout).toContain('> 2 | export default definePlugin({');
  });

  test('no file that a blob names is read', async () => {
    execFileSync('mkfifo', [join(path, 'pipe')]);
    write({ 'here.txt': 'a secret of this project\n' });
    for (const file of [
      '/etc/passwd',
      'here.txt',
      join(path, 'here.txt'),
      join(path, 'pipe'),
      '/dev/zero',
      '/dev/stdin',
    ]) {
      const named = lines.map((line) =>
        line
          .replace(/"location":\{"file":"[^"]*"/, `"location":{"file":${JSON.stringify(file)}`)
          .replace(/"excerpt":\{[^}]*\},/, ''),
      );
      const { stdout, code } = await qtest(
        ['merge-reports', blob('named.blob', named), '--reporter', 'spec,html=n.html,junit=n.xml,json=n.json'],
        { timeout: 10_000 },
      );
      expect(code).toBe(1);
      const text = ['n.xml', 'n.json'].map((name) => readFileSync(join(path, name), 'utf8')).join('');
      expect(stdout + text).not.toMatch(/root:|secret of this/);
    }
  });

  test('a failure that the summary does not count is a failure', async () => {
    const told = lines.map((line) => line.replace('"pass":1,"fail":1', '"pass":2,"fail":0'));
    const { stdout, code } = await qtest(['merge-reports', blob('told.blob', told)]);
    expect(code).toBe(1);
    expect(stdout).toContain('1 passed, 1 failed of 2 cases');
    expect(stdout).toContain('warning: told.blob is damaged: its summary has 2 pass, 0 fail');
  });

  test('a case without an end has not passed', async () => {
    const cut = lines
      .filter((line) => !(line.includes('"caseEnd"') && line.includes('"bad"')))
      .map((line) => line.replace('"pass":1,"fail":1', '"pass":2,"fail":0'));
    const { stdout, code } = await qtest(['merge-reports', blob('cut.blob', cut)]);
    expect(code).toBe(1);
    expect(stdout).toContain('cut.blob does not say how it ended');
    expect(stdout).toContain('1 passed, 1 crashed of 2 cases');
  });

  test.each([
    [
      'a bomb',
      () => gzipSync(Buffer.alloc(2 ** 29 + 1)),
      'unpacked it has more than the 536870912 bytes that are left',
    ],
    [
      'a long line',
      () => gzipSync(`${lines[0]}\n${' '.repeat(2 ** 26 + 1)}\n`),
      'line 2: expected at most 67108864 bytes',
    ],
    [
      'many lines',
      () => gzipSync(`${lines[0]}\n${'{}\n'.repeat(2 ** 19)}`),
      'line 524289: expected at most 524288 lines',
    ],
    [
      'depth',
      () => gzipSync(`${lines[0]}\n${'['.repeat(5000)}${']'.repeat(5000)}\n${lines.at(-1)}\n`),
      'line 2, is damaged: expected an event as JSON.*at most 500 levels, but found 5000',
    ],
    [
      'values',
      () => gzipSync(`${lines[0]}\n[${'0,'.repeat(2 ** 21)}0]\n${lines.at(-1)}\n`),
      'line 2, is damaged.*at most 2097152 values, but found 2097154',
    ],
    [
      'shards',
      () => gzipSync(lines.join('\n').replace('"order"', '"shard":{"index":1,"count":1000000000},"order"')),
      'line 1, is damaged.*shard.count',
    ],
    [
      'an event of no kind',
      () => gzipSync(lines.join('\n').replace('"caseStart"', '"\\u001b[2J"')),
      String.raw`type: expected runStart.*found '\\x1B\[2J'`,
    ],
    [
      'coverage of depth',
      () => Buffer.from(`{"version":1,"coverage":${'['.repeat(5000)}${']'.repeat(5000)}}`),
      'nor coverage of version 1.*at most 500 levels',
    ],
    [
      'coverage of another type',
      () => Buffer.from('{"version":1,"coverage":[{"type":1}]}'),
      String.raw`coverage\[0\]\.type: expected a string`,
    ],
  ])('%s: exit 2, with file, place and limit', async (_name, bytes, message) => {
    writeFileSync(join(path, 'given.blob'), bytes());
    const { code, stderr } = await qtest(['merge-reports', 'given.blob']);
    expect(stderr).toMatch(new RegExp(`^qtest: given\\.blob.*${message}`));
    expect(stderr).not.toContain('internal error');
    expect(code).toBe(2);
  });

  test.each(['/dev/zero', '/dev/stdin', 'stuck', 'sparse'])('%s: exit 2', async (file) => {
    if (file === 'stuck') execFileSync('mkfifo', [join(path, file)]);
    if (file === 'sparse') {
      write({ sparse: '' });
      truncateSync(join(path, file), 2 ** 32);
    }
    for (const args of [
      ['merge-reports', file],
      ['replay', file],
      ['list', '--plugin', './evil.ts', '--shard', '1/2', '--durations', file],
    ]) {
      const { code, stderr } = await qtest(args, { timeout: 10_000 });
      expect(stderr).toMatch(/not a regular file|it has more than \d+ bytes/);
      expect(code).toBe(2);
    }
  });

  test('--trace-export: where no case was traced, it says so', async () => {
    const { code, stderr } = await qtest([
      'merge-reports',
      'two.blob',
      '--trace-export',
      'jsonl',
      '--trace-dir',
      'none',
    ]);
    expect(stderr).toContain('qtest: there are no traces in them: run with --trace\n');
    expect(code).toBe(1);
    expect(readdirSync(join(path, 'none'))).toEqual([]);
  });
});
