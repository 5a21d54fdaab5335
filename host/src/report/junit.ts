import { relative } from 'node:path';
import type { Writable } from 'node:stream';

import type { CaseStatus, RunSummary } from '@qtest/sdk';

import type { CaseResult, ReportContext, Reporter } from './events.ts';
import { isFlaky } from './marks.ts';
import { briefly, failureText, firstPlace } from './plain.ts';
import { xmlAttributes, xmlText } from './xml.ts';

/**
 * JUnit's XML, as Jenkins and GitLab read it: a suite for each plugin. A time-out is a failure, a crash an error; a known difference is
 * skipped, with what differs. It is written here: the format is small, and that of node:test escapes quotes in attributes twice.
 */
export class JunitReporter implements Reporter {
  readonly #output: Writable;
  readonly #context: ReportContext;
  readonly #results: CaseResult[] = [];
  readonly #warnings: string[] = [];
  readonly #started = new Date();

  constructor(output: Writable, context: ReportContext) {
    this.#output = output;
    this.#context = context;
  }

  caseEnd(result: CaseResult): void {
    this.#results.push(result);
  }

  warning(message: string): void {
    this.#warnings.push(message);
  }

  done({ duration }: RunSummary): void {
    const plugins = [...new Set(this.#results.map(({ plugin }) => plugin))];
    const { tests, failures, errors } = countsOf(this.#results);
    const lines = [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites${xmlAttributes({ name: 'qtest', tests, failures, errors, time: seconds(duration) })}>`,
      ...plugins.flatMap((plugin) => this.#suite(plugin)),
      '</testsuites>',
    ];
    this.#output.write(`${lines.join('\n')}\n`);
  }

  #suite(plugin: string): string[] {
    const results = this.#results.filter((result) => result.plugin === plugin);
    const attributes = {
      name: plugin,
      ...countsOf(results),
      time: seconds(results.reduce((sum, { duration }) => sum + duration, 0)),
      // As xs:dateTime without fraction and zone, in UTC.
      timestamp: this.#started.toISOString().slice(0, 19),
    };
    const properties = Object.entries({
      description: this.#context.descriptions.get(plugin) ?? '',
      clocks: [...new Set(results.map(({ clock }) => clock))].join(', '),
    });
    return [
      `  <testsuite${xmlAttributes(attributes)}>`,
      '    <properties>',
      ...properties.map(([name, value]) => `      <property${xmlAttributes({ name, value })}/>`),
      '    </properties>',
      ...results.flatMap((result) => this.#case(result)),
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

function countsOf(results: readonly CaseResult[]): Counts {
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
