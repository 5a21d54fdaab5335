import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { install, NO_PACKAGES, pack } from './support/npm.ts';
import { emptyFolder } from './support/project.ts';
import { PUBLISHED, type Manifest } from './support/published.ts';
import { REPOSITORY, run } from './support/run.ts';

/** What a thread runs that is given a machine, and nobody else imports. */
const THREADS = ['@qtest/machine/io-thread'];

/** `host/src/cli/main.ts`. */
const PATH = `\\b(${PUBLISHED.map(({ folder }) => folder).join('|')})/(src|bin|testing|templates)/[A-Za-z0-9_./-]+`;

const ranges = ({ dependencies, devDependencies, peerDependencies }: Manifest): [name: string, range: string][] =>
  [dependencies, devDependencies, peerDependencies].flatMap((each) => Object.entries(each ?? {}));

describe.each(PUBLISHED)('$folder', ({ folder, manifest }) => {
  const read = (name: string): string => readFileSync(join(REPOSITORY, folder, name), 'utf8');

  test('says what it is, and its licence', () => {
    expect(read('README.md')).toMatch(new RegExp(`^# ${manifest.name}\n`));
    expect(read('LICENSE')).toBe(readFileSync(join(REPOSITORY, 'LICENSE'), 'utf8'));
  });

  test('its README names all that can be imported of it, and the types of its devices', () => {
    const text = read('README.md');
    const imports = Object.keys(manifest.exports ?? {})
      .filter((path) => !path.endsWith('.json') && !path.includes('*'))
      .map((path) => join(manifest.name, path));
    const types = Object.keys(manifest.qtest?.devices ?? {}).map((type) => `\`${type}\``);
    expect([...imports, ...types].filter((name) => !text.includes(name))).toEqual([]);
  });

  test('its ranges take the packages that are here, of one version', () => {
    const versions = new Map(PUBLISHED.map((each) => [each.manifest.name, each.manifest.version]));
    const wrong = ranges(manifest).filter(([name, range]) => {
      const version = versions.get(name);
      return name.startsWith('@qtest/') && range !== `^${version}`;
    });
    expect(wrong).toEqual([]);
    expect(new Set(versions.values()).size).toBe(1);
  });

  test('the range of a package is one range wherever it is named, and Node’s is', () => {
    const others = PUBLISHED.flatMap((each) => ranges(each.manifest));
    const differ = ranges(manifest).filter(([name, range]) =>
      others.some(([other, another]) => other === name && another !== range),
    );
    expect(differ).toEqual([]);
    expect(new Set(PUBLISHED.map((each) => each.manifest.engines?.['node'])).size).toBe(1);
  });
});

describe('an entry point can be imported alone, as packed', () => {
  const app = emptyFolder();
  let offline = false;

  beforeAll(async () => {
    offline = !(await install(await pack(PUBLISHED.map(({ folder }) => folder)), app));
  }, 120_000);

  /** What can be imported of a package. A pattern stands for each module that was built for it. */
  const entries = PUBLISHED.flatMap(({ folder, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
      const specifier = join(manifest.name, path);
      if (!path.includes('*')) return specifier.endsWith('.json') ? [] : [specifier];
      const [before = '', after = ''] = String(
        Object.entries(Object(target)).find(([key]) => key === 'default')?.[1],
      ).split('*');
      return globSync(join(folder, `${before}*${after}`), { cwd: REPOSITORY }).map((file) =>
        specifier.replace('*', file.slice(join(folder, before).length, -after.length)),
      );
    }),
  );

  test('there are some of each package but for commands', () => {
    const without = PUBLISHED.filter(
      ({ manifest }) => !entries.some((entry) => `${entry}/`.startsWith(`${manifest.name}/`)),
    );
    expect(without.map(({ folder }) => folder)).toEqual(['create-plugin']);
  });

  test.for(entries)('%s', async (entry, { skip }) => {
    skip(offline, NO_PACKAGES);
    const code = THREADS.includes(entry)
      ? `process.exit(fs.existsSync(new URL(import.meta.resolve('${entry}'))) ? 0 : 1)`
      : `await import('${entry}')`;
    expect(await run(process.execPath, ['--input-type=module', '-e', code], { cwd: app })).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('each package has its README and licence with it', ({ skip }) => {
    skip(offline, NO_PACKAGES);
    const files = PUBLISHED.flatMap(({ manifest }) =>
      ['README.md', 'LICENSE'].map((file) => join('node_modules', manifest.name, file)),
    );
    expect(files.filter((file) => !existsSync(join(app, file)))).toEqual([]);
  });
});

test('a path into a package, wherever a tracked file names one, is there', async () => {
  const { stdout } = await run('git', ['grep', '-nIoE', PATH, '--', '.', ':!package-lock.json'], { cwd: REPOSITORY });
  const gone = stdout.split('\n').filter((line) => {
    const [file = '', , path = ''] = line.split(':');
    const named = path.replace(/[./]+$/, '');
    return ![REPOSITORY, join(REPOSITORY, dirname(file))].some((from) => existsSync(join(from, named)));
  });
  expect(gone).toEqual([]);
});
