import { inspect } from 'node:util';

/** The message of whatever was thrown: an error's own, or the value itself (`throw null`). */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error && thrown.message !== '') return thrown.message;
  if (typeof thrown === 'string') return thrown;
  return inspect(thrown, { depth: 2, breakLength: Infinity });
}

/** An error's stack without Node's own frames, or the value itself. */
export function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || thrown.stack === undefined) return messageOf(thrown);
  return thrown.stack
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n');
}

/** The `code` of an error of Node, of the host or of the SDK. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** An error of which the host's own stack would tell nothing. */
export function withoutStack(message: string): Error {
  const error = new Error(message);
  error.stack = `${error.name}: ${message}`;
  return error;
}
