import type { ClockKind } from './hardware.ts';
import type { CaseTrace, DeviceCoverage, SourceExcerpt, SourceLocation, TypeCoverage } from './trace.ts';

/** A case as the command selects it. */
export interface SelectedCase {
  readonly plugin: string;
  readonly name: string;
  readonly clock: ClockKind;
  readonly vcpus: number;
}

/** How a case ended. `known`: it failed, and its `expect` says that it fails on this backend. */
export type CaseStatus = 'pass' | 'fail' | 'skip' | 'timeout' | 'crash' | 'known';

/** Why a case did not pass, as plain data. */
export interface Failure {
  /** The class of the error, such as `AssertionError`. */
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  /** First frame in the plugin's own files. */
  readonly location?: SourceLocation;
  /** The source around it. */
  readonly excerpt?: SourceExcerpt;
  /** Both sides of a failed comparison, as text of one or more lines. */
  readonly actual?: string;
  readonly expected?: string;
  /** The VCPU that failed, when there are several. */
  readonly vcpu?: number;
  /** Message of the cause, and of its cause. */
  readonly causes?: readonly string[];
}

/** A series of numbers. The HTML report draws what a case returns under the key `plot`. */
export interface Plot {
  readonly title?: string;
  /** What the axes are, with their units: `ms late`. */
  readonly x?: string;
  readonly y?: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** `y` should be between these two. */
  readonly limits?: readonly [least: number, greatest: number];
}

/** How a case ended. */
export interface CaseResult extends SelectedCase {
  readonly status: CaseStatus;
  /** Wall time in milliseconds. */
  readonly duration: number;
  /** Lines of `log()`, prefixed with where they were called. */
  readonly log: readonly string[];
  readonly failures: readonly Failure[];
  /** For several VCPUs in virtual time: the scheduler's seed, or `free` when they ran truly in parallel. */
  readonly schedule?: number | 'free';
  /** The number of seeds that were tried. `schedule` is the last of them; all before it passed. */
  readonly attempts?: number;
  /** How often the case was run again because it did not pass (`--retries`). If it passes then, it is flaky. */
  readonly retries?: number;
  /** For a flaky case: why it did not pass before. */
  readonly earlier?: readonly Failure[];
  /** How often the case was run (`--repeat`). All runs but the last passed. */
  readonly runs?: number;
  /** Why the case was skipped. For a known difference: what is different. */
  readonly reason?: string;
  /** What the case returned. */
  readonly value?: unknown;
  /** The last device accesses before a failure, decoded, oldest first. */
  readonly accesses: readonly string[];
  /** What a reader should also know: events that were lost, code that was left running. */
  readonly notes: readonly string[];
  /** What happened in the case (`--trace`). */
  readonly trace?: CaseTrace;
  /** How the case used the registers of the machine's devices (`--coverage`); only those that it touched. */
  readonly coverage?: readonly DeviceCoverage[];
}

/** How a run ended: cases by their status. */
export interface RunSummary {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
  readonly timeout: number;
  readonly crash: number;
  readonly known: number;
  /** How many of `pass` passed only on a retry. It is left out when there are none. */
  readonly flaky?: number;
  /** Wall time in milliseconds. */
  readonly duration: number;
}

/**
 * What happens in a run. Reporters get these events, and the hook `report` gives them to plugins: `runStart`, then the cases as they start
 * and end (with `--jobs` several run at once), `warning` at any time, and `done`. Every selected case has one `caseEnd`. A case that was not
 * run has no `caseStart`.
 */
export type ReportEvent =
  | { readonly type: 'runStart'; readonly cases: readonly SelectedCase[] }
  | { readonly type: 'caseStart'; readonly case: SelectedCase }
  | { readonly type: 'caseEnd'; readonly result: CaseResult }
  | { readonly type: 'warning'; readonly message: string }
  | ({ readonly type: 'done'; readonly summary: RunSummary } & RunEnd);

/** What is known at the end of a run, in addition to its counts. */
export interface RunEnd {
  readonly interrupted: boolean;
  /** Something other than a case has failed. A warning tells what. */
  readonly failed?: true;
  /** How the registers of each type of device were used (`--coverage`). */
  readonly coverage?: readonly TypeCoverage[];
  /** Where the traces were written (`--trace-export`), and how many files. */
  readonly traces?: { readonly folder: string; readonly files: number };
}
