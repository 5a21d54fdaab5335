import type { Access } from './access.ts';
import type { NativeSide } from './native-side.ts';

/** What the machine of ours is compared with. */
export interface Rival {
  /** As the report names it. */
  readonly name: string;
  /** Its time goes on by itself. */
  readonly realtime: boolean;
  /** Begins anew, as at power-on. */
  begin(): Promise<void>;
  /** Makes the accesses; `answers` are theirs. */
  run(accesses: readonly Access[], answers: Uint32Array): Promise<void>;
  /** In real time: since it was started, ns. */
  elapsed(): bigint;
  end(): Promise<void>;
}

/** Another machine of ours. */
export class NativeRival implements Rival {
  readonly name: string;
  readonly realtime = false;
  readonly #side: NativeSide;

  constructor(name: string, side: NativeSide) {
    this.name = name;
    this.#side = side;
  }

  async begin(): Promise<void> {
    this.#side.renew();
  }

  async run(accesses: readonly Access[], answers: Uint32Array): Promise<void> {
    // Those that reset the first machine have been left out. Here they are accesses as all others.
    let left = accesses;
    for (let done = 0; ;) {
      const reset = this.#side.run(left, answers.subarray(done));
      if (reset === undefined) return;
      done += reset + 1;
      left = left.slice(reset + 1);
    }
  }

  elapsed(): bigint {
    return 0n;
  }

  async end(): Promise<void> {}
}
