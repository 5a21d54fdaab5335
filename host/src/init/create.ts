import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hostError, messageOf } from '@qtest/sdk/support';
import { pluginManifest } from './manifest.ts';
import type { PackageNames } from './names.ts';

/** What a new package is made of. */
export interface NewPackage extends PackageNames {
  /** Absolute; it must not be there, or be empty but for `.git`. */
  readonly folder: string;
  /** Whether it brings a device of its own. */
  readonly device: boolean;
  /** The range of the SDK's versions, and of Node's, that it needs. */
  readonly sdkRange: string;
  readonly nodeRange: string;
}

const TEMPLATES = fileURLToPath(new URL('../../templates', import.meta.url));

/**
 * Writes a new plugin package.
 * @returns its files, relative to its folder.
 * @throws USAGE when the folder is not empty, or cannot be written.
 */
export function createPackage(wanted: NewPackage): readonly string[] {
  const { folder } = wanted;
  requireEmpty(folder);
  const files = new Map([
    ['package.json', `${JSON.stringify(manifestOf(wanted), undefined, 2)}\n`],
    ...templateFiles('plugin', wanted),
    ...templateFiles(wanted.device ? 'device' : 'cases', wanted),
  ]);
  try {
    for (const [name, text] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, { flag: 'wx' });
    }
  } catch (error) {
    throw hostError('USAGE', `${folder} cannot be written: ${messageOf(error)}`, { cause: error });
  }
  return [...files.keys()].toSorted();
}

function manifestOf({ packageName, sdkRange, nodeRange }: NewPackage): object {
  return pluginManifest(packageName, sdkRange, nodeRange);
}

function requireEmpty(folder: string): void {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw hostError('USAGE', `${folder} is a file: expected a folder that is new, or empty`);
  const [found] = readdirSync(folder).filter((name) => name !== '.git');
  if (found !== undefined) {
    throw hostError('USAGE', `${folder} is not empty: it has '${found}'. Name a new one, such as my-tests`);
  }
}

/** The files of a template, with the package's names in them. */
function templateFiles(template: string, { packageName, pluginName }: PackageNames): [name: string, text: string][] {
  const root = join(TEMPLATES, template);
  // By names, not by directory entries: those of an archive of Yarn's do not say where they lie.
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return paths.filter(isFile).map((path) => {
    const name = relative(root, path).split(sep).join('/');
    const text = readFileSync(path, 'utf8')
      .replaceAll('PACKAGE_NAME', packageName)
      .replaceAll('PLUGIN_NAME', pluginName);
    // npm leaves a .gitignore out of what it packs.
    return [name === 'gitignore' ? '.gitignore' : name, text];
  });
}

function isFile(path: string): boolean {
  return statSync(path).isFile();
}
