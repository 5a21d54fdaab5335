import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findPackage, messageOf } from '@qtest/sdk/support';
import { unusable } from '@qtest/sdk/backend';

/** The package `v86`. */
export interface V86Package {
  readonly version: string;
  readonly folder: string;
  /** URL of its module. */
  readonly entry: string;
  /** Its compiled half. */
  readonly wasm: WebAssembly.Module;
}

/** Versions whose insides are as `emulator.ts` knows them. */
const RANGE = '^0.5.462';
const isKnown = (version: string): boolean => Number(/^0\.5\.(\d+)(?:\+.*)?$/.exec(version)?.[1] ?? 0) >= 462;

const INSTALL = `Install it: npm install --save-dev 'v86@${RANGE}'`;

/**
 * Finds v86 where a module, a URL, would find it.
 * @throws BACKEND when there is none, when it is of another version, or when it cannot be loaded.
 */
export async function findV86(from: string): Promise<V86Package> {
  const manifest = manifestOf(from);
  if (manifest === undefined)
    throw unusable(`the backend v86 needs the npm package 'v86', which is not installed beside it. ${INSTALL}`);
  const { version, main } = await read(manifest);
  if (version === undefined || !isKnown(version)) {
    throw unusable(
      `${manifest}: v86 is ${version ?? 'of no version'}, and its insides, by which it is driven, are known of ${RANGE} alone. ${INSTALL}`,
    );
  }
  const dir = dirname(join(dirname(manifest), main));
  try {
    const wasm = new WebAssembly.Module(await readFile(join(dir, 'v86.wasm')));
    const folder = dirname(manifest);
    return { version: version.replace(/\+.*/, ''), folder, entry: pathToFileURL(join(folder, main)).href, wasm };
  } catch (error) {
    throw unusable(`${join(dir, 'v86.wasm')}: ${messageOf(error)}. ${INSTALL}`, { cause: error });
  }
}

function manifestOf(base: string): string | undefined {
  const folder = findPackage('v86', dirname(fileURLToPath(base)));
  return folder === undefined ? undefined : join(folder, 'package.json');
}

async function read(manifest: string): Promise<{ version: string | undefined; main: string }> {
  const content: unknown = JSON.parse(await readFile(manifest, 'utf8'));
  const text = (name: string): string | undefined => {
    const value: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { version: text('version'), main: text('main') ?? 'build/libv86.mjs' };
}
