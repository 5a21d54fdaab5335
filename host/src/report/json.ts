import type { Writable } from 'node:stream';

import type { RunSummary, TypeCoverage } from '@qtest/sdk';

import type { CaseResult, Reporter, RunEnd } from './events.ts';
import { jsonText } from './json-text.ts';

/** What `qtest --json` writes: one document, at the end. Version 1 gains keys and loses none. */
export interface JsonReport {
  readonly version: 1;
  /** Counts of cases by status, which add up to `cases.length`, and the wall time in milliseconds. */
  readonly summary: RunSummary;
  /** Whether it was ended by Ctrl-C. */
  readonly interrupted: boolean;
  /** In the order in which they ended. `value` is as `jsonText` makes it. */
  readonly cases: readonly CaseResult[];
  /** What belongs to no case. */
  readonly warnings: readonly string[];
  /** With `--coverage`. */
  readonly coverage?: readonly TypeCoverage[];
}

/** The report for a program. */
export class JsonReporter implements Reporter {
  readonly #output: Writable;
  readonly #cases: CaseResult[] = [];
  readonly #warnings: string[] = [];

  constructor(output: Writable) {
    this.#output = output;
  }

  caseEnd(result: CaseResult): void {
    this.#cases.push(result);
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done(summary: RunSummary, { interrupted, coverage }: RunEnd): void {
    const [cases, warnings] = [this.#cases, this.#warnings];
    const report: JsonReport = { version: 1, summary, interrupted, cases, warnings, ...(coverage && { coverage }) };
    this.#output.write(`${jsonText(report)}\n`);
  }
}
