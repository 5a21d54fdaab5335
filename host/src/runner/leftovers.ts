import { setTimeout as delay } from 'node:timers/promises';

/** How long what a case left running may take to end, ms. */
const BOUND = 500;

/**
 * What happens in this thread outside the call of a case: errors that nobody caught, and resources that are still active.
 * Made once for a thread, while nothing of a case is running yet.
 */
export class Leftovers {
  readonly #errors: unknown[] = [];
  readonly #baseline: ReadonlyMap<string, number>;

  constructor() {
    process.on('uncaughtException', (error) => this.#errors.push(error));
    process.on('unhandledRejection', (reason) => this.#errors.push(reason));
    this.#baseline = countByName(process.getActiveResourcesInfo());
  }

  /** Waits, within a bound, for what is still running to end; gives its names if it has not, and every error since the last call. */
  async drain(): Promise<{ errors: unknown[]; leftRunning: string[] }> {
    const end = performance.now() + BOUND;
    // One turn of the event loop: a rejection that nobody handles is told of only then.
    await new Promise((resolve) => void setImmediate(resolve));
    let leftRunning = this.#active();
    while (leftRunning.length > 0 && performance.now() < end) {
      await delay(5);
      leftRunning = this.#active();
    }
    return { errors: this.#errors.splice(0), leftRunning };
  }

  #active(): string[] {
    const extra: string[] = [];
    for (const [name, count] of countByName(process.getActiveResourcesInfo())) {
      for (let n = this.#baseline.get(name) ?? 0; n < count; n++) extra.push(name);
    }
    return extra;
  }
}

function countByName(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
