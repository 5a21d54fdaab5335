import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { Failure, SourceLocation } from '../report/events.ts';
import { codeOf, messageOf, stackOf } from '../thrown.ts';

/** What was thrown, as plain data, with the place in the plugin's own files. */
export function describeFailure(thrown: unknown, root: string): Failure {
  const stack = thrown instanceof Error ? stackOf(thrown) : undefined;
  const location = stack === undefined ? undefined : locate(stack, root);
  const code = codeOf(thrown);
  return {
    name: thrown instanceof Error ? thrown.name : 'thrown value',
    message: messageOf(thrown),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(location !== undefined && { location }),
    ...comparisonOf(thrown),
    ...causesOf(thrown),
  };
}

/** A value for a reader: numbers in both bases, for registers are read in hexadecimal. */
export function showValue(value: unknown): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 9) return `0x${value.toString(16)} (${value})`;
  if (typeof value === 'bigint' && value > 9n) return `0x${value.toString(16)}n (${value}n)`;
  return typeof value === 'string' ? value : inspect(value, { depth: 6, sorted: true, maxArrayLength: 200, maxStringLength: 4000 });
}

function comparisonOf(thrown: unknown): { actual?: string; expected?: string } {
  if (!(thrown instanceof Error) || !('actual' in thrown && 'expected' in thrown)) return {};
  if ('operator' in thrown && !/equal/i.test(String(thrown.operator))) return {};
  return { actual: showValue(thrown.actual), expected: showValue(thrown.expected) };
}

function causesOf(thrown: unknown): { causes?: readonly string[] } {
  const causes: string[] = [];
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  while (cause !== undefined && cause !== null && causes.length < 5) {
    causes.push(messageOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes.length === 0 ? {} : { causes };
}

const FRAME = /(?:\(|at (?:async )?)(file:\/\/[^\s)]+|\/[^\s):]+):(\d+):(\d+)\)?$/;

/** The first frame of a stack that lies in the plugin's own files. */
export function locate(stack: string, root: string): SourceLocation | undefined {
  for (const line of stack.split('\n')) {
    const [, where, row, column] = FRAME.exec(line.trim()) ?? [];
    if (where === undefined) continue;
    const file = where.startsWith('file:') ? fileURLToPath(where) : where;
    if (file.startsWith(`${root}/`) && !file.slice(root.length).includes('/node_modules/')) {
      return { file, line: Number(row), column: Number(column) };
    }
  }
  return undefined;
}
