import type { CaseStatus, ClockKind, DeviceCoverage, RunSummary, SelectedCase, TraceEvent } from '@qtest/sdk';

/** What the HTML report tells its page of the run; everything that a list of the cases needs. */
export interface PageRun {
  /** ISO 8601. */
  readonly started: string;
  readonly summary: RunSummary;
  readonly interrupted: boolean;
  /** Cases that were selected: more than `cases` when some were lost. */
  readonly selected: number;
  readonly plugins: readonly PagePlugin[];
  /** In the order in which they ended. */
  readonly cases: readonly PageCase[];
  readonly warnings: readonly string[];
  /** Whether there is a block of register coverage, of all cases together. */
  readonly coverage: boolean;
}

export interface PagePlugin {
  readonly name: string;
  readonly description: string;
}

export interface PageCase extends SelectedCase {
  readonly clock: ClockKind;
  readonly status: CaseStatus;
  readonly flaky: boolean;
  /** Wall time in milliseconds. */
  readonly duration: number;
  /** Why it did not pass, was skipped or is flaky, on one line. */
  readonly brief?: string;
}

/** What the page shows of one case; unpacked when it is opened. */
export interface PageDetails {
  readonly failures: readonly PageFailure[];
  /** Of a flaky case: why it did not pass before. */
  readonly earlier: readonly PageFailure[];
  readonly reason?: string;
  readonly schedule?: number | 'free';
  readonly attempts?: number;
  readonly retries?: number;
  readonly runs?: number;
  readonly log: readonly string[];
  readonly notes: readonly string[];
  readonly accesses: readonly string[];
  readonly value?: unknown;
  /** The command that runs it again. */
  readonly rerun: string;
  readonly trace?: PageTrace;
  readonly coverage?: readonly PageCoverage[];
}

/** The registers of a device in a case, or of a type of device in the run. */
export interface PageCoverage {
  readonly type: string;
  readonly device?: string;
  /** Of the run: how much of what there is to use has been used. */
  readonly used?: number;
  readonly items?: number;
  readonly banks: DeviceCoverage['banks'];
}

export interface PageFailure {
  /** `VCPU 1: AssertionError: …`, without what Node says of the difference. */
  readonly message: string;
  readonly code?: string;
  readonly causes: readonly string[];
  /** Both sides of a comparison, each line headed by `+`, `-` or a space; empty when the message has them. */
  readonly difference: readonly string[];
  /** `src/drift.ts:42:7`. */
  readonly place?: string;
  /** The source there, with line numbers and a caret. */
  readonly excerpt: readonly string[];
  readonly stack: readonly string[];
}

export interface PageTrace {
  readonly events: readonly PageEvent[];
  readonly lost: number;
  readonly failed?: number;
}

/** An event with its times as decimal digits, as JSON has no word for a bigint, and its source as `file:line`. */
export type PageEvent = AsJson<TraceEvent>;

type AsJson<Event> = Event extends TraceEvent
  ? { readonly [Key in keyof Event as Exclude<Key, 'source'>]: Event[Key] extends bigint ? string : Event[Key] } & {
      readonly source?: string;
    }
  : never;

/** Ids of the blocks of a report's data. */
export const BLOCKS = {
  run: 'run',
  coverage: 'coverage',
  /** Of the case of that index in `PageRun.cases`. */
  case: (index: number): string => `case-${index}`,
} as const;
