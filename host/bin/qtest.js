#!/usr/bin/env node
// Checks the Node version before anything else is loaded. Kept to syntax that Node 12 can parse: no static imports.

const NEEDED = '^22.18 || >=24';
const version = process.versions.node.split('.').map(Number);
const [major, minor] = version;

if (major >= 24 || (major === 22 && minor >= 18)) {
  start();
} else {
  process.stderr.write('qtest needs Node ' + NEEDED + ', but this is Node ' + process.versions.node);
  process.stderr.write(' (' + process.execPath + ').\nInstall Node 24 from https://nodejs.org, or `nvm install 24`.\n');
  process.exitCode = 2;
}

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
