import type {
  AnyDeviceDefinition,
  ClockKind,
  DeviceRef,
  IsaPcMachine,
  IsaPcOptions,
  MachineBuilder,
  OutputSpec,
  PcMachine,
  PcOptions,
  PinRef,
  PropertyValue,
  RegionSpec,
  ShadowSpec,
} from '@qtest/sdk';
import { inspect } from 'node:util';
import { checkProperties, isDeviceDefinition, layoutState, resolveProperties } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import { didYouMean } from '../nearest.ts';
import { buildIsaPc, buildPc } from './pc.ts';
import type { Blueprint, DeviceBlueprint, LineBlueprint, MemoryBlueprint, ModuleRef } from './blueprint.ts';
import { PAGE_BYTES } from './blueprint.ts';
import { CHARDEV_BYTES } from './chardev.ts';
import { layOut } from './layout.ts';

/** A device type that may be added, and where its definition comes from. */
export interface KnownDevice {
  readonly definition: AnyDeviceDefinition;
  readonly module: ModuleRef;
}

interface Added extends DeviceRef {
  readonly definition: AnyDeviceDefinition;
  readonly module: ModuleRef;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  readonly bus: Added | undefined;
  readonly regions: Readonly<Record<string, RegionSpec>>;
  /** Line of each output's first pin. */
  readonly outputs: Readonly<Record<string, { readonly line: number; readonly count: number }>>;
  readonly busLine: number;
}

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

const hex = (value: number): string => `0x${value.toString(16)}`;
const range = (base: number, size: number): string => `${hex(base)}-${hex(base + size - 1)}`;
const fail = (message: string): never => {
  throw hostError('MACHINE', message);
};

/** Value of a property that names an IRQ of the bus: none, the machine wires the output itself. */
const UNWIRED = -1;

/** Largest RAM, with ROMs: what a 32-bit WebAssembly memory leaves beside the machine's state. */
const MAX_RAM = 3 * 2 ** 30;

/** Builds a machine: collects devices, memory and wiring, checks each step as it is made, and is sealed into a blueprint. */
export class Builder implements MachineBuilder {
  readonly clock: ClockKind;
  readonly #known: ReadonlyMap<string, KnownDevice>;
  readonly #vcpus: number;
  readonly #devices: Added[] = [];
  readonly #lines: Line[] = [];
  readonly #inputs = new Map<string, number>();
  /** Lines of buses that drive input pins, and the lines that end there. */
  readonly #taps: { readonly from: number; readonly to: number }[] = [];
  readonly #memory: MemoryBlueprint[] = [];
  /** What RAM and ROM hold at the start; `offset` counts from the first byte of the machine's RAM. */
  readonly #contents: { offset: number; data: Uint8Array }[] = [];
  #ramBytes = 0;
  /** The interrupt controller, and one that stands before it: a local APIC. */
  #pic: Controller | undefined;
  #apic: Controller | undefined;
  readonly #resets: number[] = [];
  #sealed = false;

  /** @param vcpus the most that a case of the plugin has: the CPUs of a `pc()` that does not say. */
  constructor(clock: ClockKind, known: ReadonlyMap<string, KnownDevice>, vcpus = 1) {
    this.clock = clock;
    this.#known = known;
    this.#vcpus = vcpus;
  }

  get devices(): readonly DeviceRef[] {
    return this.#devices;
  }

  readonly add = (what: string | object, given: Readonly<Record<string, unknown>> = {}): DeviceRef => {
    this.#open('add()');
    const { definition, module } = this.#lookUp(what);
    const { schema } = definition;
    const { id: givenId, bus: givenBus, ...rest } = given;
    const id = this.#idFor(givenId, schema.idPrefix ?? schema.type);
    const { values, problems } = checkProperties(schema.properties ?? {}, rest);
    const [problem] = problems;
    if (problem !== undefined) {
      const hint = Object.hasOwn(schema.properties ?? {}, problem.key)
        ? ''
        : didYouMean(problem.key, Object.keys(schema.properties ?? {}));
      fail(
        `device '${id}' (${schema.type}): property '${problem.key}' is ${inspect(problem.found)}; expected ${problem.expected}.${hint}`,
      );
    }
    const bus = this.#busFor(id, schema.bus, schema.type, givenBus);
    this.#checkSlot(id, bus, values);
    const regions = schema.regions?.(resolveProperties(schema.properties ?? {}, values)) ?? {};
    this.#checkRegions(id, regions);
    this.#checkShadows(id, schema.shadow ?? []);
    const outputs: Record<string, { line: number; count: number }> = {};
    for (const [name, { count = 1 }] of Object.entries(schema.outputs ?? {})) {
      outputs[name] = { line: this.#lines.length, count };
      for (let pin = 0; pin < count; pin++) this.#line(count === 1 ? `${id}.${name}` : `${id}.${name}[${pin}]`, false);
    }
    const busLine = schema.provides === undefined ? -1 : this.#lines.length;
    for (let n = 0; n < (schema.provides?.irqs ?? 0); n++)
      this.#line(`${id}.irq[${n}]`, schema.provides?.shared ?? false);
    const device: Added = {
      id,
      type: schema.type,
      definition,
      module,
      properties: values,
      bus,
      regions,
      outputs,
      busLine,
    };
    this.#devices.push(device);
    this.#wire(device);
    return device;
  };

  ram(base: number, size: number): void {
    this.#open('ram()');
    this.#addMemory('ram', base, size);
  }

  rom(base: number, image: Uint8Array): void {
    this.#open('rom()');
    const offset = this.#ramBytes;
    this.#addMemory('rom', base, Math.ceil(image.length / PAGE_BYTES) * PAGE_BYTES);
    this.#contents.push({ offset, data: image.slice() });
  }

  load(address: number, data: Uint8Array): void {
    this.#open('load()');
    const holds = ({ base, size }: MemoryBlueprint): boolean =>
      Number.isSafeInteger(address) && address >= base && address + data.length <= base + size;
    const pieces = this.#memory.filter(holds);
    const piece = pieces.find(({ kind }) => kind === 'ram') ?? pieces[0];
    if (piece === undefined)
      return fail(
        `load(${hex(address)}, ${data.length} bytes): no single piece of RAM holds it; add it with ram() first`,
      );
    this.#contents.push({ offset: piece.offset + address - piece.base, data: data.slice() });
  }

  has(id: string): boolean {
    return this.#devices.some((device) => device.id === id);
  }

  get(id: string): DeviceRef {
    return (
      this.#devices.find((device) => device.id === id) ??
      fail(
        `get('${id}'): there is no such device; the machine has ${this.#devices.map((device) => device.id).join(', ') || 'none'}`,
      )
    );
  }

  output(ref: DeviceRef, name: string, pin = 0): PinRef {
    const device = this.#added(ref);
    const output = device.outputs[name];
    if (output === undefined || !(Number.isInteger(pin) && pin >= 0 && pin < output.count)) {
      fail(
        `device '${device.id}' has no output '${name}' with a pin ${pin}; it has ${Object.keys(device.outputs).join(', ') || 'none'}`,
      );
    }
    return { device, name, pin };
  }

  input(ref: DeviceRef, name: string, pin = 0): PinRef {
    const device = this.#added(ref);
    const { inputs = {} } = device.definition.schema;
    const spec = inputs[name];
    if (spec === undefined || !(Number.isInteger(pin) && pin >= 0 && pin < (spec.count ?? 1))) {
      fail(
        `device '${device.id}' has no input '${name}' with a pin ${pin}; it has ${Object.keys(inputs).join(', ') || 'none'}`,
      );
    }
    return { device, name, pin };
  }

  line(ref: DeviceRef, n: number): PinRef {
    const device = this.#added(ref);
    const irqs = device.definition.schema.provides?.irqs ?? 0;
    if (!(Number.isInteger(n) && n >= 0 && n < irqs)) {
      fail(
        `device '${device.id}' has no IRQ line ${n}; ${irqs === 0 ? 'it is no bus' : `its lines are 0 to ${irqs - 1}`}`,
      );
    }
    return { device, name: 'irq', pin: n };
  }

  connect(from: PinRef, to: PinRef, options: { readonly shared?: boolean } = {}): void {
    this.#open('connect()');
    const source = this.#added(from.device);
    const first = isBusLine(source, from) ? source.busLine : source.outputs[from.name]?.line;
    if (first === undefined)
      return fail(
        `connect(): '${from.name}' of '${source.id}' is no output; make the first argument with machine.output() or machine.line()`,
      );
    const target = this.#added(to.device);
    const line = isBusLine(target, to) ? target.busLine + to.pin : this.#inputLine(target, to.name, to.pin);
    this.#drive(first + from.pin, line, options.shared ?? false);
    if (isBusLine(source, from) && !isBusLine(target, to)) this.#taps.push({ from: first + from.pin, to: line });
  }

  resetOn({ device, name, pin }: PinRef): void {
    this.#open('resetOn()');
    const source = this.#added(device);
    const output = source.outputs[name];
    if (output === undefined)
      return fail(`resetOn(): '${name}' of '${source.id}' is no output; make the argument with machine.output()`);
    const line = output.line + pin;
    if (this.#resets.includes(line)) fail(`${this.#lines[line]?.name} resets the machine already`);
    this.#resets.push(line);
  }

  pc(options: PcOptions = {}): PcMachine {
    return buildPc(this, { cpus: this.#vcpus, ...options });
  }

  isapc(options: IsaPcOptions = {}): IsaPcMachine {
    return buildIsaPc(this, { cpus: this.#vcpus, ...options });
  }

  /** Ends construction. Gives the machine as data, and what its RAM and ROM hold, by offsets from `layout.ram`. */
  seal(): { blueprint: Blueprint; contents: readonly { offset: number; data: Uint8Array }[] } {
    this.#open('seal()');
    this.check();
    this.#shortenTaps();
    const { intr, controllers } = this.#wireIntr();
    this.#sealed = true;
    const timers: { device: number; name: string }[] = [];
    const stateSizes = this.#devices.map(
      ({ definition: { schema } }) =>
        layoutState(schema.state ?? {}).size + (schema.chardev === true ? CHARDEV_BYTES : 0),
    );
    const timerCount = this.#devices.reduce((sum, { definition }) => sum + (definition.schema.timers?.length ?? 0), 0);
    const layout = layOut({ stateSizes, timers: timerCount, lines: this.#lines.length, ramBytes: this.#ramBytes });
    const devices = this.#devices.map((device, index): DeviceBlueprint => {
      const { schema } = device.definition;
      const firstTimer = timers.length;
      for (const name of schema.timers ?? []) timers.push({ device: index, name });
      return {
        id: device.id,
        type: device.type,
        module: device.module,
        version: schema.version ?? 1,
        properties: device.properties,
        bus: device.bus === undefined ? -1 : this.#devices.indexOf(device.bus),
        stateOffset: layout.deviceOffsets[index] ?? 0,
        outputs: device.outputs,
        busName: schema.provides?.name ?? '',
        busLine: device.busLine,
        busLines: schema.provides?.irqs ?? 0,
        firstTimer,
      };
    });
    const lines = this.#lines.map(({ name, feeds, sinks }): LineBlueprint => ({ name, feeds, sinks }));
    const ram = this.#memory.map((piece) => ({ ...piece, offset: piece.offset + layout.layout.ram }));
    return {
      blueprint: {
        clock: this.clock,
        devices,
        lines,
        timers,
        ram,
        layout: layout.layout,
        intr,
        controllers,
        resets: this.#resets,
      },
      contents: this.#contents,
    };
  }

  #open(call: string): void {
    if (this.#sealed) fail(`${call}: the machine is sealed; build it in init() or in the hook machineInit`);
  }

  #lookUp(what: string | object): KnownDevice {
    if (typeof what === 'string') {
      return (
        this.#known.get(what) ??
        fail(
          `unknown device type '${what}'.${didYouMean(what, [...this.#known.keys()])} Known are ${[...this.#known.keys()].toSorted().join(', ')}`,
        )
      );
    }
    if (!isDeviceDefinition(what))
      return fail('add(): give the name of a device type, or a definition made with defineDevice()');
    const known = this.#known.get(what.schema.type);
    if (known === undefined) {
      return fail(
        `device type '${what.schema.type}': its plugin does not list it in 'devices', so that no VCPU could find it; add it there`,
      );
    }
    return known;
  }

  #added(ref: DeviceRef): Added {
    return (
      this.#devices.find((device) => device === ref || device.id === ref.id) ??
      fail(`'${ref.id}' is no device of this machine`)
    );
  }

  #idFor(given: unknown, prefix: string): string {
    if (given === undefined) {
      let n = 0;
      while (this.has(`${prefix}${n}`)) n++;
      return `${prefix}${n}`;
    }
    if (typeof given !== 'string' || !/^[A-Za-z][\w.-]*$/.test(given)) {
      return fail(`${inspect(given)} is no id: expected a letter followed by letters, digits, '_', '.' or '-'`);
    }
    if (this.has(given)) fail(`two devices have the id '${given}'; give one of them another`);
    return given;
  }

  #busFor(id: string, kind: string | undefined, type: string, given: unknown): Added | undefined {
    if (kind === undefined) {
      return given === undefined ? undefined : fail(`device '${id}' (${type}) goes on no bus; leave 'bus' out`);
    }
    const buses = this.#devices.filter((device) => device.definition.schema.provides?.name === kind);
    if (given !== undefined) {
      const bus = buses.find((candidate) => candidate === given);
      return bus ?? fail(`device '${id}' (${type}): 'bus' must be a bus of the kind '${kind}' of this machine`);
    }
    const [only] = buses;
    if (only !== undefined && buses.length === 1) return only;
    return fail(
      buses.length === 0
        ? `device '${id}' (${type}) needs a bus of the kind '${kind}': add one first`
        : `device '${id}' (${type}): there are ${buses.length} buses of the kind '${kind}'; say which with 'bus'`,
    );
  }

  #checkRegions(id: string, regions: Readonly<Record<string, RegionSpec>>): void {
    for (const [name, region] of Object.entries(regions)) {
      const { min = 1, max = 1 } = region.access ?? {};
      if (![1, 2, 4].includes(min) || ![1, 2, 4].includes(max) || min > max) {
        fail(
          `device '${id}': region '${name}' takes accesses of ${min} to ${max} bytes; each is 1, 2 or 4, and the second no less than the first`,
        );
      }
      if (region.access?.transparent === true && region.space !== 'io')
        fail(`device '${id}': region '${name}' is transparent; only ports can be`);
      if (!(Number.isInteger(region.size) && region.size > 0))
        fail(`device '${id}': region '${name}' has the size ${region.size}`);
      if (region.base === undefined) continue;
      const { base } = region;
      const limit = region.space === 'io' ? 0x1_0000 : 2 ** 53;
      if (!(Number.isInteger(base) && base >= 0 && base + region.size <= limit)) {
        fail(`device '${id}': region '${name}' at ${range(base, region.size)} lies outside the ${region.space} space`);
      }
      for (const other of [...this.#devices, { id, regions }]) {
        for (const [otherName, there] of Object.entries(other.regions)) {
          if (there === region || there.space !== region.space || there.base === undefined) continue;
          if ((there.priority ?? 0) !== (region.priority ?? 0)) continue;
          if (base < there.base + there.size && there.base < base + region.size) {
            fail(
              `device '${id}': region '${name}' at ${region.space} ${range(base, region.size)} overlaps '${otherName}' of '${other.id}' ` +
                `at ${range(there.base, there.size)}; move one, or give them different priorities`,
            );
          }
        }
      }
    }
  }

  /** Two devices that steer one area would each undo what the other does. */
  #checkShadows(id: string, areas: readonly ShadowSpec[]): void {
    for (const { base, size } of areas) {
      if (!(Number.isSafeInteger(base) && base >= 0 && base % PAGE_BYTES === 0 && size > 0 && size % PAGE_BYTES === 0))
        fail(`device '${id}': its shadow area at ${hex(base)}, ${size} bytes, must be of whole pages of ${PAGE_BYTES}`);
      for (const other of this.#devices) {
        for (const there of other.definition.schema.shadow ?? []) {
          if (base >= there.base + there.size || there.base >= base + size) continue;
          fail(
            `device '${id}': its shadow area at ${range(base, size)} overlaps that of '${other.id}' at ${range(there.base, there.size)}`,
          );
        }
      }
    }
  }

  /** Two functions of a PCI bus must not have one address. */
  #checkSlot(
    id: string,
    bus: Added | undefined,
    { slot, function: fn }: Readonly<Record<string, PropertyValue>>,
  ): void {
    if (bus?.definition.schema.provides?.name !== 'pci') return;
    const other = this.#devices.find(
      ({ bus: there, properties }) => there === bus && properties['slot'] === slot && properties['function'] === fn,
    );
    if (other !== undefined)
      fail(
        `device '${id}': slot ${slot}, function ${fn} of '${bus.id}' is taken by '${other.id}'; give it another 'slot'`,
      );
  }

  /** What only the whole machine shows: a function that enumerating software would not find is a mistake of whoever has built it. */
  check(): void {
    for (const { id, bus, properties } of this.#devices) {
      if (bus?.definition.schema.provides?.name !== 'pci' || properties['function'] === 0) continue;
      const { slot, function: fn } = properties;
      const first = this.#devices.find(
        (other) => other.bus === bus && other.properties['slot'] === slot && other.properties['function'] === 0,
      );
      if (first === undefined) {
        fail(
          `device '${id}' is function ${fn} of slot ${slot} of '${bus.id}', which has no function 0: software looks for that first`,
        );
      } else if (first.properties['multifunction'] === false) {
        fail(
          `device '${id}' is function ${fn} of slot ${slot} of '${bus.id}', beside '${first.id}': give '${first.id}' the property multifunction: true`,
        );
      }
    }
  }

  #line(name: string, shared: boolean): number {
    this.#lines.push({ name, feeds: [], sinks: [], drivers: [], shared });
    return this.#lines.length - 1;
  }

  /** Wires what the device's definition says: its outputs to the bus's lines and to INTR, the bus's lines to its inputs. */
  #wire(device: Added): void {
    const { schema } = device.definition;
    for (const [name, spec] of Object.entries(schema.outputs ?? {})) {
      const line = device.outputs[name]?.line ?? -1;
      if (spec.intr !== undefined && spec.intr !== false) this.#addController(device, name, spec);
      if (spec.reset === true) for (let pin = 0; pin < (spec.count ?? 1); pin++) this.#resets.push(line + pin);
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
      this.input(device, input, pin);
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

  /** Whether a device can turn accesses to all of these addresses away from RAM, so that a ROM may lie below it. */
  #isShadowed(start: number, end: number): boolean {
    const areas = this.#devices.flatMap(({ definition }) => definition.schema.shadow ?? []);
    let at = start;
    for (const area of areas.toSorted((a, b) => a.base - b.base)) {
      if (area.base <= at) at = Math.max(at, area.base + area.size);
    }
    return at >= end;
  }

  #reaches(from: number, to: number): boolean {
    return from === to || (this.#lines[from]?.feeds.some((fed) => this.#reaches(fed, to)) ?? false);
  }

  #addMemory(kind: 'ram' | 'rom', base: number, size: number): void {
    for (const [what, value] of [['base', base] as const, ['size', size] as const]) {
      if (!(Number.isSafeInteger(value) && value >= 0 && value % PAGE_BYTES === 0)) {
        fail(`${kind}(): the ${what} ${value} must be a multiple of ${PAGE_BYTES}`);
      }
    }
    if (size === 0) fail(`${kind}() at ${hex(base)}: the size is 0`);
    for (const other of this.#memory) {
      if (base < other.base + other.size && other.base < base + size) {
        if (
          kind !== other.kind &&
          this.#isShadowed(Math.max(base, other.base), Math.min(base + size, other.base + other.size))
        )
          continue;
        fail(`${kind} at ${range(base, size)} overlaps ${other.kind} at ${range(other.base, other.size)}`);
      }
    }
    if (this.#ramBytes + size > MAX_RAM) fail(`the machine's RAM and ROM exceed ${MAX_RAM / 2 ** 20} MiB`);
    this.#memory.push({ kind, base, size, offset: this.#ramBytes });
    this.#ramBytes += size;
  }
}

/** Whether a pin is a line of the bus that its device provides. */
function isBusLine(device: Added, { name }: PinRef): boolean {
  return device.busLine >= 0 && name === 'irq';
}
