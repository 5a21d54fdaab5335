import { guardStandardStreams } from '@qtest/sdk/support';
import { beforeForeign } from '../foreign/foreign.ts';
import { hasEnded, startWatchdog } from '../foreign/watchdog.ts';
import { runCommandLine } from './command-line.ts';
import { INTERRUPTED, keepListening } from './interrupt.ts';
import { endLeftovers } from './leftovers.ts';

guardStandardStreams('qtest');
keepListening();
let finished = false;
const own = process.getActiveResourcesInfo();
process.on('exit', (code) => {
  // With a second Ctrl-C it ends wherever it is.
  if (finished || code === INTERRUPTED || hasEnded()) return;
  process.stderr.write(
    'qtest: ended before it was done: a plugin or the config called process.exit(), or waits for what never comes\n',
  );
  process.exitCode = 2;
});

beforeForeign(startWatchdog);
process.exitCode = await runCommandLine(process.argv.slice(2), {
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
});
finished = true;
endLeftovers(own);
