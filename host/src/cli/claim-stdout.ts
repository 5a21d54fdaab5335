import { Writable } from 'node:stream';

import type { Io } from './io.ts';

/**
 * Keeps the process's standard output for the document that `--json` asks for: what else is written to it, by a plugin's
 * module or by a case in its worker, goes to standard error.
 */
export function claimStdout(io: Io): Io {
  if (io.stdout !== process.stdout) return io;
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  const stdout = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      // What its reader has yet to take waits there, and not here as well.
      write(chunk);
      done();
    },
  });
  return { ...io, stdout };
}
