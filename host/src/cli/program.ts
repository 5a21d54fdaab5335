import type { BackendName } from '@qtest/sdk';
import { Argument, Command, Option } from 'commander';

import { didYouMean } from '@qtest/sdk/support';
import type { Io } from './io.ts';
import {
  addOptions,
  collect,
  MACHINES,
  parseAccesses,
  parseSeed,
  SHELLS,
  type CliOptions,
  type InitOptions,
  type Shell,
} from './options.ts';
import { hostManifest } from './version.ts';
import { print } from '../report/style.ts';

export type CommandName =
  | 'run'
  | 'list'
  | 'machine'
  | 'contract'
  | 'diff'
  | 'compat'
  | 'doctor'
  | 'init'
  | 'merge-reports'
  | 'serve'
  | 'replay'
  | 'completion'
  | 'complete';

type Backends = readonly BackendName[];

const EXAMPLES = `
Examples:
  qtest                                       run every plugin in the config
  qtest --plugin @org/qtest-rtc               run that one: a package, a short name (rtc) or a path (./my-test.ts)
  qtest -t 'periodic/*' -t '!periodic/8192'   select cases
  qtest --clock realtime --timeout 20s        on the machine's real-time clock
  qtest -t 'smp/*' --schedule explore=100     the VCPUs of a case in 100 orders, until one fails
  qtest --watch                               the cases again, whenever a file of theirs changes
  qtest list --json                           the cases, for a program
  qtest machine --plugin rtc                  the devices, regions and IRQ wiring that rtc's cases run on
  qtest machine --machine pc                  those of the normal machine
  qtest contract --plugin @org/qtest-rtc      its devices, held to the contract of all devices
  qtest diff --backend qemu --device rtc0     the same accesses on our RTC and on QEMU's, until one is answered differently
  qtest compat --plugin rtc                   its cases on every backend, and where these differ
  qtest init my-tests                         a new plugin package, which passes its own tests
  qtest doctor                                what is installed here, and what is wrong with it
  qtest serve --machine pc                    a machine, for any client of the qtest protocol
  qtest replay rtc.qtest --machine pc         a recorded script on our machine, until a reply is another
  qtest merge-reports blobs --reporter junit=out.xml   one report of the runs whose blobs are in a folder
  qtest --plugin '?'                          the plugins of the config

Exit codes:
  0    every case passed or was skipped
  1    a case failed, none was selected, the coverage is less than --coverage-min, or a report could not be written
  2    usage, config, or a plugin that can't be loaded
  130  interrupted
  qtest diff and qtest replay end with 1 when they have found a difference.`;

/**
 * The command line.
 * @param run is told the sub-command that was asked for, with the options.
 */
export function createProgram(
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
  run: (name: CommandName, options: CliOptions) => Promise<void>,
): Command {
  const program = new Command('qtest')
    .description('Runs device tests, which are npm packages, against device models.')
    .version(hostManifest().version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('afterAll', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => print(stdout, text),
      writeErr: (text) => print(stderr, text),
      outputError: (text, write) => write(`qtest: ${text.replace(/^error: /, '')}`),
    })
    .showHelpAfterError("('qtest --help' tells what there is)")
    .exitOverride()
    // They are refused below, with what to write instead.
    .allowExcessArguments()
    .hook('preAction', refuseWords)
    .hook('preAction', refuseDurations)
    .hook('preAction', refuseTraces)
    .hook('preAction', refuseInspect);
  addOptions(program);
  add('run', 'run the cases (the default)');
  add('list', 'list the cases without running them');
  add('machine', 'print the machine that the cases run on').addOption(
    new Option('--machine <name>', "one of the host's own machines, in place of the plugins'").choices(MACHINES),
  );
  add('contract', 'hold devices to the contract that every device has to keep')
    .addOption(
      new Option('--device <type>', "a type of device, the host's own included; repeatable")
        .argParser(collect)
        .default([], 'those of the plugins'),
    )
    .addOption(new Option('--seed <n>', 'decides all that is random').argParser(parseSeed).default(1));
  add('diff', 'make the same random accesses on two machines, and show the first that they answer differently')
    .addOption(
      new Option('--machine <name>', "one of the host's own machines, in place of a plugin's").choices(MACHINES),
    )
    .addOption(
      new Option('--device <name>', 'a device to access, by its id or type; repeatable')
        .argParser(collect)
        .default([], 'all of the machine'),
    )
    .addOption(new Option('--seed <n>', 'decides all that is random').argParser(parseSeed).default(1))
    .addOption(new Option('--count <n>', 'accesses to make').argParser(parseAccesses).default(100_000))
    .addOption(
      new Option('--ignore <register>', 'a register, or REGISTER/FIELD, whose difference is known; repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option('--set <property>', 'a property of the first machine alone, as rtc0.updateCycle=2ms; repeatable')
        .argParser(collect)
        .default([], 'none'),
    );
  add('compat', 'run the cases on several backends, and show where they differ')
    .option('--markdown', 'write the matrix as Markdown')
    .option('--into <readme>', `put the matrix into a README, between the lines that mark its place`);
  add('doctor', 'tell what is installed here, and what is wrong with it');
  program
    .command('init')
    .description('create a new plugin package, which passes its own tests')
    .argument('[folder]', 'a folder that is new, or empty', '.')
    .option('--name <package>', "the package's name (default: qtest- and the folder's)")
    .option('--device', 'with a device of its own')
    .action((folder: string, own: Omit<InitOptions, 'folder'>) =>
      run('init', { ...program.opts<CliOptions>(), init: { folder, ...own } }),
    );
  program
    .command('merge-reports')
    .description('join the blobs of several runs into one report')
    .argument('<blob...>', 'files of --reporter blob=FILE and --coverage=FILE, or folders of them')
    .action((parts: readonly string[]) => run('merge-reports', { ...program.opts<CliOptions>(), parts }));
  add('serve', 'speak the qtest protocol, so that other clients drive our devices')
    .addOption(
      new Option('--machine <name>', "one of the host's own machines, in place of the plugin's").choices(MACHINES),
    )
    .addOption(
      new Option('--device <type,...>', "a device to add, as 'edu,slot=4'; repeatable")
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '--qtest <address>',
        'where to listen: unix:PATH, tcp:127.0.0.1:PORT (0: any), stdio, or pipe:PATH of two FIFOs',
      ).default('stdio'),
    )
    .option('--qtest-log <file>', 'write requests and replies to a file')
    .option('--allow-remote', 'let --qtest be an address that others can reach');
  program
    .command('replay')
    .description('make the requests of a recorded qtest script, and show the first that is answered differently')
    .argument('<file>', "the script: a case's trace, or the log of a QEMU or of serve --qtest-log")
    .addOption(
      new Option('--machine <name>', "one of the host's own machines, in place of the plugin's").choices(MACHINES),
    )
    .addOption(
      new Option('--device <type,...>', "a device to add, as 'edu,slot=4'; repeatable")
        .argParser(collect)
        .default([], 'none'),
    )
    .action((file: string, own: object) => start('replay', { ...own, file }));
  program
    .command('completion')
    .description('print a script for shell completion')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .action((shell: Shell) => run('completion', { ...program.opts<CliOptions>(), shell }));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words: readonly string[]) => run('complete', { ...program.opts<CliOptions>(), words }));
  return program;

  function add(name: CommandName, description: string): Command {
    const command = program.command(name, { isDefault: name === 'run' }).description(description);
    return command.action((own: object) => start(name, own));
  }

  function start(name: CommandName, own: object): Promise<void> {
    const { backend: backends, ...shared } = program.opts<Omit<CliOptions, 'backend'> & { backend?: Backends }>();
    if (name === 'compat' || name === 'diff')
      return run(name, { ...shared, ...own, ...(backends !== undefined && { backends }) });
    if (shared.watch === true && name !== 'run') program.error(`--watch runs cases, and '${name}' does not`);
    const [backend, ...others] = backends ?? [];
    if (others.length > 0)
      program.error(
        `--backend ${backends?.join(',')}: '${name}' runs on one; several are for 'qtest compat' and 'qtest diff'`,
      );
    return run(name, { ...shared, ...own, ...(backend !== undefined && { backend }) });
  }
}

/** Without parts there is nothing that they could make as long as each other. */
function refuseDurations(program: Command): void {
  const { durations, shard } = program.opts<CliOptions>();
  if (durations !== undefined && shard === undefined)
    program.error(`--durations ${durations}: it is for the parts of --shard i/n, which is not given`);
}

/** What would be written nowhere, and what would have nothing to write. */
function refuseTraces(program: Command): void {
  const { trace, traceExport, traceDir } = program.opts<CliOptions>();
  if (traceDir !== undefined && traceExport === undefined)
    program.error(`--trace-dir ${traceDir}: it is for the files of --trace-export, which is not given`);
  if (traceDir?.trim() === '') program.error(`--trace-dir '${traceDir}': expected a folder`);
  if (trace === 'off' && traceExport !== undefined)
    program.error(`--trace-export ${traceExport.join(',')}: with --trace=off there are no traces to write`);
}

/** A debugger is for the one run of one case. */
function refuseInspect(program: Command, command: Command): void {
  const { inspect, inspectBrk, watch } = program.opts<CliOptions>();
  if (inspect === undefined && inspectBrk === undefined) return;
  const option = inspect === undefined ? '--inspect-brk' : '--inspect';
  if (command.name() !== 'run') program.error(`${option} debugs a case, and '${command.name()}' runs none for it`);
  if (watch === true) program.error(`${option} debugs one run of a case: leave out --watch`);
}

/** A word that no argument stands for is a mistyped sub-command, or a case without `-t`. */
function refuseWords(program: Command, command: Command): void {
  const { length: taken } = command.registeredArguments;
  if (command.registeredArguments.at(-1)?.variadic === true) return;
  const word = command.args[taken];
  if (word === undefined) return;
  const name = command.name();
  if (program.args[0] === name) {
    const takes = taken === 0 ? 'no arguments' : 'one argument';
    program.error(`'${name}' takes ${takes}, but was given '${word}'. To select cases: -t '${word}'`);
  }
  const names = [
    ...program
      .createHelp()
      .visibleCommands(program)
      .map((other) => other.name()),
  ];
  program.error(
    `unknown command '${word}': expected ${names.join(', ')}.${didYouMean(word, names)} ` +
      `To select cases: qtest -t '${word}'; to name a plugin: qtest --plugin '${word}'`,
  );
}
