import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import type { TypeCoverage } from '@qtest/sdk';

import { claimsStdout } from '../config/reporters.ts';
import { CoverageTotal } from '../coverage/merge.ts';
import { hostError, codeOf, isRecord, messageOf, readBounded } from '@qtest/sdk/support';
import { joinRuns, replay, type JoinedRun } from '../report/join.ts';
import { isPacked, readBlob, type Blob } from '../report/read-blob.ts';
import { coverageFor } from './coverage.ts';
import { Budget, parseBounded } from '../report/bounded-json.ts';
import { INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { readConfig } from './prepare.ts';
import { openReporters, reporterRequests } from './reporters.ts';
import { coverageProblem, isCoverage } from '../report/blob-shape.ts';
import { problemText } from '../report/shape.ts';
import { print } from '../report/style.ts';
import { tracesFor } from './traces.ts';

/** `qtest merge-reports`: reports the runs of several blobs as one, and joins their coverage. Ends as that run would have. */
export async function mergeReports(options: CliOptions, given: Io): Promise<number> {
  const loaded = await readConfig(options, given);
  const requests = reporterRequests(options, loaded, given);
  const io = claimsStdout(requests) ? (await import('./claim-stdout.ts')).claimStdout(given) : given;
  const { blobs, coverages } = readParts(options.parts ?? [], io);
  const problems: string[] = [];
  const traces = await tracesFor(options, io, (message) => problems.push(message));
  const joined = joinRuns(blobs);
  const types = typesOf(joined, coverages);
  const gate = coverageFor(
    types === undefined ? options : { coverage: loaded.config.coverage || true, ...options },
    loaded,
    {
      io,
      output: claimsStdout(requests) ? io.stderr : io.stdout,
    },
  );
  let code = 0;
  // Coverage files alone are no run.
  if (blobs.length > 0) {
    const { reporter } = await openReporters(requests, io, {
      context: { ...joined.context, cwd: io.cwd },
      more: traces === undefined ? [] : [traces.files],
      onProblem: (message) => problems.push(message),
    });
    replay(joined, reporter);
    const { summary, interrupted, failed } = joined;
    const written = traces === undefined ? joined.traces : { folder: traces.folder, files: traces.files.written };
    reporter.done(summary, {
      interrupted,
      ...(failed && { failed }),
      ...(types && { coverage: types }),
      ...(written && { traces: written }),
    });
    if (failed || summary.fail + summary.timeout + summary.crash > 0) code = 1;
    if (interrupted) code = INTERRUPTED;
  }
  if (traces?.files.written === 0 && problems.length === 0)
    problems.push('there are no traces in them: run with --trace');
  if (types === undefined && gate !== undefined) problems.push('there is no coverage in them: run with --coverage');
  for (const problem of problems) print(io.stderr, `qtest: ${problem}\n`);
  const isCovered = types === undefined || gate?.check(types) !== false;
  return code === 0 && (problems.length > 0 || !isCovered) ? 1 : code;
}

function typesOf({ coverage }: JoinedRun, coverages: readonly (readonly TypeCoverage[])[]): TypeCoverage[] | undefined {
  const all = [...(coverage === undefined ? [] : [coverage]), ...coverages];
  if (all.length === 0) return undefined;
  const total = new CoverageTotal();
  for (const types of all) total.add(types);
  return total.types();
}

interface Parts {
  readonly blobs: readonly Blob[];
  readonly coverages: readonly (readonly TypeCoverage[])[];
}

/**
 * Reads what is given, and all that is in the folders among it.
 * @throws USAGE when a file is neither a blob nor coverage, or is given twice.
 */
function readParts(paths: readonly string[], { cwd }: Io): Parts {
  const blobs: Blob[] = [];
  const coverages: (readonly TypeCoverage[])[] = [];
  const seen = new Set<string>();
  const budget = new Budget();
  for (const path of paths.flatMap((given) => filesAt(resolve(cwd, given), given))) {
    const file = relative(cwd, path).startsWith('..') ? path : relative(cwd, path);
    const real = realpathSync(path);
    if (seen.has(real)) throw hostError('USAGE', `${file} is given twice: give each part of a run once`);
    seen.add(real);
    const bytes = read(path, file);
    if (bytes.length === 0)
      throw hostError('USAGE', `${file} is empty: the run that was to write it did not come to its end`);
    if (isPacked(bytes)) blobs.push(readBlob(file, bytes, cwd, budget));
    else coverages.push(coverageOf(file, bytes, budget));
  }
  return { blobs, coverages };
}

function filesAt(path: string, given: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    if (files.length > 0) return files.toSorted();
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file or folder' : messageOf(error);
    throw hostError('USAGE', `${given}: ${why}`, { cause: error });
  }
  throw hostError('USAGE', `${given}: the folder is empty; expected blobs, as --reporter blob=FILE writes them`);
}

/** Bytes of a file: packed, a blob has the fewer. */
const MAX_FILE = 2 ** 28;

function read(path: string, file: string): Buffer {
  try {
    return readBounded(path, MAX_FILE);
  } catch (error) {
    throw hostError('USAGE', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** That of a coverage file, or of a report of a run with coverage. */
function coverageOf(file: string, bytes: Buffer, budget: Budget): readonly TypeCoverage[] {
  const parsed = parseBounded(bytes, budget);
  const content = 'value' in parsed && isRecord(parsed.value) ? parsed.value : {};
  const { version, coverage } = content;
  if (version === 1 && isCoverage(coverage)) return coverage;
  const what = `${file} is neither a blob, as --reporter blob=FILE writes it, nor coverage of version 1, as --coverage=FILE does`;
  const problem = version === 1 ? problemText(coverageProblem(coverage), 'coverage') : `expected version 1`;
  throw hostError('USAGE', `${what} (${'problem' in parsed ? parsed.problem : problem})`);
}
