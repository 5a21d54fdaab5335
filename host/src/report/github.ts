import { appendFileSync } from 'node:fs';
import { isAbsolute, relative, sep } from 'node:path';

import type { RunSummary } from '@qtest/sdk';

import { messageOf, markdownText, onOneLine, printable, withoutCommands } from '@qtest/sdk/support';
import type { CaseResult, ReportContext, Reporter } from './events.ts';
import { formatDuration, titleOf } from './format.ts';
import { flakyText, isBad, isFlaky, MARKS, STATUSES } from './marks.ts';
import { briefly, failureText, firstPlace } from './plain.ts';
import type { Output } from './style.ts';

/** Variables of GitHub Actions that the reporter reads. */
export type GithubEnvironment = Readonly<Partial<Record<'GITHUB_STEP_SUMMARY' | 'GITHUB_WORKSPACE', string>>>;

/** Annotations on the lines of the plugins' sources, and a summary of the job, in Markdown, where the runner asks for one. */
export class GithubReporter implements Reporter {
  readonly #output: Output;
  readonly #context: ReportContext;
  readonly #summaryFile: string | undefined;
  /** Annotations name files from here. */
  readonly #root: string;
  /** Lines alone: the trace of a case is some megabytes. */
  readonly #errors: string[] = [];
  readonly #flakyWarnings: string[] = [];
  readonly #details: string[] = [];
  readonly #known: string[] = [];
  readonly #flaky: string[] = [];
  readonly #warnings = new Set<string>();

  constructor(output: Output, context: ReportContext, env: GithubEnvironment) {
    this.#output = output;
    this.#context = context;
    this.#summaryFile = env.GITHUB_STEP_SUMMARY === '' ? undefined : env.GITHUB_STEP_SUMMARY;
    this.#root = env.GITHUB_WORKSPACE ?? context.cwd;
  }

  caseEnd(result: CaseResult): void {
    if (isBad(result)) this.#fail(result);
    if (isFlaky(result)) {
      this.#flakyWarnings.push(command('warning', { title: titleOf(result) }, flakyText(result)));
      this.#flaky.push(listed(result, flakyText(result)));
    }
    if (result.status === 'known') this.#known.push(listed(result, result.reason ?? ''));
  }

  warning(message: string): void {
    this.#warnings.add(message);
  }

  done(summary: RunSummary, { interrupted }: { readonly interrupted: boolean }): void {
    const lines = [
      ...this.#errors,
      ...this.#flakyWarnings,
      ...[...this.#warnings].map((message) => command('warning', {}, message)),
    ];
    if (this.#summaryFile !== undefined) {
      try {
        appendFileSync(this.#summaryFile, this.#summary(summary, interrupted));
      } catch (error) {
        lines.push(command('warning', {}, `no job summary: ${messageOf(error)}`));
      }
    }
    if (lines.length > 0) this.#output.write(`${lines.join('\n')}\n`);
  }

  #fail(result: CaseResult): void {
    const text = failureText(result, this.#context);
    const error = command('error', this.#place(result), text);
    this.#errors.push(error);
    this.#output.draft?.(`${error}\n`);
    const heading = `<summary>${html(onOneLine(`${titleOf(result)}: ${briefly(result)}`))}</summary>`;
    this.#details.push(`<details>${heading}`, '', `<pre>${html(text)}</pre>`, '</details>', '');
  }

  #place(result: CaseResult): Readonly<Record<string, string | number>> {
    const title = titleOf(result);
    const place = firstPlace(result);
    if (place === undefined) return { title };
    const path = relative(this.#root, place.file);
    // Outside of the repository there is nothing to show it on.
    if (path.startsWith('..') || isAbsolute(path)) return { title };
    return { file: path.split(sep).join('/'), line: place.line, col: place.column, title };
  }

  #summary(summary: RunSummary, interrupted: boolean): string {
    const shown = STATUSES.filter((status) => status === 'pass' || summary[status] > 0);
    const lines = [
      `### qtest: ${shown.map((status) => `${summary[status]} ${MARKS[status].word}`).join(', ')}`,
      '',
      `${interrupted ? 'Interrupted after' : 'In'} ${formatDuration(summary.duration)}.`,
      '',
    ];
    lines.push(...this.#details, ...list('Flaky:', this.#flaky), ...list('Known to differ:', this.#known));
    return `${lines.join('\n')}\n`;
  }
}

function list(heading: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [heading, '', ...items, ''];
}

function listed(result: CaseResult, text: string): string {
  // Entities are HTML's and Markdown's both.
  const shown = markdownText(`${titleOf(result)}: ${text}`).replaceAll(/\\([<>&])/g, '$1');
  return `- ${html(shown)}`;
}

/** A line that the runner of Actions reads as a command. */
function command(name: string, properties: Readonly<Record<string, string | number>>, text: string): string {
  const list = Object.entries(properties).map(([key, value]) => `${key}=${property(String(value))}`);
  return `::${name}${list.length === 0 ? '' : ` ${list.join(',')}`}::${data(text)}`;
}

function data(text: string): string {
  return withoutCommands(printable(text)).replaceAll('%', '%25').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function html(text: string): string {
  return printable(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
