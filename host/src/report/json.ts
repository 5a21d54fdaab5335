import type { Writable } from 'node:stream';

import type { RunSummary, TypeCoverage } from '@qtest/sdk';

import type { CaseResult, Reporter, RunEnd } from './events.ts';
import { jsonText } from './json-text.ts';

/** What `qtest --json` writes: one document. Version 1 gains keys and loses none. */
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

/** The report for a program. Each case is written when it ends; what is known of the whole run follows them. */
export class JsonReporter implements Reporter {
  readonly #output: Writable;
  readonly #warnings: string[] = [];
  #isBegun = false;
  #cases = 0;

  constructor(output: Writable) {
    this.#output = output;
  }

  runStart(): void {
    this.#begin();
  }

  caseEnd(result: CaseResult): void {
    this.#begin();
    this.#output.write(`${this.#cases++ === 0 ? '' : ','}\n    ${inside(jsonText(result), 4)}`);
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done(summary: RunSummary, { interrupted, coverage }: RunEnd): void {
    this.#begin();
    const rest = { summary, interrupted, warnings: this.#warnings, ...(coverage && { coverage }) };
    const text = jsonText(rest satisfies Omit<JsonReport, 'version' | 'cases'>);
    this.#output.write(`${this.#cases === 0 ? '' : '\n  '}],${text.slice('{'.length)}\n`);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#output.write('{\n  "version": 1,\n  "cases": [');
  }
}

/** A text of several lines, so many columns further in. No string of JSON has an end of line in it. */
function inside(text: string, columns: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(columns)}`);
}
