#!/usr/bin/env node
// Asks for the Node version before anything else is loaded. Kept to syntax that Node 14 can parse.
import preflight from '@qtest/sdk/preflight';

if (preflight('qtest', 2)) start();

function start() {
  process.getBuiltinModule('node:module').enableCompileCache();
  const main = new URL('../dist/cli/main.js', import.meta.url).href;
  import(main).catch((error) => {
    const missing =
      error !== null && typeof error === 'object' && error.code === 'ERR_MODULE_NOT_FOUND' && error.url === main;
    const stack = error !== null && typeof error === 'object' && error.stack;
    process.stderr.write(
      missing ? 'qtest is not built: run `npm run build` first.\n' : 'qtest: ' + (stack || String(error)) + '\n',
    );
    process.exitCode = 2;
  });
}
