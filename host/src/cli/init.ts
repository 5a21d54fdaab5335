import { relative, resolve } from 'node:path';

import { createPackage } from '../init/create.ts';
import { packageNames } from '../init/names.ts';
import { shellQuote } from '../report/format.ts';
import { jsonText } from '../report/json-text.ts';
import { print, styleFor } from '../report/style.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { hostManifest } from './version.ts';

/** `qtest init`: a new plugin package, which passes its own tests. */
export async function init({ init: wanted, json }: CliOptions, { cwd, stdout }: Io): Promise<number> {
  const { folder: given = '.', name, device = false } = wanted ?? {};
  const folder = resolve(cwd, given);
  const names = packageNames(name, folder);
  const { sdk, node } = hostManifest();
  const files = createPackage({ ...names, folder, device, sdkRange: sdk, nodeRange: node });
  if (json === true) {
    stdout.write(`${jsonText({ version: 1, package: names.packageName, folder, files })}\n`);
    return 0;
  }
  const style = styleFor(stdout);
  const below = relative(cwd, folder);
  print(
    stdout,
    [
      `${style('bold', names.packageName)} in ${folder}`,
      ...files.map((file) => `  ${file}`),
      '',
      'Next:',
      ...(below === '' ? [] : [`  cd ${shellQuote(below)}`]),
      '  npm install',
      '  npm test',
      '',
    ].join('\n'),
  );
  return 0;
}
