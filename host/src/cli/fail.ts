import { isQtestError } from '@qtest/sdk';

import { ERRORS } from '../errors.ts';
import { print } from '../report/style.ts';
import { stackOf } from '../thrown.ts';
import type { Io } from './io.ts';

/** Tells of an error that ends the command; gives the exit code. */
export function explain(error: unknown, { stderr }: Io): number {
  // Its message says all there is; its stack would show the host's own code.
  print(stderr, `qtest: ${isQtestError(error) ? error.message : `internal error: ${stackOf(error)}`}\n`);
  const codes: Readonly<Record<string, { readonly exit: number }>> = ERRORS;
  const known = isQtestError(error) && Object.hasOwn(codes, error.code) ? codes[error.code] : undefined;
  return known?.exit ?? 2;
}
