// What each package would publish: publint (is the manifest right?) and attw (do its types resolve?), side by side.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';

const packages = globSync([
  'sdk/package.json',
  'host/package.json',
  'backends/*/package.json',
  'create-plugin/package.json',
  'plugins/*/package.json',
]).map((path) => dirname(path));

const results = await Promise.all(
  packages.flatMap((dir) => [
    run('publint', ['run', '--strict', dir]),
    run('attw', ['--profile', 'esm-only', '--no-emoji', '--pack', dir]),
  ]),
);
for (const { command, code, output } of results) {
  if (code === 0) continue;
  process.stdout.write(`${command}: exit ${code}\n${output}\n`);
  process.exitCode = 1;
}
if (process.exitCode === undefined) process.stdout.write(`${packages.join(', ')}: publint and attw found nothing\n`);

function run(command, args) {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ command: [command, ...args].join(' '), code, output }));
  });
}
