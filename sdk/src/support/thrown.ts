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

/** Of whatever realm. A proxy is none, as to look at it runs code. */
export function isError(thrown: unknown): thrown is object {
  if (typeof thrown !== 'object' || thrown === null || isProxied(thrown)) return false;
  return types.isNativeError(thrown) || thrown instanceof Error;
}

/** Prototypes that are looked at. */
const PROTOTYPES = 100;

/** Whether an object is a proxy, or has one behind it. */
export function isProxied(object: object): boolean {
  let at: object | null = object;
  for (let n = 0; at !== null; n++) {
    if (n === PROTOTYPES || types.isProxy(at)) return true;
    at = Object.getPrototypeOf(at);
  }
  return false;
}

/** Calls something within a bound. @throws when it has not come back. */
type Bound = (read: () => unknown) => unknown;

let bound: Bound = (read) => read();

/** Getters of errors, which are the code of whoever has thrown them, are called by way of `call` from now on, on this thread. */
export function boundGetters(call: Bound): void {
  bound = call;
}

/** Getters that have thrown, or have not come back: they are not called again. */
const refused = new WeakMap<object, Map<string, unknown>>();

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
  const field = descriptorOf(error, name);
  if (field === undefined) return {};
  if ('value' in field) return { value: field.value };
  const known = refused.get(error) ?? new Map<string, unknown>();
  if (known.has(name)) return { thrown: known.get(name) };
  try {
    return { value: bound(() => Reflect.get(error, name)) };
  } catch (thrown) {
    refused.set(error, known.set(name, thrown));
    return { thrown };
  }
}

function descriptorOf(object: object, name: string): PropertyDescriptor | undefined {
  let at: object | null = object;
  while (at !== null) {
    const field = Object.getOwnPropertyDescriptor(at, name);
    if (field !== undefined) return field;
    at = Object.getPrototypeOf(at);
  }
  return undefined;
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
