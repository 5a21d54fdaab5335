import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A folder of a test's own. */
export interface Scratch {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Writes files, by path relative to the folder. */
  write(files: Readonly<Record<string, string>>): void;
  remove(): void;
}

/** Makes a temporary folder, in which `@qtest/sdk` and `@qtest/parts` can be imported. */
export function scratch(files: Readonly<Record<string, string>> = {}): Scratch {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'qtest-')));
  const write = (given: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(given)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    }
  };
  write(files);
  mkdirSync(join(path, 'node_modules/@qtest'), { recursive: true });
  for (const name of ['sdk', 'parts'])
    symlinkSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(path, 'node_modules/@qtest', name));
  return { path, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}
