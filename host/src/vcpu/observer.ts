import type { MachineContext } from '@qtest/sdk';
import type { Observed } from './backend.ts';
import type { HookSet } from '../hooks.ts';
import { WORD, TAP, LONG } from '../machine/control.ts';
import type { BoundMachine } from '../machine/bound-machine.ts';
import { EVENT, type MachineEvent } from '../machine/events.ts';

/** How often events are taken out of the ring, and in real time ticks delivered, while a case runs, ms. */
const DRAIN_EVERY = 20;
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
  #lost = 0;
  #ended = false;

  constructor(lane: Observable, hooks: HookSet) {
    this.#lane = lane;
    this.#hooks = hooks;
    const { words } = lane.machine.control;
    words[WORD.TAPS] = (hooks.tick.isUsed() ? TAP.TICK : 0) | (hooks.irq.isUsed() ? TAP.IRQ : 0);
    Atomics.store(words, WORD.TICKS, 0);
    Atomics.store(words, WORD.TICKS_SEEN, 0);
    // What came before the case is nobody's.
    lane.machine.events.drain(() => {});
    lane.machine.events.takeLost();
    this.#timer = setInterval(() => {
      this.#deliverTicks();
      this.#drain();
    }, DRAIN_EVERY);
    // The virtual clock waits for the host; in real time nobody wakes it.
    if (hooks.tick.isUsed() && lane.context.clock === 'virtual') void this.#serveTicks();
  }

  /** Takes in the last events. */
  end(): Observed {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#deliverTicks();
    Atomics.notify(this.#lane.machine.control.words, WORD.TICKS);
    this.#drain();
    return { errors: this.#errors, messages: this.#messages, counts: this.#counts, lost: this.#lost };
  }

  async #serveTicks(): Promise<void> {
    const { words } = this.#lane.machine.control;
    while (!this.#ended) {
      const ticks = this.#deliverTicks();
      const wait = Atomics.waitAsync(words, WORD.TICKS, ticks);
      if (wait.async) await wait.value;
    }
  }

  /** Calls the hook for the instants since the last time, lets the machine go on, and gives how many there have been in all. */
  #deliverTicks(): number {
    const { control } = this.#lane.machine;
    const ticks = Atomics.load(control.words, WORD.TICKS);
    const seen = Atomics.load(control.words, WORD.TICKS_SEEN);
    if (ticks === seen) return ticks;
    const virtual = this.#lane.context.clock === 'virtual';
    const now = virtual ? this.#lane.machine.time.now() : (control.longs[LONG.TICK_NOW] ?? 0n);
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
    if (hook.isUsed()) this.#safely(() => hook.call({ ...context, device, message, now }));
  }

  /** A tap that throws fails the case; the machine goes on. Each error is kept once. */
  #safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      const known = this.#errors.some((other) => String(other) === String(error));
      if (!known) this.#errors.push(error);
    }
  }
}
