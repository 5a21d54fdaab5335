import type { Output } from '../report/style.ts';

/** What a command reads and writes. */
export interface Io {
  /** The working directory, absolute. */
  readonly cwd: string;
  readonly stdout: Output;
  readonly stderr: Output;
}

/**
 * Keeps the process's standard output for the document that `--json` asks for: what else is written to it, by a plugin's
 * module or by a case in its worker, goes to standard error.
 */
export async function claimStdout(io: Io): Promise<Io> {
  if (io.stdout !== process.stdout) return io;
  const { Writable } = await import('node:stream');
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return { ...io, stdout: new Writable({ write: (chunk: Uint8Array, _encoding, done) => void write(chunk, done) }) };
}
