import { basename } from 'node:path';

import { hostError } from '@qtest/sdk/support';

/** What a new package is called. */
export interface PackageNames {
  /** `qtest-clock`, `@org/qtest-clock`. */
  readonly packageName: string;
  /** `clock`: its name in reports. */
  readonly pluginName: string;
}

const WORDS = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** What npm takes at most. */
const LONGEST = 214;

/**
 * The names of a new package: the one that was given, or that of its folder, with `qtest-` before it.
 * @throws USAGE when it cannot be a package's name, or no plugin's name can be made of it.
 */
export function packageNames(given: string | undefined, folder: string): PackageNames {
  const base = basename(folder);
  const packageName = given ?? (base.startsWith('qtest-') ? base : `qtest-${base}`);
  const [, scope, last = ''] = /^(?:@([^/]*)\/)?([^/]*)$/.exec(packageName) ?? [];
  const pluginName = last.replace(/^qtest-/, '');
  const isGood = (scope === undefined || WORDS.test(scope)) && WORDS.test(pluginName);
  if (isGood && packageName.length <= LONGEST) return { packageName, pluginName };
  const expected = `expected lower-case letters and digits, in words joined by '-', such as qtest-clock or @org/qtest-clock`;
  throw hostError(
    'USAGE',
    given === undefined
      ? `'${base}', the name of the folder, cannot be made a package's name: ${expected}. Give one with --name`
      : `--name '${given}': ${expected}, at most ${LONGEST} characters`,
  );
}
