import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { REPOSITORY } from './run.ts';

/** The manifest of a package, as far as tests look at it. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly qtest?: { readonly devices?: Readonly<Record<string, string>> };
}

/** A package of this repository that is published. */
export interface Published {
  /** Relative to the repository. */
  readonly folder: string;
  readonly manifest: Manifest;
}

const manifestOf = (file: string): Manifest => JSON.parse(readFileSync(join(REPOSITORY, file), 'utf8'));

const { workspaces }: { readonly workspaces: readonly string[] } = JSON.parse(
  readFileSync(join(REPOSITORY, 'package.json'), 'utf8'),
);

/** All of them. */
export const PUBLISHED: readonly Published[] = workspaces
  .flatMap((folder) => globSync(`${folder}/package.json`, { cwd: REPOSITORY }))
  .map((file) => ({ folder: dirname(file), manifest: manifestOf(file) }))
  .filter(({ manifest }) => manifest.private !== true);
