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

/** The report for a program. Each case is made text when it ends, and written by itself: with their traces all would be too much for one string. */
export class JsonReporter implements Reporter {
  readonly #output: Writable;
  readonly #cases: string[] = [];
  readonly #warnings: string[] = [];

  constructor(output: Writable) {
    this.#output = output;
  }

  caseEnd(result: CaseResult): void {
    this.#cases.push(inside(jsonText(result), 4));
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done(summary: RunSummary, { interrupted, coverage }: RunEnd): void {
    const before = { version: 1, summary, interrupted } satisfies Partial<JsonReport>;
    const after = { warnings: this.#warnings, ...(coverage && { coverage }) } satisfies Partial<JsonReport>;
    this.#output.write(`${jsonText(before).slice(0, -'\n}'.length)},\n  "cases": [`);
    for (const [n, text] of this.#cases.entries()) this.#output.write(`${n === 0 ? '' : ','}\n    ${text}`);
    this.#output.write(`${this.#cases.length === 0 ? '' : '\n  '}],${jsonText(after).slice('{'.length)}\n`);
  }
}

/** A text of several lines, so many columns further in. No string of JSON has an end of line in it. */
function inside(text: string, columns: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(columns)}`);
}
