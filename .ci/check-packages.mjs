// What each package would publish: publint (is the manifest right?) and attw (do its types resolve?), side by side; and whether its files
// import only what it declares, are no tests, and name no path of this machine. Prints how large each is.
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

const { workspaces } = json('package.json');
const packages = globSync(workspaces.map((folder) => `${folder}/package.json`))
  .map((path) => ({ dir: dirname(path), manifest: json(path) }))
  .filter(({ manifest }) => manifest.private !== true);
const lock = json('package-lock.json').packages;

const [packing, ...results] = await Promise.all([
  run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', ...packages.map(({ dir }) => `--workspace=${dir}`)]),
  ...packages.flatMap(({ dir }) => [
    run('publint', ['run', '--strict', dir]),
    run('attw', ['--profile', 'esm-only', '--no-emoji', '--pack', dir]),
  ]),
]);
for (const { command, code, output, errors } of [packing, ...results]) {
  if (code !== 0) complain(`${command}: exit ${code}\n${output}${errors}`);
}

const rows = [];
// npm 10 and 11 give a list, npm 12 an object by name.
for (const { name, size, unpackedSize, files } of Object.values(JSON.parse(packing.output))) {
  const { dir, manifest } = packages.find((each) => each.manifest.name === name);
  for (const { path } of files) check(join(dir, path), path, manifest);
  const { dependencies = {} } = manifest;
  rows.push([
    name,
    kilobytes(size),
    kilobytes(unpackedSize),
    files.length,
    Object.keys(dependencies).length,
    closure(dir),
  ]);
}
table(['package', 'packed', 'unpacked', 'files', 'dependencies', 'in all'], rows);
if (process.exitCode === undefined)
  process.stdout.write('publint and attw found nothing; imports, tests and paths are right\n');

/** A file that is published. */
function check(file, path, manifest) {
  // What `qtest init` writes has tests, and is no code of the package.
  const isTemplate = path.startsWith('templates/');
  if (!isTemplate && /\.(?:test|test-d|bench)\.|(?:^|\/)(?:fixtures|__snapshots__)\/|\.tsbuildinfo$/.test(path))
    complain(`${file}: it is published, and only tests need it: leave it out by "files"`);
  const text = readFileSync(file, 'utf8');
  const machine = [process.cwd(), `${homedir()}/`, `${tmpdir()}/`].find((folder) => text.includes(folder));
  if (machine !== undefined) complain(`${file}: it is published, and names ${machine}, which is of this machine`);
  if (isTemplate || !/\.[cm]?[jt]s$/.test(path)) return;
  const { name, dependencies, peerDependencies } = manifest;
  const declared = [name, ...Object.keys({ ...dependencies, ...peerDependencies })];
  for (const specifier of imports(file, text)) {
    if (/^[./#]/.test(specifier) || isBuiltin(specifier)) continue;
    const [, imported] = /^((?:@[^/]+\/)?[^/]+)/.exec(specifier) ?? [];
    if (!declared.includes(imported))
      complain(
        `${file}: it imports '${specifier}', which is among neither dependencies nor peerDependencies of ${name}`,
      );
  }
}

/** What a module imports, its types included. */
function imports(file, text) {
  const lang = /\.d\.[cm]?ts$/.test(file) ? 'dts' : file.endsWith('ts') ? 'ts' : 'js';
  const sourceType = file.endsWith('.cjs') ? 'script' : 'module';
  const found = [];
  const visit = (node) => {
    if (typeof node !== 'object' || node === null) return;
    const { type, source, callee, arguments: given, expression } = node;
    const isRequire = type === 'CallExpression' && callee.type === 'Identifier' && callee.name === 'require';
    const of = isRequire ? given[0] : type === 'TSExternalModuleReference' ? expression : source;
    if (typeof of === 'object' && of !== null && typeof of.value === 'string') found.push(of.value);
    Object.values(node).forEach(visit);
  };
  visit(parseAst(text, { lang, sourceType }, file));
  return found;
}

/** Packages that are installed with one, but for itself, its peers, and what is for some platforms alone. */
function closure(dir) {
  const seen = new Set();
  const add = (at) => {
    if (seen.has(at)) return;
    seen.add(at);
    const { link, resolved, os, cpu, dependencies, optionalDependencies } = lock[at] ?? {};
    if (link === true || os !== undefined || cpu !== undefined) seen.delete(at);
    if (link === true) return add(resolved);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) add(locate(name, at));
  };
  add(dir);
  seen.delete(dir);
  seen.delete(undefined);
  return seen.size;
}

/** Where Node finds a package from another: in the nearest node_modules, going up. */
function locate(name, from) {
  for (let folder = from; ; folder = folder.includes('/') ? dirname(folder) : '') {
    const at = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (lock[at] !== undefined) return at;
    if (folder === '') return undefined;
  }
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(0)} kB`;
}

function table(head, lines) {
  const all = [head, ...lines].map((line) => line.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((line) => line[column].length)));
  for (const [name, ...cells] of all) {
    const rest = cells.map((cell, column) => cell.padStart(widths[column + 1]));
    process.stdout.write(`${[name.padEnd(widths[0]), ...rest].join('  ')}\n`);
  }
}

function complain(text) {
  process.stdout.write(`${text}\n`);
  process.exitCode = 1;
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ command: [command, ...args].join(' '), code, output, errors }));
  });
}
