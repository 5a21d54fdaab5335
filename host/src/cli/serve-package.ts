import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import type * as serve from '@qtest/serve';
import { satisfies } from 'semver';

import { codeOf, findPackage, hostError, messageOf, onOneLine } from '@qtest/sdk/support';
import { hostManifest } from './version.ts';

/** What `@qtest/serve` exports. */
export type ServePackage = typeof serve;

const NAME = '@qtest/serve';
const INSTALL = `npm install --save-dev ${NAME}`;

/**
 * Loads `@qtest/serve`, which only those install who serve machines: of the project in a folder, or else what is beside the host.
 * @throws PACKAGE when there is none, when it is of another version, or when it can't be loaded.
 */
export async function loadServe(project: string): Promise<ServePackage> {
  const manifest = find(project);
  try {
    const { serve: range } = hostManifest();
    const { version }: { readonly version?: unknown } = Object(JSON.parse(readFileSync(manifest, 'utf8')));
    if (typeof version !== 'string' || !satisfies(version, range)) {
      throw hostError(
        'PACKAGE',
        `${manifest}: @qtest/serve is ${typeof version === 'string' ? version : 'of no version'}, and this @qtest/host needs ${range}. Install that: ${INSTALL}@'${range}'`,
      );
    }
    const loaded: ServePackage = await import(pathToFileURL(createRequire(manifest).resolve(NAME)).href);
    return loaded;
  } catch (error) {
    if (codeOf(error) === 'PACKAGE') throw error;
    throw broken(manifest, error);
  }
}

/** Its package.json. */
function find(project: string): string {
  const host = dirname(fileURLToPath(import.meta.url));
  for (const from of [project, host]) {
    let folder: string | undefined;
    try {
      folder = findPackage(NAME, from);
    } catch (error) {
      throw broken(from, error);
    }
    if (folder !== undefined) return join(folder, 'package.json');
  }
  throw hostError(
    'PACKAGE',
    `'qtest serve' and 'qtest replay' need the npm package '${NAME}', which is installed neither in ${project} nor beside @qtest/host. Install it: ${INSTALL}`,
  );
}

function broken(where: string, cause: unknown): Error {
  const message = `${where}: ${NAME} can't be loaded: ${onOneLine(messageOf(cause))}. Install it again: ${INSTALL}`;
  return hostError('PACKAGE', message, { cause });
}
