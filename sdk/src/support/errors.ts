import { QtestError } from '../errors.ts';

/**
 * Every error that the host makes on purpose, by code. A message says what happened, where, what was expected and what to do;
 * the entry says how the command ends.
 */
export const ERRORS = {
  USAGE: { exit: 2 },
  CONFIG: { exit: 2 },
  PLUGIN_NOT_FOUND: { exit: 2 },
  PLUGIN_LOAD: { exit: 2 },
  PLUGIN_INVALID: { exit: 2 },
  PLUGIN_API: { exit: 2 },
  PLUGIN_OPTIONS: { exit: 2 },
  PLUGIN_DUPLICATE: { exit: 2 },
  DEVICE_DUPLICATE: { exit: 2 },
  DEVICE_PACKAGE: { exit: 2 },
  BACKEND: { exit: 2 },
  PACKAGE: { exit: 2 },
  HOOK: { exit: 1 },
  NO_CASES: { exit: 1 },
  REPORT: { exit: 1 },
  MACHINE: { exit: 1 },
  DEVICE: { exit: 1 },
  EMULATOR: { exit: 1 },
  NO_ANSWER: { exit: 1 },
  TIMEOUT: { exit: 1 },
  STALLED: { exit: 1 },
  STORM: { exit: 1 },
  DAMAGE: { exit: 1 },
  DEADLOCK: { exit: 1 },
  POISONED: { exit: 1 },
  ABANDONED: { exit: 1 },
  INTERRUPTED: { exit: 130 },
} as const satisfies Record<string, { exit: 1 | 2 | 130 }>;

/** What kind of error it is. */
export type ErrorCode = keyof typeof ERRORS;

/** An error of the host. */
export function hostError(code: ErrorCode, message: string, options?: ErrorOptions): QtestError {
  return new QtestError(code, message, options);
}
