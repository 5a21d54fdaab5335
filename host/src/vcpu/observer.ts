import type { MachineContext } from '@qtest/sdk';
import type { Observed } from '../backends/backend.ts';
import type { HookSet } from '../hooks.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { WORD, TAP, LONG } from '../machine/control.ts';
import type { BoundMachine } from '../machine/bound-machine.ts';
import { EVENT, type MachineEvent } from '../machine/events.ts';

/** How often events are taken out of the ring, and in real time ticks delivered, while a case runs, ms. */
const DRAIN_EVERY = 20;
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
  #lost = 0;
  #ended = false;

  /** @param damaged is called when the machine's control area has been found to be damaged. */
  constructor(lane: Observable, hooks: HookSet, damaged: () => void) {
    this.#damaged = damaged;
    this.#lane = lane;
    this.#hooks = hooks;
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
    this.#deliverTicks();
    Atomics.notify(control.words, WORD.TICKS);
    const end = performance.now() + LAST_BOUND;
    while (this.#drain(SLICE) && performance.now() < end) await turn();
    this.#lost += events.discard();
    return {
      errors: this.#errors,
      messages: this.#messages,
      counts: this.#counts,
      lost: this.#lost,
      damage: this.#damage,
    };
  }

  /** Again and again while the case runs; after each look the event loop turns, however much there is still to be seen. */
  readonly #look = (): void => {
    if (this.#ended) return;
    this.#checkDamage(false);
    this.#deliverTicks();
    const more = this.#drain(SLICE);
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
      const ticks = this.#deliverTicks();
      const wait = Atomics.waitAsync(words, WORD.TICKS, ticks);
      // Another one has come already: VCPUs could go on so for ever.
      if (wait.async) await wait.value;
      else await turn();
    }
  }

  /** Calls the hook for the instants since the last time, lets the machine go on, and gives how many there have been in all. */
  #deliverTicks(): number {
    const { control } = this.#lane.machine;
    const ticks = Atomics.load(control.words, WORD.TICKS);
    const instants = (ticks - this.#seen) | 0;
    if (instants <= 0) return ticks;
    const virtual = this.#lane.context.clock === 'virtual';
    const now = virtual ? this.#lane.machine.time.now() : (control.longs[LONG.TICK_NOW] ?? 0n);
    this.#safely(() => this.#hooks.tick.call({ ...this.#lane.context, now, instants }));
    this.#seen = ticks;
    Atomics.store(control.words, WORD.TICKS_SEEN, ticks);
    Atomics.notify(control.words, WORD.TICKS_SEEN);
    return ticks;
  }

  /** Gives whether there is more. */
  #drain(ms: number): boolean {
    const { events } = this.#lane.machine;
    const end = performance.now() + ms;
    const more = events.drain(
      (event) => this.#deliver(event),
      () => performance.now() >= end,
    );
    this.#lost += events.takeLost();
    return more;
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
