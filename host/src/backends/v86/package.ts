import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { satisfies } from 'semver';
import { hostError, messageOf } from '@qtest/sdk/support';

/** The package `v86`. */
export interface V86Package {
  readonly version: string;
  /** URL of its module. */
  readonly entry: string;
  /** Its compiled half. */
  readonly wasm: WebAssembly.Module;
}

/** Versions whose insides are as `emulator.ts` knows them. */
const RANGE = '^0.5.462';

const INSTALL = `Install it: npm install --save-dev 'v86@${RANGE}'`;

/** The v86 that a project uses: of the packages beside the host, or else of those of a folder. @throws BACKEND as `findV86` does. */
export async function projectV86(folder: string): Promise<V86Package> {
  return await findV86([import.meta.url, pathToFileURL(join(folder, 'package.json')).href]);
}

/**
 * Finds v86 where one of these modules, URLs, would find it.
 * @throws BACKEND when there is none, when it is of another version, or when it cannot be loaded.
 */
export async function findV86(from: readonly string[]): Promise<V86Package> {
  const manifest = from.map(manifestOf).find((found) => found !== undefined);
  if (manifest === undefined) {
    throw hostError(
      'BACKEND',
      `the backend v86 needs the npm package 'v86', which is installed neither beside @qtest/host nor in the project. ${INSTALL}`,
    );
  }
  const { version, main } = await read(manifest);
  if (version === undefined || !satisfies(version, RANGE)) {
    throw hostError(
      'BACKEND',
      `${manifest}: v86 is ${version ?? 'of no version'}, and its insides, by which it is driven, are known of ${RANGE} alone. ${INSTALL}`,
    );
  }
  const dir = dirname(join(dirname(manifest), main));
  try {
    const wasm = new WebAssembly.Module(await readFile(join(dir, 'v86.wasm')));
    return { version: version.replace(/\+.*/, ''), entry: pathToFileURL(join(dirname(manifest), main)).href, wasm };
  } catch (error) {
    throw hostError('BACKEND', `${join(dir, 'v86.wasm')}: ${messageOf(error)}. ${INSTALL}`, { cause: error });
  }
}

function manifestOf(base: string): string | undefined {
  try {
    return findPackageJSON('v86', base);
  } catch {
    // It says that there is none by an error.
    return undefined;
  }
}

async function read(manifest: string): Promise<{ version: string | undefined; main: string }> {
  const content: unknown = JSON.parse(await readFile(manifest, 'utf8'));
  const text = (name: string): string | undefined => {
    const value: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { version: text('version'), main: text('main') ?? 'build/libv86.mjs' };
}
