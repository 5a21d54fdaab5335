import type { RunSummary } from '@qtest/sdk';

import { Ending } from './ending.ts';
import type { CaseResult, ReportContext, Reporter, RunEnd, SelectedCase } from './events.ts';
import { count, formatDuration, indented, titleOf } from './format.ts';
import { InOrder } from './in-order.ts';
import { LiveLine } from './live.ts';
import { flakyText, isBad, isFlaky, MARKS } from './marks.ts';
import { onOneLine } from '@qtest/sdk/support';
import { print, styleFor, type Output, type Style } from './style.ts';
import { TreeHeadings } from './tree.ts';

export interface SpecOptions extends ReportContext {
  readonly output: Output;
}

/**
 * The default report, for a reader: a tree by plugin and by the segments of the cases' names, in the order of the
 * selection however the results come in, then every failure in full, then the counts.
 */
export class SpecReporter implements Reporter {
  readonly #options: SpecOptions;
  readonly #style: Style;
  readonly #live: LiveLine;
  readonly #ending: Ending;
  #results = new InOrder<CaseResult>([], (result) => this.#print(result));
  #plugin: string | undefined;
  #headings = new TreeHeadings();

  constructor(options: SpecOptions) {
    this.#options = options;
    this.#style = styleFor(options.output);
    this.#live = new LiveLine(options.output, this.#style);
    this.#ending = new Ending(this.#style, options);
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#ending.selected = cases.length;
    this.#results = new InOrder(cases.map(titleOf), (result) => this.#print(result));
    this.#live.start(cases.length);
  }

  caseStart(selected: SelectedCase): void {
    this.#live.add(titleOf(selected));
  }

  caseEnd(result: CaseResult): void {
    this.#live.remove(titleOf(result));
    this.#results.add(titleOf(result), result);
  }

  warning(message: string): void {
    this.#ending.warn(message);
  }

  done(summary: RunSummary, end: RunEnd): void {
    this.#results.flush();
    this.#live.stop();
    this.#write(this.#ending.lines(summary, end));
  }

  #print(result: CaseResult): void {
    const style = this.#style;
    const { mark, colour, word } = MARKS[result.status];
    const path = result.name.split('/').map(onOneLine);
    const lines = [...this.#pluginLines(result.plugin)];
    for (const { name, depth } of this.#headings.enter(path)) lines.push(`${indent(depth)}${name}`);
    const inner = indent(path.length);
    const plain = result.status === 'pass' || result.status === 'fail';
    const remarks = [
      ...(result.clock === 'realtime' ? ['realtime'] : []),
      ...(plain ? [] : [result.status === 'skip' ? (result.reason ?? word) : word]),
      ...(isFlaky(result) ? [flakyText(result)] : []),
      ...(isBad(result) && result.retries !== undefined
        ? [`also on ${count(result.retries, 'retry', 'retries')}`]
        : []),
      ...(result.runs === undefined ? [] : [count(result.runs, 'run')]),
      ...(result.attempts === undefined ? [] : [count(result.attempts, 'seed')]),
      ...(result.status === 'known' && result.reason !== undefined ? [result.reason] : []),
      ...(result.status === 'skip' ? [] : [formatDuration(result.duration)]),
    ];
    lines.push(
      `${indent(path.length - 1)}${style(isFlaky(result) ? 'yellow' : colour, mark)} ${path.at(-1) ?? ''}  ${style('dim', onOneLine(remarks.join(', ')))}`,
    );
    for (const line of result.log) lines.push(...indented(line, inner).map((text) => style('dim', text)));
    if (isBad(result)) this.#ending.fail(result);
    else
      for (const note of result.notes)
        lines.push(...indented(`note: ${note}`, inner).map((text) => style('yellow', text)));
    this.#write(lines);
  }

  #pluginLines(plugin: string): string[] {
    if (this.#plugin === plugin) return [];
    this.#plugin = plugin;
    this.#headings = new TreeHeadings();
    const description = this.#options.descriptions.get(plugin) ?? '';
    return ['', `${this.#style('bold', onOneLine(plugin))}  ${this.#style('dim', onOneLine(description))}`.trimEnd()];
  }

  #write(lines: readonly string[]): void {
    this.#live.erase();
    print(this.#options.output, `${lines.join('\n')}\n`);
  }
}

/** Cases stand two columns in from their plugin. */
function indent(depth: number): string {
  return '  '.repeat(depth + 1);
}
