import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { beforeAll, describe, expect, test, type TestContext } from 'vitest';

import { NO_NETWORK, NO_PACKAGES, pack, sh } from './support/npm.ts';
import { emptyFolder } from './support/project.ts';
import { PUBLISHED } from './support/published.ts';
import { REPOSITORY, type Ended } from './support/run.ts';

const tool = (file: string): string => `'${process.execPath}' '${join(REPOSITORY, 'node_modules', file)}'`;
const YARN = tool('@yarnpkg/cli-dist/bin/yarn.js');
const PNPM = tool('pnpm/bin/pnpm.cjs');
const NODE = `'${process.execPath}'`;

/** The files of a package by its name, as a tarball. */
type Tarballs = Readonly<Record<string, string>>;

/** What a project has. */
const INSTALLED = [
  '@qtest/host',
  '@qtest/sdk',
  '@qtest/parts',
  '@qtest/serve',
  '@qtest/create-plugin',
  '@qtest/qtest-rtc',
  'qtest-devices-lamps',
];

interface Manager {
  readonly title: string;
  /** Its own files of a project in which every package of ours is one of these tarballs. */
  readonly settings: (tarballs: Tarballs, registry: string) => Readonly<Record<string, string>>;
  readonly manifest?: (tarballs: Tarballs) => object;
  readonly install: string;
  /** Before what is run in the project. */
  readonly exec: string;
  /** TypeScript 7 is a program of its own, which finds no packages in Yarn's archives. */
  readonly tsc?: string;
}

const yarnrc =
  (linker: string): Manager['settings'] =>
  (_tarballs, registry) => ({
    '.yarnrc.yml': [
      `nodeLinker: ${linker}`,
      'enableTelemetry: false',
      'enableGlobalCache: false',
      'enableImmutableInstalls: false',
      `npmRegistryServer: '${registry}'`,
      `unsafeHttpWhitelist: ['*']`,
      'httpRetry: 1',
      'httpTimeout: 20000',
      '',
    ].join('\n'),
  });

const MANAGERS: readonly Manager[] = [
  {
    title: 'npm',
    settings: () => ({}),
    manifest: (tarballs) => ({ overrides: tarballs }),
    install: 'npm install --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=20000',
    exec: 'npx',
  },
  {
    title: 'pnpm',
    settings: (tarballs) => ({
      'pnpm-workspace.yaml': `overrides:\n${Object.entries(tarballs)
        .map(([name, file]) => `  '${name}': '${file}'\n`)
        .join('')}`,
    }),
    install: `${PNPM} install --store-dir .store --fetch-retries=1 --fetch-timeout=20000`,
    exec: `${PNPM} exec`,
  },
  {
    title: 'Yarn without PnP',
    settings: yarnrc('node-modules'),
    manifest: (resolutions) => ({ resolutions }),
    install: `${YARN} install`,
    exec: `${YARN} run`,
  },
  {
    title: 'Yarn with PnP',
    settings: yarnrc('pnp'),
    manifest: (resolutions) => ({ resolutions, devDependencies: { typescript: '^6.0.0' } }),
    install: `${YARN} install`,
    exec: `${YARN} run`,
    tsc: `${YARN} run tsc`,
  },
];

/** A package of a device model, as somebody else publishes it. */
const LAMPS = {
  'package.json': JSON.stringify({
    name: 'qtest-devices-lamps',
    version: '1.0.0',
    type: 'module',
    exports: { './*': './*.js', './package.json': './package.json' },
    peerDependencies: { '@qtest/sdk': '^0.1.0' },
    qtest: { devices: { lamp: './lamp' } },
  }),
  'lamp.js': `import { defineDevice } from '@qtest/sdk';
export const lamp = defineDevice(
  { type: 'lamp', description: 'A lamp', state: { on: 'bool' }, regions: () => ({ port: { space: 'io', base: 0x300, size: 1 } }) },
  { regions: { port: { read: ({ state }) => Number(state.on), write: ({ state }, _offset, value) => { state.on = value === 1; } } } },
);
`,
};

const PROJECT = {
  'qtest.config.ts': `import { defineConfig } from '@qtest/sdk';

export default defineConfig({ plugins: ['./light.ts', 'rtc'], devices: ['lamps'] });
`,
  'light.ts': `import { definePlugin, type DeviceRef } from '@qtest/sdk';
import { i8254, rtc } from '@qtest/parts/pc';

declare module '@qtest/sdk' {
  interface DeviceTypes {
    lamp: { readonly id?: string };
  }
}

export default definePlugin({
  name: 'light',
  description: 'a lamp on a PC',
  init(machine) {
    machine.pc();
    machine.add('lamp', { id: 'desk' });
    const timer: DeviceRef = machine.add('i8254', { id: 'second', ioBase: 0x140, irq: 5 });
    // @ts-expect-error -- A type of another kind.
    if (timer === undefined) machine.add('i8254', { irq: '5' });
  },
  run({ vcpu, assert }) {
    vcpu.outb(0x300, 1);
    assert.equal(vcpu.inb(0x300), 1);
    assert.equal(rtc(vcpu).readTime().year, 2000);
    assert.equal(typeof i8254, 'object');
  },
});
`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2024',
      module: 'nodenext',
      types: [],
      strict: true,
      noEmit: true,
      erasableSyntaxOnly: true,
    },
    files: ['light.ts', 'qtest.config.ts'],
  }),
};

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

let tarballs: Tarballs;
let registry: string;

beforeAll(async () => {
  const files = await pack(PUBLISHED.map(({ folder }) => folder));
  const lamps = emptyFolder();
  write(lamps, LAMPS);
  expect(await sh('npm pack', lamps)).toMatchObject({ code: 0 });
  tarballs = {
    'qtest-devices-lamps': `file:${join(lamps, 'qtest-devices-lamps-1.0.0.tgz')}`,
    ...Object.fromEntries(
      PUBLISHED.map(({ manifest: { name, version } }) => {
        const packed = `/${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`;
        return [name, `file:${files.find((file) => file.endsWith(packed))}`];
      }),
    ),
  };
  registry = (await sh('npm config get registry', lamps)).stdout.trim();
}, 120_000);

describe.each(MANAGERS)('installed by $title', ({ settings, manifest, install, exec, tsc }) => {
  let app: string;
  let offline = false;

  beforeAll(async () => {
    app = emptyFolder();
    const own = manifest?.(tarballs) ?? {};
    const given = Object.fromEntries(INSTALLED.map((name) => [name, tarballs[name]]));
    const extra: object =
      'devDependencies' in own && typeof own.devDependencies === 'object' ? (own.devDependencies ?? {}) : {};
    write(app, {
      ...PROJECT,
      ...settings(tarballs, registry),
      'package.json': JSON.stringify({
        name: 'app',
        private: true,
        type: 'module',
        ...own,
        devDependencies: { ...given, ...extra },
      }),
    });
    const installed = await sh(install, app);
    offline = installed.code !== 0 && NO_NETWORK.test(installed.stdout + installed.stderr);
    if (!offline) expect(installed.code, `${installed.stdout}${installed.stderr}`).toBe(0);
  }, 120_000);

  const inApp = async ({ skip }: TestContext, line: string): Promise<Ended> => {
    skip(offline, NO_PACKAGES);
    return await sh(line, app);
  };

  test('a short name on the command line', async (context) => {
    const { code, stdout } = await inApp(context, `${exec} qtest --no-config --plugin rtc -t 'drift/1024hz'`);
    // Its source map is found.
    expect(stdout).toMatch(/src\/drift\.ts:testDrift\(\):L\d+: hz: 1024/);
    expect(stdout).toMatch(/^1 passed of 1 case in /m);
    expect(code).toBe(0);
  });

  test('a config, with a short name, a plugin in TypeScript, and a package of devices', async (context) => {
    for (const clock of ['virtual', 'realtime']) {
      const ran = await inApp(context, `${exec} qtest -t run -t time/epoch --clock ${clock}`);
      expect(ran.stdout).toMatch(/^2 passed of 2 cases in /m);
      expect(ran.code).toBe(0);
    }
  });

  test('qtest list', async (context) => {
    const { code, stdout } = await inApp(context, `${exec} qtest list`);
    expect(stdout).toMatch(/\n\d+ cases in 2 plugins\n$/);
    expect(code).toBe(0);
  });

  test('qtest doctor finds nothing wrong', async (context) => {
    const { code, stdout } = await inApp(context, `${exec} qtest doctor`);
    expect(stdout).toMatch(/\nnothing is wrong\n$/);
    expect(code).toBe(0);
  });

  test('the types of parts, of boards and of a device of somebody else', async (context) => {
    const compiler = tsc ?? `${NODE} '${join(REPOSITORY, 'node_modules/.bin/tsc')}'`;
    expect(await inApp(context, `${compiler} -p tsconfig.json`)).toMatchObject({ code: 0, stdout: '' });
  });

  test('the binary in the place of QEMU’s, serve and replay', async (context) => {
    const version = await inApp(context, `${exec} qtest-system-x86_64 --version`);
    expect(version.stdout).toMatch(/^QEMU emulator version /);
    expect(version.code).toBe(0);
    const served = await inApp(context, `echo 'inb 0x300' | ${exec} qtest serve --no-config --machine pc`);
    expect(served.stdout).toBe('OK 0x00ff\n');
    write(app, { 'script.qtest': 'inb 0x300\n# OK 0x00ff\n' });
    const replayed = await inApp(context, `${exec} qtest replay script.qtest --no-config --machine pc`);
    expect(replayed.stdout).toMatch(/1 of 1 replies as recorded\n$/);
  });

  test('a new package', async (context) => {
    const create = exec === 'npx' ? 'npm create @qtest/plugin my-tests' : `${exec} create-plugin my-tests`;
    const { code, stdout } = await inApp(context, create);
    expect(stdout).toContain('qtest-my-tests in ');
    expect(code).toBe(0);
    for (const file of ['package.json', '.gitignore', 'src/index.ts', '.github/workflows/test.yml'])
      expect(existsSync(join(app, 'my-tests', file)), `${file}`).toBe(true);
  });
});
