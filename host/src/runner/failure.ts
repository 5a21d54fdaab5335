import { isQtestError } from '@qtest/sdk';
import {
  inspected,
  isHuge,
  clipped,
  LIMITS,
  codeOf,
  messageOf,
  stackOf,
  fieldOf,
  hasField,
  isError,
  nameOf,
  framesOf,
} from '@qtest/sdk/support';
import type { Failure, SourceLocation } from '../report/events.ts';
import '../own-files.ts';
import { sourceLines } from './source-lines.ts';

/** What was thrown, whatever it is, as plain data within `LIMITS`, with the place in the plugin's own files. */
export function describeFailure(thrown: unknown, root: string): Failure {
  const { causes, more } = causesOf(thrown);
  const errors = [thrown, ...causes].filter(isError);
  // What the host wraps (an error of init(), of a hook) came from where its cause did.
  const [origin] = isQtestError(thrown) && errors.length > 1 ? errors.slice(1) : errors;
  const stack = origin === undefined ? undefined : stackOf(origin);
  const location = errors.map((error) => locate(stackOf(error), root)).find((found) => found !== undefined);
  const excerpt = location && sourceLines(location, root);
  const message = messageOf(thrown);
  const told = causes.map(messageOf).filter((cause) => !message.includes(cause));
  if (more) told.push(`(more than ${LIMITS.causes} causes)`);
  const code = codeOf(thrown);
  return {
    name: nameOf(thrown),
    message,
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(location !== undefined && { location }),
    ...(excerpt !== undefined && { excerpt }),
    ...comparisonOf(thrown),
    ...(told.length > 0 && { causes: told }),
  };
}

/** Longest line on which an object or a list is shown. */
const LINE = 72;

/**
 * A value for a reader: numbers in both bases, for registers are read in hexadecimal; objects and lists on one line, or
 * each element on its own. Of one that is large, a part.
 */
export function showValue(value: unknown, byElement = !isShort(value)): string {
  if (typeof value === 'string') return clipped(value, LIMITS.side);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 9)
    return `0x${value.toString(16)} (${value})`;
  if (typeof value === 'bigint' && value > 9n && !isHuge(value)) return `0x${value.toString(16)}n (${value}n)`;
  const layout = byElement ? { compact: false } : { compact: true, breakLength: Infinity };
  return inspected(value, { ...layout, depth: 6, sorted: true });
}

function isShort(value: unknown): boolean {
  return showValue(value, false).length <= LINE;
}

function comparisonOf(thrown: unknown): { actual?: string; expected?: string } {
  const isComparison = ['actual', 'expected'].every((name) => hasField(thrown, name));
  if (!isComparison) return {};
  const operator = fieldOf(thrown, 'operator');
  if (hasField(thrown, 'operator') && !(typeof operator === 'string' && /^(?!not).*equal/i.test(operator))) return {};
  const [actual, expected] = [fieldOf(thrown, 'actual'), fieldOf(thrown, 'expected')];
  // Both in one layout, so that a report's difference is by element.
  const byElement = !(isShort(actual) && isShort(expected));
  return { actual: showValue(actual, byElement), expected: showValue(expected, byElement) };
}

/** The cause of an error, and its cause; and whether there are more than are told. */
function causesOf(thrown: unknown): { causes: unknown[]; more: boolean } {
  const causes: unknown[] = [];
  let cause = fieldOf(thrown, 'cause');
  while (cause !== undefined && cause !== null) {
    // One that is its own is no more of them.
    if (cause === thrown || causes.includes(cause)) break;
    if (causes.length === LIMITS.causes) return { causes, more: true };
    causes.push(cause);
    cause = fieldOf(cause, 'cause');
  }
  return { causes, more: false };
}

/** The first frame of a stack that lies in the plugin's own files. The stack may be any text. */
export function locate(stack: string, root: string): SourceLocation | undefined {
  return framesOf(stack).find(
    ({ file }) => file.startsWith(`${root}/`) && !file.slice(root.length).includes('/node_modules/'),
  );
}
