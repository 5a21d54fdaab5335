#!/usr/bin/env node
// `npm create @qtest/plugin` is `qtest init`: the command of the host, which checks the Node version before anything else.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const manifest = pathToFileURL(require.resolve('@qtest/host/package.json'));
process.argv.splice(2, 0, 'init');
await import(new URL('bin/qtest.js', manifest).href);
