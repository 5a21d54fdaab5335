import type { ClockKind } from './hardware.ts';
import type { CaseTrace, DeviceCoverage, SourceExcerpt, SourceLocation, TypeCoverage } from './trace.ts';

/** A case as the command selects it. */
export interface SelectedCase {
  readonly plugin: string;
  readonly name: string;
  readonly clock: ClockKind;
  readonly vcpus: number;
}

/** `known`: it failed, as its `expect` says of this backend. */
export type CaseStatus = 'pass' | 'fail' | 'skip' | 'timeout' | 'crash' | 'known';

/** Why a case did not pass, as plain data. */
export interface Failure {
  /** Class of the error, `AssertionError`. */
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

/** A series of numbers. What a case returns under the key `plot` is drawn by the HTML report. */
export interface Plot {
  readonly title?: string;
  /** What the axes are, with their units: `ms late`. */
  readonly x?: string;
  readonly y?: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Between which `y` should be. */
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
  /** Several VCPUs in virtual time: the scheduler's seed, or that they ran truly in parallel. */
  readonly schedule?: number | 'free';
  /** Seeds that have been tried, of which `schedule` is the last; all before it passed. */
  readonly attempts?: number;
  /** Times it was run again because it did not pass (`--retries`). One that passes then is flaky. */
  readonly retries?: number;
  /** Of one that is flaky: why it did not pass before. */
  readonly earlier?: readonly Failure[];
  /** Times it was run (`--repeat`), all but the last of which passed. */
  readonly runs?: number;
  /** Why it was skipped; of a known difference, what is different. */
  readonly reason?: string;
  /** What the case returned. */
  readonly value?: unknown;
  /** The last device accesses before a failure, decoded, oldest first. */
  readonly accesses: readonly string[];
  /** Things that a reader should know of: events lost, what was left running. */
  readonly notes: readonly string[];
  /** What happened in the case (`--trace`). */
  readonly trace?: CaseTrace;
  /** How it used the registers of the machine's devices (`--coverage`): those that it has touched. */
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
  /** How many of those that passed did so on a retry alone; left out when none did. */
  readonly flaky?: number;
  /** Wall time in milliseconds. */
  readonly duration: number;
}

/**
 * What happens in a run, as the reporters are told it and as the hook `report` tells plugins: `runStart`, then the cases as they start and
 * end (with `--jobs` several run at once), `warning` at any time, `done`. Every case that was selected has one `caseEnd`; one that
 * was not run has no `caseStart`.
 */
export type ReportEvent =
  | { readonly type: 'runStart'; readonly cases: readonly SelectedCase[] }
  | { readonly type: 'caseStart'; readonly case: SelectedCase }
  | { readonly type: 'caseEnd'; readonly result: CaseResult }
  | { readonly type: 'warning'; readonly message: string }
  | ({ readonly type: 'done'; readonly summary: RunSummary } & RunEnd);

/** What is known at the end of a run, beside its counts. */
export interface RunEnd {
  readonly interrupted: boolean;
  /** Something beside a case has failed, of which a warning tells. */
  readonly failed?: true;
  /** How the registers of each type of device were used (`--coverage`). */
  readonly coverage?: readonly TypeCoverage[];
  /** Where the traces were written (`--trace-export`), and how many files. */
  readonly traces?: { readonly folder: string; readonly files: number };
}
