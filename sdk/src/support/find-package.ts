import { existsSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { codeOf } from './thrown.ts';

/** What is used of Yarn's Plug'n'Play, under which packages lie in archives and it alone knows where. */
interface PnpApi {
  resolveToUnqualified(request: string, issuer: string): string | null;
}

/** What Node says of a name that is no installed package's, or can't be one's. */
const NO_PACKAGE = ['ERR_MODULE_NOT_FOUND', 'ERR_INVALID_MODULE_SPECIFIER', 'ERR_INVALID_URL_SCHEME'];

/** The folder of an installed package, as seen from the folder `from`; undefined when there is none of this name. */
export function findPackage(name: string, from: string): string | undefined {
  const pnp = pnpOf(from);
  try {
    if (pnp !== undefined) return pnp.resolveToUnqualified(name, join(from, '/'))?.replace(/\/$/, '');
    const manifest = findPackageJSON(name, pathToFileURL(join(from, '/')));
    return manifest === undefined ? undefined : dirname(manifest);
  } catch (error) {
    if (pnp !== undefined || NO_PACKAGE.includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** The nearest folder, from this one up, that has a package.json. Node's own `findPackageJSON` does not look into Yarn's archives. */
export function packageFolder(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (at === dirname(at)) return undefined;
  }
}

/** Plug'n'Play of the project that a folder is in. */
function pnpOf(folder: string): PnpApi | undefined {
  if (process.versions['pnp'] === undefined) return undefined;
  try {
    const api: PnpApi = createRequire(join(folder, '/'))('pnpapi');
    return api;
  } catch {
    // A folder outside of such a project is as Node sees it.
    return undefined;
  }
}
