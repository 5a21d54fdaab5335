import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { findV86 } from './package.ts';

const root = mkdtempSync(join(tmpdir(), 'qtest-v86-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A folder with a package `v86` of a version. */
function project(version: string | undefined): string {
  const folder = mkdtempSync(join(root, 'p-'));
  if (version !== undefined) {
    mkdirSync(join(folder, 'node_modules/v86'), { recursive: true });
    writeFileSync(
      join(folder, 'node_modules/v86/package.json'),
      JSON.stringify({ name: 'v86', version, main: 'build/libv86.mjs' }),
    );
  }
  return pathToFileURL(join(folder, 'package.json')).href;
}

it('finds the package that is installed', async () => {
  const found = await findV86(import.meta.url);
  expect(found.version).toMatch(/^0\.5\.\d+$/);
  expect(found.entry).toMatch(/v86\/build\/libv86\.mjs$/);
});

it('says how to install it where there is none', async () => {
  await expect(findV86(project(undefined))).rejects.toMatchObject({
    code: 'BACKEND',
    message: expect.stringMatching(/needs the npm package 'v86'.* npm install --save-dev 'v86@\^0\.5\.462'/),
  });
});

it.each(['0.5.100', '0.6.0', 'latest'])('refuses another version: %s', async (version) => {
  await expect(findV86(project(version))).rejects.toMatchObject({
    code: 'BACKEND',
    message: expect.stringMatching(new RegExp(`v86 is ${version}, .* of \\^0\\.5\\.462 alone`)),
  });
});

it('says what is wrong with one that is not whole', async () => {
  await expect(findV86(project('0.5.470'))).rejects.toMatchObject({
    code: 'BACKEND',
    message: expect.stringMatching(/v86\.wasm: ENOENT/),
  });
});
