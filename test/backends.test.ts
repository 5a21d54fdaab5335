import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { jsonReport, resultOf, statuses } from './support/report.ts';
import { REPOSITORY } from './support/run.ts';

/** A project with a backend of somebody else's, installed under a name, or none. */
function toyProject(name?: string): Project {
  const made = project('backends');
  if (name === undefined) return made;
  const folder = join(made.path, 'node_modules', name);
  mkdirSync(join(folder, '..'), { recursive: true });
  cpSync(join(REPOSITORY, 'test/fixtures/backends/toy'), folder, { recursive: true });
  return made;
}

const RAM = ['--plugin', './ram.ts'];

describe("somebody else's backend", () => {
  test.each([
    ['toy', 'qtest-backend-toy'],
    ['toy', '@qtest/backend-toy'],
    ['qtest-backend-toy', 'qtest-backend-toy'],
    ['@org/toy', '@org/qtest-backend-toy'],
    ['@org/qtest-backend-toy', '@org/qtest-backend-toy'],
    ['./toy', undefined],
    ['./toy/index.js', undefined],
  ])('--backend %s finds the package %s', async (spec, name) => {
    const ended = await toyProject(name).qtest(['--json', '--backend', spec, ...RAM, '-t', 'ram/*']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(statuses(jsonReport(ended))).toEqual(['ram ram/keeps: pass', 'ram ram/fresh: pass']);
  });

  test('runs cases, and skips those that need what it lacks, with the reason', async () => {
    const toy = toyProject();
    toy.write({ 'deeper/qtest.config.ts': `export default { plugins: ['../ram.ts'], backend: '../toy' };\n` });
    // A path of the config's is relative to the config.
    const report = jsonReport(await toy.qtest(['--json', '--config', 'deeper/qtest.config.ts', '-t', '!ends/*']));
    const found = Object.fromEntries(report.cases.map(({ name, status, reason }) => [name, reason ?? status]));
    expect(found).toEqual({
      'ram/keeps': 'pass',
      'ram/fresh': 'pass',
      'clock/step': 'pass',
      'irq/periodic': 'pass',
      'skips/device': `Toy cannot offer 'pvpanic0' (pvpanic): it has an RTC alone`,
      'skips/port': `Toy cannot offer 'pvpanic0' (pvpanic): it has an RTC alone`,
      'skips/snapshot': 'Toy has no snapshot',
      'skips/vector': 'Toy has no interrupt acknowledge',
      'skips/cold': 'Toy has no plug',
      'skips/realtime': 'Toy has no realtime clock',
    });
  });

  test('is compared, with its differences by its own name', async () => {
    const toy = toyProject('qtest-backend-toy');
    const { stdout, code } = await toy.qtest([
      'compat',
      '--backend',
      'native,toy',
      ...RAM,
      '-t',
      'ram/*',
      '-t',
      'irq/*',
    ]);
    expect(stdout).toMatch(/^\nram +native {2}toy 1\.2\.3\n/);
    expect(stdout).toMatch(/\n +irq\/periodic +≠ +✓\n/);
    expect(code).toBe(0);
  });

  test('is what qtest diff compares with, access by access', async () => {
    const toy = toyProject();
    const args = [
      'diff',
      '--json',
      '--backend',
      './toy',
      '--machine',
      'isapc',
      '--device',
      'mc146818rtc',
      '--count',
      '2000',
    ];
    const ended = await toy.qtest(args);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
    const report: { backends: string[]; difference: { script: unknown; requests: string[] } } = JSON.parse(
      ended.stdout,
    );
    expect(report.backends).toEqual(['native', 'toy']);
    expect(report.difference.script).toBeNull();
    expect(report.difference.requests.length).toBeGreaterThan(0);
  });

  test('is completed, and found by the doctor', async () => {
    const toy = toyProject('@org/qtest-backend-toy');
    const completed = await toy.qtest(['complete', '--', 'qtest', '--backend', '']);
    expect(completed.stdout.split('\n').map((line) => line.trim())).toContain('@org/qtest-backend-toy');
    const { stdout } = await toy.qtest(['doctor', ...RAM]);
    expect(stdout).toMatch(/✓ @org\/qtest-backend-toy {2}1\.2\.3 \(clock: virtual\) {2}\//);
  });
});

describe('a backend that cannot be used is refused, with what is wrong', () => {
  const SDK = '@qtest/sdk/backend';
  const good = `connector: new URL('./toy/connector.js', import.meta.url), detect: async () => ({})`;
  const define = (text: string): string =>
    `import { defineBackend, unusable } from '${SDK}';\nexport default defineBackend({ ${text} });\n`;
  const detects = (text: string): string =>
    define(`name: 'x', title: 'X', connector: new URL('./toy/connector.js', import.meta.url), detect: ${text}`);
  const connects = (connector: string): Record<string, string> => ({
    'x.js': define(`name: 'x', title: 'X', connector: new URL('./c.js', import.meta.url), detect: async () => ({})`),
    'c.js': connector,
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['is not there', {}, /^qtest: backend '\.\/x\.js' was not found: there is no file or folder .*\/x\.js\./],
    ['throws on load', { 'x.js': `throw new Error('on fire');\n` }, /x\.js\) failed to load:\nError: on fire\n/],
    ['is no module', { 'x.js': 'export default {\n' }, /failed to load:\n.*x\.js:2[^]*SyntaxError/],
    ['exports nothing', { 'x.js': '' }, /expected export default defineBackend\(\{ … \}\), but it exports nothing/],
    ['is something else', { 'x.js': 'export default 7;\n' }, /but its default export is something else/],
    ['has no name', { 'x.js': define(`title: 'X', ${good}`) }, /x\.js\): name: expected lower case .*found undefined/],
    [
      'has the name of ours',
      { 'x.js': define(`name: 'native', title: 'X', ${good}`) },
      /and not 'native', but found 'native'/,
    ],
    ['has no title', { 'x.js': define(`name: 'x', ${good}`) }, /title: expected what messages call the emulator/],
    [
      'lacks a half',
      { 'x.js': define(`name: 'x', title: 'X', detect() {}`) },
      /connector: expected the URL of a module/,
    ],
    [
      'lacks the other half',
      { 'x.js': define(`name: 'x', title: 'X', connector: new URL('./toy/connector.js', import.meta.url)`) },
      /detect: expected a function, but found undefined/,
    ],
    [
      'names a file that is not there',
      { 'x.js': define(`name: 'x', title: 'X', detect() {}, connector: new URL('./none.js', import.meta.url)`) },
      /connector: there is no file .*\/none\.js/,
    ],
    [
      'has a connector that throws',
      connects(`throw new Error('loose');\n`),
      /its connector, .*\/c\.js, failed to load:\nError: loose/,
    ],
    [
      'has a connector that is none',
      connects('export const connect = 1;\n'),
      /expected export default defineConnector\(\{ … \}\), but it exports connect/,
    ],
    [
      'has a connector that cannot connect',
      connects(`import { defineConnector } from '${SDK}';\nexport default defineConnector({});\n`),
      /c\.js, connect: expected a function, but found undefined/,
    ],
    [
      'cannot find its emulator',
      { 'x.js': detects(`async () => { throw unusable('X is not here. Install it: brew install x'); }`) },
      /^qtest: X is not here\. Install it: brew install x\n/,
    ],
    [
      'throws where it looks for it',
      { 'x.js': detects(`() => { throw new TypeError('oops'); }`) },
      /x\.js\): detect\(\) threw TypeError: oops\n/,
    ],
    [
      'finds nothing',
      { 'x.js': detects('async () => undefined') },
      /detect\(\) gave something wrong: expected an emulator, but found undefined/,
    ],
    [
      'has an odd clock',
      { 'x.js': detects(`async () => ({ version: '1', clocks: ['wall'] })`) },
      /clocks: expected a list of 'virtual' and 'realtime', but found \[ 'wall' \]/,
    ],
    [
      'has half an emulator',
      { 'x.js': detects(`async () => ({ version: '1', clocks: ['virtual'], lacks() {} })`) },
      /map: expected a function, but found undefined/,
    ],
    [
      'lacks in numbers',
      { 'x.js': detects(`async () => ({ version: '1', clocks: ['virtual'], lacks: () => 7, map() {}, start() {} })`) },
      /lacks\(\) gave something wrong: expected a reason or undefined, but found 7/,
    ],
  ])('%s', async (_what, files, message) => {
    const { qtest, write } = toyProject();
    write(files);
    const { code, stderr } = await qtest(['--backend', './x.js', ...RAM]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  test('is found nowhere: says what was tried, and how to get it', async () => {
    const { qtest } = toyProject();
    const { code, stderr } = await qtest(['--backend', 'qmeu', ...RAM]);
    expect(stderr).toMatch(
      /^qtest: there is no backend 'qmeu'; there are native, qemu, v86\. Did you mean 'qemu'\? Tried /,
    );
    expect(stderr).toContain(
      '\n  @qtest/backend-qmeu\n  qtest-backend-qmeu\nInstall it (npm install --save-dev @qtest/backend-qmeu)',
    );
    expect(code).toBe(2);
  });

  test('and two of one name', async () => {
    const { qtest } = toyProject('qtest-backend-toy');
    const { code, stderr } = await qtest(['compat', '--backend', 'toy,./toy', ...RAM]);
    expect(stderr).toContain(`'toy' and './toy' are both named 'toy': leave one out`);
    expect(code).toBe(2);
  });
});

describe('what a backend answers wrongly fails the case', () => {
  const { qtest } = toyProject();
  const result = async (fault: string, name: string): Promise<{ status: string; message: string | undefined }> => {
    const ended = await qtest(['--json', '--backend', './toy', ...RAM, '-t', name], { env: { TOY: fault } });
    const { status, failures } = resultOf(jsonReport(ended), name);
    return { status, message: failures[0]?.message };
  };

  test('a value of another size', async () => {
    expect(await result('in', 'ram/keeps')).toEqual({
      status: 'fail',
      message: 'Toy answers inb(0x71) with 256: expected an integer from 0 to 0xff\n  it is a toy',
    });
  });

  test('what cannot be killed, or ended', async () => {
    expect(await result('end', 'ram/keeps')).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/^Toy: end\(\) threw Error: no end\n/),
    });
    const ended = await qtest(
      ['--json', '--timeout', '1s', '--backend', './toy', ...RAM, '-t', 'ends/loop', '-t', 'ram/fresh'],
      { env: { TOY: 'kill' } },
    );
    const report = jsonReport(ended);
    expect(resultOf(report, 'ends/loop')).toMatchObject({
      status: 'timeout',
      failures: [
        expect.anything(),
        { message: expect.stringMatching(/^Toy: kill\(\) threw Error: it will not die\n/) },
      ],
    });
    expect(resultOf(report, 'ram/fresh').status).toBe('pass');
  });

  test('a time of another type', async () => {
    expect(await result('step', 'clock/step')).toEqual({
      status: 'fail',
      message: 'Toy: clock.step() gave 2000000: expected a time in ns, a bigint, after 0\n  it is a toy',
    });
  });

  test.each([
    [
      'map',
      `map: () => ({ devices: 7 })`,
      /X: map\(\) gave something wrong: devices: expected a list of devices, but found 7/,
    ],
    ['map that throws', `map: () => { throw new Error('lost'); }`, /X: map\(\) threw Error: lost/],
    ['start', `start: async () => 7`, /X: start\(\) gave something wrong: expected an emulator that runs, but found 7/],
    ['start that throws', `start: async () => { throw new Error('flat'); }`, /X: start\(\) threw Error: flat/],
    [
      'a handle',
      `start: async () => ({ handle: () => {}, kill() {}, end: async () => {}, death: async () => undefined, explain: (text) => text })`,
      /X: start\(\) gave something wrong: handle: expected data that can be cloned into another thread: .*could not be cloned/,
    ],
  ])('%s', async (_what, wrong, message) => {
    const { qtest: run, write } = toyProject();
    write({
      'x.js': `import { defineBackend } from '@qtest/sdk/backend';
const map = () => ({ devices: [], missing: {}, holes: [], settings: 0 });
export default defineBackend({
  name: 'x', title: 'X', connector: new URL('./toy/connector.js', import.meta.url),
  detect: async () => ({ version: '1', clocks: ['virtual'], lacks() {}, map, start() {}, ${wrong} }),
});
`,
    });
    const report = jsonReport(await run(['--json', '--backend', './x.js', ...RAM, '-t', 'ram/keeps']));
    const { status, failures } = resultOf(report, 'ram/keeps');
    expect(status).toBe('fail');
    expect(failures[0]?.message).toMatch(message);
  });

  test('connect', async () => {
    const { qtest: run, write } = toyProject();
    write({
      'toy/connector.js': `import { defineConnector } from '@qtest/sdk/backend';
export default defineConnector({ connect: () => ({ in: () => 0 }) });
`,
    });
    const report = jsonReport(await run(['--json', '--backend', './toy', ...RAM, '-t', 'ram/keeps']));
    expect(resultOf(report, 'ram/keeps').failures[0]?.message).toBe(
      'Toy: connect() gave something wrong: out: expected a function, but found undefined\n  it is a toy',
    );
    const diff = await run(['diff', '--backend', './toy', '--machine', 'isapc', '--device', 'mc146818rtc']);
    expect(diff.stderr).toContain('connect() gave something wrong: out: expected a function, but found undefined');
    expect(diff.code).toBe(1);
  });
});
