import type { CaseStatus, RunSummary } from '@qtest/sdk';

import type { CaseResult, Reporter, RunEnd, SelectedCase } from './events.ts';
import { titleOf } from './format.ts';

/** Hands all on to a reporter, and knows what is still to be reported: no case is lost when the run cannot go on. */
export class Unfinished implements Reporter {
  readonly #reporter: Reporter;
  readonly #cases = new Map<string, SelectedCase>();
  readonly #started = new Set<string>();
  readonly #counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  readonly #begun = performance.now();
  #isDone = false;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  runStart(cases: readonly SelectedCase[]): void {
    for (const selected of cases) this.#cases.set(titleOf(selected), selected);
    this.#reporter.runStart?.(cases);
  }

  caseStart(selected: SelectedCase): void {
    this.#started.add(titleOf(selected));
    this.#reporter.caseStart?.(selected);
  }

  caseEnd(result: CaseResult): void {
    this.#cases.delete(titleOf(result));
    this.#counts[result.status]++;
    this.#reporter.caseEnd(result);
  }

  warning(message: string): void {
    this.#reporter.warning?.(message);
  }

  done(summary: RunSummary, end: RunEnd): void {
    this.#isDone = true;
    this.#reporter.done(summary, end);
  }

  /** Ends the report of a run that cannot go on: the cases that have begun crashed, or were interrupted; the others were not run. */
  close(message: string, isInterrupted: boolean): void {
    if (this.#isDone) return;
    for (const [title, selected] of this.#cases) {
      const empty = { ...selected, duration: 0, log: [], failures: [], accesses: [], notes: [] };
      const isCrash = this.#started.has(title) && !isInterrupted;
      if (isCrash) this.caseEnd({ ...empty, status: 'crash', failures: [{ name: 'Crash', code: 'CRASH', message }] });
      else this.caseEnd({ ...empty, status: 'skip', reason: isInterrupted ? 'interrupted' : `not run: ${message}` });
    }
    const failed = !isInterrupted;
    this.done(
      { ...this.#counts, duration: performance.now() - this.#begun },
      { interrupted: isInterrupted, ...(failed && { failed }) },
    );
  }
}
