import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { isQtestError } from '@qtest/sdk';
import type { Failure, SourceLocation } from '../report/events.ts';
import { codeOf, messageOf, stackOf } from '../thrown.ts';

/** What was thrown, as plain data, with the place in the plugin's own files. */
export function describeFailure(thrown: unknown, root: string): Failure {
  const causes = causesOf(thrown);
  const errors = [thrown, ...causes].filter((error) => error instanceof Error);
  // What the host wraps (an error of init(), of a hook) came from where its cause did.
  const [origin] = isQtestError(thrown) && errors.length > 1 ? errors.slice(1) : errors;
  const stack = origin === undefined ? undefined : stackOf(origin);
  const location = errors.map((error) => locate(stackOf(error), root)).find((found) => found !== undefined);
  const message = messageOf(thrown);
  const told = causes.map(messageOf).filter((cause) => !message.includes(cause));
  const code = codeOf(thrown);
  return {
    name: thrown instanceof Error ? thrown.name : 'thrown value',
    message,
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(location !== undefined && { location }),
    ...comparisonOf(thrown),
    ...(told.length > 0 && { causes: told }),
  };
}

/** Longest line on which an object or a list is shown. */
const LINE = 72;

/**
 * A value for a reader: numbers in both bases, for registers are read in hexadecimal; objects and lists on one line, or
 * each element on its own.
 */
export function showValue(value: unknown, byElement = !isShort(value)): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 9)
    return `0x${value.toString(16)} (${value})`;
  if (typeof value === 'bigint' && value > 9n) return `0x${value.toString(16)}n (${value}n)`;
  const layout = byElement ? { compact: false } : { compact: true, breakLength: Infinity };
  return inspect(value, { ...layout, depth: 6, sorted: true, maxArrayLength: 200, maxStringLength: 4000 });
}

function isShort(value: unknown): boolean {
  return showValue(value, false).length <= LINE;
}

function comparisonOf(thrown: unknown): { actual?: string; expected?: string } {
  if (!(thrown instanceof Error) || !('actual' in thrown && 'expected' in thrown)) return {};
  if ('operator' in thrown && !/^(?!not).*equal/i.test(String(thrown.operator))) return {};
  const { actual, expected } = thrown;
  // Both in one layout, so that a report's difference is by element.
  const byElement = !(isShort(actual) && isShort(expected));
  return { actual: showValue(actual, byElement), expected: showValue(expected, byElement) };
}

/** The cause of an error, and its cause. */
function causesOf(thrown: unknown): unknown[] {
  const causes: unknown[] = [];
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  while (cause !== undefined && cause !== null && causes.length < 5) {
    causes.push(cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

const HOST = fileURLToPath(new URL('..', import.meta.url));

const FRAME = /(?:\(|at (?:async )?)(file:\/\/[^\s)]+|\/[^\s):]+):(\d+):(\d+)\)?$/;

/** The first frame of a stack that lies in the plugin's own files. */
export function locate(stack: string, root: string): SourceLocation | undefined {
  return framesOf(stack).find(
    ({ file }) => file.startsWith(`${root}/`) && !file.slice(root.length).includes('/node_modules/'),
  );
}

/** The frames of a stack that are not the host's own: a plugin may lie in a repository that holds the host as well. */
export function framesOf(stack: string): SourceLocation[] {
  return stack.split('\n').flatMap((line) => {
    const [, where, row, column] = FRAME.exec(line.trim()) ?? [];
    if (where === undefined) return [];
    const file = where.startsWith('file:') ? fileURLToPath(where) : where;
    return file.startsWith(HOST) ? [] : [{ file, line: Number(row), column: Number(column) }];
  });
}
