import { hostError } from '@qtest/sdk/support';
import type { EmulatedTime } from './vcpu.ts';
import type { Irqs } from './irqs.ts';

/** Longest sleep between two looks at what has come, ms. An emulator wakes nobody. */
const LOOK_EVERY = 0.1;

const SLEEP = new Int32Array(new SharedArrayBuffer(4));

export interface RealTimeOptions {
  readonly irqs: Irqs;
  /** Takes in what the emulator has told meanwhile. */
  readonly look: () => void;
  /** As errors call it. */
  readonly emulator: string;
}

/** The real time of an emulator's machine, from when its VCPU was made. */
export class RealTime implements EmulatedTime {
  readonly #options: RealTimeOptions;
  readonly #start = process.hrtime.bigint();

  constructor(options: RealTimeOptions) {
    this.#options = options;
  }

  now(): bigint {
    return process.hrtime.bigint() - this.#start;
  }

  step(duration: bigint | undefined): void {
    if (duration === undefined) {
      throw hostError(
        'DEADLOCK',
        `clock.step() without a duration goes to the next deadline, which ${this.#options.emulator} does not tell in real time; give a duration`,
      );
    }
    this.moveUntil(this.now() + duration, () => false);
  }

  moveUntil(end: bigint, isOver: () => boolean): void {
    const { irqs, look } = this.#options;
    for (;;) {
      look();
      irqs.take();
      if (isOver()) return;
      const left = Number(end - this.now()) / 1e6;
      if (left <= 0) return;
      Atomics.wait(SLEEP, 0, 0, Math.min(left, LOOK_EVERY));
    }
  }
}
