#!/usr/bin/env node
// Asks for the Node version before anything else is loaded. Kept to syntax that Node 14 can parse.
import preflight from '@qtest/sdk/preflight';

if (preflight('qtest', 2)) start();

function start() {
  process.getBuiltinModule('node:module').enableCompileCache();
  import('../dist/cli-main.js').catch((error) => {
    process.stderr.write(
      'qtest: ' + ((error !== null && typeof error === 'object' && error.stack) || String(error)) + '\n',
    );
    process.exitCode = 2;
  });
}
