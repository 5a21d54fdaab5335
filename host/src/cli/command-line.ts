import { CommanderError } from 'commander';

import { setForeignBound } from '../foreign/bounded.ts';
import { claimsStdout } from '../config/reporters.ts';
import { hostError } from '@qtest/sdk/support';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { createProgram, type CommandName } from './program.ts';

/** A sub-command; gives the exit code. */
type Action = (options: CliOptions, io: Io) => Promise<number>;

/** Each sub-command's module is loaded when it is the one that was asked for. */
const ACTIONS: Readonly<Record<CommandName, () => Promise<Action>>> = {
  run: async () => async (options, io) =>
    options.watch === true
      ? (await import('./watch.ts')).watch(options, io)
      : (await import('./run.ts')).run(options, io),
  list: async () => (await import('./list.ts')).list,
  machine: async () => (await import('./machine.ts')).machine,
  compat: async () => (await import('./compat.ts')).compat,
  contract: async () => (await import('./contract.ts')).contract,
  diff: async () => (await import('./diff.ts')).diff,
  doctor: async () => (await import('./doctor.ts')).doctor,
  init: async () => (await import('./init.ts')).init,
  'merge-reports': async () => (await import('./merge-reports.ts')).mergeReports,
  serve: async () => (await import('./serve.ts')).serve,
  replay: async () => (await import('./replay.ts')).replay,
  completion: async () => (await import('./completion.ts')).completion,
  complete: async () => (await import('./complete.ts')).complete,
};

/** Whether standard output is for one document. */
function isForDocument({ json, reporter = [], addReporter = [] }: CliOptions): boolean {
  return json === true || claimsStdout([...reporter, ...addReporter]);
}

/** Runs the command line; gives the exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  let code = 0;
  const program = createProgram(io, async (command, options) => {
    setForeignBound(options.timeout);
    const isList = options.plugin.includes('?');
    const action = isList ? (await import('./modules.ts')).listModules : await ACTIONS[command]();
    code = await action(options, isForDocument(options) ? (await import('./claim-stdout.ts')).claimStdout(io) : io);
  });
  try {
    const odd = args.find((word) => word.includes('\0'));
    if (odd !== undefined)
      throw hostError('USAGE', `${JSON.stringify(odd)}: no name, path or pattern has a NUL character`);
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // commander has told of it; it ends --help and --version in this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { explain } = await import('./fail.ts');
    return explain(error, io);
  }
}
