import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '@qtest/sdk/support';

/** How long what a case left running may take to end, ms. */
const BOUND = 500;

/**
 * What happens in this thread outside the call of a case: errors that nobody caught, and resources that are still active.
 * Made once for a thread, while nothing of a case is running yet.
 */
export class Leftovers {
  readonly #errors: unknown[] = [];
  /** Errors that were not kept. */
  #more = 0;
  readonly #baseline: ReadonlyMap<string, number>;

  constructor() {
    process.on('uncaughtException', (error) => this.#keep(error));
    process.on('unhandledRejection', (reason) => this.#keep(reason));
    this.#baseline = countByName(process.getActiveResourcesInfo());
  }

  /**
   * Waits, within a bound, for what is still running to end; gives its names if it has not, and the errors since the last call: the first of
   * them, and how many more there were.
   */
  async drain(): Promise<{ errors: unknown[]; more: number; leftRunning: string[] }> {
    const end = performance.now() + BOUND;
    // One turn of the event loop: a rejection that nobody handles is told of only then.
    await new Promise((resolve) => void setImmediate(resolve));
    let leftRunning = this.#active();
    while (leftRunning.length > 0 && performance.now() < end) {
      await delay(5);
      leftRunning = this.#active();
    }
    const more = this.#more;
    this.#more = 0;
    return { errors: this.#errors.splice(0), more, leftRunning };
  }

  #keep(error: unknown): void {
    if (this.#errors.length < LIMITS.failures) this.#errors.push(error);
    else this.#more++;
  }

  /** `Timeout`, `TCPSocketWrap (3)`. */
  #active(): string[] {
    return [...countByName(process.getActiveResourcesInfo())].flatMap(([name, count]) => {
      const extra = count - (this.#baseline.get(name) ?? 0);
      return extra <= 0 ? [] : [extra === 1 ? name : `${name} (${extra})`];
    });
  }
}

function countByName(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
