import { isAbsolute, relative } from 'node:path';

import { difference } from './difference.ts';
import type { CaseResult, Failure, SourceLocation } from './events.ts';
import { excerpt } from './excerpt.ts';
import { indented } from './format.ts';
import { onOneLine } from '@qtest/sdk/support';
import type { Style } from './style.ts';
import { showsAccess, traceLines } from './trace-text.ts';

/** Frames of a stack shown for a failure that is not in the plugin's own code. */
const MAX_FRAMES = 8;

export interface FailureContext {
  readonly style: Style;
  /** Paths are shown relative to it. */
  readonly cwd: string;
  /** The command that runs the case again. */
  readonly rerun: string;
}

/** A case that did not pass, in full: what failed, where, what preceded it and how to run it again. */
export function failureLines(result: CaseResult, heading: string, context: FailureContext): string[] {
  const { style, cwd, rerun } = context;
  const lines = [style('bold', heading)];
  if (result.failures.length === 0) lines.push('', `    ${style('red', NO_FAILURE[result.status] ?? result.status)}`);
  for (const failure of result.failures)
    lines.push('', ...oneFailure(failure, style, cwd).map((line) => (line === '' ? '' : `    ${line}`)));
  const trace = result.trace?.events.length === 0 ? undefined : result.trace;
  if (trace !== undefined)
    lines.push(
      '',
      `    ${style('bold', 'last of its trace')}`,
      ...traceLines(result, trace, cwd).map((line) => `    ${line}`),
    );
  if (result.accesses.length > 0 && (trace === undefined || !showsAccess(trace))) {
    lines.push(
      '',
      `    ${style('bold', 'last accesses')}`,
      ...result.accesses.map((access) => `      ${onOneLine(access)}`),
    );
  }
  for (const note of result.notes) lines.push('', ...indented(`note: ${note}`, '    '));
  lines.push('');
  if (result.schedule !== undefined) lines.push(`    ${style('dim', 'schedule:')} ${scheduleText(result)}`);
  lines.push(`    ${style('dim', 'run it again:')} ${style('cyan', onOneLine(rerun))}`);
  return lines;
}

function scheduleText({ schedule, attempts = 1 }: CaseResult): string {
  if (schedule === 'free') return 'free, so that the next run may go otherwise';
  return attempts === 1 ? `seed ${schedule}` : `seed ${schedule}; ${attempts - 1} before it passed`;
}

const NO_FAILURE: Readonly<Record<string, string>> = { timeout: 'timed out', crash: 'crashed', fail: 'failed' };

function oneFailure(failure: Failure, style: Style, cwd: string): string[] {
  const { location, causes = [] } = failure;
  const difference = failureDifference(failure, style);
  const lines = failureMessage(failure)
    .split('\n')
    .map((line) => style('red', line));
  lines.push(...causes.flatMap((cause) => indented(`caused by: ${cause}`, '  ')));
  if (difference !== undefined && difference.length > 0) lines.push('', ...difference);
  if (location === undefined) lines.push(...stackLines(failure, style));
  else lines.push('', style('cyan', onOneLine(placeOf(location, cwd))), ...excerpt(failure, style));
  return lines;
}

/** Whose failure it was and its message, without what Node says of a difference that is shown. */
export function failureMessage({ name, message, vcpu, actual, expected }: Failure): string {
  const who = vcpu === undefined ? '' : `VCPU ${vcpu}: `;
  const isComparison = actual !== undefined && expected !== undefined;
  return `${who}${name === 'Error' ? '' : `${name}: `}${isComparison ? message.replace(NODES_DIFF, '') : message}`;
}

/** What Node adds to the message of a comparison: a difference of its own. */
const NODES_DIFF = /(?:\n+\+ actual - expected\n[^]*|\n\n[^\n]* !== [^\n]*\n*)$/;

/** Both sides of a comparison; undefined when it was none, empty when the message shows them already. */
export function failureDifference({ message, actual, expected }: Failure, style: Style): string[] | undefined {
  if (actual === undefined || expected === undefined) return undefined;
  const isTold = !`${actual}${expected}`.includes('\n') && message.includes(actual) && message.includes(expected);
  return isTold ? [] : difference(actual, expected, style);
}

function stackLines(failure: Failure, style: Style): string[] {
  return stackFrames(failure)
    .slice(0, MAX_FRAMES)
    .map((frame) => style('dim', `  ${frame}`));
}

/** Frames of the stack, without the message that heads it. */
export function stackFrames({ stack = '' }: Failure): string[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((frame) => frame.trim());
}

/** `src/drift.ts:42:7`, relative where it lies below. */
export function placeOf({ file, line, column }: SourceLocation, cwd: string): string {
  const path = relative(cwd, file);
  return `${path.startsWith('..') || isAbsolute(path) ? file : path}:${line}:${column}`;
}
