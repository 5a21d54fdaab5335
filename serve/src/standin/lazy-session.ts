import type { Executor } from '../server/connection.ts';

/**
 * The qtest protocol while the machine is being built: clients begin by asking for the endianness, which is the same for every machine
 * that there is; any other request waits for the machine.
 */
export class LazySession implements Executor {
  readonly #begin: () => void;
  #session: Executor | undefined;
  #waiting: string | undefined;

  /** @param begin has the machine built, if that has not begun. */
  constructor(begin: () => void) {
    this.#begin = begin;
  }

  /** The machine is there. */
  set session(session: Executor) {
    this.#session = session;
  }

  execute(line: string): string | undefined {
    if (this.#session !== undefined) return this.#session.execute(line);
    if (line === 'endianness') return 'OK little\n';
    this.#waiting = line;
    this.#begin();
    return undefined;
  }

  goOn(): string | undefined {
    if (this.#session === undefined) return undefined;
    const line = this.#waiting;
    this.#waiting = undefined;
    return line === undefined ? this.#session.goOn() : this.#session.execute(line);
  }
}
