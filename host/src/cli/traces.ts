import { resolve } from 'node:path';

import type { TraceFiles } from '../report/traces/files.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';

/** The files that traces are written to. */
export interface Traces {
  readonly folder: string;
  readonly files: TraceFiles;
}

/**
 * What writes the traces to files, where that is asked for.
 * @throws USAGE when there can be no files in the folder.
 */
export async function tracesFor(
  { traceExport, traceDir = 'qtest-traces' }: Pick<CliOptions, 'traceExport' | 'traceDir'>,
  { cwd }: Pick<Io, 'cwd'>,
  onProblem: (message: string) => void,
): Promise<Traces | undefined> {
  if (traceExport === undefined) return undefined;
  const folder = resolve(cwd, traceDir);
  (await import('./trace-folder.ts')).openTraceFolder(folder, traceDir);
  const { TraceFiles } = await import('../report/traces/files.ts');
  return { folder, files: new TraceFiles(folder, traceExport, onProblem) };
}
