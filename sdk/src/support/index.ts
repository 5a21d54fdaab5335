/**
 * What the packages on the host's side share: the table of errors, what was thrown as text, suggestions, bounds, seeded chance.
 * @module @qtest/sdk/support
 */
export { ERRORS, hostError, type ErrorCode } from './errors.ts';
export { didYouMean, nearest } from './nearest.ts';
export { Random } from './random.ts';
export { guardStandardStreams } from './standard-streams.ts';
export { codeOf, messageOf, stackOf } from './thrown.ts';
export { within } from './within.ts';
