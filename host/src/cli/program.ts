import { readFileSync } from 'node:fs';

import { Command } from 'commander';

import type { Io } from './io.ts';
import { addOptions, type CliOptions } from './options.ts';

const EXAMPLES = `
Examples:
  qtest                                       run every plugin in the config
  qtest --plugin @org/qtest-rtc               run that one: a package, a short name (rtc) or a path (./my-test.ts)
  qtest -t 'periodic/*' -t '!periodic/8192'   select cases
  qtest --clock realtime --timeout 20s        on the machine's real-time clock
  qtest list --json                           the cases, for a program
  qtest machine --plugin rtc                  the devices, regions and IRQ wiring that rtc's cases run on
  qtest --plugin '?'                          the plugins of the config

Exit codes: 0 passed or skipped, 1 a case failed or none was selected, 2 usage, config or a plugin that can't be loaded, 130 interrupted
`;

/** A sub-command; gives the exit code. */
type Action = (options: CliOptions, io: Io) => Promise<number>;

/**
 * The command line. Each sub-command's module is loaded when it is the one that was asked for.
 * @param exit is told the exit code of the sub-command that has run.
 */
export function createProgram(io: Io, exit: (code: number) => void): Command {
  const program = new Command('qtest')
    .description('Runs device tests, which are npm packages, against device models.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(`qtest: ${text.replace(/^error: /, '')}`),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError("('qtest --help' tells what there is)")
    .exitOverride();
  addOptions(program);
  add(program, 'run', 'run the cases (the default)', async () => (await import('./run.ts')).run, { isDefault: true });
  add(program, 'list', 'list the cases without running them', async () => (await import('./list.ts')).list);
  add(program, 'machine', 'print the machine that cases run on', async () => (await import('./machine.ts')).machine);
  return program;

  function add(
    parent: Command,
    name: string,
    description: string,
    load: () => Promise<Action>,
    options: { isDefault?: boolean } = {},
  ): void {
    const command = parent.command(name, options).description(description).allowExcessArguments(true);
    command.action(async () => {
      refuseArguments(command, parent, options.isDefault === true);
      const given = command.optsWithGlobals<CliOptions>();
      if (given.json === true) consoleToStderr();
      const action = await load();
      exit(await action(given, io));
    });
  }
}

/** No sub-command takes arguments: a word that is there is a mistyped sub-command, or a case without `-t`. */
function refuseArguments(command: Command, program: Command, isDefault: boolean): void {
  const [word] = command.args;
  if (word === undefined) return;
  const names = program.commands.map((other) => other.name());
  program.error(
    isDefault
      ? `unknown command '${word}': expected ${names.join(', ')}. To select cases: qtest -t '${word}'; to name a plugin: qtest --plugin '${word}'`
      : `'${command.name()}' takes no arguments, but was given '${word}'. To select cases: -t '${word}'`,
    { exitCode: 2 },
  );
}

/** Standard output is the document's alone: what a plugin logs in the host goes to standard error. */
function consoleToStderr(): void {
  console.log = console.error;
  console.info = console.error;
  console.debug = console.error;
}

/** The version of @qtest/host. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
}
