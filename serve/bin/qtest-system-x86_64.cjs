#!/usr/bin/env node
// Stands where QEMU's binary would, for clients that start it themselves, as libqtest does. Asks for the Node version before anything else
// is loaded. Kept to syntax that Node 12 can parse.
const preflight = require('@qtest/sdk/preflight');

if (preflight('qtest-system-x86_64', 1)) {
  require('node:module').enableCompileCache();
  // Not by import(): to set up the loader of ES modules would be half of the time until the first reply.
  require('../dist/standin/main.cjs');
}
