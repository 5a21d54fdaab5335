import { expect, it } from 'vitest';
import { Emulator } from '../emulator/emulator.ts';
import { parseCommandLine } from '../standin/command-line.ts';
import { monitorFuzz, sessionFuzz } from './fuzzing.ts';
import { testSession } from './testing.ts';

/** In a test run; the bench does a million of each. */
const MUTATIONS = 40_000;
/** Some milliseconds each, so many that it takes a while beside other tests. */
const LONG = { timeout: 120_000 };

it('answers every mutated request with one line, and lives', LONG, () => {
  const { session } = testSession((machine) => machine.pc({ edu: true, hpet: true }));
  const { requests, malformed } = sessionFuzz(session, 1, MUTATIONS);
  expect(requests).toBe(MUTATIONS);
  // Some are still right, and most are not.
  expect(malformed).toBeGreaterThan(MUTATIONS / 4);
  expect(malformed).toBeLessThan(MUTATIONS);
  expect(session.execute('endianness')).toBe('OK little\n');
});

it('answers every mutated message of a monitor, and lives', LONG, () => {
  const request = parseCommandLine(['-device', 'edu,id=e'], new Date(0));
  if (request.kind !== 'run') throw new Error('it is to run');
  const { replies, errors } = monitorFuzz(new Emulator(request.command.settings), 1, MUTATIONS / 2);
  expect(replies).toBeGreaterThan(0);
  expect(errors).toBeGreaterThan(0);
});
