import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// Puts what `qtest-system-x86_64` loads into a few files: libqtest starts a process for each case, and to find and read some eighty
// modules would be most of its start.
const standin = defineConfig({
  input: { main: at('./dist/standin/main.js') },
  platform: 'node',
  logLevel: 'warn',
  output: {
    dir: at('./dist/standin/bundle'),
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    cleanDir: true,
    minify: 'dce-only',
  },
});

// The page of the HTML report as one script, with its styles in it: what the reporter puts into each file that it writes.
const page = defineConfig({
  input: at('./src/report/html/main.ts'),
  platform: 'browser',
  logLevel: 'warn',
  moduleTypes: { '.css': 'text' },
  output: { file: at('./dist/report/page.js'), format: 'iife', minify: true },
});

export default [standin, page];
