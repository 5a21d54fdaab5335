import type { CaseResult, RunEnd, RunSummary, SelectedCase } from '@qtest/sdk';

export type { CaseResult, Failure, RunEnd, SelectedCase, SourceLocation } from '@qtest/sdk';

/** What a reporter is told, in this order; every method is optional but `caseEnd` and `done`. */
export interface Reporter {
  /** Before the first case. */
  runStart?(cases: readonly SelectedCase[]): void;
  /** A case has been handed to its VCPUs. With `--jobs` several may be running. */
  caseStart?(selected: SelectedCase): void;
  caseEnd(result: CaseResult): void;
  /** Something that belongs to no case: a hook that failed, a slow tap. */
  warning?(message: string): void;
  /** After the last case, also when interrupted. */
  done(summary: RunSummary, end: RunEnd): void;
}

/** A case that is not run. */
export interface SkippedCase {
  readonly case: SelectedCase;
  readonly reason: string;
}

/** What reporters know of a run beside its events. */
export interface ReportContext {
  /** Paths are shown relative to it. */
  readonly cwd: string;
  /** Descriptions of the plugins, by name. */
  readonly descriptions: ReadonlyMap<string, string>;
  /** Which part of the cases it has, and all of them, as `plugin › name`, in order. */
  readonly part?: {
    readonly shard?: { readonly index: number; readonly count: number };
    readonly order: readonly string[];
  };
  /** The command that runs a case again. */
  readonly rerun: (result: CaseResult) => string;
}
