// What the commands ask before they load anything else. Kept to syntax that Node 12 can parse.

const NEEDED = '^22.18 || >=24';

/** Whether this Node can run a command; where it can't, what is needed has been said, and the exit status is set. */
module.exports = function preflight(command, exitCode) {
  const version = process.versions.node.split('.').map(Number);
  if (version[0] >= 24 || (version[0] === 22 && version[1] >= 18)) return true;
  process.stderr.write(command + ' needs Node ' + NEEDED + ', but this is Node ' + process.versions.node);
  process.stderr.write(' (' + process.execPath + ').\nInstall Node 24 from https://nodejs.org, or `nvm install 24`.\n');
  process.exitCode = exitCode;
  return false;
};
