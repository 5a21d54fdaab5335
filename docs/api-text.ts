import { join } from 'node:path';

import { format } from 'oxfmt';

import { readPackage, type Entry } from './api-declarations.ts';
import { PAGES, type Page } from './api-pages.ts';

const ROOT = join(import.meta.dirname, '..');
const HEAD =
  '<!-- Made by `npm run docs:api` from the doc comments in the sources. Change those, and not this file. -->';

/** A heading that can be linked to, and its page. */
interface Target {
  readonly page: string;
  readonly anchor: string;
}

/** The pages of `docs/api`, by their file names. */
export async function makePages(): Promise<ReadonlyMap<string, string>> {
  const entries = new Map(await Promise.all(PAGES.map(async (page) => [page, await readPackage(ROOT, page)] as const)));
  checkComplete(entries);
  const targets = targetsOf(entries);
  const made = new Map<string, string>([['README.md', indexPage()]]);
  for (const [page, sections] of entries) made.set(page.file, await pageText(page, sections, targets));
  return made;
}

/** Every export is on a page, and no page has what is not exported. */
function checkComplete(entries: ReadonlyMap<Page, PageContents>): void {
  const exported = new Map<string, Set<string>>();
  for (const [page, { exports }] of entries) {
    const missing = exported.get(page.specifier) ?? new Set(exports);
    for (const name of page.sections.flatMap(({ names }) => names)) missing.delete(name);
    exported.set(page.specifier, missing);
  }
  const left = [...exported].flatMap(([specifier, names]) => [...names].map((name) => `${name} of ${specifier}`));
  if (left.length > 0) throw new Error(`docs/api-pages.ts has no place for ${left.join(', ')}`);
}

type PageContents = Awaited<ReturnType<typeof readPackage>>;

function targetsOf(entries: ReadonlyMap<Page, PageContents>): ReadonlyMap<string, readonly Target[]> {
  const targets = new Map<string, Target[]>();
  for (const [{ file }, contents] of entries) {
    const anchors = new Anchors();
    for (const section of contents.sections) {
      anchors.next(section.title);
      for (const entry of section.entries.filter(({ kind }) => kind === 'block')) {
        const list = targets.get(entry.name) ?? [];
        targets.set(entry.name, [...list, { page: file, anchor: anchors.next(entry.heading) }]);
      }
    }
  }
  return targets;
}

/** The anchors of a page's headings, as code hosts make them. */
class Anchors {
  readonly #used = new Map<string, number>();

  next(heading: string): string {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const times = this.#used.get(slug) ?? 0;
    this.#used.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  }
}

function indexPage(): string {
  const rows = PAGES.map(
    ({ file, title, specifier, sections }) =>
      `| [${title}](${file}) | \`${specifier}\` | ${sections.map((section) => section.title.replace(/:.*/, '')).join(' · ')} |`,
  );
  return [
    HEAD,
    '# Reference',
    'Every function and type that authors import, with its signature and its doc comment. The pages are grouped by what their reader does.',
    ['| page | import from | contents |', '|---|---|---|', ...rows].join('\n'),
    '[All guides](../index.md)\n',
  ].join('\n\n');
}

async function pageText(
  page: Page,
  { sections }: PageContents,
  targets: ReadonlyMap<string, readonly Target[]>,
): Promise<string> {
  const parts = [
    HEAD,
    `# ${page.title}`,
    `Import from \`${page.specifier}\`. ${page.text} [All pages of the reference](README.md)`,
    sections
      .map(({ title }) => title)
      .map((title) => `[${title}](#${new Anchors().next(title)})`)
      .join(' · '),
  ];
  for (const { title, text, entries } of sections) {
    parts.push(`## ${title}`, ...(text === undefined ? [] : [text]));
    for (const entry of entries.filter(({ kind }) => kind === 'block'))
      parts.push(await blockText(entry, page.file, targets));
    const registers = entries.filter(({ kind }) => kind === 'register');
    if (registers.length > 0) {
      parts.push(
        '**Registers.** Offsets are from the start of the region, or indices where the part has an index port. A field’s bits and its [access](devices.md#fieldaccess) follow its name.',
        [
          '| register | offset | bits | at power-on | fields |',
          '|---|---|---|---|---|',
          ...registers.map(({ row }) => row),
        ].join('\n'),
      );
    }
    const constants = entries.filter(({ kind }) => kind === 'constant');
    if (constants.length > 0)
      parts.push(
        '**Constants**',
        ['| constant | value | meaning |', '|---|---|---|', ...constants.map(({ row }) => row)].join('\n'),
      );
  }
  return `${parts.join('\n\n')}\n`;
}

async function blockText(
  { name, heading, doc, code, uses }: Entry,
  file: string,
  targets: ReadonlyMap<string, readonly Target[]>,
): Promise<string> {
  const formatted = await format('declaration.d.ts', code, { printWidth: 110, singleQuote: true });
  if (formatted.errors.length > 0)
    throw new Error(`${name}: ${formatted.errors.map(({ message }) => message).join(', ')}`);
  const links = [...new Set(uses)].flatMap((word) => {
    const found = targets.get(word) ?? [];
    if (word === name) return [];
    const target = found.find(({ page }) => page === file) ?? found[0];
    if (target === undefined) return [];
    return `[${word}](${target.page === file ? '' : target.page}#${target.anchor})`;
  });
  return [
    `### ${heading}`,
    ...(doc === '' ? [] : [doc]),
    `\`\`\`ts\n${formatted.code.trim()}\n\`\`\``,
    ...(links.length === 0 ? [] : [`See ${links.join(', ')}`]),
  ].join('\n\n');
}
