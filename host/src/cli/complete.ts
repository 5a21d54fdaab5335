import { isQtestError } from '@qtest/sdk';
import type { Command, Option } from 'commander';

import { entryParts } from '../config/check.ts';
import { REPORTER_NAMES } from '../config/reporters.ts';
import { loadPlugins } from '../plugins/load.ts';
import { TRACE_FORMATS } from '../report/traces/formats.ts';
import { backendsThere } from './backends.ts';
import { claimStdout } from './claim-stdout.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { pluginRequests, prepare, readConfig, specFrom } from './prepare.ts';
import { createProgram } from './program.ts';
import { onOneLine } from '@qtest/sdk/support';
import { print } from '../report/style.ts';

/** What may come next, and what it is. */
type Candidate = readonly [word: string, description: string];

/** `qtest complete`, which the scripts of `qtest completion` call: candidates for the last of `words`. */
export async function complete({ words = [] }: CliOptions, io: Io): Promise<number> {
  // What a plugin writes while it is loaded is no candidate.
  const { stdout } = claimStdout(io);
  const typed = readWords(words);
  const candidates = await candidatesOf(typed, io);
  const lines = candidates
    .filter(([word]) => word.startsWith(typed.current))
    .map(([word, description]) => `${typed.prefix}${onOneLine(word)}\t${onOneLine(description)}\n`);
  print(stdout, lines.join(''));
  return 0;
}

/** What has been typed so far. */
interface Typed {
  /** The sub-command, or the program while there is none. */
  readonly command: Command;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  /** What is typed of the word. */
  readonly current: string;
  /** What stands before it in the same word: `--clock=`. */
  readonly prefix: string;
  /** Those that decide which plugins there are. */
  readonly options: CliOptions;
}

function readWords(words: readonly string[]): Typed {
  const program = createProgram({ stdout: process.stderr, stderr: process.stderr }, async () => {});
  // bash makes three words of `--clock=virtual`.
  const given = words.filter((word, index) => word !== '=' || index === 0);
  const last = words.at(-1) === '=' ? '' : (given.pop() ?? '');
  let command = program;
  let pending: Option | undefined;
  const plugin: string[] = [];
  let config: string | false | undefined;
  const take = (option: Option | undefined, value: string): void => {
    if (option?.long === '--plugin') plugin.push(value);
    if (option?.long === '--config') config = value;
  };
  for (const word of given) {
    if (pending !== undefined) {
      take(pending, word);
      pending = undefined;
      continue;
    }
    const [name, value] = splitOption(word);
    const option = optionsOf(program, command).find(({ long, short }) => name === long || name === short);
    if (name === '--no-config') config = false;
    else if (value !== undefined) take(option, value);
    else if (option?.required === true) pending = option;
    else if (!word.startsWith('-') && command === program)
      command = program.commands.find((other) => other.name() === word) ?? program;
  }
  const options = { plugin, test: [], ...(config !== undefined && { config }) };
  const [name, value] = splitOption(last);
  const option = optionsOf(program, command).find(({ long }) => name === long);
  if (pending === undefined && option !== undefined && value !== undefined)
    return { command, option, current: value, prefix: `${name}=`, options };
  return { command, option: pending, current: last, prefix: '', options };
}

/** `--clock=virtual` in its two parts; any other word is one. */
function splitOption(word: string): [name: string, value?: string] {
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return name === undefined || value === undefined ? [word] : [name, value];
}

/** The options that a sub-command takes: those of all, and its own. */
function optionsOf(program: Command, command: Command): readonly Option[] {
  return command === program ? program.options : [...command.options, ...program.options];
}

async function candidatesOf({ command, option, current, options }: Typed, io: Io): Promise<readonly Candidate[]> {
  if (option !== undefined) return await valuesOf(option, options, io);
  const program = command.parent ?? command;
  if (current.startsWith('-')) {
    const help: Candidate = ['--help', 'print this help'];
    const shown = optionsOf(program, command).map(({ long, description }): Candidate => [long ?? '', description]);
    return [...shown, help];
  }
  const [argument] = command.registeredArguments;
  if (argument?.argChoices !== undefined) return argument.argChoices.map((choice) => [choice, '']);
  if (command !== program) return [];
  const visible = program.createHelp().visibleCommands(program);
  return visible.map((other) => [other.name(), other.description()]);
}

/** The values of an option; none where the shell had better complete files. */
async function valuesOf({ long, argChoices }: Option, options: CliOptions, io: Io): Promise<readonly Candidate[]> {
  if (argChoices !== undefined) return argChoices.map((choice) => [choice, '']);
  try {
    if (long === '--plugin') {
      const { config, dir } = await readConfig(options, io);
      return (config.plugins ?? []).map((entry) => [specFrom(io.cwd, dir, entryParts(entry).spec), 'of the config']);
    }
    if (long === '--backend') {
      const { file } = await readConfig(options, io);
      return backendsThere(file, io.cwd).map((name) => [name, '']);
    }
    if (long === '--reporter' || long === '--add-reporter') return REPORTER_NAMES.map((name) => [name, '']);
    if (long === '--trace-export') return TRACE_FORMATS.map((name) => [name, '']);
    if (long === '--device') return await devicesOf(options, io);
    if (long !== '--test') return [];
    const { plugins } = await prepare(options, io);
    return plugins.flatMap(({ name: plugin, cases }) =>
      cases.map(({ name, description = plugin }): Candidate => [name, description]),
    );
  } catch (error) {
    // Whoever completes a line is told of no error: the command will tell.
    if (isQtestError(error)) return [];
    throw error;
  }
}

/** The types of devices that the plugins bring, if there are plugins, and the host's own. */
async function devicesOf(options: CliOptions, io: Io): Promise<readonly Candidate[]> {
  const config = await readConfig(options, io);
  const plugins = await loadPlugins(pluginRequests(options, io, config));
  const catalog = await import('../plugins/devices.ts');
  return [...catalog.catalogOf(plugins, config)].map(([type, { definition }]) => [type, definition.schema.description]);
}
