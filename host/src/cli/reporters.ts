import { relative, resolve } from 'node:path';

import type { LoadedConfig } from '../config/load.ts';
import { conflictOf, parseReporter, type ReporterRequest } from '../config/reporters.ts';
import { hostError } from '@qtest/sdk/support';
import { broadcast } from '../report/broadcast.ts';
import type { ReportContext, Reporter } from '../report/events.ts';
import type { Output } from '../report/style.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { ReportFile } from './report-file.ts';
import { hostManifest } from './version.ts';

/**
 * The reporters of a run, each file absolute: those of the command line in place of those of the config, in place of the
 * usual ones; and those that
 * are added.
 * @throws USAGE when two write to one place.
 */
export function reporterRequests(
  { json, reporter, addReporter = [] }: Pick<CliOptions, 'json' | 'reporter' | 'addReporter'>,
  { config, dir }: Pick<LoadedConfig, 'config' | 'dir'>,
  { cwd }: Pick<Io, 'cwd'>,
): readonly ReporterRequest[] {
  const chosen = json === true ? [{ name: 'json' } as const] : reporter;
  const configured = config.reporters?.map(parseReporter).filter((request) => typeof request !== 'string');
  const requests = [
    ...(chosen === undefined ? located(configured ?? usual(), dir) : located(chosen, cwd)),
    ...located(addReporter, cwd),
  ];
  const conflict = conflictOf(requests);
  if (conflict !== undefined) throw hostError('USAGE', conflict);
  return requests;
}

/** In GitHub Actions with annotations. */
function usual(): readonly ReporterRequest[] {
  const inActions = process.env['GITHUB_ACTIONS'] === 'true';
  return [{ name: 'spec' }, ...(inActions ? [{ name: 'github' } as const] : [])];
}

function located(requests: readonly ReporterRequest[], from: string): readonly ReporterRequest[] {
  return requests.map(({ name, file }) => (file === undefined ? { name } : { name, file: resolve(from, file) }));
}

export interface OpenOptions {
  readonly context: ReportContext;
  /** Are told of the events as well, after the others. */
  readonly more: readonly Reporter[];
  /** Told why a file could not be written to its end. */
  readonly onProblem: (message: string) => void;
}

/** The reporters of a run, as one. */
export interface OpenReporters {
  readonly reporter: Reporter;
  /** For a run that does not come to its end: what was reported so far stays beside the reports' places. */
  readonly abandon: () => void;
}

/**
 * Opens the reporters' files and makes one reporter of them all. Each is loaded when it is asked for. A file is put in its place when its
 * reporter is done.
 * @throws REPORT when a file can't be written.
 */
export async function openReporters(
  requests: readonly ReporterRequest[],
  { stdout, cwd }: Io,
  { context, more, onProblem }: OpenOptions,
): Promise<OpenReporters> {
  const files: ReportFile[] = [];
  const abandon = (): void => {
    for (const file of files) file.abandon();
  };
  const open = (file: string): ReportFile => {
    const opened = new ReportFile(file, relative(cwd, file), onProblem);
    files.push(opened);
    return opened;
  };
  try {
    const outputs = requests.map(({ name, file }) => ({ name, file: file === undefined ? undefined : open(file) }));
    const reporters = await Promise.all(
      outputs.map(async ({ name, file }) => {
        const reporter = await make(name, file ?? stdout, context);
        return file === undefined ? [reporter] : [reporter, completes(file)];
      }),
    );
    return { reporter: broadcast([...reporters.flat(), ...more]), abandon };
  } catch (error) {
    abandon();
    throw error;
  }
}

/** Is told after the reporter whose file it is. */
function completes(file: ReportFile): Reporter {
  return { caseEnd: () => {}, done: () => file.complete() };
}

async function make(name: ReporterRequest['name'], output: Output, context: ReportContext): Promise<Reporter> {
  switch (name) {
    case 'spec':
      return new (await import('../report/spec.ts')).SpecReporter({ output, ...context });
    case 'dot':
      return new (await import('../report/dot.ts')).DotReporter(output, context);
    case 'tap':
      return new (await import('../report/tap.ts')).TapReporter(output, context);
    case 'junit':
      return new (await import('../report/junit.ts')).JunitReporter(output, context);
    case 'github':
      return new (await import('../report/github.ts')).GithubReporter(output, context, process.env);
    case 'json':
      return new (await import('../report/json.ts')).JsonReporter(output);
    case 'blob':
      return (await import('../report/blob.ts')).blobReporter(output, context, hostManifest().version);
    case 'jsonl':
      return (await import('../report/jsonl.ts')).jsonlReporter(output);
    case 'html':
      return new (await import('../report/html.ts')).HtmlReporter(output, context);
  }
}
