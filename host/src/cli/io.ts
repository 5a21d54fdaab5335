import type { Output } from '../report/style.ts';

/** What a command reads and writes. */
export interface Io {
  /** The working directory, absolute. */
  readonly cwd: string;
  readonly stdout: Output;
  readonly stderr: Output;
}
