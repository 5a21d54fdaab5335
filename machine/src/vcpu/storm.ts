import { formatNanoseconds } from '@qtest/sdk';
import { framesOf, hostError, stackOf } from '@qtest/sdk/support';

/** Rounds of handlers, one after the other without the test's own code between, from which on it is looked whether time moves. */
const SUSPECT = 1000;
/** As many for each instant at which time has moved meanwhile are a storm: no timer is so fast that a handler cannot follow. */
const STORM = 10_000;
/** A handler, and where it was set. */
export interface Handled {
  readonly handler: () => void;
  /** An error made where it was set: that is cheap, and says where. */
  readonly set: Error;
}

/** A handler for a reader: its name, where it has one, and the place in the test at which it was set. */
function describe({ handler, set }: Handled): string {
  const name = handler.name === '' ? 'without a name' : `'${handler.name}'`;
  const [place] = framesOf(stackOf(set));
  return place === undefined ? name : `${name}, set at ${place.file}:${place.line}`;
}

/**
 * Tells an interrupt storm: handlers that are called again as soon as they return, for what they handle is never cleared, so that the test's
 * own code does not come to run any more.
 */
export class Storm {
  readonly #time: () => bigint;
  #rounds = 0;
  #instants = 0;
  #last = 0n;

  /** @param time changes when something happens by itself: with virtual time, or with the next deadline. */
  constructor(time: () => bigint) {
    this.#time = time;
  }

  /** The test's own code has run. */
  begin(): void {
    this.#rounds = 0;
  }

  /** Handlers run once more. True when it is a storm. */
  isNext(): boolean {
    return ++this.#rounds > SUSPECT && this.#look();
  }

  #look(): boolean {
    const now = this.#time();
    if (this.#rounds === SUSPECT + 1) {
      this.#instants = 0;
    } else if (now !== this.#last) {
      this.#instants++;
    }
    this.#last = now;
    return this.#rounds > STORM && this.#instants * 100 < this.#rounds;
  }

  /**
   * @param what it handles, `the IRQ line isa0.irq[4]`.
   * @param high lines that are high, by name.
   */
  error(what: string, handled: Handled | undefined, now: bigint | undefined, high: readonly string[]): Error {
    const handler = handled === undefined ? 'which is gone' : describe(handled);
    const lines = high.length === 0 ? '' : ` Lines that are high: ${high.join(', ')}.`;
    return hostError(
      'STORM',
      `interrupt storm of ${what}: its handler (${handler}) was called again and again, ${this.#rounds - 1} times${now === undefined ? '' : ` at ${formatNanoseconds(now)}`}, ` +
        `and no other code of the test came to run.${lines} The handler must clear what raises the line, in the device's register for it, before ` +
        `it returns; an end of interrupt at the controller is not enough`,
    );
  }
}
