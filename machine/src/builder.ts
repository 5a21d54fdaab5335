import type {
  Boards,
  ClockKind,
  DeviceRef,
  MachineBuilder,
  PinRef,
  PropertyValue,
  RegionSpec,
  ShadowSpec,
} from '@qtest/sdk';
import { inspect } from 'node:util';
import { didYouMean, checkProperties, isDeviceDefinition, layoutState, resolveProperties } from '@qtest/sdk/support';
import { fail, hex, range, type Added } from './added.ts';

import { PAGE_BYTES, type Blueprint, type DeviceBlueprint } from './blueprint.ts';
import type { Catalog, KnownDevice } from './catalog.ts';
import { CHARDEV_BYTES } from './chardev.ts';
import { layOut } from './layout.ts';
import { MemoryPlan } from './memory-plan.ts';
import { inDevice } from './under-way.ts';
import { checkInput, Wiring } from './wiring.ts';

/** Properties of devices, by the device's id. */
export type Overrides = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** The catalog's boards are methods of a builder, under the names that the families of parts declare. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the constructor defines what the catalog has of them
export interface Builder extends Boards {}

/** Builds a machine: collects devices, memory and wiring, checks each step as it is made, and is sealed into a blueprint. */
export class Builder implements MachineBuilder {
  readonly clock: ClockKind;
  readonly #known: Catalog;
  readonly #overrides: Overrides;
  readonly #devices: Added[] = [];
  readonly #wiring = new Wiring(this.#devices);
  readonly #memory = new MemoryPlan();
  readonly #qemu = { args: new Array<string>(), provides: new Array<Added>() };
  #sealed = false;
  /** What each byte of memory reads as where nothing is: all ones, as on hardware, or zeros, as in QEMU. */
  emptyMemory: 0 | 0xff = 0xff;

  /**
   * @param vcpus the most that a case of the plugin has: the CPUs of a `pc()` that does not say.
   * @param overrides go before what `add()` is given.
   */
  constructor(clock: ClockKind, known: Catalog, vcpus = 1, overrides: Overrides = new Map()) {
    this.clock = clock;
    this.#known = known;
    this.#overrides = overrides;
    for (const [name, build] of known.boards)
      Object.defineProperty(this, name, { value: (options?: object) => build(this, { cpus: vcpus, ...options }) });
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
    const { values, problems } = checkProperties(schema.properties ?? {}, { ...rest, ...this.#overrides.get(id) });
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
    const regions = inDevice(id, () => schema.regions?.(resolveProperties(schema.properties ?? {}, values)) ?? {});
    this.#checkRegions(id, regions);
    this.#checkShadows(id, schema.shadow ?? []);
    const device: Added = {
      id,
      type: schema.type,
      definition,
      module,
      properties: values,
      bus,
      regions,
      ...this.#wiring.linesFor(id, schema),
    };
    this.#devices.push(device);
    this.#wiring.wire(device);
    return device;
  };

  ram(base: number, size: number): void {
    this.#open('ram()');
    this.#memory.ram(base, size, this.#shadows());
  }

  rom(base: number, image: Uint8Array): void {
    this.#open('rom()');
    this.#memory.rom(base, image, this.#shadows());
  }

  load(address: number, data: Uint8Array): void {
    this.#open('load()');
    this.#memory.load(address, data);
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
    checkInput(device, name, pin);
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

  connect(from: PinRef, to: PinRef, { shared = false }: { readonly shared?: boolean } = {}): void {
    this.#open('connect()');
    this.#wiring.connect(this.#added(from.device), from, this.#added(to.device), to, shared);
  }

  resetOn(output: PinRef): void {
    this.#open('resetOn()');
    this.#wiring.resetOn(this.#added(output.device), output);
  }

  qemu({ args = [], provides = [] }: { args?: readonly string[]; provides?: readonly DeviceRef[] }): void {
    this.#open('qemu()');
    if (!(Array.isArray(args) && args.every((arg) => typeof arg === 'string')))
      fail(`qemu(): 'args' is ${inspect(args)}; expected a list of words, such as ['-device', 'lamp']`);
    this.#qemu.args.push(...args);
    this.#qemu.provides.push(...provides.map((ref) => this.#added(ref)));
  }

  /** Ends construction. Gives the machine as data, and what its RAM and ROM hold, by offsets from `layout.ram`. */
  seal(): { blueprint: Blueprint; contents: readonly { offset: number; data: Uint8Array }[] } {
    this.#open('seal()');
    this.check();
    const wiring = this.#wiring.seal();
    this.#sealed = true;
    const timers: { device: number; name: string }[] = [];
    const stateSizes = this.#devices.map(
      ({ definition: { schema } }) =>
        layoutState(schema.state ?? {}).size + (schema.chardev === true ? CHARDEV_BYTES : 0),
    );
    const timerCount = this.#devices.reduce((sum, { definition }) => sum + (definition.schema.timers?.length ?? 0), 0);
    const layout = layOut({ stateSizes, timers: timerCount, lines: wiring.lines.length, ramBytes: this.#memory.bytes });
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
    const ram = this.#memory.pieces.map((piece) => ({ ...piece, offset: piece.offset + layout.layout.ram }));
    return {
      blueprint: {
        clock: this.clock,
        devices,
        timers,
        ram,
        emptyMemory: this.emptyMemory,
        layout: layout.layout,
        resets: this.#wiring.resets,
        ...wiring,
        qemu: {
          args: this.#qemu.args,
          provides: this.#qemu.provides.map((device) => this.#devices.indexOf(device)),
        },
      },
      contents: this.#memory.contents,
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

  /** Areas of RAM that devices steer. */
  #shadows(): readonly ShadowSpec[] {
    return this.#devices.flatMap(({ definition }) => definition.schema.shadow ?? []);
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
}
