import { CommanderError } from 'commander';

import { explain } from './fail.ts';
import type { Io } from './io.ts';
import { createProgram } from './program.ts';

/** Runs the command line; gives the exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  let code = 0;
  const program = createProgram(io, (given) => {
    code = given;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // commander has written its message; it ends --help and --version in this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return explain(error, io);
  }
}
