import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { createHooks } from '@qtest/host';
import { x } from 'tinyexec';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseBlocks, type Block, type Command } from './docs/blocks.ts';
import { readRecipe } from './docs/recipe.ts';
import { REPOSITORY, runCommands } from './docs/shell.ts';
import { matchesTranscript } from './docs/transcript.ts';
import { HAS_QEMU } from './support/qemu.ts';

const PAGES = [
  'README.md',
  ...readdirSync(join(REPOSITORY, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...['sdk', 'parts', 'machine', 'devices', 'serve', 'host', 'create-plugin'].map((name) => `${name}/README.md`),
];

/** Folders of `examples/`, and the page that shows their files. */
const EXAMPLES = [
  { example: 'first-test', page: 'docs/writing-a-test.md' },
  { example: 'race', page: 'docs/writing-a-test.md' },
  { example: 'lamp-device', page: 'docs/writing-a-device.md' },
  { example: 'host-extension', page: 'docs/extending-the-host.md' },
];

/** A page runs every case of this repository's own package, some of them in real time. */
const PAGE_TIMEOUT = 240_000;

let root: string;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'qtest-docs-')));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

test('every example is checked', async () => {
  const examples = await readdir(join(REPOSITORY, 'examples'));
  expect(EXAMPLES.map(({ example }) => example).toSorted()).toEqual(examples.toSorted());
});

test('every hook has an example', async () => {
  const text = await readFile(join(REPOSITORY, 'docs/extending-the-host.md'), 'utf8');
  expect(Object.keys(createHooks()).filter((hook) => !text.includes(`hooks.${hook}.tap`))).toEqual([]);
});

for (const page of PAGES) {
  // The README runs cases in real time, which other tests beside it on a small machine may keep from being on time.
  const retry = page === 'README.md' ? 1 : 0;
  test(`${page}: its files compile, its commands print what it shows`, { timeout: PAGE_TIMEOUT, retry }, async () => {
    const reader = new Reader(await mkdtemp(join(root, 'reader-')), page);
    for (const block of await blocksOf(page)) await reader.follow(block);
    await reader.typecheck();
  });
}

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

async function blocksOf(page: string): Promise<Block[]> {
  return parseBlocks(await readFile(join(REPOSITORY, page), 'utf8'));
}

/** Does what a page says, in a folder of its own. */
class Reader {
  readonly #root: string;
  readonly #page: string;
  #cwd: string;
  /** TypeScript files, by absolute path. */
  readonly #sources = new Map<string, string>();
  #checked = true;

  constructor(folder: string, page: string) {
    this.#root = folder;
    this.#cwd = folder;
    this.#page = page;
  }

  async follow(block: Block): Promise<void> {
    if (block.kind === 'file') {
      await this.#write(block.title, block.text);
      await this.#runRecipe(block);
    }
    if (block.kind === 'console' && (block.needs !== 'qemu' || HAS_QEMU)) await this.#run(block.commands, block);
  }

  async #write(title: string, text: string): Promise<void> {
    const path = join(this.#cwd, title);
    // What is about to be replaced has been on the page as well.
    if (this.#sources.has(path)) await this.typecheck();
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    if (!path.endsWith('.ts')) return;
    this.#sources.set(path, text);
    this.#checked = false;
  }

  /** Of a CI's file, what the CI does by it. */
  async #runRecipe({ title, text, line }: { title: string; text: string; line: number }): Promise<void> {
    const { commands, files } = readRecipe(title, text) ?? { commands: [], files: [] };
    // Without the emulator there is nothing to run on it.
    const runnable = commands.filter((command) => HAS_QEMU || !command.includes('--backend qemu'));
    for (const { command, output, code } of (await runCommands(runnable, this.#cwd)).ran)
      expect(code, `${this.#page}, line ${line}: ${command}\nprinted:\n${output}\nexit code`).toBe(0);
    for (const file of files) await rm(join(this.#cwd, file), { recursive: true });
  }

  async #run(commands: readonly Command[], { line, repository }: { line: number; repository: boolean }): Promise<void> {
    const { ran, cwd } = await runCommands(
      commands.map(({ command }) => command),
      repository ? REPOSITORY : this.#cwd,
    );
    if (!repository) this.#cwd = cwd;
    for (const [i, { command, output }] of commands.entries()) {
      const { output: printed = '', code = -1 } = ran[i] ?? {};
      const place = `${this.#page}, line ${line}: ${command}\nprinted:\n${printed}`;
      const tells = commands[i + 1]?.command === 'echo $?';
      if (!tells) expect(code, `${place}\nexit code`).toBe(0);
      const shown = output.join('\n').trim();
      const matches = shown === '' || matchesTranscript(output, printed, { ours: this.#page === 'README.md' });
      if (!matches) expect.fail(`${place}\nbut the page shows:\n${shown}`);
    }
  }

  /** Checks the page's TypeScript as it is now, by this repository's own options. */
  async typecheck(): Promise<void> {
    if (this.#checked) return;
    this.#checked = true;
    const config = {
      extends: join(REPOSITORY, 'tsconfig.base.json'),
      compilerOptions: {
        composite: false,
        noEmit: true,
        declaration: false,
        declarationMap: false,
        rootDir: '.',
        typeRoots: [join(REPOSITORY, 'node_modules/@types')],
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
      },
      files: [...this.#sources.keys()],
    };
    const file = join(this.#root, 'tsconfig.check.json');
    await writeFile(file, JSON.stringify(config));
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
    const { stdout, exitCode } = await x(process.execPath, [tsc, '-p', file], { nodeOptions: { cwd: this.#root } });
    expect(exitCode, `${this.#page}: tsc\n${stdout}`).toBe(0);
  }
}
