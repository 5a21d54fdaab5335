import { setImmediate as turn } from 'node:timers/promises';
import type { MachineContext } from '@qtest/sdk';
import type { Observed } from './backend.ts';
import { callForeignOften, foreignBound, isInterruption, neverEnded } from '../foreign/bounded.ts';
import { hostError, LIMITS, messageOf, withoutStack } from '@qtest/sdk/support';
import type { HookSet } from '../hooks.ts';
import { WORD, TAP, LONG, type BoundMachine, EVENT, type MachineEvent } from '@qtest/machine';

/** How often events are taken out of the ring, and in real time ticks delivered, while a case runs, ms. */
const DRAIN_EVERY = 20;
/** How long ticks are delivered, one after the other as they come, within one bound, ms; and how long the next of them is waited for. */
const TOGETHER = 5;
const NEXT_TICK = 0.2;
/** How long the host's thread drains the ring before it looks at time-outs and signals, ms. A tap that has begun is waited for. */
const SLICE = 5;
/** How long it drains the ring of a case that is over, ms. What is left then is lost. */
const LAST_BOUND = 1000;
/** Different guest errors kept for the report. */
const KEPT = 5;

/** What it listens to, and what it tells the hooks of it. */
interface Observable {
  readonly machine: BoundMachine;
  readonly context: MachineContext;
  /** Says which word of the control area cannot be what it is. */
  damage(ticks: number, ended: boolean): string | undefined;
}

/** Listens to a machine while a case runs on it: delivers ticks and events to the hooks, on the host's thread. */
export class Observer {
  readonly #lane: Observable;
  readonly #hooks: HookSet;
  readonly #errors: unknown[] = [];
  readonly #messages = new Map<string, number>();
  readonly #counts = { guestError: 0, unimplemented: 0 };
  readonly #damaged: () => void;
  #damage: string | undefined;
  #timer: NodeJS.Timeout;
  /** Ticks dealt with; the word that says so is for the VCPUs. */
  #seen = 0;
  /** Whether a plugin's code is called at all. */
  readonly #isTapped: boolean;
  /** A tap has not come back. */
  #isLost = false;
  #lost = 0;
  #ended = false;

  /** @param damaged is called when the machine's control area has been found to be damaged. */
  constructor(lane: Observable, hooks: HookSet, damaged: () => void) {
    this.#damaged = damaged;
    this.#lane = lane;
    this.#hooks = hooks;
    const { tick, irq, guestError, unimplemented } = hooks;
    this.#isTapped = [tick, irq, guestError, unimplemented].some((hook) => hook.isUsed());
    const { words } = lane.machine.control;
    words[WORD.TAPS] = (hooks.tick.isUsed() ? TAP.TICK : 0) | (hooks.irq.isUsed() ? TAP.IRQ : 0);
    Atomics.store(words, WORD.TICKS, 0);
    Atomics.store(words, WORD.TICKS_SEEN, 0);
    // What came before the case is nobody's.
    lane.machine.events.discard();
    lane.machine.events.takeLost();
    this.#timer = setTimeout(this.#look, DRAIN_EVERY);
    // The virtual clock waits for the host; in real time nobody wakes it.
    if (hooks.tick.isUsed() && lane.context.clock === 'virtual') void this.#serveTicks();
  }

  /** Takes in the last events, within a bound. */
  async end(): Promise<Observed> {
    const { control, events } = this.#lane.machine;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#checkDamage(true);
    this.#calling(() => void this.#deliverTicks());
    Atomics.notify(control.words, WORD.TICKS);
    const end = performance.now() + LAST_BOUND;
    while (this.#drainSlice() && performance.now() < end) await turn();
    this.#lost += events.discard();
    return {
      errors: this.#errors,
      messages: this.#messages,
      counts: this.#counts,
      lost: this.#lost,
      hung: this.#isLost,
      damage: this.#damage,
    };
  }

  /** Again and again while the case runs; after each look the event loop turns, however much there is still to be seen. */
  readonly #look = (): void => {
    if (this.#ended) return;
    this.#checkDamage(false);
    this.#calling(() => void this.#deliverTicks());
    const more = this.#drainSlice();
    if (more) setImmediate(this.#look);
    else this.#timer = setTimeout(this.#look, DRAIN_EVERY);
  };

  #checkDamage(ended: boolean): void {
    if (this.#damage !== undefined) return;
    this.#damage = this.#lane.damage(this.#seen, ended);
    if (this.#damage !== undefined) this.#damaged();
  }

  async #serveTicks(): Promise<void> {
    const { words } = this.#lane.machine.control;
    while (!this.#ended) {
      let ticks = this.#seen;
      // To arm a bound costs as much as many ticks: those that come in close order share one.
      this.#calling(() => {
        const end = performance.now() + TOGETHER;
        do ticks = this.#deliverTicks();
        while (performance.now() < end && Atomics.wait(words, WORD.TICKS, ticks, NEXT_TICK) !== 'timed-out');
      });
      const wait = Atomics.waitAsync(words, WORD.TICKS, ticks);
      // Another one has come already: VCPUs could go on so for ever.
      if (wait.async) await wait.value;
      else await turn();
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
    const instants = (ticks - this.#seen) | 0;
    if (instants <= 0) return ticks;
    const virtual = this.#lane.context.clock === 'virtual';
    const now = virtual ? this.#lane.machine.time.now() : (control.longs[LONG.TICK_NOW] ?? 0n);
    if (!this.#isLost) this.#safely(() => this.#hooks.tick.call({ ...this.#lane.context, now, instants }));
    this.#seen = ticks;
    Atomics.store(control.words, WORD.TICKS_SEEN, ticks);
    Atomics.notify(control.words, WORD.TICKS_SEEN);
    return ticks;
  }

  /** Takes events out of the ring for a while. Gives whether there is more. */
  #drainSlice(): boolean {
    const { events } = this.#lane.machine;
    let more = false;
    this.#calling(() => {
      const end = performance.now() + SLICE;
      more = events.drain(
        (event) => this.#deliver(event),
        () => performance.now() >= end,
      );
    });
    this.#lost += events.takeLost();
    return more;
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
