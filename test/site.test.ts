import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { emptyFolder } from './support/project.ts';
import { REPOSITORY, run } from './support/run.ts';

/** The site of docs/, as `npm run docs` builds it. */
const site = join(emptyFolder(), 'site');

/** Its files, by path relative to the site; text alone is read. */
const files = new Map<string, string>();

beforeAll(async () => {
  const typedoc = join(REPOSITORY, 'docs/node_modules/typedoc/bin/typedoc');
  const cwd = join(REPOSITORY, 'docs');
  // It fails on every warning: a link to a file that is not there, a type without a docstring.
  const { code, stdout, stderr } = await run(process.execPath, [typedoc, '--out', site], { cwd, timeout: 240_000 });
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  for (const file of readdirSync(site, { recursive: true, encoding: 'utf8' }))
    files.set(file, /\.(?:html|svg)$/.test(file) ? readFileSync(join(site, file), 'utf8') : '');
}, 300_000);

const idsOf = new Map<string, ReadonlySet<string>>();

/** What a link to a file may name after its `#`. */
function ids(file: string): ReadonlySet<string> {
  const found = idsOf.get(file) ?? new Set(matches(/\sid="([^"]+)"/g, files.get(file) ?? ''));
  idsOf.set(file, found);
  return found;
}

/** What the first group of a pattern takes in, wherever the pattern matches. */
function matches(pattern: RegExp, text: string): readonly string[] {
  return [...text.matchAll(pattern)].map(([, group = '']) => group);
}

function isDead(page: string, link: string): boolean {
  if (/^(?:https?|mailto|data):/.test(link)) return false;
  const [path = '', id = ''] = decodeURI(link).replaceAll('&amp;', '&').split('#');
  const target = path === '' ? page : relative(site, resolve(site, dirname(page), path));
  return !files.has(target) || (id !== '' && !ids(target).has(id));
}

test('no link is dead', () => {
  const pages = [...files].filter(([file]) => file.endsWith('.html'));
  const links = pages.flatMap(([page, text]) =>
    matches(/\s(?:href|src)="([^"]*)"/g, text).map((link) => ({ page, link })),
  );
  expect(links.length).toBeGreaterThan(5_000);
  const dead = links.filter(({ page, link }) => isDead(page, link)).map(({ page, link }) => `${page}: ${link}`);
  expect([...new Set(dead)]).toEqual([]);
});

test('every page of docs/ is in it, under its heading', () => {
  const headings = readdirSync(join(REPOSITORY, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => /^# (.+)\n/.exec(readFileSync(join(REPOSITORY, 'docs', file), 'utf8'))?.[1] ?? file);
  const titles = [...files.values()].flatMap((text) => matches(/<h1[^>]*>([^<]+)</g, text));
  expect(headings.filter((heading) => !titles.includes(heading))).toEqual([]);
});

/** The names that a module of a built package exports, types too. */
function exportsOf(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  const lists = matches(/^export (?:type )?\{([^}]*)\}/gm, text).flatMap((list) => list.split(','));
  const others = matches(/^export (?:type )?\* from '([^']+)'/gm, text);
  return [
    ...matches(/^export (?:declare )?(?:class|const|function|interface|type) (\w+)/gm, text),
    ...matches(/^export (?:type )?\* as (\w+) from/gm, text),
    ...lists.flatMap((entry) => /(\w+)\s*$/.exec(entry)?.[1] ?? []),
    ...others.flatMap((other) => exportsOf(join(dirname(file), other.replace(/\.[jt]s$/, '.d.ts')))),
  ];
}

test.each([
  ['@qtest/sdk', 'sdk/dist/index.d.ts', 180],
  ['@qtest/parts/pc', 'parts/dist/pc/index.d.ts', 15],
  ['@qtest/host/testing', 'host/dist/testing/index.d.ts', 6],
  ['@qtest/host/contract', 'host/dist/contract/index.d.ts', 4],
])('the reference has every export of %s', (module, file, count) => {
  const names = [...new Set(exportsOf(join(REPOSITORY, file)))];
  expect(names.length).toBeGreaterThanOrEqual(count);
  const prefix = module.replace(/[@/]/g, '_');
  const reference = files.get(`modules/${prefix}.html`) ?? '';
  const has = (name: string): boolean =>
    reference.includes(`/${prefix}.${name}.html"`) || reference.includes(`href="${prefix}.${name}.html"`);
  expect(names.filter((name) => !has(name))).toEqual([]);
});
