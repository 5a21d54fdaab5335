import type { Catalog } from '@qtest/machine';
import type { RunSummary, TraceMode } from '@qtest/sdk';

import type { Backend } from './backend.ts';
import type { CoverageTotal } from '../coverage/merge.ts';
import type { InspectRequest } from '../config/inspect.ts';
import type { Schedule } from '../config/schedule.ts';
import type { HookSet } from '../hooks.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { Reporter, SelectedCase, SkippedCase } from '../report/events.ts';

/**
 * What the command hands to the runner. The runner calls `caseStart`, `caseEnd` and `warning` of the reporter, `caseEnd`
 * exactly once for each case, selected or skipped; the command calls its `runStart` and `done`. The runner calls the hooks
 * from `machineInit` to `caseEnd`; the command calls `configResolved` and `done`.
 */
export interface RunOptions {
  readonly plugins: readonly LoadedPlugin[];
  /** To be run, in this order. */
  readonly selected: readonly SelectedCase[];
  /** To be reported as skipped. */
  readonly skipped: readonly SkippedCase[];
  /** The devices and boards that the machines may have. */
  readonly catalog: Catalog;
  readonly backend: Backend;
  readonly hooks: HookSet;
  readonly reporter: Reporter;
  /** Machines in parallel. */
  readonly jobs: number;
  /** How several VCPUs of a case take turns in virtual time. */
  readonly schedule: Schedule;
  /** Of which cases what happened is traced in full: of all, or of those that did not pass, in a second run; of none when left out. */
  readonly trace?: TraceMode | undefined;
  /** Times a case that did not pass is run again; none when left out. */
  readonly retries?: number | undefined;
  /** Times a case is run, until it does not pass; once when left out. */
  readonly repeat?: number | undefined;
  /** Cases that did not pass after which no other is started; all run when left out. */
  readonly bail?: number | undefined;
  /** Wall time a case may take unless it says otherwise, in nanoseconds. */
  readonly timeout: bigint;
  /** Device accesses a case may make while virtual time stands still. */
  readonly stallLimit: number;
  /** Events that fail a case: `guestError`, `unimplemented`. */
  readonly failOn: readonly string[];
  /** Where the VCPUs are to be debugged. */
  readonly inspect?: InspectRequest | undefined;
  /** Where the use of registers is summed up; it is not measured when left out. */
  readonly coverage?: CoverageTotal | undefined;
  /** Aborted by Ctrl-C: the cases that run are ended, and all that are left are reported as skipped. */
  readonly signal: AbortSignal;
}

/** Runs cases; never rejects because of what a plugin does. The counts add up to `selected` and `skipped`. */
export type RunCases = (options: RunOptions) => Promise<RunSummary>;
