import type { CaseStatus, RunSummary } from '@qtest/sdk';

import type { CaseResult, Reporter, SelectedCase } from './events.ts';
import { failureLines } from './failure.ts';
import { count, formatDuration, indented } from './format.ts';
import { InOrder } from './in-order.ts';
import { LiveLine } from './live.ts';
import { styleFor, type Output, type Style } from './style.ts';
import { TreeHeadings } from './tree.ts';

export interface SpecOptions {
  readonly output: Output;
  /** Paths are shown relative to it. */
  readonly cwd: string;
  /** Descriptions of the plugins, by name. */
  readonly descriptions: ReadonlyMap<string, string>;
  /** The command that runs a case again. */
  readonly rerun: (result: CaseResult) => string;
}

const MARKS = {
  pass: { mark: '✓', colour: 'green', word: 'passed' },
  fail: { mark: '✗', colour: 'red', word: 'failed' },
  timeout: { mark: '✗', colour: 'red', word: 'timed out' },
  crash: { mark: '✗', colour: 'red', word: 'crashed' },
  skip: { mark: '↓', colour: 'yellow', word: 'skipped' },
  known: { mark: '≠', colour: 'yellow', word: 'known to differ' },
} as const satisfies Record<CaseStatus, { mark: string; colour: 'green' | 'red' | 'yellow'; word: string }>;

/**
 * The default report, for a reader: a tree by plugin and by the segments of the cases' names, in the order of the
 * selection however the results come in, then every failure in full, then the counts.
 */
export class SpecReporter implements Reporter {
  readonly #options: SpecOptions;
  readonly #style: Style;
  readonly #live: LiveLine;
  readonly #failed: CaseResult[] = [];
  readonly #warnings = new Map<string, number>();
  #cases: readonly SelectedCase[] = [];
  #results = new InOrder<CaseResult>([], (result) => this.#print(result));
  #plugin: string | undefined;
  #headings = new TreeHeadings();

  constructor(options: SpecOptions) {
    this.#options = options;
    this.#style = styleFor(options.output);
    this.#live = new LiveLine(options.output, this.#style);
  }

  runStart(cases: readonly SelectedCase[]): void {
    this.#cases = cases;
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
    this.#warnings.set(message, (this.#warnings.get(message) ?? 0) + 1);
  }

  done(summary: RunSummary, { interrupted }: { readonly interrupted: boolean }): void {
    this.#results.flush();
    this.#live.stop();
    const lines = ['', ...this.#failureLines(), ...this.#warningLines()];
    if (interrupted) lines.push(this.#style('yellow', 'interrupted'));
    lines.push(this.#summaryLine(summary), '');
    this.#write(lines);
  }

  #print(result: CaseResult): void {
    const style = this.#style;
    const { mark, colour, word } = MARKS[result.status];
    const path = result.name.split('/');
    const lines = [...this.#pluginLines(result.plugin)];
    for (const { name, depth } of this.#headings.enter(path)) lines.push(`${indent(depth)}${name}`);
    const inner = indent(path.length);
    const plain = result.status === 'pass' || result.status === 'fail';
    const remarks = [
      ...(result.clock === 'realtime' ? ['realtime'] : []),
      ...(plain ? [] : [result.status === 'skip' ? (result.reason ?? word) : word]),
      ...(result.attempts === undefined ? [] : [count(result.attempts, 'seed')]),
      ...(result.status === 'known' && result.reason !== undefined ? [result.reason] : []),
      ...(result.status === 'skip' ? [] : [formatDuration(result.duration)]),
    ];
    lines.push(
      `${indent(path.length - 1)}${style(colour, mark)} ${path.at(-1) ?? ''}  ${style('dim', remarks.join(', '))}`,
    );
    for (const line of result.log) lines.push(...indented(line, inner).map((text) => style('dim', text)));
    if (result.status === 'pass' || result.status === 'skip' || result.status === 'known') {
      for (const note of result.notes)
        lines.push(...indented(`note: ${note}`, inner).map((text) => style('yellow', text)));
    } else {
      this.#failed.push(result);
    }
    this.#write(lines);
  }

  #pluginLines(plugin: string): string[] {
    if (this.#plugin === plugin) return [];
    this.#plugin = plugin;
    this.#headings = new TreeHeadings();
    const description = this.#options.descriptions.get(plugin) ?? '';
    return ['', `${this.#style('bold', plugin)}  ${this.#style('dim', description)}`.trimEnd()];
  }

  #failureLines(): string[] {
    return this.#failed.flatMap((result, index) => [
      ...failureLines(result, `${index + 1}) ${result.plugin} › ${result.name}`, {
        style: this.#style,
        cwd: this.#options.cwd,
        rerun: this.#options.rerun(result),
      }),
      '',
    ]);
  }

  #warningLines(): string[] {
    const lines = [...this.#warnings]
      .flatMap(([message, times]) => `warning: ${message}${times > 1 ? ` (${times} times)` : ''}`.split('\n'))
      .map((line) => this.#style('yellow', line));
    return lines.length === 0 ? [] : [...lines, ''];
  }

  #summaryLine(summary: RunSummary): string {
    const counts = statuses().flatMap((status) => {
      const n = summary[status];
      if (n === 0 && status !== 'pass') return [];
      const text = `${n} ${MARKS[status].word}`;
      return [n === 0 ? text : this.#style(MARKS[status].colour, text)];
    });
    const total = statuses().reduce((sum, status) => sum + summary[status], 0);
    const lost = total === this.#cases.length ? '' : this.#style('red', ` (${this.#cases.length} were selected)`);
    return `${counts.join(', ')} of ${count(total, 'case')}${lost} in ${formatDuration(summary.duration)}`;
  }

  #write(lines: readonly string[]): void {
    this.#live.erase();
    this.#options.output.write(`${lines.join('\n')}\n`);
  }
}

function statuses(): readonly CaseStatus[] {
  return ['pass', 'fail', 'timeout', 'crash', 'known', 'skip'];
}

function titleOf({ plugin, name }: SelectedCase): string {
  return `${plugin} › ${name}`;
}

/** Cases stand two columns in from their plugin. */
function indent(depth: number): string {
  return '  '.repeat(depth + 1);
}
