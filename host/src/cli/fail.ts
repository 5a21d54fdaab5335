import { isQtestError } from '@qtest/sdk';

import { ERRORS, stackOf, codeOf, messageOf } from '@qtest/sdk/support';
import { print } from '../report/style.ts';
import type { Io } from './io.ts';

/** Whether the system has refused something by its path, which its message names: `ENAMETOOLONG: name too long, open 'x'`. */
function isOfSystem(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const isCall = 'syscall' in error && 'path' in error && /^E[A-Z\d]+$/.test(codeOf(error) ?? '');
  return isCall || (codeOf(error) === 'ERR_INVALID_ARG_VALUE' && error.message.includes('null bytes'));
}

/** Tells of an error that ends the command; gives the exit code. */
export function explain(error: unknown, { stderr }: Io): number {
  // Its message says all there is; its stack would show the host's own code.
  const isPlain = isQtestError(error) || isOfSystem(error);
  print(stderr, `qtest: ${isPlain ? messageOf(error) : `internal error: ${stackOf(error)}`}\n`);
  const codes: Readonly<Record<string, { readonly exit: number }>> = ERRORS;
  const known = isQtestError(error) && Object.hasOwn(codes, error.code) ? codes[error.code] : undefined;
  return known?.exit ?? 2;
}
