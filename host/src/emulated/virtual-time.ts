import type { ConnectionClock } from '@qtest/sdk/backend';
import { hostError } from '@qtest/sdk/support';
import type { Irqs } from './irqs.ts';
import type { EmulatedTime } from './vcpu.ts';

/**
 * While a handler watches a line: how far the time moves between two looks, ns. An emulator need not say when its next timer is due. Two
 * looks in the RTC's shortest period, 1/8192 s.
 */
const WATCHED_STEP = 61_035n;

export interface VirtualTimeOptions {
  /** Of the connection. */
  readonly clock: ConnectionClock | undefined;
  readonly irqs: Irqs;
  /** As errors call it. */
  readonly emulator: string;
}

/** An emulator's virtual time, which moves when it is told. */
export class VirtualTime implements EmulatedTime {
  readonly #clock: ConnectionClock;
  readonly #irqs: Irqs;
  readonly #emulator: string;
  #now = 0n;

  /** @throws EMULATOR when there is no clock. */
  constructor({ clock, irqs, emulator }: VirtualTimeOptions) {
    if (clock === undefined)
      throw hostError('EMULATOR', `${emulator} is to have the virtual clock, and its connection has no 'clock'`);
    this.#clock = clock;
    this.#irqs = irqs;
    this.#emulator = emulator;
  }

  now(): bigint {
    return this.#now;
  }

  step(duration: bigint | undefined): void {
    if (duration === undefined) {
      this.#advance();
      return;
    }
    const end = this.#now + duration;
    while (this.#now < end) {
      const left = end - this.#now;
      this.#move('step', this.#clock.step(this.#irqs.watched && left > WATCHED_STEP ? WATCHED_STEP : left));
      this.#irqs.take();
    }
  }

  moveUntil(end: bigint, isOver: () => boolean): void {
    while (!isOver() && this.#now < end) {
      this.#advance();
      this.#irqs.take();
    }
  }

  /** To the next deadline. */
  #advance(): void {
    const now = this.#clock.stepToDeadline();
    if (now === undefined)
      throw hostError('DEADLOCK', `the time cannot go on to the next deadline: no timer of ${this.#emulator} is armed`);
    this.#move('stepToDeadline', now);
  }

  /** A time that stands still would be waited for without end. */
  #move(call: string, now: unknown): void {
    const isTime = typeof now === 'bigint' && (now > this.#now || (call === 'stepToDeadline' && now === this.#now));
    if (!isTime)
      throw hostError(
        'EMULATOR',
        `${this.#emulator}: clock.${call}() gave ${String(now)}: expected a time in ns, a bigint, after ${this.#now}`,
      );
    this.#now = now;
  }
}
