#!/usr/bin/env node
// Stands where QEMU's binary would, for clients that start it themselves, as libqtest does. Checks the Node version before anything else
// is loaded. Kept to syntax that Node 12 can parse.

const NEEDED = '^22.18 || >=24';
const version = process.versions.node.split('.').map(Number);
const [major, minor] = version;

if (major >= 24 || (major === 22 && minor >= 18)) {
  start();
} else {
  process.stderr.write('qtest-system-x86_64 needs Node ' + NEEDED + ', but this is Node ' + process.versions.node);
  process.stderr.write(' (' + process.execPath + ').\nInstall Node 24 from https://nodejs.org, or `nvm install 24`.\n');
  process.exitCode = 1;
}

function start() {
  require('node:module').enableCompileCache();
  // Not by import(): to set up the loader of ES modules would be half of the time until the first reply.
  require('../dist/standin/bundle/main.cjs');
}
