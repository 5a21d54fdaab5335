import type { RunSummary } from '@qtest/sdk';

import { Ending } from './ending.ts';
import type { CaseResult, ReportContext, Reporter, RunEnd, SelectedCase } from './events.ts';
import { isBad, isFlaky, MARKS } from './marks.ts';
import { print, styleFor, type Output, type Style } from './style.ts';

/** Letters on a line. */
const WIDTH = 80;

const FLAKY = { letter: 'f', colour: 'yellow' } as const;

/** A report of one letter a case, as the cases end; then as `spec` ends. */
export class DotReporter implements Reporter {
  readonly #output: Output;
  readonly #style: Style;
  readonly #ending: Ending;
  #written = 0;

  constructor(output: Output, context: ReportContext) {
    this.#output = output;
    this.#style = styleFor(output);
    this.#ending = new Ending(this.#style, context);
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#ending.selected = cases.length;
  }

  caseEnd(result: CaseResult): void {
    const { letter, colour } = isFlaky(result) ? FLAKY : MARKS[result.status];
    print(this.#output, this.#style(colour, letter) + (++this.#written % WIDTH === 0 ? '\n' : ''));
    if (isBad(result)) this.#ending.fail(result);
  }

  warning(message: string): void {
    this.#ending.warn(message);
  }

  done(summary: RunSummary, end: RunEnd): void {
    const lines = this.#ending.lines(summary, end);
    print(this.#output, `${this.#written % WIDTH === 0 ? '' : '\n'}${lines.join('\n')}\n`);
  }
}
