import { readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hostError, didYouMean, findPackage } from '@qtest/sdk/support';
import { packageEntry, type Sought } from '../plugins/packages.ts';
import { isPath, resolvePath } from '../plugins/resolve.ts';

/** The backend that is always there: the host's own devices. */
export const NATIVE = 'native';

const BACKEND: Sought = { noun: 'backend', notFound: 'BACKEND', load: 'BACKEND' };

/** The host's own dependency tree. */
const HOST = dirname(fileURLToPath(import.meta.url));

/**
 * The packages that a backend's name may stand for, in the order in which they are tried: `qemu` is `@qtest/backend-qemu`, then
 * `qtest-backend-qemu`; `@org/x` and `qtest-backend-x` are taken literally first.
 */
export function backendPackages(spec: string): readonly string[] {
  const [, scope, name = ''] = /^(?:(@[^/]*)\/)?([^/]*)$/s.exec(spec) ?? [];
  if (name === '') return [];
  if (name.startsWith('qtest-backend-')) return [spec];
  if (scope === '@qtest') return [spec, ...(name.startsWith('backend-') ? [] : [`@qtest/backend-${name}`])];
  return scope === undefined
    ? [`@qtest/backend-${name}`, `qtest-backend-${name}`]
    : [spec, `${scope}/qtest-backend-${name}`];
}

/**
 * The URL of a backend's module.
 * @param spec a package's name, short or full, or a path to a file or to a package's folder.
 * @param folders the project's, absolute, the nearest first; a path is relative to the first. The host's own packages come last.
 * @throws BACKEND with what was tried, and how to get it.
 */
export function resolveBackend(spec: string, folders: readonly [string, ...string[]]): string {
  const [from] = folders;
  if (isPath(spec)) return resolvePath(spec, from, BACKEND);
  const names = backendPackages(spec).filter((name) => !isBuiltin(name));
  for (const folder of new Set([...folders, HOST])) {
    for (const name of names) {
      const found = findPackage(name, folder);
      if (found !== undefined) return packageEntry(found, '.', spec, BACKEND);
    }
  }
  const known = [NATIVE, ...installedBackends(folders)];
  throw hostError(
    'BACKEND',
    `there is no backend '${spec}'; there are ${known.join(', ')}.${didYouMean(spec, known)} ${triedText(names, from)}`,
  );
}

function triedText(names: readonly string[], from: string): string {
  const [first] = names;
  if (first === undefined) return "Expected the name of a package, or a path to one ('./my-backend.ts').";
  return (
    `Tried these packages, from ${from} and from the host's own:\n` +
    `${names.map((name) => `  ${name}`).join('\n')}\n` +
    `Install it (npm install --save-dev ${first}), or give a path to it ('./my-backend.ts').`
  );
}

/** Names of the backends that are installed in the project's folders, or beside the host, each as short as it can be. */
export function installedBackends(folders: readonly string[]): readonly string[] {
  const names = new Set(
    [...folders, HOST].flatMap(parentsOf).flatMap((folder) => backendsIn(join(folder, 'node_modules'))),
  );
  names.delete(NATIVE);
  return [...names].toSorted();
}

function parentsOf(folder: string): string[] {
  const parent = resolve(folder, '..');
  return parent === folder ? [folder] : [folder, ...parentsOf(parent)];
}

function backendsIn(modules: string): string[] {
  const plain = namesIn(modules, 'qtest-backend-');
  const own = namesIn(join(modules, '@qtest'), 'backend-');
  const scoped = entriesOf(modules)
    .filter((entry) => entry.startsWith('@'))
    .flatMap((scope) =>
      namesIn(join(modules, scope), 'qtest-backend-').map((name) => `${scope}/qtest-backend-${name}`),
    );
  return [...plain, ...own, ...scoped];
}

/** What follows the prefix in the names of a folder's entries. */
function namesIn(folder: string, prefix: string): string[] {
  return entriesOf(folder).flatMap((entry) => (entry.startsWith(prefix) ? [entry.slice(prefix.length)] : []));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Most folders have no packages; what cannot be read has none for us.
    return [];
  }
}
