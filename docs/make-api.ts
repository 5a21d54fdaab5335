/**
 * Writes the reference in `docs/api` from the declarations and the registers of the built packages: `npm run docs:api`.
 * With `--check` it writes nothing, and fails when a page is not what it would write.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { makePages } from './api-text.ts';

const FOLDER = join(import.meta.dirname, 'api');

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const pages = await makePages();
const stale = values.check ? [...pages].filter(([file, text]) => !isWritten(file, text)).map(([file]) => file) : [];
const left = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => !pages.has(file)) : [];
if (values.check) {
  const wrong = [...stale, ...left].map((file) => `docs/api/${file}`);
  if (wrong.length > 0) {
    process.stderr.write(`${wrong.join(', ')}: not what the sources say. Run npm run docs:api and commit the result\n`);
    process.exitCode = 1;
  }
} else {
  for (const file of left) rmSync(join(FOLDER, file));
  for (const [file, text] of pages) writeFileSync(join(FOLDER, file), text);
}

function isWritten(file: string, text: string): boolean {
  const path = join(FOLDER, file);
  return existsSync(path) && readFileSync(path, 'utf8') === text;
}
