import { isAbsolute, relative } from 'node:path';

import type { RunSummary } from '@qtest/sdk';

import type { CaseResult, ReportContext, RunEnd } from './events.ts';
import { failureLines } from './failure.ts';
import { count, formatDuration, titleOf } from './format.ts';
import { MARKS, STATUSES } from './marks.ts';
import { onOneLine } from '@qtest/sdk/support';
import type { Style } from './style.ts';

/** What stands at the end of a report for a reader: every failure in full, the warnings, the counts. */
export class Ending {
  /** How many cases were selected. */
  selected = 0;
  readonly #style: Style;
  readonly #context: ReportContext;
  /** Their text alone: the trace of one is some megabytes. */
  readonly #failures: string[][] = [];
  readonly #warnings = new Map<string, number>();

  constructor(style: Style, context: ReportContext) {
    this.#style = style;
    this.#context = context;
  }

  fail(result: CaseResult): void {
    const title = `${this.#failures.length + 1}) ${onOneLine(titleOf(result))}`;
    const { cwd } = this.#context;
    this.#failures.push(failureLines(result, title, { style: this.#style, cwd, rerun: this.#context.rerun(result) }));
  }

  warn(message: string): void {
    this.#warnings.set(message, (this.#warnings.get(message) ?? 0) + 1);
  }

  lines(summary: RunSummary, { interrupted, traces }: RunEnd): string[] {
    const lines = ['', ...this.#failures.flatMap((failure) => [...failure, '']), ...this.#warningLines()];
    if (interrupted) lines.push(this.#style('yellow', 'interrupted'));
    return [...lines, this.#summaryLine(summary), ...this.#traceLines(traces), ''];
  }

  #traceLines(traces: RunEnd['traces']): string[] {
    if (traces === undefined) return [];
    const path = relative(this.#context.cwd, traces.folder);
    const shown = path.startsWith('..') || isAbsolute(path) ? traces.folder : path || '.';
    return [this.#style('dim', `traces: ${count(traces.files, 'file')} in ${onOneLine(shown)}`)];
  }

  #warningLines(): string[] {
    const lines = [...this.#warnings]
      .flatMap(([message, times]) => `warning: ${message}${times > 1 ? ` (${times} times)` : ''}`.split('\n'))
      .map((line) => this.#style('yellow', line));
    return lines.length === 0 ? [] : [...lines, ''];
  }

  #summaryLine(summary: RunSummary): string {
    const counts = STATUSES.flatMap((status) => {
      const n = summary[status];
      if (n === 0 && status !== 'pass') return [];
      const flaky = status === 'pass' && summary.flaky !== undefined ? ` (${summary.flaky} flaky)` : '';
      const text = `${n} ${MARKS[status].word}${flaky}`;
      return [n === 0 ? text : this.#style(MARKS[status].colour, text)];
    });
    const total = STATUSES.reduce((sum, status) => sum + summary[status], 0);
    const lost = total === this.selected ? '' : this.#style('red', ` (${this.selected} were selected)`);
    return `${counts.join(', ')} of ${count(total, 'case')}${lost} in ${formatDuration(summary.duration)}`;
  }
}
