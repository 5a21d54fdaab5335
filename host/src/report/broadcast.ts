import type { ReportEvent, RunSummary } from '@qtest/sdk';

import type { CaseResult, Reporter, RunEnd, SelectedCase } from './events.ts';

/** A reporter that takes the events as data: one function for them all. */
export class EventReporter implements Reporter {
  readonly #tell: (event: ReportEvent) => void;

  constructor(tell: (event: ReportEvent) => void) {
    this.#tell = tell;
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#tell({ type: 'runStart', cases });
  }

  caseStart(selected: SelectedCase): void {
    this.#tell({ type: 'caseStart', case: selected });
  }

  caseEnd(result: CaseResult): void {
    this.#tell({ type: 'caseEnd', result });
  }

  warning(message: string): void {
    this.#tell({ type: 'warning', message });
  }

  done(summary: RunSummary, end: RunEnd): void {
    this.#tell({ type: 'done', summary, ...end });
  }
}

/** Tells a reporter of an event. */
export function tell(reporter: Reporter, event: ReportEvent): void {
  switch (event.type) {
    case 'runStart':
      return reporter.runStart?.(event.cases);
    case 'caseStart':
      return reporter.caseStart?.(event.case);
    case 'caseEnd':
      return reporter.caseEnd(event.result);
    case 'warning':
      return reporter.warning?.(event.message);
    case 'done':
      return reporter.done(event.summary, event);
  }
}

/** One reporter that tells several, each of every event, in their order. */
export function broadcast(reporters: readonly Reporter[]): Reporter {
  return new EventReporter((event) => {
    for (const reporter of reporters) tell(reporter, event);
  });
}
