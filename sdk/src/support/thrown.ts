import { types } from 'node:util';

import { clipped, clippedInside, LIMITS } from './limits.ts';
import { inspected } from './inspected.ts';

/**
 * What was thrown may be anything, also something that fights whoever reads it: fields whose getters throw, or are no texts, or are too long.
 * Nothing here throws, and every text is bounded.
 */

/** The message of whatever was thrown: an error's own, or the value itself (`throw null`). */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return clipped(thrown);
  const message = isError(thrown) ? textField(thrown, 'message') : '';
  return clipped(message === '' ? inspected(thrown, { depth: 2, breakLength: Infinity }) : message);
}

/** An error's stack without Node's own frames, or the value itself. */
export function stackOf(thrown: unknown): string {
  const stack = isError(thrown) ? readField(thrown, 'stack') : {};
  if (!('value' in stack) || typeof stack.value !== 'string') return messageOf(thrown);
  return clippedInside(stack.value, LIMITS.stack)
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n');
}

/** The `code` of an error of Node, of the host or of the SDK. */
export function codeOf(thrown: unknown): string | undefined {
  if (!isError(thrown)) return undefined;
  const code = readField(thrown, 'code');
  return 'value' in code && typeof code.value === 'string' ? clipped(code.value, LIMITS.errorName) : undefined;
}

/** The class of an error. */
export function nameOf(thrown: unknown): string {
  return isError(thrown) ? clipped(textField(thrown, 'name'), LIMITS.errorName) : 'thrown value';
}

/** Of whatever realm. */
export function isError(thrown: unknown): thrown is object {
  try {
    return types.isNativeError(thrown) || thrown instanceof Error;
  } catch {
    // A proxy that refuses to be looked at.
    return false;
  }
}

/** A field of an error; undefined as well when it cannot be read. */
export function fieldOf(error: unknown, name: string): unknown {
  const field = isError(error) ? readField(error, name) : {};
  return 'value' in field ? field.value : undefined;
}

/** Whether an error has a field, be it one that cannot be read. */
export function hasField(error: unknown, name: string): boolean {
  const field = isError(error) ? readField(error, name) : {};
  return 'value' in field || 'thrown' in field;
}

type Field = { readonly value: unknown } | { readonly thrown: unknown } | object;

/** What is there, or what was thrown instead; nothing where there is no such field. */
function readField(error: object, name: string): Field {
  try {
    return name in error ? { value: Reflect.get(error, name) } : {};
  } catch (thrown) {
    return { thrown };
  }
}

function textField(error: object, name: string): string {
  const field = readField(error, name);
  if ('thrown' in field)
    return `(its ${name} cannot be read, as that throws: ${inspected(field.thrown, { depth: 0, breakLength: Infinity })})`;
  if (!('value' in field)) return '';
  if (typeof field.value === 'string') return field.value;
  return `(its ${name} is no text: ${inspected(field.value, { depth: 0, breakLength: Infinity })})`;
}

/** An error of which the host's own stack would tell nothing. */
export function withoutStack(message: string): Error {
  const error = new Error(message);
  error.stack = `${error.name}: ${message}`;
  return error;
}
