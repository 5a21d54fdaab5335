import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';

import type { RunSummary, TraceEvent } from '@qtest/sdk';

import type { CaseResult, Failure, ReportContext, Reporter, RunEnd, SelectedCase } from './events.ts';
import { excerpt } from './excerpt.ts';
import { failureMessage, failureDifference, placeOf, stackFrames } from './failure.ts';
import {
  BLOCKS,
  type PageCase,
  type PageDetails,
  type PageEvent,
  type PageFailure,
  type PageRun,
} from './html-data.ts';
import { titleOf } from './format.ts';
import { jsonText } from './json-text.ts';
import { flakyText, isBad, isFlaky, MARKS } from './marks.ts';
import { briefly, failureText } from './plain.ts';
import type { Output } from './style.ts';
import { xmlText } from './xml.ts';

/** Bytes of an access of many that the page shows. */
const BYTES_SHOWN = 16;

const plain = (_format: unknown, text: string): string => text;

/**
 * One file that shows a run in a browser, with nothing beside it: the page's script, and the run's data as blocks of text. What a case
 * has beside its line in the list, its trace above all, is deflated, a block a case, so that the page opens at once whatever was traced.
 */
export class HtmlReporter implements Reporter {
  readonly #output: Output;
  readonly #context: ReportContext;
  readonly #started = new Date();
  readonly #cases: PageCase[] = [];
  readonly #blocks: string[] = [];
  readonly #warnings: string[] = [];
  #selected = 0;

  constructor(output: Output, context: ReportContext) {
    this.#output = output;
    this.#context = context;
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#selected = cases.length;
  }

  caseEnd(result: CaseResult): void {
    this.#blocks.push(block(BLOCKS.case(this.#cases.length), detailsOf(result, this.#context)));
    this.#output.draft?.(`${this.#cases.length === 0 ? DRAFT : ''}${draftOf(result, this.#context)}\n`);
    this.#cases.push(caseOf(result));
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done(summary: RunSummary, { interrupted, coverage }: RunEnd): void {
    const names = [...new Set(this.#cases.map(({ plugin }) => plugin))];
    const run: PageRun = {
      started: this.#started.toISOString(),
      summary,
      interrupted,
      selected: this.#selected,
      plugins: names.map((name) => ({ name, description: this.#context.descriptions.get(name) ?? '' })),
      cases: this.#cases,
      warnings: this.#warnings,
      coverage: coverage !== undefined,
    };
    const totals = coverage === undefined ? [] : [block(BLOCKS.coverage, coverage)];
    this.#output.write(documentOf(run, [...totals, ...this.#blocks]));
  }
}

/** What is shown of a run that did not come to its end: the cases as text, without the page. */
const DRAFT = `<!doctype html>
<meta charset="utf-8">
<title>qtest: not at its end</title>
<p>This run has not come to its end. What it has reported:</p>
<pre>
`;

function draftOf(result: CaseResult, context: ReportContext): string {
  const line = `${MARKS[result.status].mark} ${titleOf(result)}`;
  return xmlText(isBad(result) ? `${line}\n${failureText(result, context)}` : line);
}

/** The page's script; it has the styles in it. */
function pageScript(): string {
  // Built beside the command, also for the sources that a test of this repository runs.
  return readFileSync(new URL('../../dist/report/page.js', import.meta.url), 'utf8');
}

function documentOf(run: PageRun, blocks: readonly string[]): string {
  const script = pageScript();
  const hash = createHash('sha256').update(script).digest('base64');
  const failed = run.cases.filter(isBad).length;
  const title = failed === 0 ? 'qtest: passed' : `qtest: ${failed} failed`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${iconOf(failed > 0)}">
</head>
<body>
<noscript>This report is shown by its own script: allow it, or read the run with --reporter json.</noscript>
<script type="application/json" id="${BLOCKS.run}">${jsonText(run, 0).replaceAll('<', '\\u003c')}</script>
${blocks.join('\n')}
<script>${script}</script>
</body>
</html>
`;
}

/** A mark for the browser's tab: told by its shape too. */
function iconOf(failed: boolean): string {
  const mark = failed
    ? `<rect width='16' height='16' rx='4' fill='#c8322b'/><path d='M5 5l6 6m0-6l-6 6' stroke='#fff' stroke-width='2'/>`
    : `<circle cx='8' cy='8' r='8' fill='#1f8a4c'/><path d='M4.5 8.5l2.5 2.5 4.5-5' stroke='#fff' stroke-width='2' fill='none'/>`;
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${mark}</svg>`)}`;
}

function block(id: string, data: unknown): string {
  const packed = deflateRawSync(jsonText(data, 0)).toString('base64');
  return `<script type="text/plain" id="${id}">${packed}</script>`;
}

function caseOf(result: CaseResult): PageCase {
  const { plugin, name, clock, vcpus, status, duration } = result;
  const flaky = isFlaky(result);
  const brief = flaky ? flakyText(result) : status === 'pass' ? undefined : briefly(result);
  return { plugin, name, clock, vcpus, status, flaky, duration, ...(brief !== undefined && { brief }) };
}

function detailsOf(result: CaseResult, context: ReportContext): PageDetails {
  const { reason, schedule, attempts, retries, runs, value, coverage, trace } = result;
  const failuresOf = (failures: readonly Failure[]): PageFailure[] =>
    failures.map((failure) => failureOf(failure, context));
  return {
    failures: failuresOf(result.failures),
    earlier: failuresOf(result.earlier ?? []),
    log: result.log,
    notes: result.notes,
    accesses: result.accesses,
    rerun: context.rerun(result),
    ...(reason !== undefined && { reason }),
    ...(schedule !== undefined && { schedule }),
    ...(attempts !== undefined && { attempts }),
    ...(retries !== undefined && { retries }),
    ...(runs !== undefined && { runs }),
    ...(value !== undefined && { value }),
    ...(coverage !== undefined && { coverage }),
    ...(trace !== undefined && {
      trace: { ...trace, events: trace.events.map((event) => eventOf(event, context)) },
    }),
  };
}

function eventOf({ source, ...event }: TraceEvent, { cwd }: ReportContext): PageEvent {
  const shown = {
    time: String(event.time),
    // The column tells nothing more of a line that makes an access.
    ...(source !== undefined && { source: placeOf(source, cwd).replace(/:\d+$/, '') }),
  };
  switch (event.type) {
    case 'clock':
      return { ...event, ...shown, by: String(event.by) };
    case 'access':
      return { ...event, ...shown, ...(event.data !== undefined && { data: event.data.slice(0, 2 * BYTES_SHOWN) }) };
    default:
      return { ...event, ...shown };
  }
}

function failureOf(failure: Failure, { cwd }: ReportContext): PageFailure {
  const { code, location, causes = [] } = failure;
  return {
    message: failureMessage(failure),
    causes,
    difference: failureDifference(failure, plain) ?? [],
    excerpt: excerpt(failure, plain),
    stack: stackFrames(failure),
    ...(code !== undefined && { code }),
    ...(location !== undefined && { place: placeOf(location, cwd) }),
  };
}
