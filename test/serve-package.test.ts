import { describe, expect, test } from 'vitest';

import { project, type Project } from './support/project.ts';

const COMMANDS = [
  ['serve', '--machine', 'pc'],
  ['replay', 'script.qtest', '--machine', 'pc'],
];

/** A project with an @qtest/serve of its own. */
function withServe(manifest: string, entry = ''): Project {
  const folder = 'node_modules/@qtest/serve';
  return project(undefined, {
    'script.qtest': 'inb 0x71\n',
    [`${folder}/package.json`]: manifest,
    [`${folder}/index.js`]: entry,
  });
}

const manifest = (
  version: unknown,
  exports: unknown = { '.': './index.js', './package.json': './package.json' },
): string => JSON.stringify({ name: '@qtest/serve', version, type: 'module', exports });

describe.each(COMMANDS)('qtest %s', (...args) => {
  test.each([
    [
      'of another version',
      manifest('9.0.0'),
      '',
      /@qtest\/serve is 9\.0\.0, and this @qtest\/host needs \^\d.*Install that: npm install --save-dev @qtest\/serve@'\^\d/,
    ],
    ['of no version', manifest(undefined), '', /@qtest\/serve is of no version, and this @qtest\/host needs/],
    ['whose version is none', manifest(7), '', /@qtest\/serve is of no version, and this @qtest\/host needs/],
    [
      'whose manifest is no JSON',
      '{',
      '',
      /@qtest\/serve.* can't be loaded: .*\. Install it again: npm install --save-dev @qtest\/serve\n/,
    ],
    ['whose manifest is null', 'null', '', /@qtest\/serve is of no version/],
    [
      'that throws: it is the project’s that is loaded',
      manifest('0.1.0'),
      `throw new Error('mine')`,
      /can't be loaded: mine\. Install it again: npm install --save-dev @qtest\/serve\n/,
    ],
    [
      'without an entry',
      manifest('0.1.0', { '.': './gone.js', './package.json': './package.json' }),
      '',
      /can't be loaded: .*gone\.js/,
    ],
  ])('an @qtest/serve %s', async (_how, text, entry, message) => {
    const { code, stdout, stderr } = await withServe(text, entry).qtest(args);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^qtest: .*\n$/);
    expect(stderr).not.toMatch(/internal/);
    expect(code).toBe(2);
  });
});
