import type { BackendName, ClockKind, TraceMode } from '@qtest/sdk';
import { InvalidArgumentError, Option, type Command } from 'commander';

import { MAX_JOBS } from '../config/check.ts';
import { timeoutNanoseconds } from '../config/duration.ts';
import { COVERAGE_FILE_EXPECTED, isCoverageFile, parseMinimum, type Minimum } from '../config/coverage.ts';
import { didYouMean } from '@qtest/sdk/support';
import { INSPECT_EXPECTED, parseInspect, type InspectRequest } from '../config/inspect.ts';
import { parseReporter, type ReporterRequest } from '../config/reporters.ts';
import { TRACE_FORMATS, type TraceFormat } from '../report/traces/formats.ts';
import { parseSchedule, SCHEDULE_EXPECTED, type Schedule } from '../config/schedule.ts';

/** One of several parts of a selection. */
interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** The options of the command line. Those that were not given are undefined. */
export interface CliOptions {
  /** Names and paths of plugins; empty for those of the config. `?` asks for the list. */
  readonly plugin: readonly string[];
  /** Patterns of cases. */
  readonly test: readonly string[];
  readonly backend?: BackendName;
  /** `qtest compat` and `qtest diff`, in place of `backend`: several. */
  readonly backends?: readonly BackendName[];
  /** Name or path of the QEMU. */
  readonly qemu?: string;
  readonly clock?: ClockKind;
  /** In nanoseconds. */
  readonly timeout?: bigint;
  readonly jobs?: number;
  readonly schedule?: Schedule;
  readonly trace?: TraceMode;
  /** Formats of traces to write. */
  readonly traceExport?: readonly TraceFormat[];
  /** Where to. */
  readonly traceDir?: string;
  /** The config file; false for none. */
  readonly config?: string | false;
  readonly json?: boolean;
  /** In place of the config's reporters. */
  readonly reporter?: readonly ReporterRequest[];
  /** Beside them. */
  readonly addReporter?: readonly ReporterRequest[];
  /** Cases that did not pass after which no other is started. */
  readonly bail?: number;
  readonly retries?: number;
  readonly repeat?: number;
  /** Those alone that did not pass when they were last run. */
  readonly lastFailed?: boolean;
  /** One part of the cases. */
  readonly shard?: Shard;
  /** A report of an earlier run, by which the parts take as long as each other. */
  readonly durations?: string;
  /** Whether to run the cases again whenever their files change. */
  readonly watch?: boolean;
  /** Whether to measure the use of registers; the file to write that to. */
  readonly coverage?: boolean | string;
  /** Where the one case is to be debugged. */
  readonly inspect?: InspectRequest;
  /** The same, stopped at its first line. */
  readonly inspectBrk?: InspectRequest;
  /** What it must reach. */
  readonly coverageMin?: readonly Minimum[];
  /** `qtest machine`, `qtest serve`, `qtest diff`: one of the host's machines, in place of the plugins'. */
  readonly machine?: MachineName;
  /** `qtest compat` alone: whether to write Markdown. */
  readonly markdown?: boolean;
  /** `qtest compat` alone: the README to put the matrix into. */
  readonly into?: string;
  /** `qtest contract`: types of devices; empty for those of the plugins. `qtest serve`: devices to add, with their properties. `qtest diff`: types and ids; empty for all. */
  readonly device?: readonly string[];
  /** `qtest contract`, `qtest diff`: decides all that is random. */
  readonly seed?: number;
  /** `qtest diff` alone: accesses to make. */
  readonly count?: number;
  /** `qtest diff` alone: registers and fields whose differences are known. */
  readonly ignore?: readonly string[];
  /** `qtest diff` alone: properties of the first machine, `rtc0.updateCycle=2ms`. */
  readonly set?: readonly string[];
  /** `qtest serve` alone: where to listen. */
  readonly qtest?: string;
  readonly qtestLog?: string;
  readonly allowRemote?: boolean;
  /** `qtest replay` alone: the recorded script. */
  readonly file?: string;
  /** `qtest merge-reports` alone: blobs and coverage files, and folders of them. */
  readonly parts?: readonly string[];
  /** `qtest init` alone. */
  readonly init?: InitOptions;
  /** `qtest completion` alone. */
  readonly shell?: Shell;
  /** `qtest complete` alone: the words of a command line up to the cursor. */
  readonly words?: readonly string[];
}

/** The shells that `qtest completion` knows. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What `qtest init` is to create. */
export interface InitOptions {
  /** Relative to the working directory, which it is when left out. */
  readonly folder?: string;
  /** The package's name. */
  readonly name?: string;
  /** With a device of its own. */
  readonly device?: boolean;
}

/** The machines that the host can build by itself. */
export const MACHINES = ['pc', 'isapc', 'none'] as const;
export type MachineName = (typeof MACHINES)[number];

/** Most parts of a selection. */
const MAX_SHARDS = 1000;

/** Most runs of a case. */
const MAX_COUNT = 1_000_000;

/** Most accesses of one `qtest diff`. */
const MAX_ACCESSES = 1_000_000_000;

/** Adds the options that every sub-command shares; they may stand before or after its name. */
export function addOptions(program: Command): void {
  program
    .addOption(
      new Option('-p, --plugin <name>', `plugin to run, in place of the config's; repeatable; '?' lists them`)
        .argParser(collect)
        .default([], 'those of the config'),
    )
    .addOption(
      new Option(
        '-t, --test <pattern>',
        `cases to run: a name, a folder of names or a glob; '!…' leaves out; repeatable`,
      )
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option(
        '--backend <name>',
        `the machines' devices: native, the host's own, or an emulator's: the name of a package (qemu, v86 …) or a path. For compat and diff several, with commas`,
      ).argParser(parseBackends),
    )
    .option('--qemu <path>', 'the QEMU of the backend qemu (default: qemu-system-x86_64)')
    .addOption(
      new Option('--clock <kind>', 'the clock of the machines; cases that need the other one are skipped').choices([
        'virtual',
        'realtime',
      ]),
    )
    .option('--timeout <duration>', 'wall time that a case may take, such as 10s or 500ms', parseTimeout)
    .option('--jobs <n>', 'machines in parallel', parseJobs)
    .option(
      '--schedule <how>',
      'how several VCPUs take turns in virtual time: a seed, free, or explore=N for the seeds 1 to N',
      parseScheduleOption,
    )
    .addOption(
      new Option(
        '--trace [when]',
        'trace all that happens in every case (on), or in a second run of those that fail (fail)',
      )
        .choices(['on', 'fail', 'off'])
        .preset('on'),
    )
    .addOption(
      new Option(
        '--trace-export <formats>',
        `write each trace to a file: ${TRACE_FORMATS.join(', ')}, with commas`,
      ).argParser(parseTraceFormats),
    )
    .option('--trace-dir <folder>', 'the folder for those files (default: qtest-traces)')
    .option('--config <file>', 'config file, in place of the one that is found')
    .option('--no-config', 'use no config file')
    .addOption(
      new Option('--bail [n]', 'start no other case after n cases that did not pass').argParser(parseCount).preset('1'),
    )
    .addOption(new Option('--retries <n>', 'run a case that did not pass again, up to n times').argParser(parseCount))
    .addOption(
      new Option('--repeat <n>', 'run each case n times, or until it does not pass')
        .argParser(parseCount)
        .conflicts('retries'),
    )
    .option('--last-failed', 'run only the cases that did not pass in their last run')
    .option('--watch', 'run cases again when a file of theirs changes; q quits')
    .option('--shard <i/n>', 'run only the i-th of n parts of the cases', parseShard)
    .option('--durations <file>', 'a JSON report of an earlier run, so that the parts take about the same time')
    .option(
      '--coverage [file]',
      "measure how the devices' registers are used; write that as JSON as well",
      parseCoverage,
    )
    .option(
      '--coverage-min <percent>',
      'fail when the coverage is less; type=percent is for one type of device; repeatable',
      collectMinima,
    )
    .addOption(
      new Option('--inspect [[host:]port]', 'debug the one case that is selected: wait for a debugger')
        .argParser((value: string) => parseInspectOption(value, false))
        .preset('127.0.0.1:9229'),
    )
    .addOption(
      new Option('--inspect-brk [[host:]port]', 'the same, stopped at the first line of the case')
        .argParser((value: string) => parseInspectOption(value, true))
        .preset('127.0.0.1:9229')
        .conflicts('inspect'),
    )
    .option('--json', 'write JSON, for a program to read')
    .addOption(
      new Option('--reporter <list>', "how to report, in place of the config's reporters: name,name=file…; repeatable")
        .argParser(collectReporters)
        .conflicts('json'),
    )
    .addOption(new Option('--add-reporter <list>', 'reporters beside those; repeatable').argParser(collectReporters));
}

// Not a variadic option, which would swallow the words after it.
export function collect(value: string, earlier: readonly string[]): readonly string[] {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return [...earlier, value];
}

function parseBackends(value: string): readonly BackendName[] {
  const named = value.split(',').map((word) => word.trim());
  if (named.includes('')) throw new InvalidArgumentError("There is no backend ''.");
  return [...new Set(named)];
}

function collectReporters(value: string, earlier: readonly ReporterRequest[] = []): readonly ReporterRequest[] {
  const requests = value.split(',').map((text) => {
    const request = parseReporter(text);
    if (typeof request === 'string') throw new InvalidArgumentError(request);
    return request;
  });
  return [...earlier, ...requests];
}

function parseTraceFormats(value: string): readonly TraceFormat[] {
  const named = value.split(',').map((word) => {
    const name = TRACE_FORMATS.find((candidate) => candidate === word.trim());
    if (name !== undefined) return name;
    throw new InvalidArgumentError(
      `There is no format '${word.trim()}'; there are ${TRACE_FORMATS.join(', ')}.${didYouMean(word, TRACE_FORMATS)}`,
    );
  });
  return [...new Set(named)];
}

/** A word that is no such file is another argument, which was not meant. */
function parseCoverage(value: string): string {
  if (isCoverageFile(value)) return value;
  throw new InvalidArgumentError(`Expected a file, ${COVERAGE_FILE_EXPECTED}.`);
}

function collectMinima(value: string, earlier: readonly Minimum[] = []): readonly Minimum[] {
  const minimum = parseMinimum(value);
  if (minimum !== undefined) return [...earlier, minimum];
  throw new InvalidArgumentError('Expected a percentage from 0 to 100, or type=percentage, such as mc146818rtc=80.');
}

function parseTimeout(value: string): bigint {
  const ns = timeoutNanoseconds(value);
  if (ns !== undefined) return ns;
  throw new InvalidArgumentError('Expected a duration above zero and up to 24d, such as 10s or 500ms.');
}

export function parseSeed(value: string): number {
  const seed = /^\d+$/.test(value) ? Number(value) : -1;
  if (seed >= 0 && seed <= 0xffff_ffff) return seed;
  throw new InvalidArgumentError('Expected an integer from 0 to 4294967295.');
}

function parseCount(value: string): number {
  return parseUpTo(MAX_COUNT, value);
}

export function parseAccesses(value: string): number {
  return parseUpTo(MAX_ACCESSES, value);
}

function parseUpTo(most: number, value: string): number {
  const count = /^\d+$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= most) return count;
  throw new InvalidArgumentError(`Expected an integer from 1 to ${most}.`);
}

function parseShard(value: string): Shard {
  const [, index = 0, count = 0] = (/^(\d+)\/(\d+)$/.exec(value) ?? []).map(Number);
  if (index >= 1 && index <= count && count <= MAX_SHARDS) return { index, count };
  throw new InvalidArgumentError(`Expected i/n, such as 1/4, with i from 1 to n, and n at most ${MAX_SHARDS}.`);
}

function parseInspectOption(value: string, breaks: boolean): InspectRequest {
  const request = parseInspect(value, breaks);
  if (request !== undefined) return request;
  throw new InvalidArgumentError(`Expected ${INSPECT_EXPECTED}.`);
}

function parseJobs(value: string): number {
  const jobs = /^\d+$/.test(value) ? Number(value) : 0;
  if (jobs >= 1 && jobs <= MAX_JOBS) return jobs;
  throw new InvalidArgumentError(`Expected an integer from 1 to ${MAX_JOBS}.`);
}

function parseScheduleOption(value: string): Schedule {
  const schedule = parseSchedule(value);
  if (schedule !== undefined) return schedule;
  throw new InvalidArgumentError(`Expected ${SCHEDULE_EXPECTED}.`);
}
