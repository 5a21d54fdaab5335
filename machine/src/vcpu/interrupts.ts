import { hostError } from '@qtest/sdk/support';
import type { BoundMachine } from '../bound-machine.ts';
import { WORD } from '../control.ts';
import { checkVector } from './arguments.ts';
import { Storm, type Handled } from './storm.ts';
import type { Taker } from './taker.ts';
import { OP, type TraceRing } from './trace.ts';

interface Watch extends Handled {
  readonly line: number;
  seen: number;
}

/** Lines that an error names. */
const SHOWN_LINES = 6;

// A constant of this module is folded into its code; an imported one is loaded and checked at every use.
const { IRQ_SEQUENCE } = WORD;

/** What interrupts a VCPU: watched IRQ lines, and vectors from the interrupt controller. Handlers do not nest. */
export class Interrupts {
  /** IF, of cli and sti. */
  enabled = true;
  /** Handlers that have been run. */
  handled = 0;
  readonly #machine: BoundMachine;
  readonly #words: Int32Array;
  readonly #trace: TraceRing;
  readonly #locked: <T>(run: () => T) => T;
  readonly #vcpu: number;
  readonly #acknowledge: () => number | undefined;
  /** Its INTR; −1 when nothing drives it. */
  readonly #intr: number;
  readonly #watches: Watch[] = [];
  readonly #vectors = new Map<number, Handled>();
  readonly #storm: Storm;
  /** The handler that has run last. */
  #last: Watch | number | undefined;
  #active = false;
  #taking = false;
  readonly #taker: Taker | undefined;
  #sequence = 0;

  /** @param taker in real time. */
  constructor(
    machine: BoundMachine,
    trace: TraceRing,
    vcpu: number,
    locked: <T>(run: () => T) => T,
    taker: Taker | undefined,
  ) {
    this.#machine = machine;
    this.#words = machine.control.words;
    this.#trace = trace;
    this.#locked = locked;
    this.#taker = taker;
    this.#vcpu = vcpu;
    const { time } = machine;
    // In real time the time itself always moves; what fires moves the next deadline.
    this.#storm = new Storm(() => (time.kind === 'realtime' ? time.next : time.now()));
    this.#acknowledge = () => machine.acknowledge(vcpu);
    this.#intr = machine.blueprint.intr[vcpu] ?? -1;
  }

  /** Whether a line has risen since the last look, with somebody there to care. */
  get pending(): boolean {
    return this.#active && !this.#taking && this.#words[IRQ_SEQUENCE] !== this.#sequence;
  }

  watch(line: number, handler: () => void): () => void {
    const watch = { line, handler, set: new Error(), seen: this.#machine.lines.rises(line) };
    this.#watches.push(watch);
    this.#update();
    return () => {
      const index = this.#watches.indexOf(watch);
      if (index >= 0) this.#watches.splice(index, 1);
      this.#update();
    };
  }

  onVector(vector: number, handler: () => void): () => void {
    checkVector(vector);
    if (this.#intr < 0) {
      const driven = this.#machine.blueprint.intr.length;
      const remedy =
        driven === 0
          ? 'add an interrupt controller'
          : `only ${driven === 1 ? 'VCPU 0' : `VCPUs 0 to ${driven - 1}`} has one: give the machine a local APIC for ${this.#vcpu + 1} CPUs`;
      throw hostError(
        'MACHINE',
        `onInterrupt(0x${vector.toString(16)}): nothing drives INTR of VCPU ${this.#vcpu}; ${remedy}`,
      );
    }
    this.#vectors.set(vector, { handler, set: new Error() });
    this.#update();
    this.take();
    return () => {
      if (this.#vectors.get(vector)?.handler === handler) this.#vectors.delete(vector);
      this.#update();
    };
  }

  /** Runs the handlers of what has come; lock not held. */
  take(): void {
    if (!this.#active || this.#taking) return;
    this.#taking = true;
    try {
      this.#storm.begin();
      let again = true;
      while (again) {
        if (this.#storm.isNext()) throw this.#stormError();
        this.#sequence = this.#words[IRQ_SEQUENCE] ?? 0;
        again = this.#takeWatches();
        if (this.#takeInterrupt()) again = true;
      }
      this.#taker?.taken(this.#sequence);
    } finally {
      this.#taking = false;
      this.#taker?.endHandlers();
    }
  }

  #takeWatches(): boolean {
    if (this.#watches.length === 0) return false;
    let any = false;
    for (const watch of this.#watches.slice()) {
      const rises = this.#machine.lines.rises(watch.line);
      if (rises === watch.seen) continue;
      watch.seen = rises;
      any = true;
      this.handled++;
      this.#trace.add(OP.IRQ, 0, watch.line, rises);
      this.#last = watch;
      this.#taker?.beginHandler();
      watch.handler();
    }
    return any;
  }

  #takeInterrupt(): boolean {
    if (!this.enabled || this.#intr < 0 || this.#vectors.size === 0 || !this.#machine.lines.level(this.#intr))
      return false;
    this.#taker?.beginHandler();
    const vector = this.#locked(this.#acknowledge);
    if (vector === undefined) return false;
    const found = this.#vectors.get(vector);
    this.#trace.add(OP.INTERRUPT, 0, vector, 0);
    if (found === undefined) throw unhandled(vector, [...this.#vectors.keys()]);
    this.handled++;
    this.#last = vector;
    found.handler();
    return true;
  }

  #stormError(): Error {
    const { blueprint, lines, time } = this.#machine;
    const high = blueprint.lines.flatMap(({ name }, line) => (lines.level(line) ? [name] : []));
    const last = this.#last;
    const [what, handled] =
      typeof last === 'number'
        ? [`vector 0x${last.toString(16)}`, this.#vectors.get(last)]
        : [`the IRQ line ${blueprint.lines[last?.line ?? -1]?.name ?? '?'}`, last];
    return this.#storm.error(what, handled, time.now(), high.slice(0, SHOWN_LINES));
  }

  /** Forgets what has risen and was not handled: this VCPU has restored or reset the machine in which it rose. */
  forget(): void {
    for (const watch of this.#watches) watch.seen = this.#machine.lines.rises(watch.line);
  }

  #update(): void {
    this.#active = this.#watches.length > 0 || this.#vectors.size > 0;
    if (this.#taker !== undefined) this.#taker.hasHandlers = this.#active;
  }
}

/** The error of a vector that nobody has asked for. */
export function unhandled(vector: number, known: readonly number[]): Error {
  const handlers = known.map((key) => `0x${key.toString(16)}`).join(', ');
  return hostError(
    'MACHINE',
    `the interrupt controller delivered vector 0x${vector.toString(16)}, and no handler is set for it; there are ${handlers}`,
  );
}
