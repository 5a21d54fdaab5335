import type { NativeSide } from './native-side.ts';
import type { Sequence } from './sequence.ts';

/** What the machine of ours is compared with. */
export interface Rival {
  /** As the report names it. */
  readonly name: string;
  /** Its time goes on by itself. */
  readonly realtime: boolean;
  /** Begins anew, as at power-on. */
  begin(): Promise<void>;
  /** Makes the accesses; `answers` are theirs. @throws EMULATOR or NO_ANSWER when it cannot go on. */
  run(sequence: Sequence, answers: Uint32Array): Promise<void>;
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

  async run(sequence: Sequence, answers: Uint32Array): Promise<void> {
    // Those that reset the first machine have been left out. Here they are accesses as all others.
    this.#side.run(sequence, answers);
  }

  elapsed(): bigint {
    return 0n;
  }

  async end(): Promise<void> {}
}
