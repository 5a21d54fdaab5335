import type { IrqLine } from '@qtest/sdk';
import { type Blueprint, unhandled, Storm, type Handled } from '@qtest/machine';
import type { IrqListener } from '@qtest/sdk/backend';

/** Pins of an I/O APIC; a pair of 8259As has the first 16 of them. */
const PINS = 24;

/**
 * The pin that shows a line of the machine: ISA IRQ n is pin n. Of QEMU's I/O APIC too, where IRQ 0 is told of as pin 0 although the PIT is wired
 * to pin 2.
 */
export function pinOf({ devices, lines }: Blueprint, line: number): number | undefined {
  const isa = devices.find(({ busName }) => busName === 'isa');
  if (isa === undefined) return undefined;
  const irqOf = (index: number): number | undefined =>
    index >= isa.busLine && index < isa.busLine + isa.busLines ? index - isa.busLine : undefined;
  const own = irqOf(line);
  if (own !== undefined) return own;
  // An output that alone drives one IRQ has its level: alone but for the bus, whose bridge routes PCI's interrupts to all of them, and
  // for the device that a test has to drive them all by itself.
  const { feeds = [], sinks = [] } = lines[line] ?? {};
  const [target, ...others] = feeds;
  if (target === undefined || others.length > 0 || sinks.length > 0) return undefined;
  const quiet = [isa, ...devices.filter(({ type }) => type === 'pc-testdev')].flatMap(({ outputs }) =>
    Object.values(outputs),
  );
  const isQuiet = (index: number): boolean =>
    quiet.some((output) => index >= output.line && index < output.line + output.count);
  const drivers = lines.filter((other, index) => other.feeds.includes(target) && !isQuiet(index));
  return drivers.length === 1 ? irqOf(target) : undefined;
}

interface Watch extends Handled {
  readonly pin: number;
  seen: number;
}

/** Levels and rises of an emulator's ISA IRQs, as it tells of them, and the handlers of those that are watched. */
export class Irqs implements IrqListener {
  /** IF, of cli and sti. */
  enabled = true;
  /** Handlers that have been run. */
  handled = 0;
  /** Is told of a level that has changed. */
  onEdge: (pin: number, level: boolean) => void = () => {};
  readonly #levels = Array.from({ length: PINS }, () => false);
  /** Rises, ever, and at the last reset. */
  readonly #rises = Array.from({ length: PINS }, () => 0);
  readonly #atReset = Array.from({ length: PINS }, () => 0);
  readonly #watches: Watch[] = [];
  readonly #vectors = new Map<number, Handled>();
  // An emulator tells of no deadlines: its time alone shows that something can happen, and that is not moved by handlers.
  readonly #storm = new Storm(() => 0n);
  /** The handler that has run last. */
  #last: Watch | number | undefined;
  readonly #handling: (kind: 'irq' | 'vector', number: number) => void;
  readonly #acknowledge: () => number | undefined;
  #taking = false;

  /**
   * @param handling is told of each handler before it runs, with the pin or the vector.
   * @param acknowledge an interrupt acknowledge cycle, where the emulator has one: the vector, or undefined for none.
   */
  constructor(
    handling: (kind: 'irq' | 'vector', number: number) => void,
    acknowledge: () => number | undefined = () => undefined,
  ) {
    this.#handling = handling;
    this.#acknowledge = acknowledge;
  }

  change(pin: number, level: boolean): void {
    if (level && this.#levels[pin] !== true) this.#rises[pin] = this.rises(pin) + 1;
    if (this.level(pin) !== level) this.onEdge(pin, level);
    this.#levels[pin] = level;
  }

  /** For an emulator that counts the rises itself: what they are now. */
  update(pin: number, level: boolean, rises: number): void {
    if (this.level(pin) !== level) this.onEdge(pin, level);
    this.#levels[pin] = level;
    this.#rises[pin] = rises;
  }

  level(pin: number): boolean {
    return this.#levels[pin] === true;
  }

  rises(pin: number): number {
    return this.#rises[pin] ?? 0;
  }

  /** Rises since the machine's reset. */
  edges(pin: number): number {
    return this.rises(pin) - (this.#atReset[pin] ?? 0);
  }

  get watched(): boolean {
    return this.#watches.length > 0;
  }

  watch(pin: number, handler: () => void): () => void {
    const watch = { pin, handler, set: new Error(), seen: this.rises(pin) };
    this.#watches.push(watch);
    return () => {
      const index = this.#watches.indexOf(watch);
      if (index >= 0) this.#watches.splice(index, 1);
    };
  }

  onVector(vector: number, handler: () => void): () => void {
    this.#vectors.set(vector, { handler, set: new Error() });
    this.take();
    return () => {
      if (this.#vectors.get(vector)?.handler === handler) this.#vectors.delete(vector);
    };
  }

  /** Runs the handlers of what has risen. They do not nest. */
  take(): void {
    if (this.#taking || (this.#watches.length === 0 && this.#vectors.size === 0)) return;
    this.#taking = true;
    try {
      this.#storm.begin();
      while (this.#takeWatches() || this.#takeInterrupt()) if (this.#storm.isNext()) throw this.#stormError();
    } finally {
      this.#taking = false;
    }
  }

  #takeWatches(): boolean {
    let any = false;
    for (const watch of this.#watches.slice()) {
      const rises = this.rises(watch.pin);
      if (rises === watch.seen) continue;
      watch.seen = rises;
      any = true;
      this.handled++;
      this.#handling('irq', watch.pin);
      this.#last = watch;
      watch.handler();
    }
    return any;
  }

  #takeInterrupt(): boolean {
    if (!this.enabled || this.#vectors.size === 0) return false;
    const vector = this.#acknowledge();
    if (vector === undefined) return false;
    const found = this.#vectors.get(vector);
    this.#handling('vector', vector);
    if (found === undefined) throw unhandled(vector, [...this.#vectors.keys()]);
    this.handled++;
    this.#last = vector;
    found.handler();
    return true;
  }

  #stormError(): Error {
    const last = this.#last;
    const [what, handled] =
      typeof last === 'number'
        ? [`vector 0x${last.toString(16)}`, this.#vectors.get(last)]
        : [`IRQ ${last?.pin ?? '?'}`, last];
    const high = this.#levels.flatMap((level, pin) => (level ? [`IRQ ${pin}`] : []));
    return this.#storm.error(what, handled, undefined, high);
  }

  /** After a reset: counts anew, and forgets what has risen and was not handled. */
  forget(): void {
    for (let pin = 0; pin < PINS; pin++) this.#atReset[pin] = this.rises(pin);
    for (const watch of this.#watches) watch.seen = this.rises(watch.pin);
  }
}

/** A line of the machine that is an ISA IRQ of the emulator's. */
export class EmulatedIrqLine implements IrqLine {
  readonly name: string;
  readonly pin: number;
  readonly #irqs: Irqs;
  readonly #poll: () => void;

  constructor(name: string, pin: number, irqs: Irqs, poll: () => void) {
    this.name = name;
    this.pin = pin;
    this.#irqs = irqs;
    this.#poll = poll;
  }

  get level(): boolean {
    this.#poll();
    return this.#irqs.level(this.pin);
  }

  get edges(): number {
    this.#poll();
    return this.#irqs.edges(this.pin);
  }
}
