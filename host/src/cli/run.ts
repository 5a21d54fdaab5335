import { dirname } from 'node:path';

import type { Config, ReportEvent, RunSummary } from '@qtest/sdk';

import { isInterruption, setForeignBound } from '../foreign/bounded.ts';
import type { Backend } from '../runner/backend.ts';
import { claimsStdout, type ReporterRequest } from '../config/reporters.ts';
import { settingsOf, type Settings } from '../config/settings.ts';
import type { HookSet } from '../hooks.ts';
import { EventReporter } from '../report/broadcast.ts';
import type { ReportContext, Reporter } from '../report/events.ts';
import { titleOf } from '../report/format.ts';
import { messageOf } from '@qtest/sdk/support';
import type { RunCases, RunOptions } from '../runner/run-options.ts';
import { Unfinished } from '../report/unfinished.ts';
import { setLastWords } from '../foreign/watchdog.ts';
import { backendNamed, tappedHooks } from './backends.ts';
import { coverageFor, type CoverageGate } from './coverage.ts';
import { catchInterrupts, INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import { LastFailed } from './last-failed.ts';
import type { CliOptions } from './options.ts';
import { prepare, readConfig, specFrom, type Prepared } from './prepare.ts';
import { openReporters, reporterRequests } from './reporters.ts';
import { rerunCommand } from './rerun.ts';
import { sdkCopies } from '../plugins/sdk-copies.ts';
import { selectCases, type Selection } from '../plugins/select.ts';
import { catchStrays } from './strays.ts';
import { tracesFor, type Traces } from './traces.ts';
import { print } from '../report/style.ts';

/** A run of `--watch`. */
export interface WatchedRun {
  /** Of the cases, those that are to be run now; when there are none, nothing is. */
  narrow(selection: Selection, prepared: Prepared): Promise<Selection>;
  readonly reporter: Reporter;
}

/** The runner is loaded when everything else has turned out right. */
async function loadRunner(): Promise<RunCases> {
  return (await import('../runner/runner.ts')).runCases;
}

/** `qtest`: runs the selected cases and reports them. */
export async function run(
  options: CliOptions,
  given: Io,
  runner: () => Promise<RunCases> = loadRunner,
  watched?: WatchedRun,
): Promise<number> {
  const loaded = await readConfig(options, given);
  const requests = reporterRequests(options, loaded, given);
  const io = claimsStdout(requests) ? (await import('./claim-stdout.ts')).claimStdout(given) : given;
  const prepared = await prepare(options, io, loaded);
  const settings = settingsOf({ ...usualTrace(options, requests), ...prepared.config }, options);
  setForeignBound(settings.timeout);
  const { file } = prepared;
  const backend = await backendNamed(settings.backend, { settings, file, options, cwd: io.cwd });
  const lastFailed = new LastFailed(loaded.dir);
  const all = await selectCases(prepared.plugins, {
    patterns: options.test,
    clock: options.clock,
    defaultClock: settings.clock,
    backend,
  });
  const wanted = options.lastFailed === true ? lastFailed.only(all) : all;
  const part = options.shard === undefined ? wanted : (await import('./shard.ts')).shardOf(wanted, options, io);
  const selection = (await watched?.narrow(part, prepared)) ?? part;
  if (watched !== undefined && selection.cases.length === 0) return 0;
  const inspect = options.inspectBrk ?? options.inspect;
  if (inspect !== undefined) await (await import('./inspect.ts')).prepareInspect(inspect, selection);
  const hooks = await tappedHooks(prepared.plugins);
  await hooks.configResolved.promise({
    file: prepared.file,
    plugins: prepared.plugins.map(({ name }) => name),
    clock: settings.clock,
    jobs: settings.jobs,
    timeout: settings.timeout,
  });
  const coverage = coverageFor(options, loaded, { io, output: claimsStdout(requests) ? io.stderr : io.stdout });
  const problems: string[] = [];
  const traces = await tracesFor(options, io, (message) => problems.push(message));
  const plugins = toPlugins(hooks, (message, { type }) => {
    problems.push(message);
    if (type !== 'done') reporter.warning?.(message);
  });
  const { reporter, abandon } = await openReporters(requests, io, {
    context: { ...reportContext(options, io, prepared), ...partOf(options, wanted) },
    more: [
      lastFailed.reporter(),
      ...(watched === undefined ? [] : [watched.reporter]),
      ...(hooks.report.isUsed() ? [plugins] : []),
      ...(traces === undefined ? [] : [traces.files]),
    ],
    onProblem: (message) => problems.push(message),
  });
  let code: number;
  try {
    const runCases = await runner();
    const { retries, repeat, bail } = options;
    code = await runAll(
      {
        again: { retries, repeat, bail, inspect },
        prepared,
        settings,
        backend,
        selection,
        doubt: lastFailed.problem,
        hooks,
        reporter,
        runCases,
        coverage,
        traces,
      },
      io,
    );
  } finally {
    abandon();
  }
  for (const problem of problems) print(io.stderr, `qtest: ${problem}\n`);
  return code === 0 && problems.length > 0 ? 1 : code;
}

/** What is traced when nobody says: who wants the files wants what is to be in them; the HTML report shows what a failed case has seen. */
function usualTrace({ traceExport }: CliOptions, requests: readonly ReporterRequest[]): Pick<Config, 'trace'> {
  if (traceExport !== undefined) return { trace: 'on' };
  return requests.some(({ name }) => name === 'html') ? { trace: 'fail' } : {};
}

interface Run {
  readonly again: Pick<RunOptions, 'retries' | 'repeat' | 'bail' | 'inspect'>;
  readonly prepared: Prepared;
  readonly settings: Settings;
  readonly backend: Backend;
  readonly selection: Selection;
  /** A warning about it. */
  readonly doubt: string | undefined;
  readonly hooks: HookSet;
  readonly reporter: Reporter;
  readonly runCases: RunCases;
  readonly coverage: CoverageGate | undefined;
  readonly traces: Traces | undefined;
}

async function runAll(
  { again, prepared, settings, backend, selection, doubt, hooks, reporter: given, runCases, coverage, traces }: Run,
  io: Io,
): Promise<number> {
  const interrupt = catchInterrupts(io);
  const reporter = new Unfinished(given);
  setLastWords((message, isInterrupted) => reporter.close(message, isInterrupted));
  const strays = catchStrays((message) => reporter.warning?.(message));
  try {
    reporter.runStart?.(selection.cases);
    for (const message of sdkCopies(prepared.plugins)) reporter.warning?.(message);
    for (const pattern of selection.unmatched) reporter.warning?.(`-t '${pattern}' matched no case`);
    if (doubt !== undefined) reporter.warning?.(doubt);
    const { selected, skipped } = selection;
    const { signal } = interrupt;
    const summary = await runCases({
      ...settings,
      ...again,
      backend,
      plugins: prepared.plugins,
      catalog: prepared.catalog,
      selected,
      skipped,
      hooks,
      reporter,
      signal,
      coverage: coverage?.total,
    });
    if (selection.cases.length === 0) reporter.warning?.('this shard has no cases');
    else if (summary.skip === selection.cases.length)
      reporter.warning?.('every case was skipped: nothing has been tested');
    const isDone = await callDone(hooks, summary, reporter);
    const types = coverage?.total.types();
    const failed = !isDone || strays.count > 0;
    reporter.done(summary, {
      interrupted: signal.aborted,
      ...(failed && { failed }),
      ...(types && { coverage: types }),
      ...(traces && { traces: { folder: traces.folder, files: traces.files.written } }),
    });
    const isCovered = types === undefined || coverage?.check(types) !== false;
    if (signal.aborted) return INTERRUPTED;
    return !failed && isCovered && summary.fail + summary.timeout + summary.crash === 0 ? 0 : 1;
  } finally {
    setLastWords(undefined);
    strays.release();
    interrupt.release();
  }
}

/** Calls the hook `done`; an error of it is a warning, and makes the command fail. */
async function callDone(hooks: HookSet, summary: RunSummary, reporter: Reporter): Promise<boolean> {
  try {
    await hooks.done.promise(summary);
    return true;
  } catch (error) {
    if (isInterruption(error)) return true;
    reporter.warning?.(messageOf(error));
    return false;
  }
}

/** Feeds the hook `report`. A tap that throws ends it, as what tells of the error is an event itself. */
function toPlugins({ report }: HookSet, onError: (message: string, event: ReportEvent) => void): Reporter {
  let failed = false;
  return new EventReporter((event) => {
    if (failed) return;
    try {
      report.call(event);
    } catch (error) {
      failed = true;
      if (isInterruption(error)) return;
      onError(messageOf(error), event);
    }
  });
}

/** What merging several runs goes by. */
function partOf({ shard }: CliOptions, { cases }: Selection): Pick<ReportContext, 'part'> {
  return { part: { ...(shard && { shard }), order: cases.map(titleOf) } };
}

function reportContext(options: CliOptions, { cwd }: Io, { plugins, file }: Prepared): ReportContext {
  // Plugins of the command line are relative to the working directory already.
  const from = options.plugin.length > 0 || file === undefined ? cwd : dirname(file);
  const specs = new Map(plugins.map(({ name, spec }) => [name, specFrom(cwd, from, spec)]));
  const extensions = plugins.filter(({ cases }) => cases.length === 0).map(({ name }) => name);
  return {
    cwd,
    descriptions: new Map(plugins.map(({ name, description }) => [name, description])),
    rerun: (result) => rerunCommand(result, { options, specs, extensions }),
  };
}
