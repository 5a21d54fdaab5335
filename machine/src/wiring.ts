import type { AnyDeviceDefinition, OutputSpec, PinRef } from '@qtest/sdk';
import { fail, type Added } from './added.ts';
import type { LineBlueprint } from './blueprint.ts';

interface Line {
  readonly name: string;
  readonly feeds: number[];
  readonly sinks: { device: number; input: string; pin: number }[];
  /** Outputs and lines that drive it, by name. */
  readonly drivers: string[];
  readonly shared: boolean;
}

/** An interrupt controller: its lines for INTR of VCPU 0 and up. */
interface Controller {
  readonly device: number;
  readonly lines: readonly number[];
}

/** Value of a property that names an IRQ of the bus: none, the machine wires the output itself. */
const UNWIRED = -1;

type Schema = AnyDeviceDefinition['schema'];

/** The IRQ wiring of a machine under construction. */
export class Wiring {
  /** Lines that reset the machine when they rise. */
  readonly resets: number[] = [];
  readonly #devices: readonly Added[];
  readonly #lines: Line[] = [];
  readonly #inputs = new Map<string, number>();
  /** Lines of buses that drive input pins, and the lines that end there. */
  readonly #taps: { readonly from: number; readonly to: number }[] = [];
  /** The interrupt controller, and one that stands before it: a local APIC. */
  #pic: Controller | undefined;
  #apic: Controller | undefined;

  /** @param devices the machine's, in order; those that are added later too. */
  constructor(devices: readonly Added[]) {
    this.#devices = devices;
  }

  /** Lines for a new device: of its output pins, and of the bus that it provides. */
  linesFor(id: string, { outputs: specs = {}, provides }: Schema): Pick<Added, 'outputs' | 'busLine'> {
    const outputs: Record<string, { line: number; count: number }> = {};
    for (const [name, { count = 1 }] of Object.entries(specs)) {
      outputs[name] = { line: this.#lines.length, count };
      for (let pin = 0; pin < count; pin++) this.#line(count === 1 ? `${id}.${name}` : `${id}.${name}[${pin}]`, false);
    }
    const busLine = provides === undefined ? -1 : this.#lines.length;
    for (let n = 0; n < (provides?.irqs ?? 0); n++) this.#line(`${id}.irq[${n}]`, provides?.shared ?? false);
    return { outputs, busLine };
  }

  /** Wires what the device's definition says: its outputs to the bus's lines and to INTR, the bus's lines to its inputs. */
  wire(device: Added): void {
    const { schema } = device.definition;
    for (const [name, spec] of Object.entries(schema.outputs ?? {})) {
      const line = device.outputs[name]?.line ?? -1;
      if (spec.intr !== undefined && spec.intr !== false) this.#addController(device, name, spec);
      if (spec.reset === true) for (let pin = 0; pin < (spec.count ?? 1); pin++) this.resets.push(line + pin);
      if (spec.busReset === true && schema.provides === undefined)
        fail(`device '${device.id}': its output '${name}' resets the bus that it provides, and it provides none`);
      if (spec.ownIrq === true) this.#wireToOwnLines(device, name, spec.count ?? 1);
      if (spec.intx !== undefined && device.bus !== undefined) {
        this.#drive(line, this.#intxLine(device, device.bus, spec.intx), false);
      }
      if (spec.busIrq === undefined || device.bus === undefined) continue;
      const irq = device.properties[spec.busIrq];
      const irqs = device.bus.definition.schema.provides?.irqs ?? 0;
      if (irq === undefined) {
        fail(
          `device type '${device.type}': its output '${name}' names the property '${spec.busIrq}', which its schema does not have`,
        );
      } else if (irq === UNWIRED) {
        continue;
      } else if (typeof irq !== 'number' || irq >= irqs) {
        fail(
          `device '${device.id}': property '${spec.busIrq}' is ${irq}; the bus '${device.bus.id}' has the IRQs 0 to ${irqs - 1}`,
        );
      } else {
        this.#drive(line, device.bus.busLine + irq, false);
      }
    }
    if (schema.provides?.intx === true && device.bus !== undefined) {
      for (let pin = 0; pin < schema.provides.irqs; pin++)
        this.#lines[device.busLine + pin]?.feeds.push(this.#intxLine(device, device.bus, pin));
    }
    for (const [input, spec] of Object.entries(schema.inputs ?? {})) {
      if (spec.bus !== true || device.bus === undefined) continue;
      const pins = Math.min(spec.count ?? 1, device.bus.definition.schema.provides?.irqs ?? 0);
      for (let pin = 0; pin < pins; pin++) {
        this.#lines[device.bus.busLine + pin]?.sinks.push({ device: this.#devices.indexOf(device), input, pin });
      }
    }
  }

  /** Wires an output, or a line of a bus, to an input or to a bus's line. */
  connect(source: Added, from: PinRef, target: Added, to: PinRef, shared: boolean): void {
    const first = isBusLine(source, from) ? source.busLine : source.outputs[from.name]?.line;
    if (first === undefined)
      return fail(
        `connect(): '${from.name}' of '${source.id}' is no output; make the first argument with machine.output() or machine.line()`,
      );
    const line = isBusLine(target, to) ? target.busLine + to.pin : this.#inputLine(target, to.name, to.pin);
    this.#drive(first + from.pin, line, shared);
    if (isBusLine(source, from) && !isBusLine(target, to)) this.#taps.push({ from: first + from.pin, to: line });
  }

  resetOn(source: Added, { name, pin }: PinRef): void {
    const output = source.outputs[name];
    if (output === undefined)
      return fail(`resetOn(): '${name}' of '${source.id}' is no output; make the argument with machine.output()`);
    const line = output.line + pin;
    if (this.resets.includes(line)) fail(`${this.#lines[line]?.name} resets the machine already`);
    this.resets.push(line);
  }

  /** What the machine is made with, when everything has been wired. */
  seal(): { lines: LineBlueprint[]; intr: readonly number[]; controllers: readonly number[] } {
    this.#shortenTaps();
    const { intr, controllers } = this.#wireIntr();
    return { lines: this.#lines.map(({ name, feeds, sinks }) => ({ name, feeds, sinks })), intr, controllers };
  }

  #line(name: string, shared: boolean): number {
    this.#lines.push({ name, feeds: [], sinks: [], drivers: [], shared });
    return this.#lines.length - 1;
  }

  /** The line of a PCI bus that its slot gives an INTx pin. */
  #intxLine({ properties }: Added, bus: Added, pin: number): number {
    const { irqs = 4, swizzle = 0 } = bus.definition.schema.provides ?? {};
    return bus.busLine + ((Number(properties['slot'] ?? 0) + pin + swizzle + irqs) % irqs);
  }

  /** An input pin that a bus's line alone drives is at the end of that line: its every edge goes through one line and not two. */
  #shortenTaps(): void {
    for (const { from, to } of this.#taps) {
      const [source, target] = [this.#lines[from], this.#lines[to]];
      if (source === undefined || target === undefined || target.drivers.length > 1) continue;
      source.feeds.splice(source.feeds.indexOf(to), 1);
      source.sinks.push(...target.sinks.splice(0));
    }
  }

  #addController(device: Added, name: string, { intr, count = 1 }: OutputSpec): void {
    const { behaviour, schema } = device.definition;
    if (behaviour.acknowledge === undefined)
      fail(`device '${device.id}': its output '${name}' is INTR, and it has no acknowledge()`);
    const wired = typeof intr === 'string' ? device.properties[intr] : count;
    if (typeof wired !== 'number' || wired > count) {
      fail(
        `device type '${device.type}': its output '${name}' has ${count} pins, of which the property '${String(intr)}' says that ${wired} are INTR`,
      );
    }
    const first = device.outputs[name]?.line ?? 0;
    const controller = {
      device: this.#devices.indexOf(device),
      lines: Array.from({ length: Number(wired) }, (_, vcpu) => first + vcpu),
    };
    const before = Object.values(schema.inputs ?? {}).some((input) => input.intr === true);
    const other = before ? this.#apic : this.#pic;
    if (other !== undefined) {
      const { id } = this.#devices[other.device] ?? {};
      fail(
        before
          ? `device '${device.id}': INTR of the VCPUs is driven by '${id}' already, which is one for all: give that one 'cpus'`
          : `device '${device.id}': INTR of the VCPU is driven by ${this.#lines[other.lines[0] ?? 0]?.name} already`,
      );
    }
    if (before) this.#apic = controller;
    else this.#pic = controller;
  }

  /** What drives INTR of each VCPU, and answers its acknowledge cycle: where there is a local APIC, the other controller drives its LINT0. */
  #wireIntr(): { intr: readonly number[]; controllers: readonly number[] } {
    const [pic, apic] = [this.#pic, this.#apic];
    const input = Object.entries(this.#devices[apic?.device ?? -1]?.definition.schema.inputs ?? {}).find(
      ([, spec]) => spec.intr === true,
    )?.[0];
    const line = this.#lines[pic?.lines[0] ?? -1];
    if (apic !== undefined && input !== undefined) line?.sinks.push({ device: apic.device, input, pin: 0 });
    return {
      intr: (apic ?? pic)?.lines ?? [],
      controllers: [apic, pic].flatMap((controller) => (controller === undefined ? [] : [controller.device])),
    };
  }

  /** A bus drives its own lines: not one of the devices that may share them or not. */
  #wireToOwnLines({ id, definition, outputs, busLine }: Added, name: string, count: number): void {
    const irqs = definition.schema.provides?.irqs ?? 0;
    if (name === 'irq')
      fail(`device '${id}': its output cannot be called 'irq': so are the lines of the bus that it provides`);
    if (count !== irqs)
      fail(`device '${id}': its output '${name}' has ${count} pins for the ${irqs} lines of the bus that it provides`);
    for (let n = 0; n < count; n++) this.#lines[(outputs[name]?.line ?? 0) + n]?.feeds.push(busLine + n);
  }

  /** The line that ends at an input pin. */
  #inputLine(device: Added, input: string, pin: number): number {
    const name = `${device.id}.${input}[${pin}]`;
    let line = this.#inputs.get(name);
    if (line === undefined) {
      checkInput(device, input, pin);
      line = this.#line(name, false);
      this.#inputs.set(name, line);
      this.#lines[line]?.sinks.push({ device: this.#devices.indexOf(device), input, pin });
    }
    return line;
  }

  #drive(from: number, to: number, shared: boolean): void {
    const source = this.#lines[from];
    const target = this.#lines[to];
    if (source === undefined || target === undefined) return;
    if (source.feeds.includes(to)) fail(`${source.name} is wired to ${target.name} twice`);
    // A wired OR that drives itself would never fall again.
    if (this.#reaches(to, from)) fail(`${source.name} is driven by ${target.name}, and cannot drive it too`);
    if (target.drivers.length > 0 && !target.shared && !shared) {
      fail(
        `IRQ line ${target.name} is driven by ${target.drivers.join(', ')} already; ${source.name} needs another IRQ, ` +
          `or a wired OR: connect(…, { shared: true })`,
      );
    }
    target.drivers.push(source.name);
    source.feeds.push(to);
  }

  #reaches(from: number, to: number): boolean {
    return from === to || (this.#lines[from]?.feeds.some((fed) => this.#reaches(fed, to)) ?? false);
  }
}

/** Checks that a device has an input pin. */
export function checkInput(device: Added, name: string, pin: number): void {
  const { inputs = {} } = device.definition.schema;
  const spec = inputs[name];
  if (spec !== undefined && Number.isInteger(pin) && pin >= 0 && pin < (spec.count ?? 1)) return;
  fail(
    `device '${device.id}' has no input '${name}' with a pin ${pin}; it has ${Object.keys(inputs).join(', ') || 'none'}`,
  );
}

/** Whether a pin is a line of the bus that its device provides. */
function isBusLine(device: Added, { name }: PinRef): boolean {
  return device.busLine >= 0 && name === 'irq';
}
