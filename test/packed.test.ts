import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test, type TestContext } from 'vitest';

import { install, NO_PACKAGES, pack, sh } from './support/npm.ts';
import { emptyFolder } from './support/project.ts';
import { REPOSITORY, type Ended } from './support/run.ts';

const app = emptyFolder();
let offline = false;

const inApp = (line: string): Promise<Ended> => sh(line, app);

beforeAll(async () => {
  const tarballs = await pack([
    'sdk',
    'parts',
    'machine',
    'devices',
    'host',
    'plugins/qtest-rtc',
    'plugins/qtest-pci',
    'plugins/qtest-pc',
  ]);
  offline = !(await install(tarballs, app));
  writeFileSync(
    join(app, 'qtest.config.ts'),
    `import { defineConfig } from '@qtest/sdk';\n\nexport default defineConfig({ plugins: ['@qtest/qtest-rtc'] });\n`,
  );
}, 120_000);

function needsInstalled({ skip }: TestContext): void {
  skip(offline, NO_PACKAGES);
}

/** Cases of the RTC package in the repository. */
async function count(pattern: string): Promise<number> {
  const { stdout } = await sh(`'${process.execPath}' host/bin/qtest.js list --json -t '${pattern}'`, REPOSITORY);
  return JSON.parse(stdout).plugins[0].cases.length;
}

test('a config of three lines: all cases, none left out', async (context) => {
  needsInstalled(context);
  const { code, stdout } = await inApp('npx qtest --clock virtual');
  const realtime = await count('drift/realtime/*');
  const total = await count('*');
  expect(stdout).toContain(`\n${total - realtime} passed, ${realtime} skipped of ${total} cases in `);
  expect(stdout).toMatch(
    /\n {6}src\/drift\.ts:testDrift\(\):L\d+: hz: 1024, duration_ms: 5000, exp_duration: 5000, drift ratio: 0\.000000\n/,
  );
  expect(code).toBe(0);
});

test.for(['@qtest/qtest-rtc', 'rtc'])('npx qtest --plugin %s', async (name, context) => {
  needsInstalled(context);
  const { code, stdout } = await inApp(`npx qtest --no-config --plugin ${name} -t time`);
  const total = await count('time');
  expect(total).toBeGreaterThan(3);
  expect(stdout).toMatch(new RegExp(`\\n${total} passed of ${total} cases in `));
  expect(code).toBe(0);
});

test.for(['pci', 'pc'])('npx qtest --plugin %s', async (name, context) => {
  needsInstalled(context);
  const { code, stdout } = await inApp(`npx qtest --no-config --plugin ${name} --clock virtual`);
  expect(stdout).toMatch(/\n(\d+) passed of \1 cases in /);
  expect(code).toBe(0);
});

test('no other backend is installed with them: the command says how to', async (context) => {
  needsInstalled(context);
  const { code, stderr } = await inApp('npx qtest --backend v86');
  expect(stderr).toMatch(
    /^qtest: there is no backend 'v86'; there are native\. Tried [^]*\nInstall it \(npm install --save-dev @qtest\/backend-v86\)/,
  );
  expect(code).toBe(2);
});

test('no other backend is installed with them: the doctor says how to, and that it is wrong where cases run on it', async (context) => {
  needsInstalled(context);
  const without = await inApp('npx qtest doctor');
  expect(without.stdout).toMatch(/^emulators {3}– none: no backend is installed \(npm install /m);
  expect(without.code).toBe(0);
  const asked = await inApp('npx qtest doctor --backend v86');
  expect(asked.stdout).toMatch(/^emulators {3}✗ v86 {2}it cannot be used$/m);
  expect(asked.stdout).toContain("\n  error: there is no backend 'v86'; ");
  expect(asked.code).toBe(2);
});

test.for(['serve --no-config --machine pc', 'replay script.qtest --no-config --machine pc'])(
  '@qtest/serve is not installed with them: %s says how to',
  async (command, context) => {
    needsInstalled(context);
    writeFileSync(join(app, 'script.qtest'), 'inb 0x71\n');
    expect(await inApp(`npx qtest ${command}`)).toEqual({
      code: 2,
      stdout: '',
      stderr: `qtest: 'qtest serve' and 'qtest replay' need the npm package '@qtest/serve', which is installed neither in ${app} nor beside @qtest/host. Install it: npm install --save-dev @qtest/serve\n`,
    });
  },
);

test('nothing of theirs imports it but what needs it', async (context) => {
  needsInstalled(context);
  for (const command of ['--help', 'list --plugin rtc', 'machine --machine pc', 'completion bash', 'doctor'])
    expect(await inApp(`npx qtest ${command}`)).toMatchObject({ code: 0 });
});

test('the packages bring their types', async (context) => {
  needsInstalled(context);
  writeFileSync(
    join(app, 'lamp.ts'),
    `import { definePlugin } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';

export default definePlugin({
  name: 'lamp',
  description: '',
  init(machine) {
    machine.add('isa-bus');
    machine.add('mc146818rtc', { irq: 8 });
    // @ts-expect-error -- A type of another kind.
    machine.add('mc146818rtc', { irq: '8' });
  },
  run: ({ vcpu, assert }) => assert.equal(rtc(vcpu).readTime().year, 2000),
});
`,
  );
  const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
  const { code, stdout } = await inApp(
    `'${tsc}' --noEmit --strict --target es2024 --module nodenext --types '' lamp.ts qtest.config.ts`,
  );
  expect(stdout).toBe('');
  expect(code).toBe(0);
});

test('the backends, installed beside them', async (context) => {
  needsInstalled(context);
  const folder = emptyFolder();
  const tarballs = await pack([
    ...['sdk', 'parts', 'machine', 'devices', 'host'],
    ...['plugins/qtest-rtc', 'backends/qemu', 'backends/v86'],
  ]);
  context.skip(!(await install(tarballs, folder)), NO_PACKAGES);
  const doctor = await sh('npx qtest doctor --plugin rtc', folder);
  expect(doctor.stdout).toMatch(/^emulators {3}[✓–] qemu {2}/m);
  expect(doctor.stdout).toMatch(/^ +✓ v86 {3}0\.5\.\d+ \(clock: realtime\) {2}.*\/node_modules\/v86$/m);
  const { code, stdout } = await sh('npx qtest --backend v86 --plugin rtc -t ram', folder);
  expect(stdout).toMatch(/\n0 passed, 2 known to differ of 2 cases in /);
  expect(code).toBe(0);
}, 120_000);
