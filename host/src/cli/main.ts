import { beforeForeign } from '../foreign.ts';
import { codeOf } from '../thrown.ts';
import { hasEnded, startWatchdog } from '../watchdog/watchdog.ts';
import { runCommandLine } from './command-line.ts';
import { INTERRUPTED } from './interrupt.ts';

/** Milliseconds that a plugin's leftovers may keep the process alive once the command has ended. */
const LINGER = 1_000;

/** Ends the process when something that a plugin left running keeps it alive, and all has been written. */
function endLeftovers(): void {
  setTimeout(() => {
    if (process.stdout.writableLength + process.stderr.writableLength > 0) {
      endLeftovers();
      return;
    }
    const left = new Set(process.getActiveResourcesInfo().filter((name) => !/^(?:Pipe|TTY)Wrap$/.test(name)));
    process.stderr.write(
      `qtest: ended, although a plugin has left something running in the host (${[...left].join(', ')})\n`,
    );
    process.exit();
  }, LINGER).unref();
}

let finished = false;
process.on('exit', (code) => {
  // With a second Ctrl-C it ends wherever it is.
  if (finished || code === INTERRUPTED || hasEnded()) return;
  process.stderr.write(
    'qtest: ended before it was done: a plugin or the config called process.exit(), or waits for what never comes\n',
  );
  process.exitCode = 2;
});
process.stdout.on('error', (error) => {
  // Whoever read our output has gone (`qtest list | head`).
  if (codeOf(error) !== 'EPIPE') throw error;
  finished = true;
  process.exit();
});

beforeForeign(startWatchdog);
process.exitCode = await runCommandLine(process.argv.slice(2), {
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
});
finished = true;
endLeftovers();
