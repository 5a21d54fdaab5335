import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// Puts what `qtest-system-x86_64` loads into a few files: libqtest starts a process for each case, and to find and read some eighty
// modules would be most of its start.
export default defineConfig({
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
