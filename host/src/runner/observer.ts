import type { MachineContext } from '@qtest/sdk';
import type { Observed } from '../backends/backend.ts';
import { callForeignOften, foreignBound, isInterruption, neverEnded } from '../bounded.ts';
import { hostError, LIMITS, messageOf, withoutStack } from '@qtest/sdk/support';
import type { HookSet } from '../hooks.ts';
import { WORD, TAP, LONG, type BoundMachine, EVENT, type MachineEvent } from '@qtest/machine';

/** How often events are taken out of the ring, and in real time ticks delivered, while a case runs, ms. */
const DRAIN_EVERY = 20;
/** How long ticks are delivered, one after the other as they come, within one bound, ms; and how long the next of them is waited for. */
const TOGETHER = 5;
const NEXT_TICK = 0.2;
/** Different guest errors kept for the report. */
const KEPT = 5;

/** What it listens to, and what it tells the hooks of it. */
interface Observable {
  readonly machine: BoundMachine;
  readonly context: MachineContext;
}

/** Listens to a machine while a case runs on it: delivers ticks and events to the hooks, on the host's thread. */
export class Observer {
  readonly #lane: Observable;
  readonly #hooks: HookSet;
  readonly #errors: unknown[] = [];
  readonly #messages = new Map<string, number>();
  readonly #counts = { guestError: 0, unimplemented: 0 };
  readonly #timer: NodeJS.Timeout;
  /** Whether a plugin's code is called at all. */
  readonly #isTapped: boolean;
  /** A tap has not come back. */
  #isLost = false;
  #lost = 0;
  #ended = false;

  constructor(lane: Observable, hooks: HookSet) {
    this.#lane = lane;
    this.#hooks = hooks;
    const { tick, irq, guestError, unimplemented } = hooks;
    this.#isTapped = [tick, irq, guestError, unimplemented].some((hook) => hook.isUsed());
    const { words } = lane.machine.control;
    words[WORD.TAPS] = (hooks.tick.isUsed() ? TAP.TICK : 0) | (hooks.irq.isUsed() ? TAP.IRQ : 0);
    Atomics.store(words, WORD.TICKS, 0);
    Atomics.store(words, WORD.TICKS_SEEN, 0);
    // What came before the case is nobody's.
    lane.machine.events.drain(() => {});
    lane.machine.events.takeLost();
    this.#timer = setInterval(() => {
      this.#calling(() => {
        this.#deliverTicks();
        this.#drain();
      });
    }, DRAIN_EVERY);
    // The virtual clock waits for the host; in real time nobody wakes it.
    if (hooks.tick.isUsed() && lane.context.clock === 'virtual') void this.#serveTicks();
  }

  /** Takes in the last events. */
  end(): Observed {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#calling(() => {
      this.#deliverTicks();
      this.#drain();
    });
    Atomics.notify(this.#lane.machine.control.words, WORD.TICKS);
    const observed = { errors: this.#errors, messages: this.#messages, counts: this.#counts, lost: this.#lost };
    return { ...observed, hung: this.#isLost };
  }

  async #serveTicks(): Promise<void> {
    const { words } = this.#lane.machine.control;
    while (!this.#ended) {
      let ticks = Atomics.load(words, WORD.TICKS_SEEN);
      // To arm a bound costs as much as many ticks: those that come in close order share one.
      this.#calling(() => {
        const end = performance.now() + TOGETHER;
        do ticks = this.#deliverTicks();
        while (performance.now() < end && Atomics.wait(words, WORD.TICKS, ticks, NEXT_TICK) !== 'timed-out');
      });
      const wait = Atomics.waitAsync(words, WORD.TICKS, ticks);
      if (wait.async) await wait.value;
    }
  }

  /** Delivers, the taps' code within a bound. One that did not come back fails the case, and hears no more of it. */
  #calling(deliver: () => void): void {
    if (!this.#isTapped || this.#isLost) {
      deliver();
      return;
    }
    try {
      const broken = callForeignOften(deliver, foreignBound() + TOGETHER);
      if (broken === undefined) return;
      const cause = withoutStack(`it ${neverEnded(foreignBound() / 1000)}`);
      this.#errors.push(hostError('HOOK', `${broken.lost?.what ?? 'a hook'}: ${cause.message}`, { cause }));
    } catch (error) {
      // Ctrl-C, of which the run has been told.
      if (!isInterruption(error)) throw error;
    }
    this.#isLost = true;
    // The VCPU waits for the host to have seen the instant.
    this.#deliverTicks();
  }

  /** Calls the hook for the instants since the last time, lets the machine go on, and gives how many there have been in all. */
  #deliverTicks(): number {
    const { control } = this.#lane.machine;
    const ticks = Atomics.load(control.words, WORD.TICKS);
    const seen = Atomics.load(control.words, WORD.TICKS_SEEN);
    if (ticks === seen) return ticks;
    const virtual = this.#lane.context.clock === 'virtual';
    const now = virtual ? this.#lane.machine.time.now() : (control.longs[LONG.TICK_NOW] ?? 0n);
    if (!this.#isLost)
      this.#safely(() => this.#hooks.tick.call({ ...this.#lane.context, now, instants: (ticks - seen) | 0 }));
    Atomics.store(control.words, WORD.TICKS_SEEN, ticks);
    Atomics.notify(control.words, WORD.TICKS_SEEN);
    return ticks;
  }

  #drain(): void {
    const { events } = this.#lane.machine;
    events.drain((event) => this.#deliver(event));
    this.#lost += events.takeLost();
  }

  #deliver({ kind, source, value, now, message }: MachineEvent): void {
    const { blueprint } = this.#lane.machine;
    const { context } = this.#lane;
    if (kind === EVENT.IRQ) {
      if (this.#isLost) return;
      const line = blueprint.lines[source]?.name ?? '?';
      this.#safely(() => this.#hooks.irq.call({ ...context, line, level: value === 1, now }));
      return;
    }
    const device = blueprint.devices[source]?.id;
    const name = kind === EVENT.GUEST_ERROR ? 'guestError' : 'unimplemented';
    const text = `${name}: ${device === undefined ? '' : `${device}: `}${message}`;
    this.#counts[name]++;
    if (this.#messages.has(text) || this.#messages.size < KEPT)
      this.#messages.set(text, (this.#messages.get(text) ?? 0) + 1);
    const hook = this.#hooks[name];
    if (hook.isUsed() && !this.#isLost) this.#safely(() => hook.call({ ...context, device, message, now }));
  }

  /** A tap that throws fails the case; the machine goes on. Each error is kept once, and of many different ones the first. */
  #safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      const known = this.#errors.some((other) => messageOf(other) === messageOf(error));
      if (!known && this.#errors.length < LIMITS.failures) this.#errors.push(error);
    }
  }
}
