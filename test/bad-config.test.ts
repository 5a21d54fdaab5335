import { expect, test } from 'vitest';

import { project } from './support/project.ts';

const PLUGIN = `import { definePlugin } from '@qtest/sdk';\nexport default definePlugin({ name: 'lamp', description: '', run() {} });\n`;

const EXPECTED = 'expected an object, such as { "plugins": ["rtc"] }';

/** A config file, its text, and what the user is told: the file, the key, what was expected and what was found. */
const BAD: readonly (readonly [what: string, file: string, text: string, message: string | RegExp])[] = [
  [
    'no default export',
    'qtest.config.ts',
    'export const config = {};',
    'qtest.config.ts has no default export (it exports config): write export default defineConfig({ … })',
  ],
  [
    'nothing but a comment',
    'qtest.config.ts',
    '// to do',
    'qtest.config.ts has no default export: write export default defineConfig({ … })',
  ],
  ['an empty file', 'qtest.config.json', '', `qtest.config.json: ${EXPECTED}, but the file is empty`],
  ['null', 'qtest.config.js', 'export default null;', `qtest.config.js: ${EXPECTED}, but found null`],
  [
    'a list',
    'qtest.config.mjs',
    `export default ['./lamp.ts'];`,
    "qtest.config.mjs: expected an object, such as { plugins: ['rtc'] }, but found [ './lamp.ts' ]",
  ],
  [
    'an unknown key',
    'qtest.config.ts',
    `export default { plugin: ['./lamp.ts'] };`,
    "qtest.config.ts: unknown key 'plugin'. Did you mean 'plugins'? The keys are plugins, devices, backend, qemu, clock, timeout, jobs, schedule, reporters, trace, stallLimit, coverage, coverageMin, failOn",
  ],
  [
    'a wrong type',
    'qtest.config.ts',
    `export default { plugins: './lamp.ts' };`,
    "plugins: expected a list of plugins, each a name, a path or [name, options], but found './lamp.ts'",
  ],
  [
    'several wrong types',
    'qtest.config.json',
    '{ "plugins": ["./lamp.ts", 7], "clock": "wall", "timeout": 10, "jobs": 0, "stallLimit": "x", "failOn": "all" }',
    new RegExp(
      [
        'qtest\\.config\\.json:',
        "clock: expected 'virtual' or 'realtime', but found 'wall'",
        "timeout: expected a duration above zero and up to 24d, such as '10s'.*, but found 10",
        'jobs: expected an integer from 1 to 64, but found 0',
        "stallLimit: expected an integer from 1, but found 'x'",
        "failOn: expected a list of 'guestError' and 'unimplemented', but found 'all'",
        'plugins\\[1\\]: expected a name, a path or \\[name, options\\], but found 7',
      ].join('\\n +'),
    ),
  ],
  [
    'an unknown reporter',
    'qtest.config.json',
    '{ "plugins": ["./lamp.ts"], "reporters": ["spec", "jsn=x"] }',
    "reporters[1]: Unknown reporter 'jsn'. Did you mean 'json'? The reporters are spec, dot, tap, junit, json, jsonl, html, github, blob.",
  ],
  [
    'no reporter',
    'qtest.config.json',
    '{ "plugins": ["./lamp.ts"], "reporters": [] }',
    "reporters: expected a list of reporters, each a name or name=file, such as 'spec' or 'json=report.json', but found []",
  ],
  [
    'a plugin that is imported',
    'qtest.config.ts',
    `import lamp from './lamp.ts';\nexport default { plugins: [lamp] };`,
    /plugins\[0\]: expected a name, a path or \[name, options\], but found .*: a plugin is named and not imported/,
  ],
  [
    'a syntax error in JavaScript',
    'qtest.config.js',
    `export default {\n  plugins: ['./lamp.ts',\n};\n`,
    /qtest\.config\.js failed to load:\n.*qtest\.config\.js:3\n\};\n\^\n\nSyntaxError: Unexpected token '\}'/,
  ],
  [
    'a syntax error in TypeScript',
    'qtest.config.ts',
    `export default {\n  plugins: ['./lamp.ts',\n};\n`,
    /qtest\.config\.ts failed to load:[^]*qtest\.config\.ts:3/,
  ],
  [
    'a syntax error in JSON',
    'qtest.config.json',
    '{ "plugins": [ }',
    /^qtest: qtest\.config\.json failed to load: .*JSON/,
  ],
  ['a syntax error in YAML', '.qtestrc', 'plugins: [', /^qtest: \.qtestrc failed to load: /],
  [
    'a config that throws',
    'qtest.config.ts',
    `throw new Error('no plan');`,
    /qtest\.config\.ts failed to load:\nError: no plan\n +at .*\/qtest\.config\.ts:1:7/,
  ],
  [
    'an import that is missing',
    'qtest.config.ts',
    `import 'nowhere';\nexport default {};`,
    /qtest\.config\.ts failed to load:[^]*Cannot find package 'nowhere'/,
  ],
  [
    'a wrong key in package.json',
    'package.json',
    '{ "type": "module", "qtest": { "plugins": {} } }',
    "package.json, key 'qtest': plugins: expected a list of plugins",
  ],
  [
    'no plugin',
    'qtest.config.ts',
    'export default {};',
    /^qtest: no plugin to run: .*qtest\.config\.ts lists none\. Either\n +name one: +qtest --plugin/,
  ],
];

test.each(BAD)('%s', async (_what, file, text, message) => {
  const { code, stdout, stderr } = await project(undefined, { 'lamp.ts': PLUGIN, [file]: text }).qtest([]);
  expect(stderr).toMatch(/^qtest: /);
  expect(stderr).toMatch(message);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('a file that --config names', async () => {
  const folder = project(undefined, { 'lamp.ts': PLUGIN, 'ci/list.txt': 'lamp', 'ci/package.json': '{}' });
  const answer = async (file: string): Promise<string> => {
    const { code, stdout, stderr } = await folder.qtest(['--config', file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };
  expect(await answer('ci/qtest.config.ts')).toBe('qtest: ci/qtest.config.ts: there is no such config file\n');
  expect(await answer('ci')).toBe('qtest: ci: expected a config file, but it is a folder\n');
  expect(await answer('ci/list.txt')).toContain('ci/list.txt: expected a config file ending in .ts, .mts, .js');
  expect(await answer('ci/package.json')).toBe("qtest: ci/package.json: it has no key 'qtest'\n");
});

test('none, and no plugin on the command line', async () => {
  const { code, stderr } = await project().qtest([]);
  expect(stderr).toContain('no plugin to run: the command line names none, and there is no config');
  expect(stderr).toContain("export default defineConfig({ plugins: ['rtc'] });");
  expect(code).toBe(2);
});
