import { relative } from 'node:path';

import type { CaseStatus, RunSummary } from '@qtest/sdk';

import type { CaseResult, ReportContext, Reporter } from './events.ts';
import { isFlaky } from './marks.ts';
import { briefly, failureText, firstPlace } from './plain.ts';
import type { Output } from './style.ts';
import { xmlAttributes, xmlText } from './xml.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';

/** The cases of a plugin. */
interface Suite {
  readonly cases: Pick<CaseResult, 'status' | 'duration'>[];
  readonly clocks: Set<string>;
  readonly lines: string[];
}

/**
 * JUnit's XML, as Jenkins and GitLab read it: a suite for each plugin. A time-out is a failure, a crash an error; a known difference is
 * skipped, with what differs. It is written here: the format is small, and that of node:test escapes quotes in attributes twice.
 */
export class JunitReporter implements Reporter {
  readonly #output: Output;
  readonly #context: ReportContext;
  /** Their lines alone: the trace of a case is some megabytes. */
  readonly #suites = new Map<string, Suite>();
  readonly #warnings: string[] = [];
  readonly #started = new Date();
  /** The plugin whose suite is open in the draft. */
  #drafted: string | undefined;

  constructor(output: Output, context: ReportContext) {
    this.#output = output;
    this.#context = context;
  }

  caseEnd(result: CaseResult): void {
    const { plugin, status, duration, clock } = result;
    const suite = this.#suites.get(plugin) ?? { cases: [], clocks: new Set(), lines: [] };
    this.#suites.set(plugin, suite);
    suite.cases.push({ status, duration });
    suite.clocks.add(clock);
    const lines = this.#case(result);
    suite.lines.push(...lines);
    this.#output.draft?.([...this.#draftHeadings(plugin), ...lines, ''].join('\n'));
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done({ duration }: RunSummary): void {
    const { tests, failures, errors } = countsOf([...this.#suites.values()].flatMap(({ cases }) => cases));
    const lines = [
      DECLARATION,
      `<testsuites${xmlAttributes({ name: 'qtest', tests, failures, errors, time: seconds(duration) })}>`,
      ...[...this.#suites].flatMap(([plugin, suite]) => this.#suite(plugin, suite)),
      '</testsuites>',
    ];
    this.#output.write(`${lines.join('\n')}\n`);
  }

  /** What stands before a case of the plugin in the draft: the counts are not known before the end. */
  #draftHeadings(plugin: string): string[] {
    const last = this.#drafted;
    if (last === plugin) return [];
    this.#drafted = plugin;
    const before =
      last === undefined ? [DECLARATION, `<testsuites${xmlAttributes({ name: 'qtest' })}>`] : ['  </testsuite>'];
    return [...before, `  <testsuite${xmlAttributes({ name: plugin })}>`];
  }

  #suite(plugin: string, { cases, clocks, lines }: Suite): string[] {
    const attributes = {
      name: plugin,
      ...countsOf(cases),
      time: seconds(cases.reduce((sum, { duration }) => sum + duration, 0)),
      // As xs:dateTime without fraction and zone, in UTC.
      timestamp: this.#started.toISOString().slice(0, 19),
    };
    const properties = Object.entries({
      description: this.#context.descriptions.get(plugin) ?? '',
      clocks: [...clocks].join(', '),
    });
    return [
      `  <testsuite${xmlAttributes(attributes)}>`,
      '    <properties>',
      ...properties.map(([name, value]) => `      <property${xmlAttributes({ name, value })}/>`),
      '    </properties>',
      ...lines,
      ...(this.#warnings.length === 0
        ? []
        : [
            `    <system-err>${xmlText(this.#warnings.map((warning) => `warning: ${warning}\n`).join(''))}</system-err>`,
          ]),
      '  </testsuite>',
    ];
  }

  #case(result: CaseResult): string[] {
    const { plugin, name, duration } = result;
    const folders = name.split('/').slice(0, -1);
    const place = firstPlace(result);
    const attributes = {
      classname: [plugin, ...folders].join('.'),
      name,
      // GitLab links it.
      file: place && relative(this.#context.cwd, place.file),
      time: seconds(duration),
    };
    const inside = [...this.#outcome(result), ...output(result)];
    if (inside.length === 0) return [`    <testcase${xmlAttributes(attributes)}/>`];
    return [`    <testcase${xmlAttributes(attributes)}>`, ...inside.map((line) => `      ${line}`), '    </testcase>'];
  }

  #outcome(result: CaseResult): string[] {
    const { status, reason = '', failures } = result;
    if (isFlaky(result)) {
      // As Maven's Surefire has it; who does not know it takes the case for one that has passed.
      return (result.earlier ?? []).map(
        ({ name: type, message, stack = '' }) =>
          `<flakyFailure${xmlAttributes({ message: message.split('\n', 1)[0], type })}>${xmlText(stack)}</flakyFailure>`,
      );
    }
    if (status === 'pass') return [];
    if (status === 'skip') return [`<skipped${xmlAttributes({ message: reason })}/>`];
    if (status === 'known') return [`<skipped${xmlAttributes({ message: `known difference: ${reason}` })}/>`];
    const type = status === 'fail' ? (failures[0]?.name ?? 'Error') : status;
    const tag = ELEMENT[status];
    const attributes = xmlAttributes({ message: briefly(result), type });
    return [`<${tag}${attributes}>${xmlText(failureText(result, this.#context))}</${tag}>`];
  }
}

const ELEMENT = { fail: 'failure', timeout: 'failure', crash: 'error' } as const;

/** What the case has logged, and the notes. */
function output({ log, notes }: CaseResult): string[] {
  const lines = [...log, ...notes.map((note) => `note: ${note}`)];
  return lines.length === 0 ? [] : [`<system-out>${xmlText(lines.join('\n'))}</system-out>`];
}

interface Counts {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly skipped: number;
}

function countsOf(results: readonly Pick<CaseResult, 'status'>[]): Counts {
  const of = (...statuses: readonly CaseStatus[]): number =>
    results.filter(({ status }) => statuses.includes(status)).length;
  return {
    tests: results.length,
    failures: of('fail', 'timeout'),
    errors: of('crash'),
    skipped: of('skip', 'known'),
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
