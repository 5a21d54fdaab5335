import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'vitest';

import { emptyFolder } from './project.ts';
import { REPOSITORY, run, type Ended } from './run.ts';

/** What npm says when it has no way to the registry, and not all packages in its cache. */
export const NO_NETWORK =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/;

/** Why a test that needs installed packages is skipped. */
export const NO_PACKAGES = 'npm can reach no registry, and its cache lacks some of the packages';

/** Runs a line of a shell. */
export const sh = (line: string, cwd: string): Promise<Ended> => run('sh', ['-c', line], { cwd, timeout: 90_000 });

/** Packs workspaces of this repository; gives the tarballs. */
export async function pack(workspaces: readonly string[]): Promise<readonly string[]> {
  const tarballs = emptyFolder();
  const named = workspaces.map((workspace) => `--workspace ${workspace}`).join(' ');
  expect(await sh(`npm pack --pack-destination '${tarballs}' ${named}`, REPOSITORY)).toMatchObject({ code: 0 });
  const files = readdirSync(tarballs).map((file) => join(tarballs, file));
  expect(files).toHaveLength(workspaces.length);
  return files;
}

/** Installs tarballs in a folder; false when npm cannot get what they need. */
export async function install(tarballs: readonly string[], cwd: string, options = ''): Promise<boolean> {
  const files = tarballs.map((file) => `'${file}'`).join(' ');
  const installed = await sh(
    `npm install ${options} --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=20000 ${files}`,
    cwd,
  );
  if (installed.code !== 0 && NO_NETWORK.test(installed.stderr)) return false;
  expect(installed).toMatchObject({ code: 0 });
  return true;
}
