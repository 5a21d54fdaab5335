// The site: the pages of this folder, and the reference, made of the docstrings. `npm run docs` builds it into `site/`.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';

import { Converter } from 'typedoc';

/** The pages in the order in which they are read. One that is not named here comes after them. */
const ORDER = [
  'tutorial',
  'writing-a-test',
  'debugging',
  'writing-a-device',
  'testing-with-vitest',
  'extending-the-host',
  'backends',
  'serving',
  'reports',
  'traces',
  'coverage',
  'ci',
  'architecture',
  'reference-config',
];

const pages = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.md') && file !== 'index.md')
  .toSorted((a, b) => placeOf(a) - placeOf(b) || a.localeCompare(b));

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'qtest',
  readme: 'index.md',
  projectDocuments: pages,
  entryPoints: [
    '../sdk/src/index.ts',
    '../parts/src/pc/index.ts',
    '../host/src/testing/index.ts',
    '../host/src/contract/index.ts',
    '../host/src/index.ts',
  ],
  out: 'site',
  plugin: [titles],
  highlightLanguages: ['console', 'groovy', 'javascript', 'json', 'markdown', 'typescript', 'yaml'],
  // There is no public address of the sources yet.
  disableSources: true,
  sort: ['documents-first', 'kind', 'alphabetical-ignoring-documents'],
  // What authors call comes first.
  kindSortOrder: ['Document', 'Module', 'Namespace', 'Function', 'Variable', 'Class', 'Interface', 'TypeAlias'],
  groupOrder: ['Functions', 'Variables', '*'],
  headings: { readme: false },
  sortEntryPoints: false,
  navigation: { includeCategories: false, includeGroups: false },
  searchInDocuments: true,
  searchInComments: true,
  hideGenerator: true,
  packagesRequiringDocumentation: ['@qtest/sdk', '@qtest/host'],
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias'],
  validation: { invalidLink: true, invalidPath: true, notDocumented: true, notExported: true, rewrittenLink: true },
  treatWarningsAsErrors: true,
};

function placeOf(file) {
  const place = ORDER.indexOf(basename(file, '.md'));
  return place < 0 ? ORDER.length : place;
}

/** A page is called what its first heading says, and not its file. */
function titles(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const [first] = page.content;
    const [, title] = /^# (.+)\n/.exec(first?.text ?? '') ?? [];
    if (title === undefined) throw new Error(`docs/${page.name}.md does not start with its heading`);
    page.name = title;
  });
}
