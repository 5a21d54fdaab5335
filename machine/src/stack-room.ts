import { compileFunction } from 'node:vm';

/**
 * A stack that overflows between the taking of the machine's lock and its release leaves it held, and no `finally` helps, for what that calls
 * overflows too. So whoever is about to take it looks first whether there is stack for all that is done with it.
 */

/** Words of stack: 16 KiB. */
const WORDS = 2048;

/**
 * Does nothing. V8 compares the frame of a function that it enters, as large as its interpreter would need it in compiled code too, with the
 * stack that is left, and this one has a call of so many arguments in it, which is never made. To look costs a call, and no recursion.
 */
const needs = compileFunction(`if (never !== undefined) never(${Array.from({ length: WORDS }, () => 0).join()})`, [
  'never',
]);

/** @throws RangeError where the stack is nearly used up, before anything has been done. */
export function checkRoom(): void {
  needs(undefined);
}
