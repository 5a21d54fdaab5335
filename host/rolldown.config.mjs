import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// The page of the HTML report as one script, with its styles in it: what the reporter puts into each file that it writes.
export default defineConfig({
  input: at('./src/report/html/main.ts'),
  platform: 'browser',
  logLevel: 'warn',
  moduleTypes: { '.css': 'text' },
  output: { file: at('./dist/report/page.js'), format: 'iife', minify: true },
});
