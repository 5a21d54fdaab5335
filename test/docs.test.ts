import { readdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createHooks } from '@qtest/host';
import { describe, expect, test } from 'vitest';

import { blocksOf, followPage, PAGE_TIMEOUT } from './docs/reader.ts';
import { REPOSITORY, runCommands } from './docs/shell.ts';

/** The repository's README is read in `docs.alone.test.ts`. */
const PAGES = [
  ...readdirSync(join(REPOSITORY, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...['sdk', 'parts', 'machine', 'devices', 'serve', 'host', 'backends/qemu', 'backends/v86', 'create-plugin'].map(
    (name) => `${name}/README.md`,
  ),
];

/** Folders of `examples/`, and the page that shows their files. */
const EXAMPLES = [
  { example: 'first-test', page: 'docs/writing-a-test.md' },
  { example: 'race', page: 'docs/writing-a-test.md' },
  { example: 'lamp-device', page: 'docs/writing-a-device.md' },
  { example: 'host-extension', page: 'docs/extending-the-host.md' },
];

test('every example is checked', async () => {
  const examples = await readdir(join(REPOSITORY, 'examples'));
  expect(EXAMPLES.map(({ example }) => example).toSorted()).toEqual(examples.toSorted());
});

test('every hook has an example', async () => {
  const text = await readFile(join(REPOSITORY, 'docs/extending-the-host.md'), 'utf8');
  expect(Object.keys(createHooks()).filter((hook) => !text.includes(`hooks.${hook}.tap`))).toEqual([]);
});

for (const page of PAGES)
  test(`${page}: its files compile, its commands print what it shows`, { timeout: PAGE_TIMEOUT }, () =>
    followPage(page),
  );

describe.each(EXAMPLES)('examples/$example', ({ example, page }) => {
  const folder = join(REPOSITORY, 'examples', example);

  test(`is what ${page} shows`, async () => {
    const blocks = await blocksOf(page);
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.ts'))) {
      const shown = blocks.flatMap((block) => (block.kind === 'file' && block.title === name ? [block.text] : []));
      expect.soft(shown, `${page} shows ${name}`).toContain(await readFile(join(folder, name), 'utf8'));
    }
  });

  test('runs', async () => {
    const { ran } = await runCommands(['"$REPOSITORY/node_modules/.bin/qtest"'], folder);
    expect(ran[0]?.output).toMatch(/^[1-9]\d* passed of/m);
    expect(ran[0]?.code).toBe(0);
  });
});
