import type { IrqLine } from '@qtest/sdk';
import type { Blueprint } from '../../machine/blueprint.ts';
import { Skipped } from '../../vcpu/case-context.ts';

/** Pins of the I/O APIC. */
const PINS = 24;

/** The pin of the I/O APIC that shows a line of the machine: ISA IRQ n is pin n (IRQ 0 too, though the PIT is wired to pin 2). */
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

interface Watch {
  readonly pin: number;
  readonly handler: () => void;
  seen: number;
}

/** Levels and rises of the I/O APIC's pins, as QEMU tells of them, and the handlers of those that are watched. */
export class Irqs {
  /** Handlers that have been run. */
  handled = 0;
  readonly #levels = Array.from({ length: PINS }, () => false);
  /** Rises, ever, and at the last reset. */
  readonly #rises = Array.from({ length: PINS }, () => 0);
  readonly #atReset = Array.from({ length: PINS }, () => 0);
  readonly #watches: Watch[] = [];
  readonly #handling: (pin: number) => void;
  #taking = false;

  /** @param handling is told of each handler before it runs. */
  constructor(handling: (pin: number) => void) {
    this.#handling = handling;
  }

  change(pin: number, level: boolean): void {
    if (level && this.#levels[pin] !== true) this.#rises[pin] = this.rises(pin) + 1;
    this.#levels[pin] = level;
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
    const watch = { pin, handler, seen: this.rises(pin) };
    this.#watches.push(watch);
    return () => {
      const index = this.#watches.indexOf(watch);
      if (index >= 0) this.#watches.splice(index, 1);
    };
  }

  /** Runs the handlers of what has risen. They do not nest. */
  take(): void {
    if (this.#taking || this.#watches.length === 0) return;
    this.#taking = true;
    try {
      for (let again = true; again;) {
        again = false;
        for (const watch of this.#watches.slice()) {
          const rises = this.rises(watch.pin);
          if (rises === watch.seen) continue;
          watch.seen = rises;
          again = true;
          this.handled++;
          this.#handling(watch.pin);
          watch.handler();
        }
      }
    } finally {
      this.#taking = false;
    }
  }

  /** After a reset: counts anew, and forgets what has risen and was not handled. */
  forget(): void {
    for (let pin = 0; pin < PINS; pin++) this.#atReset[pin] = this.rises(pin);
    for (const watch of this.#watches) watch.seen = this.rises(watch.pin);
  }
}

/** A line of the machine that is a pin of QEMU's I/O APIC. */
export class QemuIrqLine implements IrqLine {
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

/** Ends the case: QEMU shows no such line. */
export function hiddenLine(name: string): Skipped {
  return new Skipped(`QEMU tells of the ISA bus's IRQs over qtest, and not of the line ${name}`);
}
