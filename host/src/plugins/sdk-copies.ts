import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

import type { LoadedPlugin } from './types.ts';

/** An installed copy of the SDK. */
interface SdkCopy {
  readonly folder: string;
  readonly version: string;
}

/**
 * The plugins that import another copy of `@qtest/sdk` than the host, a message each. Both work side by side; what one has and the other
 * lacks is missing where nobody looks for it.
 */
export function sdkCopies(plugins: readonly Pick<LoadedPlugin, 'name' | 'url'>[]): readonly string[] {
  const ours = copyFrom(import.meta.url);
  if (ours === undefined) return [];
  return plugins.flatMap(({ name, url }) => {
    const theirs = copyFrom(url);
    if (theirs === undefined || theirs.folder === ours.folder) return [];
    return [
      `plugin '${name}' imports @qtest/sdk ${theirs.version} (${theirs.folder}), and the host ${ours.version} (${ours.folder}); ` +
        `the host's own decides how machines work: install one copy for both, as npm dedupe does`,
    ];
  });
}

/** The copy that a module imports; undefined where it has none. */
function copyFrom(url: string): SdkCopy | undefined {
  let manifest: string;
  try {
    manifest = realpathSync(createRequire(url).resolve('@qtest/sdk/package.json'));
  } catch {
    // A plugin that imports none of it has no copy.
    return undefined;
  }
  const { version }: Readonly<{ version: string }> = JSON.parse(readFileSync(manifest, 'utf8'));
  return { folder: dirname(manifest), version };
}
