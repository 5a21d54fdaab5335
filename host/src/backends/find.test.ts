import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { backendPackages, installedBackends, resolveBackend } from './find.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'qtest-backends-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A folder in which packages are installed. */
function folderWith(...names: string[]): string {
  const folder = mkdtempSync(join(root, 'p-'));
  for (const name of names) {
    const path = join(folder, 'node_modules', name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name, exports: './index.js' }));
    writeFileSync(join(path, 'index.js'), '');
  }
  return folder;
}

it.each([
  ['qemu', ['@qtest/backend-qemu', 'qtest-backend-qemu']],
  ['qtest-backend-x', ['qtest-backend-x']],
  ['@qtest/backend-x', ['@qtest/backend-x']],
  ['@qtest/x', ['@qtest/x', '@qtest/backend-x']],
  ['@org/x', ['@org/x', '@org/qtest-backend-x']],
  ['@org/qtest-backend-x', ['@org/qtest-backend-x']],
  ['qemu/x', []],
  ['@org/', []],
])('%s may be %j', (spec, names) => {
  expect(backendPackages(spec)).toEqual(names);
});

describe('a backend is looked for', () => {
  it('in the nearest folder first', () => {
    const [near, far] = [folderWith('qtest-backend-x'), folderWith('@qtest/backend-x', 'qtest-backend-y')];
    const entry = (folder: string, name: string): string =>
      pathToFileURL(join(folder, 'node_modules', name, 'index.js')).href;
    expect(resolveBackend('x', [near, far])).toBe(entry(near, 'qtest-backend-x'));
    expect(resolveBackend('y', [near, far])).toBe(entry(far, 'qtest-backend-y'));
  });

  it('by a name that is one of a package alone', () => {
    expect(() => resolveBackend('qemu/x', [folderWith()])).toThrow(
      /there is no backend 'qemu\/x'; .* Expected the name of a package, or a path to one/,
    );
  });

  it('and all that are installed are known', () => {
    const folder = folderWith('qtest-backend-a', '@org/qtest-backend-b', '@qtest/backend-c', 'v86', '@org/backend-d');
    const found = installedBackends([folder]);
    expect(found).toEqual(expect.arrayContaining(['a', '@org/qtest-backend-b', 'c']));
    expect(found.filter((name) => /v86$|d$/.test(name))).toEqual(
      installedBackends([]).filter((name) => name === 'v86'),
    );
  });
});
