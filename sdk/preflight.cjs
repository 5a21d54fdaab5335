// What the commands ask before they load anything else. Kept to syntax that Node 12 can parse.

const NEEDED = '^22.18 || >=24';

/** Where rolldown.config.mjs puts what it makes. */
const BUNDLES = [
  'sdk/dist',
  'parts/dist',
  'machine/dist',
  'serve/dist',
  'serve/dist/standin',
  'host/dist',
  'host/dist/report',
];

/** Whether this Node can run a command, and there is one; where not, what is needed has been said, and the exit status is set. */
module.exports = function preflight(command, exitCode) {
  const version = process.versions.node.split('.').map(Number);
  if (version[0] < 22 || version[0] === 23 || (version[0] === 22 && version[1] < 18)) {
    process.stderr.write(command + ' needs Node ' + NEEDED + ', but this is Node ' + process.versions.node);
    process.stderr.write(
      ' (' + process.execPath + ').\nInstall Node 24 from https://nodejs.org, or `nvm install 24`.\n',
    );
    process.exitCode = exitCode;
    return false;
  }
  const wrong = unbuilt();
  if (wrong === undefined) return true;
  process.stderr.write(command + ' is not built: ' + wrong + '. Run `npm run build` first.\n');
  process.exitCode = exitCode;
  return false;
};

/** What is wrong with the bundles of a checkout: one is missing or not whole, or tsc has since read newer sources. */
function unbuilt() {
  const fs = require('node:fs');
  const path = require('node:path');
  // Published packages have no tsconfig.json, and are whole.
  if (!fs.existsSync(path.join(__dirname, 'tsconfig.json'))) return undefined;
  const root = path.dirname(__dirname);
  for (const name of BUNDLES) {
    const dist = path.join(root, name);
    const list = path.join(dist, '.bundle');
    const built = writtenAt(fs, list);
    if (built === undefined) return dist + ' has no bundle';
    if (writtenAt(fs, path.join(dist, '.tsbuildinfo')) > built) {
      return 'the bundle in ' + dist + ' is older than its types';
    }
    const files = fs.readFileSync(list, 'utf8').split('\n');
    const missing = files.find((file) => !fs.existsSync(path.join(dist, file)));
    if (missing !== undefined) return 'there is no ' + path.join(dist, missing);
  }
  return undefined;
}

function writtenAt(fs, file) {
  const found = fs.statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : found.mtimeMs;
}
