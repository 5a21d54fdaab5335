import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { satisfies } from 'semver';

import { codeOf, hostError, messageOf } from '@qtest/sdk/support';
import { hostManifest } from './version.ts';

/** What `@qtest/serve` exports. */
export type ServePackage = typeof import('@qtest/serve');

const INSTALL = 'npm install --save-dev @qtest/serve';

/**
 * Loads `@qtest/serve`, which only those install who serve machines: of the project in a folder, or else what is beside the host.
 * @throws PACKAGE when there is none, when it is of another version, or when it can't be loaded.
 */
export async function loadServe(project: string): Promise<ServePackage> {
  const { serve: range } = hostManifest();
  const from = [join(project, 'package.json'), import.meta.url].map((base) => createRequire(base));
  const found = from.map(manifestFrom).find((manifest) => manifest !== undefined);
  if (found === undefined) {
    throw hostError(
      'PACKAGE',
      `'qtest serve' and 'qtest replay' need the npm package '@qtest/serve', which is installed neither in ${project} nor beside @qtest/host. Install it: ${INSTALL}`,
    );
  }
  try {
    const { version }: Readonly<{ version?: unknown }> = JSON.parse(readFileSync(found, 'utf8'));
    if (typeof version !== 'string' || !satisfies(version, range)) {
      throw hostError(
        'PACKAGE',
        `${found}: @qtest/serve is ${typeof version === 'string' ? version : 'of no version'}, and this @qtest/host needs ${range}. Install that: ${INSTALL}@'${range}'`,
      );
    }
    const loaded: ServePackage = await import(pathToFileURL(createRequire(found).resolve('@qtest/serve')).href);
    return loaded;
  } catch (error) {
    if (codeOf(error) === 'PACKAGE') throw error;
    throw hostError(
      'PACKAGE',
      `${found}: @qtest/serve can't be loaded: ${messageOf(error)}. Install it again: ${INSTALL}`,
      {
        cause: error,
      },
    );
  }
}

function manifestFrom({ resolve }: Pick<NodeJS.Require, 'resolve'>): string | undefined {
  try {
    return resolve('@qtest/serve/package.json');
  } catch {
    // It says that there is none by an error.
    return undefined;
  }
}
