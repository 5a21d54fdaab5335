import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The file of a bundle that begins with a module: `runner/worker` is in `runner-worker.js`. `entry()` in host/src/entry.ts knows it too. */
const fileOf = (module) => module.replace(/\/index$/, '').replaceAll('/', '-');

/** The modules that a package exports. */
function exported(folder) {
  const { exports } = JSON.parse(readFileSync(at(`${folder}/package.json`), 'utf8'));
  const sources = Object.values(exports).flatMap((target) => target['@qtest/source'] ?? []);
  return sources.map((path) => path.replace(/^\.\/src\/|\.ts$/g, ''));
}

/**
 * Has Node's own modules taken as they are. To import them, Node reads every one of their properties for its name, and so loads what is
 * behind `fs.promises` and opens `process.stdin`: a quarter of `node -e 0` in all.
 */
const builtins = {
  name: 'builtins',
  renderChunk: (code) =>
    code.replaceAll(
      /^import (?:(\w+)|(?:(\w+), )?\{ ([^}]*) \}|\* as (\w+)) from "(node:[\w/]+)";$/gm,
      (_all, only, whole, names, space, module) => {
        const loaded = `globalThis.process.getBuiltinModule("${module}")`;
        const parts = [only ?? whole ?? space, names && `{ ${names.replaceAll(' as ', ': ')} }`];
        return `const ${parts
          .flatMap((part) => part && `${part} = ${loaded}`)
          .filter(Boolean)
          .join(', ')};`;
      },
    ),
};

/** Writes down the files of a bundle, and when it was made: sdk/preflight.cjs looks whether it is whole, and newer than what tsc has read. */
const list = (dist) => ({
  name: 'list',
  writeBundle: (_options, files) => writeFileSync(at(`${dist}/.bundle`), Object.keys(files).join('\n')),
});

/**
 * A package as few files, from its sources: to find and read a module takes longer than most of them have to do. tsc has written the types
 * beside them. All files of a bundle are in one folder, `dist`, which lies as deep as `src`: `import.meta.url` means the same in both.
 * They have no source maps, as their frames are never shown: a stack leaves out what is in that folder.
 */
function bundle(folder, { threads = [], inlined = [], groups = [] } = {}) {
  for (const file of globSync(at(`${folder}/dist/**/*.{js,cjs,js.map}`))) rmSync(file);
  const entries = [...exported(folder), ...threads];
  return defineConfig({
    input: Object.fromEntries(entries.map((module) => [fileOf(module), at(`${folder}/src/${module}.ts`)])),
    external: (id) => /^[^./]/.test(id) && !inlined.includes(id),
    platform: 'node',
    logLevel: 'warn',
    transform: { target: 'node22' },
    plugins: [builtins, list(`${folder}/dist`)],
    output: {
      dir: at(`${folder}/dist`),
      chunkFileNames: '[name]-[hash].js',
      comments: { legal: true, annotation: false, jsdoc: false },
      codeSplitting: {
        groups: groups.map(([name, ...modules], index) => ({
          name,
          test: new RegExp(`/${folder}/src/(?:${modules.join('|')})\\.ts$`),
          priority: groups.length - index,
        })),
      },
    },
  });
}

export default [
  bundle('sdk'),
  bundle('parts'),
  bundle('machine'),
  bundle('serve'),
  bundle('host', {
    threads: ['cli/main', 'cli/watch-worker', 'runner/worker', 'emulated/worker', 'foreign/thread', 'foreign/ear'],
    inlined: ['commander'],
    // What is loaded together, with all that it imports and that is not in a group before it.
    groups: [
      ['words', 'foreign/(?:words|data)'],
      ['version', 'cli/version'],
      // By every sub-command.
      [
        'base',
        'foreign/(?:bounded|watchdog)',
        'config/(?:check|load)',
        'plugins/(?:load|select)',
        'cli/prepare',
        'cli/(?:interrupt|leftovers|claim-stdout)',
        'report/(?:format|json-text|style)',
      ],
      ['program', 'cli/command(?:-line)?'],
      [
        'vcpu',
        'runner/(?:call-case|case-context|task)',
        'coverage/covered-vcpu',
        'trace/recording',
        'plugins/load-again',
      ],
      ['run', 'cli/run'],
    ],
  }),
  // The stand-in for QEMU, with all that it needs but the devices: libqtest starts a process for each case. As CommonJS, because to set up
  // the loader of ES modules would be half of the time until the first reply.
  defineConfig({
    input: { main: at('serve/src/standin/main.ts') },
    external: /^node:/,
    platform: 'node',
    logLevel: 'warn',
    resolve: { conditionNames: ['@qtest/source'] },
    plugins: [list('serve/dist/standin')],
    transform: { target: 'node22' },
    output: {
      dir: at('serve/dist/standin'),
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      comments: { legal: true, annotation: false, jsdoc: false },
    },
  }),
  // The page of the HTML report as one script, with its styles in it: what the reporter puts into each file that it writes.
  defineConfig({
    input: at('host/src/report/html/main.ts'),
    platform: 'browser',
    logLevel: 'warn',
    moduleTypes: { '.css': 'text' },
    plugins: [list('host/dist/report')],
    output: { file: at('host/dist/report/page.js'), format: 'iife', minify: true },
  }),
];
