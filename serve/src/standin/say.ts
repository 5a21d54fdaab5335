import { writeSync } from 'node:fs';
import { printable } from '@qtest/sdk/support';

const PROGRAM = 'qtest-system-x86_64';

/** Written at once: `process.exit()` does not wait for a stream. What nobody takes is lost, and ends nothing. */
export function say(message: string): void {
  try {
    writeSync(2, printable(`${PROGRAM}: ${message}\n`));
  } catch {
    // There is nowhere else to tell of it.
  }
}
