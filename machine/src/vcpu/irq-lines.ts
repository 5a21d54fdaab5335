import type { IrqLine, IrqSource } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { Blueprint } from '../blueprint.ts';
import type { BoundMachine } from '../bound-machine.ts';

/** An IRQ line of a machine in shared memory. */
export class NativeIrqLine implements IrqLine {
  readonly name: string;
  readonly line: number;
  readonly #machine: BoundMachine;

  constructor(machine: BoundMachine, line: number) {
    this.name = machine.blueprint.lines[line]?.name ?? '?';
    this.line = line;
    this.#machine = machine;
  }

  get level(): boolean {
    return this.#machine.lines.level(this.line);
  }

  get edges(): number {
    return this.#machine.lines.edges(this.line);
  }
}

/** The index of a line that a test names: by a handle of `machine.irq()`, or by number on the ISA bus, or else the only bus with IRQ lines. */
export function lineIndex(machine: BoundMachine, source: IrqSource): number {
  if (source instanceof NativeIrqLine) return source.line;
  if (typeof source === 'number') return busLine(machine.blueprint, source);
  throw noLine(source);
}

export function noLine(source: unknown): TypeError {
  return new TypeError(`an IRQ is a number on the ISA bus or a line of machine.irq(), not ${typeof source}`);
}

/** The index of an IRQ line by its number on the ISA bus, or else on the only bus with IRQ lines. */
export function busLine({ devices }: Blueprint, irq: number): number {
  const all = devices.filter((device) => device.busLines > 0);
  const isa = all.filter(({ busName }) => busName === 'isa');
  const buses = isa.length > 0 ? isa : all;
  const [bus] = buses;
  if (bus === undefined || buses.length > 1) {
    throw hostError(
      'MACHINE',
      `IRQ ${irq}: the machine has ${buses.length} buses with IRQ lines; say which with machine.irq(bus, ${irq})`,
    );
  }
  if (!(Number.isInteger(irq) && irq >= 0 && irq < bus.busLines)) {
    throw new RangeError(`IRQ ${irq}: the bus '${bus.id}' has the IRQs 0 to ${bus.busLines - 1}`);
  }
  return bus.busLine + irq;
}

/** The line of `machine.irq(id, …)`. */
export function findLine(
  machine: BoundMachine,
  id: string,
  output: string | number | undefined,
  pin?: number,
): NativeIrqLine {
  return new NativeIrqLine(machine, outputLine(machine.blueprint, id, output, pin));
}

/** The index of the line of `machine.irq(id, …)`. */
export function outputLine({ devices }: Blueprint, id: string, output: string | number | undefined, pin = 0): number {
  const device = devices.find((candidate) => candidate.id === id);
  if (device === undefined) {
    throw hostError(
      'MACHINE',
      `machine.irq('${id}'): there is no such device; the machine has ${devices.map((d) => d.id).join(', ')}`,
    );
  }
  const number = typeof output === 'number' ? output : pin;
  const outputs = Object.entries(device.outputs);
  const [, found] = outputs.find(([name]) => typeof output !== 'string' || name === output) ?? [];
  const first = device.busLines > 0 && typeof output !== 'string' ? device.busLine : found?.line;
  const count = device.busLines > 0 && typeof output !== 'string' ? device.busLines : (found?.count ?? 0);
  if (first === undefined || !(Number.isInteger(number) && number >= 0 && number < count)) {
    const has =
      device.busLines > 0
        ? `lines 0 to ${device.busLines - 1}`
        : outputs.map(([name, o]) => `${name} (${o.count})`).join(', ');
    throw hostError(
      'MACHINE',
      `machine.irq('${id}', ${String(output ?? 0)}): '${id}' has no such line; it has ${has || 'none'}`,
    );
  }
  return first + number;
}
