import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';
import { jsonReport } from './support/report.ts';
import { REPOSITORY } from './support/run.ts';

const LAMP = `import { defineDevice } from '@qtest/sdk';
export const lamp = defineDevice(
  { type: 'lamp', description: 'A lamp', state: { on: 'bool' }, regions: () => ({ port: { space: 'io', base: 0x300, size: 1 } }) },
  { regions: { port: { read: ({ state }) => Number(state.on), write: ({ state }, _offset, value) => { state.on = value === 1; } } } },
);
`;

const BOARD = `export function desk(machine) { return { light: machine.add('lamp') }; }\n`;

/** Files of an installed package of device models. */
function devicePackage(
  name: string,
  modules: Readonly<Record<string, string>>,
  qtest: unknown,
): Record<string, string> {
  const folder = `node_modules/${name}`;
  const manifest = { name, type: 'module', exports: { './*': './*.js', './package.json': './package.json' }, qtest };
  return {
    [`${folder}/package.json`]: JSON.stringify(manifest),
    ...Object.fromEntries(Object.entries(modules).map(([file, text]) => [`${folder}/${file}.js`, text])),
  };
}

const LAMPS = devicePackage(
  'qtest-devices-lamps',
  { lamp: LAMP, desk: BOARD },
  { devices: { lamp: './lamp' }, boards: { desk: './desk' } },
);

/** A plugin whose machine has what \`init\` adds, and whose case lights the lamp. */
const plugin = (init: string): string => `import { definePlugin } from '@qtest/sdk';
export default definePlugin({
  name: 'light', description: '', init(machine) { ${init} },
  run({ vcpu, assert }) { vcpu.outb(0x300, 1); assert.equal(vcpu.inb(0x300), 1); },
});
`;

const lit = (files: Readonly<Record<string, string>>, init = `machine.add('lamp');`): Project =>
  project(undefined, {
    ...files,
    'light.ts': plugin(init),
    'qtest.config.ts': `export default { plugins: ['./light.ts'], devices: ['lamps'] };\n`,
  });

describe('a package of device models', () => {
  test('its models and boards are had by their names, in every thread', async () => {
    for (const init of [`machine.add('lamp');`, `machine.desk();`]) {
      for (const clock of ['virtual', 'realtime']) {
        const ended = await lit(LAMPS, init).qtest(['--json', '--clock', clock]);
        expect(jsonReport(ended).cases.map(({ status }) => status)).toEqual(['pass']);
      }
    }
  });

  test('its models are held to the contract, by their types', async () => {
    const { code, stdout } = await lit(LAMPS).qtest(['contract', '--device', 'lamp', '-t', 'lamp/reset']);
    expect(stdout).toMatch(/1 passed of 1 case in /);
    expect(code).toBe(0);
  });

  test("a plugin's own manifest lists what its package brings", async () => {
    const { qtest, write } = project();
    write({
      'package.json': JSON.stringify({
        name: 'own',
        type: 'module',
        exports: { './*': './*.js' },
        qtest: { devices: { lamp: './lamp' } },
      }),
      'lamp.js': LAMP,
      'light.ts': plugin(`machine.add('lamp');`),
    });
    const ended = await qtest(['--json', '--plugin', './light.ts']);
    expect(jsonReport(ended).cases.map(({ status }) => status)).toEqual(['pass']);
  });
});

describe('what is wrong is said, with the package and its file', () => {
  const wrong = async (
    modules: Readonly<Record<string, string>>,
    qtest: unknown,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number | undefined; said: string }> => {
    const { code, stdout, stderr } = await lit({ ...devicePackage('lamps', modules, qtest), ...more }).qtest([]);
    expect(stdout + stderr).not.toMatch(/internal|\n {4}at /);
    return { code, said: stdout + stderr };
  };

  test('no such package', async () => {
    const { code, stderr } = await lit({}).qtest([]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^qtest: devices: the device package 'lamps' was not found from .*: tried lamps, qtest-devices-lamps;/,
    );
  });

  test('a manifest that lists nothing, or no paths', async () => {
    expect(await wrong({}, undefined)).toMatchObject({
      code: 2,
      said: expect.stringMatching(/lamps\/package\.json lists no devices/),
    });
    for (const devices of [[], 'lamp', { lamp: 7 }, { lamp: '../lamp' }]) {
      const { code, said } = await wrong({}, { devices });
      expect(code).toBe(2);
      expect(said).toMatch(
        /lamps\/package\.json.*(?:lists no devices|qtest\.devices.*expected a path below the package)/,
      );
    }
  });

  test('a module that is not there', async () => {
    const { code, said } = await wrong({}, { devices: { lamp: './lamp' } });
    expect(code).toBe(1);
    expect(said).toMatch(/device type 'lamp': the module '\.\/lamp' of lamps \(.*package\.json\) is not there/);
  });

  test.each([
    [
      'throws',
      `throw new Error('no bulb');`,
      /device type 'lamp': the module '\.\/lamp' of lamps .* failed to load: no bulb/,
    ],
    [
      'awaits at its top level',
      `await 0;\n${LAMP}`,
      /has an await at its top level, and a device module is loaded synchronously/,
    ],
    ['exports another', LAMP.replace("type: 'lamp'", "type: 'torch'"), /exports no definition of it/],
    ['is no JavaScript', `export const`, /failed to load: Unexpected/],
  ])('a module that %s', async (_how, text, message) => {
    const { code, said } = await wrong({ lamp: text }, { devices: { lamp: './lamp' } });
    expect(code).toBe(1);
    expect(said).toMatch(message);
  });

  test('two packages of one type: both are named', async () => {
    const { qtest } = project(undefined, {
      ...LAMPS,
      ...devicePackage('torches', { lamp: LAMP }, { devices: { lamp: './lamp' } }),
      'light.ts': plugin(`machine.add('lamp');`),
      'qtest.config.ts': `export default { plugins: ['./light.ts'], devices: ['lamps', 'torches'] };\n`,
    });
    const { code, stderr } = await qtest([]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /the device type 'lamp' is in two packages: qtest-devices-lamps \(.*\) and torches \(.*\); leave one/,
    );
  });

  test('a type of our own', async () => {
    const { code, said } = await wrong({ rtc: LAMP }, { devices: { mc146818rtc: './rtc' } });
    expect(code).toBe(2);
    expect(said).toMatch(/the device type 'mc146818rtc' is in two packages: @qtest\/devices \(.*\) and lamps \(/);
  });

  test('a type that a plugin defines as well', async () => {
    const { qtest } = project(undefined, {
      ...LAMPS,
      'own.js': LAMP,
      'light.ts': plugin(`machine.add('lamp');`)
        .replace(`import`, `import { lamp } from './own.js';\nimport`)
        .replace(`init`, `devices: [lamp], init`),
      'qtest.config.ts': `export default { plugins: ['./light.ts'], devices: ['lamps'] };\n`,
    });
    const { code, stderr } = await qtest([]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /plugin 'light' defines a device of type 'lamp', which is in the package qtest-devices-lamps/,
    );
  });
});

describe('doctor', () => {
  test('loads every model of every package', async () => {
    const { code, stdout } = await lit(
      devicePackage('lamps', { lamp: `await 0;` }, { devices: { lamp: './lamp' } }),
    ).qtest(['doctor']);
    expect(code).toBe(2);
    expect(stdout).toMatch(/device type 'lamp': the module '\.\/lamp' of lamps .* has an await at its top level/);
  });
});

describe('two copies of the SDK', () => {
  const twice = (): Project => {
    const made = project(undefined, {
      'node_modules/two/index.js': plugin(`machine.ram(0, 4096);`).replace(/run\(.*/, 'run() {}'),
    });
    mkdirSync(join(made.path, 'node_modules/two/node_modules/@qtest'), { recursive: true });
    cpSync(join(REPOSITORY, 'sdk'), join(made.path, 'node_modules/two/node_modules/@qtest/sdk'), { recursive: true });
    made.write({ 'node_modules/two/package.json': `{ "name": "two", "type": "module", "exports": "./index.js" }` });
    return made;
  };
  const said =
    /plugin 'light' imports @qtest\/sdk 0\.1\.0 \(.*\/two\/node_modules\/@qtest\/sdk\), and the host 0\.1\.0 \(.*\/sdk\)/;

  test('the run says which is whose, and goes on', async () => {
    const { code, stdout, stderr } = await twice().qtest(['--plugin', 'two']);
    expect(stdout + stderr).toMatch(said);
    expect(code).toBe(0);
  });

  test('doctor warns of it', async () => {
    const { code, stdout } = await twice().qtest(['doctor', '--plugin', 'two']);
    expect(stdout).toMatch(said);
    expect(code).toBe(1);
  });
});
