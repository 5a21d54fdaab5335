import type { ClockKind } from '@qtest/sdk';
import type { CaseLane } from './backend.ts';

/** The lane of a plugin's case before, for as long as the next one can have it. */
export class KeptLane<L extends CaseLane> {
  readonly #create: (clock: ClockKind) => Promise<L>;
  #lane: L | undefined;

  constructor(create: (clock: ClockKind) => Promise<L>) {
    this.#create = create;
  }

  /** A new one when that was given up, or has the other clock. */
  async get(clock: ClockKind): Promise<L> {
    if (this.#lane?.spent === true || this.#lane?.context.clock !== clock) await this.dispose();
    this.#lane ??= await this.#create(clock);
    return this.#lane;
  }

  async dispose(): Promise<void> {
    await this.#lane?.dispose();
    this.#lane = undefined;
  }
}
