import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { scratch, type Scratch } from '../../../test/support/scratch.ts';
import { packageNames, pathSpec, resolvePlugin } from './resolve.ts';

let folder: Scratch;
beforeEach(() => {
  folder = scratch();
});
afterEach(() => folder.remove());

const at = (path: string): string => `file://${folder.path}/${path}`;
const resolve = (spec: string, from = folder.path): string => resolvePlugin(spec, from);
const manifest = (fields: object): string => JSON.stringify(fields);

test('the packages that a name may stand for', () => {
  expect(packageNames('rtc')).toEqual(['qtest-rtc', '@qtest/qtest-rtc', 'rtc']);
  expect(packageNames('qtest-rtc')).toEqual(['qtest-rtc', '@qtest/qtest-rtc']);
  expect(packageNames('@org/rtc')).toEqual(['@org/rtc', '@org/qtest-rtc']);
  expect(packageNames('@org/qtest-rtc')).toEqual(['@org/qtest-rtc']);
  expect(packageNames('qtest-rtc/extra')).toEqual(['qtest-rtc/extra']);
  expect(packageNames('@org/qtest-rtc/extra/more')).toEqual(['@org/qtest-rtc/extra/more']);
});

describe('a name', () => {
  test('is tried in order, from the folder and those above it', () => {
    folder.write({
      'node_modules/rtc/index.js': '',
      'node_modules/rtc/package.json': manifest({ name: 'rtc' }),
      'node_modules/@qtest/qtest-rtc/package.json': manifest({ name: '@qtest/qtest-rtc', exports: './a.js' }),
      'node_modules/@qtest/qtest-rtc/a.js': '',
      'sub/folder/x': '',
    });
    expect(resolve('rtc', `${folder.path}/sub/folder`)).toBe(at('node_modules/@qtest/qtest-rtc/a.js'));
    folder.write({
      'node_modules/qtest-rtc/package.json': manifest({ main: 'lib' }),
      'node_modules/qtest-rtc/lib/index.js': '',
    });
    expect(resolve('rtc')).toBe(at('node_modules/qtest-rtc/lib/index.js'));
  });

  test('in full is taken literally, with or without the prefix', () => {
    folder.write({
      'node_modules/my-tests/package.json': manifest({ main: './m.js' }),
      'node_modules/my-tests/m.js': '',
      'node_modules/@org/rtc/package.json': manifest({ exports: { '.': './r.js' } }),
      'node_modules/@org/rtc/r.js': '',
      'node_modules/@org/qtest-pit/package.json': '{}',
      'node_modules/@org/qtest-pit/index.js': '',
    });
    expect(resolve('my-tests')).toBe(at('node_modules/my-tests/m.js'));
    expect(resolve('@org/rtc')).toBe(at('node_modules/@org/rtc/r.js'));
    expect(resolve('@org/pit')).toBe(at('node_modules/@org/qtest-pit/index.js'));
  });

  test('of a package whose exports have the condition `import` alone, or a subpath', () => {
    folder.write({
      'node_modules/qtest-a/package.json': manifest({
        name: 'qtest-a',
        exports: {
          '.': { require: './no.cjs', types: './a.d.ts', import: './a.js' },
          './more/*': { node: './b-*.js' },
        },
      }),
      'node_modules/qtest-a/a.js': '',
      'node_modules/qtest-a/b-x.js': '',
    });
    expect(resolve('a')).toBe(at('node_modules/qtest-a/a.js'));
    expect(resolve('qtest-a/more/x')).toBe(at('node_modules/qtest-a/b-x.js'));
  });

  test('that stands for nothing lists what was tried and how to install it', () => {
    expect(() => resolve('rtc')).toThrow(
      `plugin 'rtc' was not found. Tried these packages, from ${folder.path}:\n  qtest-rtc\n  @qtest/qtest-rtc\n  rtc\n` +
        `Install the package that you mean, by its full name, or give a path to it ('./my-plugin.ts'). ` +
        `A guess, if it is one of this project's: npm install --save-dev @qtest/qtest-rtc`,
    );
    for (const other of ['@org/rtc', 'x/y', 'rtc;id', '@qtest/;id'])
      expect(() => resolve(other)).not.toThrow(/npm install[^\n]*(?:@org|x\/y|;)/);
    for (const odd of ['@org', '', 'a b', '.hidden', 'fs', 'node:fs']) {
      expect(() => resolve(odd)).toThrow(expect.objectContaining({ code: 'PLUGIN_NOT_FOUND' }));
    }
  });

  test('of a file asks for the ./', () => {
    folder.write({ 'tests/x.ts': '' });
    expect(() => resolve('tests/x.ts')).toThrow("write './tests/x.ts'");
  });

  test('of a package without an entry says so, and not that it was not found', () => {
    folder.write({
      'node_modules/qtest-a/package.json': manifest({ name: 'qtest-a', exports: { './other': './o.js' } }),
      'node_modules/qtest-b/package.json': manifest({ name: 'qtest-b', exports: './dist/index.js' }),
      'node_modules/qtest-c/package.json': '{ "name": ',
    });
    const load = { code: 'PLUGIN_LOAD' };
    expect(() => resolve('a')).toThrow(expect.objectContaining(load));
    expect(() => resolve('a')).toThrow(/can't be imported: Missing "\." specifier in "qtest-a" package/);
    expect(() => resolve('b')).toThrow(/no entry: there is no \.\/dist\/index\.js\. Has it been built\?/);
    expect(() => resolve('c')).toThrow(expect.objectContaining(load));
  });
});

describe('a path', () => {
  test('to a file or to the folder of a package', () => {
    folder.write({
      'x.ts': '',
      'pkg/package.json': manifest({ name: '@org/qtest-x', exports: { '.': { default: './main.js' } } }),
      'pkg/main.js': '',
      'plain/index.ts': '',
    });
    expect(resolve('./x.ts')).toBe(at('x.ts'));
    expect(resolve('../x.ts', `${folder.path}/pkg`)).toBe(at('x.ts'));
    expect(resolve(`${folder.path}/x.ts`)).toBe(at('x.ts'));
    expect(resolve('./pkg')).toBe(at('pkg/main.js'));
    expect(resolve('.', `${folder.path}/pkg`)).toBe(at('pkg/main.js'));
    expect(resolve('./plain/')).toBe(at('plain/index.ts'));
  });

  test('that is not there tells what is', () => {
    folder.write({ 'tests/rtc.ts': '', 'empty/x.txt': '' });
    expect(() => resolve('./tests/rtc')).toThrow("Did you mean './tests/rtc.ts'?");
    expect(() => resolve('./tests/rct.ts')).toThrow("Did you mean './tests/rtc.ts'?");
    expect(() => resolve('./nowhere/rtc.ts')).toThrow(/no file or folder .*nowhere\/rtc\.ts\.$/);
    expect(() => resolve('./empty')).toThrow('has no entry: there is no index.js');
  });

  test('is shown from the working directory', () => {
    expect(pathSpec('/a/b/c.ts', '/a')).toBe('./b/c.ts');
    expect(pathSpec('/a/c.ts', '/a/b')).toBe('../c.ts');
  });
});
