import { isAbsolute, relative } from 'node:path';

import { difference } from './difference.ts';
import type { CaseResult, Failure, SourceLocation } from './events.ts';
import { excerpt } from './excerpt.ts';
import { indented } from './format.ts';
import type { Style } from './style.ts';

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
  for (const failure of result.failures) lines.push('', ...oneFailure(failure, style, cwd).map((line) => (line === '' ? '' : `    ${line}`)));
  if (result.accesses.length > 0) {
    lines.push('', `    ${style('bold', 'last accesses')}`, ...result.accesses.map((access) => `      ${access}`));
  }
  for (const note of result.notes) lines.push('', ...indented(`note: ${note}`, '    '));
  lines.push('', `    ${style('dim', 'run it again:')} ${style('cyan', rerun)}`);
  return lines;
}

const NO_FAILURE: Readonly<Record<string, string>> = { timeout: 'timed out', crash: 'crashed', fail: 'failed' };

function oneFailure(failure: Failure, style: Style, cwd: string): string[] {
  const { name, message, vcpu, actual, expected, location, causes = [] } = failure;
  const who = vcpu === undefined ? '' : `VCPU ${vcpu}: `;
  const text = `${who}${name === 'Error' ? '' : `${name}: `}${message}`;
  const lines = text.split('\n').map((line) => style('red', line));
  lines.push(...causes.flatMap((cause) => indented(`caused by: ${cause}`, '  ')));
  if (actual !== undefined && expected !== undefined) lines.push('', ...difference(actual, expected, style));
  if (location === undefined) lines.push(...stackLines(failure, style));
  else lines.push('', style('cyan', placeOf(location, cwd)), ...excerpt(location, style));
  return lines;
}

/** Frames of the stack, without the message that heads it. */
function stackLines({ stack = '' }: Failure, style: Style): string[] {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, MAX_FRAMES).map((frame) => style('dim', `  ${frame.trim()}`));
}

function placeOf({ file, line, column }: SourceLocation, cwd: string): string {
  const path = relative(cwd, file);
  return `${path.startsWith('..') || isAbsolute(path) ? file : path}:${line}:${column}`;
}
