import { openSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Writable } from 'node:stream';

import type { LoadedConfig } from '../config/load.ts';
import { conflictOf, parseReporter, type ReporterRequest } from '../config/reporters.ts';
import { hostError, codeOf, messageOf } from '@qtest/sdk/support';
import { broadcast } from '../report/broadcast.ts';
import type { ReportContext, Reporter } from '../report/events.ts';
import type { Output } from '../report/style.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
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

/**
 * Opens the reporters' files and makes one reporter of them all. Each is loaded when it is asked for.
 * @throws USAGE when a file can't be written.
 */
export async function openReporters(
  requests: readonly ReporterRequest[],
  { stdout, cwd }: Io,
  { context, more, onProblem }: OpenOptions,
): Promise<Reporter> {
  const outputs = requests.map(({ name, file }) => ({
    name,
    output: file === undefined ? stdout : fileOutput(file, relative(cwd, file), onProblem),
  }));
  const reporters = await Promise.all(outputs.map(({ name, output }) => make(name, output, context)));
  return broadcast([...reporters, ...more]);
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

/** A file that is written at once, so that what was reported is there however the process ends. */
function fileOutput(file: string, shown: string, onProblem: (line: string) => void): Output {
  const fd = open(file, shown);
  let isWhole = true;
  return new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      try {
        if (isWhole) writeFileSync(fd, chunk);
      } catch (error) {
        // The cases go on: what is lost is one report, and the command says so at its end.
        isWhole = false;
        onProblem(`the report ${shown} is not complete: ${messageOf(error)}`);
      }
      done();
    },
  });
}

function open(file: string, shown: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw hostError('USAGE', `the report ${shown} can't be written: ${whyNotWritten(error)}`, { cause: error });
  }
}

/** Why a file could not be written, and what to do, in words for a reader. */
export function whyNotWritten(error: unknown): string {
  return WHY[codeOf(error) ?? ''] ?? messageOf(error);
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder: make it first',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
};
