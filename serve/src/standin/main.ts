import type { Duplex } from 'node:stream';
import { UserError } from '../emulator/settings.ts';
import { Connection, type RequestLog } from '../server/connection.ts';
import { openLog, STDERR } from '../server/request-log.ts';
import { messageOf, stackOf } from '@qtest/sdk/support';
import { DEFAULT_VERSION, parseVersion, type QemuVersion } from '../qmp/version.ts';
import { ConnectError, makeChardev, type Chardev } from './chardev.ts';
import { parseCommandLine, type Command } from './command-line.ts';
import { LazySession } from './lazy-session.ts';
import type { Running } from './run.ts';
import { say } from './say.ts';

/**
 * `qtest-system-x86_64`: takes QEMU's command line, and is what QEMU's own test library starts in its place. What is here is all that the
 * first reply needs; devices and monitors are loaded behind it, so that a client that begins with many processes does not wait for them.
 */

/** Milliseconds for which clients may come before the machine is built for none. */
const PATIENCE = 10;

/** Ends the process as QEMU ends on a mistake of its user. */
function fail(message: string): never {
  say(message);
  process.exit(1);
}

process.on('uncaughtException', (error) => {
  if (error instanceof ConnectError || error instanceof UserError) fail(error.message);
  fail(stackOf(error));
});

const version = askedVersion(process.env['QTEST_QEMU_VERSION']);
const request = parse();
if (request.kind === 'run') start(request.command);
else void import('./help.ts').then(({ show }) => show(request, version ?? DEFAULT_VERSION));

function parse(): ReturnType<typeof parseCommandLine> {
  try {
    return parseCommandLine(process.argv.slice(2), new Date(), version);
  } catch (error) {
    if (error instanceof UserError) fail(error.message);
    throw error;
  }
}

/** Test programs cannot be told another command line, but their surroundings can. */
function askedVersion(asked: string | undefined): QemuVersion | undefined {
  if (asked === undefined || asked === '') return undefined;
  return parseVersion(asked) ?? fail(`QTEST_QEMU_VERSION is '${asked}': expected a version of QEMU, as 7.2 or 10.0.2`);
}

function start(command: Command): void {
  for (const warning of command.warnings) say(warning);
  const chardevs = new Map<string, Chardev>();
  for (const spec of command.chardevs) chardevs.set(spec.id, makeChardev(spec));
  let connection: Connection | undefined;
  let running: Running | undefined;
  let loading: Promise<void> | undefined;
  /** What waits for the machine. */
  const waiting: ((running: Running) => void)[] = [];
  const whenRunning = (run: (running: Running) => void): void => {
    if (running === undefined) waiting.push(run);
    else run(running);
  };
  const load = async (): Promise<void> => {
    const { run } = await import('./run.ts');
    running = run(command, chardevs, (line) => connection?.tell(line));
    lazy.session = running.session;
    for (const go of waiting) go(running);
  };
  const begin = (): void => void (loading ??= load());
  const lazy = new LazySession(begin);
  const log = logOf(command);
  const onClient = (stream: Duplex): void => {
    connection = new Connection(stream, lazy, log, () => {
      if (running === undefined) setImmediate(begin);
      else running.look();
    });
    if (running !== undefined) running.session.open = true;
    stream.once('close', () => {
      connection = undefined;
      if (running !== undefined) running.session.open = false;
    });
  };
  if (command.qtest !== undefined) chardevs.get(command.qtest)?.open(onClient, true);
  for (const { chardev, mode } of command.monitors)
    chardevs.get(chardev)?.open((stream) => whenRunning(({ openMonitor }) => openMonitor(stream, mode)));
  for (const chardev of serialChardevs(command))
    chardevs.get(chardev)?.open((stream) => whenRunning(({ openSerial }) => openSerial(stream, chardev)));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => process.exit(0));
  setTimeout(begin, command.qtest === undefined ? 0 : PATIENCE);
}

/** Character devices that serial ports have. */
function serialChardevs({ settings }: Command): readonly string[] {
  const named = [...settings.serial, ...settings.devices.map(({ options }) => options.get('chardev'))];
  return named.filter((id) => id !== undefined);
}

function logOf({ qtest, qtestLog = STDERR }: Command): RequestLog | undefined {
  if (qtest === undefined || qtestLog === 'none' || qtestLog === '/dev/null') return undefined;
  try {
    return openLog(qtestLog, (why) => say(`-qtest-log ${qtestLog}: ${why}. It ends here; the machine goes on`));
  } catch (error) {
    throw new UserError(`-qtest-log ${qtestLog}: ${messageOf(error)}`);
  }
}
