import { QtestError } from '../errors.ts';

/** Why a backend cannot be used here, and what to install: the command ends with exit code 2. */
export function unusable(message: string, options?: ErrorOptions): QtestError {
  return new QtestError('BACKEND', message, options);
}

/** What an emulator has done that ends the case: it has died, it answers what is no answer, it cannot be started. */
export function emulatorError(message: string, options?: ErrorOptions): QtestError {
  return new QtestError('EMULATOR', message, options);
}

/** An emulator that has not answered within a bound: it hangs. */
export function noAnswer(message: string, options?: ErrorOptions): QtestError {
  return new QtestError('NO_ANSWER', message, options);
}
