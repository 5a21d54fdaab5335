import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { x } from 'tinyexec';
import { expect } from 'vitest';

import { HAS_QEMU } from '../support/qemu.ts';
import { parseBlocks, type Block, type Command } from './blocks.ts';
import { readRecipe } from './recipe.ts';
import { REPOSITORY, runCommands } from './shell.ts';
import { matchesTranscript } from './transcript.ts';

/** A page runs every case of this repository's own package, some of them in real time. */
export const PAGE_TIMEOUT = 240_000;

/** Does all that a page says, in a folder of its own: its files compile, its commands print what it shows. */
export async function followPage(page: string): Promise<void> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'qtest-docs-')));
  try {
    const reader = new Reader(folder, page);
    for (const block of await blocksOf(page)) await reader.follow(block);
    await reader.typecheck();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function blocksOf(page: string): Promise<Block[]> {
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
