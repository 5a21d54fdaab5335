import type { Writable } from 'node:stream';

import type { RunSummary } from '@qtest/sdk';

import type { CaseResult, ReportContext, Reporter, SelectedCase } from './events.ts';
import { titleOf } from './format.ts';
import { isBad, isFlaky } from './marks.ts';
import { briefly, failureText, firstPlace } from './plain.ts';
import { onOneLine, printableJson } from '@qtest/sdk/support';
import { print } from './style.ts';

/**
 * TAP 14. The plan comes first, so that a reader sees when results are missing. A known difference is a `TODO` that is not ok, which fails
 * nothing.
 */
export class TapReporter implements Reporter {
  readonly #output: Writable;
  readonly #context: ReportContext;
  #written = 0;

  constructor(output: Writable, context: ReportContext) {
    this.#output = output;
    this.#context = context;
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#write(['TAP version 14', `1..${cases.length}`]);
  }

  caseEnd(result: CaseResult): void {
    const ok = isBad(result) || result.status === 'known' ? 'not ok' : 'ok';
    const title = escaped(titleOf(result));
    this.#write([
      `${ok} ${++this.#written} - ${title}${directive(result)}`,
      ...this.#diagnostics(result),
      ...comments(result.log),
      ...comments(result.notes.map((note) => `note: ${note}`)),
    ]);
  }

  warning(message: string): void {
    this.#write(comments([`warning: ${message}`]));
  }

  done(_summary: RunSummary, { interrupted }: { readonly interrupted: boolean }): void {
    if (interrupted) this.#write(['Bail out! interrupted']);
  }

  /** YAML, of which JSON's scalars are a part. */
  #diagnostics(result: CaseResult): string[] {
    if (result.status === 'skip') return [];
    const [first] = result.failures;
    const fields: Readonly<Record<string, unknown>> = {
      status: result.status,
      duration_ms: result.duration,
      schedule: result.schedule,
      retries: result.retries,
      runs: result.runs,
      ...(isFlaky(result) && { flaky: true, before: result.earlier?.[0]?.message }),
      ...(isBad(result) && {
        message: briefly(result),
        code: first?.code,
        at: firstPlace(result),
        actual: first?.actual,
        expected: first?.expected,
        text: failureText(result, this.#context),
      }),
    };
    const lines = Object.entries(fields).filter(([, value]) => value !== undefined);
    return ['  ---', ...lines.map(([key, value]) => `  ${key}: ${printableJson(JSON.stringify(value))}`), '  ...'];
  }

  #write(lines: readonly string[]): void {
    print(this.#output, lines.map((line) => `${line}\n`).join(''));
  }
}

function directive({ status, reason = '' }: CaseResult): string {
  const word = status === 'skip' ? 'SKIP' : status === 'known' ? 'TODO' : undefined;
  return word === undefined ? '' : ` # ${word} ${escaped(reason)}`.trimEnd();
}

function comments(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split('\n')).map((line) => `# ${line}`.trimEnd());
}

/** A title or a reason: on one line, and no directive in it. */
function escaped(text: string): string {
  return onOneLine(text.replaceAll('\n', ' ')).replaceAll(/[\\#]/g, '\\$&');
}
