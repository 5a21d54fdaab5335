import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

import { describe, expect, test } from 'vitest';

import { REPOSITORY } from './support/run.ts';

/**
 * The house: each package, and which others it may import, all of them below it. Arrows point down only, and packages know each other by
 * their names alone. This is the drawing; docs/architecture.md explains it.
 */
const PACKAGES: readonly (readonly [folder: string, below: readonly string[]])[] = [
  ['create-plugin', ['host']],
  ['plugins/*', ['parts', 'sdk']],
  ['host', ['serve', 'devices', 'machine', 'parts', 'sdk']],
  ['serve', ['devices', 'machine', 'parts', 'sdk']],
  ['backends/*', ['sdk']],
  ['devices', ['parts', 'sdk']],
  ['machine', ['sdk']],
  ['parts', ['sdk']],
  ['sdk', []],
];

/** The rooms of the host, from the top floor down. A room imports those of lower floors. */
const ROOMS: readonly (readonly string[])[] = [
  ['cli'],
  ['index.ts', 'testing'],
  ['compat', 'contract', 'diff', 'replay'],
  ['backends'],
  ['emulated'],
  ['runner'],
  ['plugins'],
  ['report/html'],
  ['report/traces'],
  ['report'],
  ['coverage'],
  ['trace'],
  ['config'],
  ['hooks.ts', 'init', 'watch'],
  ['foreign'],
  ['files', 'entry.ts', 'own-files.ts'],
];

/** A source that is no test. */
interface Source {
  /** From the repository's folder. */
  readonly path: string;
  readonly imports: readonly string[];
}

const IMPORT = /^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

function sources(folder: string): Source[] {
  return globSync(`${folder}/src/**/*.ts`, { cwd: REPOSITORY })
    .filter((path) => !/\.test(?:-d)?\.ts$|\.d\.ts$/.test(path))
    .map((path) => {
      const text = readFileSync(join(REPOSITORY, path), 'utf8');
      return { path, imports: [...text.matchAll(IMPORT)].map(([, a, b, c]) => a ?? b ?? c ?? '') };
    });
}

const folders = PACKAGES.flatMap(([pattern]) =>
  globSync(pattern, { cwd: REPOSITORY }).filter((folder) => existsSync(join(REPOSITORY, folder, 'package.json'))),
);

const manifestOf = (folder: string): Readonly<Record<string, unknown>> =>
  JSON.parse(readFileSync(join(REPOSITORY, folder, 'package.json'), 'utf8'));

const names = new Map(folders.map((folder) => [String(manifestOf(folder)['name']), folder]));

/** The folder of the package that is imported, `@qtest/sdk/backend`; undefined for others' packages. */
function packageOf(specifier: string): string | undefined {
  const [scope, name] = specifier.split('/');
  return scope === '@qtest' ? names.get(`${scope}/${name}`) : undefined;
}

const rowOf = (folder: string): readonly string[] =>
  PACKAGES.find(([pattern]) => pattern === folder || pattern === `${dirname(folder)}/*`)?.[1] ?? [];

describe.each(folders)('%s', (folder) => {
  test('imports what is below it, by name', () => {
    const wrong = sources(folder).flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => {
          if (specifier.startsWith('.')) {
            const file = normalize(join(dirname(path), specifier));
            return relative(join(folder, 'src'), file).startsWith('..');
          }
          const other = packageOf(specifier);
          return specifier.startsWith('@qtest/') && other !== folder && !rowOf(folder).includes(other ?? '');
        })
        .map((specifier) => `${path} → ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test('names in its manifest what it imports', () => {
    const { dependencies = {}, peerDependencies = {} } = manifestOf(folder);
    const declared = new Set([...Object.keys(Object(dependencies)), ...Object.keys(Object(peerDependencies))]);
    const missing = sources(folder).flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => !/^(?:\.|node:)/.test(specifier) && packageOf(specifier) !== folder)
        .filter((specifier) => !declared.has(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')))
        .map((specifier) => `${path} → ${specifier}`),
    );
    // The command's page is bundled whole, and its styles are text.
    expect(missing.filter((line) => !line.startsWith('host/src/report/html/'))).toEqual([]);
  });
});

test('no package is left out of the drawing', () => {
  const { workspaces } = manifestOf('.');
  const all = globSync(
    (workspaces as readonly string[]).map((pattern) => `${pattern}/package.json`),
    {
      cwd: REPOSITORY,
    },
  ).map((path) => dirname(path));
  expect(folders.toSorted()).toEqual(all.filter((folder) => folder !== 'docs').toSorted());
});

describe('the rooms of the host', () => {
  const floors = new Map(ROOMS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)));
  const host = sources('host');
  const roomOf = (path: string): string => {
    const inside = relative('host/src', path);
    return [...floors.keys()].find((room) => inside === room || inside.startsWith(`${room}/`)) ?? inside;
  };

  test('each file is in one', () => {
    expect(host.map(({ path }) => roomOf(path)).filter((room) => !floors.has(room))).toEqual([]);
  });

  test('arrows point down', () => {
    const up = host.flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => normalize(join(dirname(path), specifier)))
        .filter((file) => {
          const [from, to] = [roomOf(path), roomOf(file)];
          return from !== to && (floors.get(to) ?? -1) <= (floors.get(from) ?? -1);
        })
        .map((file) => `${path} → ${file}`),
    );
    expect(up).toEqual([]);
  });
});
