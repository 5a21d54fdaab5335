/**
 * Puts what comes out of order back in order: each item is handed on as soon as all that precede it have been.
 * An item whose key was not announced is handed on at once.
 */
export class InOrder<T extends object> {
  readonly #keys: readonly string[];
  readonly #known: ReadonlySet<string>;
  readonly #waiting = new Map<string, T>();
  readonly #emit: (item: T) => void;
  #next = 0;

  constructor(keys: readonly string[], emit: (item: T) => void) {
    this.#keys = keys;
    this.#known = new Set(keys);
    this.#emit = emit;
  }

  add(key: string, item: T): void {
    if (!this.#known.has(key)) {
      this.#emit(item);
      return;
    }
    this.#waiting.set(key, item);
    this.#advance(false);
  }

  /** Hands on what still waits, when what precedes it will not come any more. */
  flush(): void {
    this.#advance(true);
  }

  #advance(overGaps: boolean): void {
    for (let key = this.#keys[this.#next]; key !== undefined; key = this.#keys[this.#next]) {
      const item = this.#waiting.get(key);
      if (item === undefined && !overGaps) return;
      this.#next++;
      this.#waiting.delete(key);
      if (item !== undefined) this.#emit(item);
    }
  }
}
