import type {
  AccessSize,
  AnyDeviceDefinition,
  CharBackend,
  ConfigSpace,
  Device,
  Dma,
  Initiator,
  Output,
  Timer,
  StateSchema,
} from '@qtest/sdk';
import { layoutState, resolveProperties, stateBinder, type StateBinder } from '@qtest/sdk/support';
import type { DeviceBlueprint } from './blueprint.ts';
import type { Bus } from './bus.ts';
import { BoundChardev, NO_CHARDEV } from './chardev.ts';
import { EVENT } from './events.ts';
import type { Lines } from './lines.ts';
import type { Timekeeper } from './timekeeper.ts';

/** What a device's context is made of. */
export interface Parts {
  readonly memory: WebAssembly.Memory;
  readonly bus: Bus;
  readonly lines: Lines;
  readonly time: Timekeeper;
}

class BoundTimer implements Timer {
  readonly #time: Timekeeper;
  readonly #index: number;

  constructor(time: Timekeeper, index: number) {
    this.#time = time;
    this.#index = index;
  }

  get deadline(): bigint {
    return this.#time.deadline(this.#index);
  }

  arm(deadline: bigint): void {
    this.#time.arm(this.#index, deadline);
  }

  cancel(): void {
    this.#time.cancel(this.#index);
  }
}

class BoundOutput implements Output {
  readonly #lines: Lines;
  readonly #name: string;
  readonly #first: number;
  readonly #count: number;

  constructor(lines: Lines, name: string, first: number, count: number) {
    this.#lines = lines;
    this.#name = name;
    this.#first = first;
    this.#count = count;
  }

  set(level: boolean, pin = 0): void {
    this.#lines.set(this.#line(pin), level);
  }

  level(pin = 0): boolean {
    return this.#lines.level(this.#line(pin));
  }

  #line(pin: number): number {
    if (pin >= 0 && pin < this.#count && Number.isInteger(pin)) return this.#first + pin;
    throw new RangeError(`output '${this.#name}' has no pin ${pin}: it has ${this.#count}`);
  }
}

class BoundDma implements Dma {
  readonly #bus: Bus;
  readonly #initiator: Initiator;
  readonly #index: number;

  constructor(bus: Bus, index: number) {
    this.#bus = bus;
    this.#index = index;
    this.#initiator = { kind: 'device', index };
  }

  read(address: number, target: Uint8Array): void {
    if (this.#refuses(address, target.length)) target.fill(0xff);
    else this.#bus.memoryReadBulk(address, target, this.#initiator);
  }

  write(address: number, data: Uint8Array): void {
    if (!this.#refuses(address, data.length)) this.#bus.memoryWriteBulk(address, data, this.#initiator);
  }

  isOwn(address: number, size: number): boolean {
    return isAddress(address, size) && this.#bus.isOwn(this.#index, address, size);
  }

  readb(address: number): number {
    return this.#refuses(address, 1) ? 0xff : this.#bus.memoryRead(address, 1, this.#initiator);
  }

  readw(address: number): number {
    return this.#refuses(address, 2) ? 0xffff : this.#bus.memoryRead(address, 2, this.#initiator);
  }

  readl(address: number): number {
    return this.#refuses(address, 4) ? 0xffff_ffff : this.#bus.memoryRead(address, 4, this.#initiator);
  }

  writeb(address: number, value: number): void {
    if (!this.#refuses(address, 1)) this.#bus.memoryWrite(address, value & 0xff, 1, this.#initiator);
  }

  writew(address: number, value: number): void {
    if (!this.#refuses(address, 2)) this.#bus.memoryWrite(address, value & 0xffff, 2, this.#initiator);
  }

  writel(address: number, value: number): void {
    if (!this.#refuses(address, 4)) this.#bus.memoryWrite(address, value >>> 0, 4, this.#initiator);
  }

  /**
   * An address that a guest has programmed may be anything: what lies outside the address space, or behind a bus that does not forward
   * it, is reported, not thrown.
   */
  #refuses(address: number, size: number): boolean {
    const exists = isAddress(address, size);
    const stop = exists ? this.#bus.dmaStop(this.#index, address, size) : undefined;
    if (exists && stop === undefined) return false;
    const what = `DMA of ${size} bytes at ${exists ? `0x${address.toString(16)}` : address}`;
    const why = exists ? `'${stop}' does not forward it` : 'no such address';
    this.#bus.report(EVENT.GUEST_ERROR, this.#index, `${what}: ${why}`);
    return true;
  }
}

/** Whether an access lies in the address space. Not by `address + size`, which is rounded beyond 2⁵³. */
function isAddress(address: number, size: number): boolean {
  return Number.isSafeInteger(address) && address >= 0 && address <= 2 ** 53 - size;
}

class BoundConfigSpace implements ConfigSpace {
  readonly #bus: Bus;
  readonly #initiator: Initiator;

  constructor(bus: Bus, index: number) {
    this.#bus = bus;
    this.#initiator = { kind: 'device', index };
  }

  read(address: number, size: AccessSize): number {
    return this.#bus.configRead(address, size, this.#initiator);
  }

  write(address: number, value: number, size: AccessSize): void {
    this.#bus.configWrite(address, value, size, this.#initiator);
  }
}

class DeviceContext {
  readonly id: string;
  readonly properties: object;
  readonly state: object;
  readonly timers: Readonly<Record<string, Timer>>;
  readonly out: Readonly<Record<string, Output>>;
  readonly dma: Dma;
  readonly config: ConfigSpace;
  readonly chardev: CharBackend;
  // Own functions and not methods: `({ now, guestError }) => …` is what everybody writes.
  readonly now: () => bigint;
  readonly guestError: (message: string) => void;
  readonly unimplemented: (message: string) => void;
  readonly remap: () => void;

  constructor(index: number, definition: AnyDeviceDefinition, blueprint: DeviceBlueprint, parts: Parts) {
    const { schema } = definition;
    this.id = blueprint.id;
    this.properties = resolveProperties(schema.properties ?? {}, blueprint.properties);
    this.state = binderOf(schema.state ?? {})(parts.memory.buffer, blueprint.stateOffset);
    this.timers = Object.fromEntries(
      (schema.timers ?? []).map((name, i) => [name, new BoundTimer(parts.time, blueprint.firstTimer + i)]),
    );
    this.out = Object.fromEntries(
      Object.entries(blueprint.outputs).map(([name, { line, count }]) => [
        name,
        new BoundOutput(parts.lines, name, line, count),
      ]),
    );
    this.dma = new BoundDma(parts.bus, index);
    this.config = new BoundConfigSpace(parts.bus, index);
    this.chardev = chardevOf(definition, blueprint, parts.memory)?.backend ?? NO_CHARDEV;
    const { bus, time } = parts;
    this.now = () => time.now();
    this.guestError = (message) => bus.report(EVENT.GUEST_ERROR, index, message);
    this.unimplemented = (message) => bus.report(EVENT.UNIMPLEMENTED, index, message);
    this.remap = () => bus.remap();
  }
}

/** Binds a device's character backend; undefined when it has none. */
export function chardevOf(
  { schema }: AnyDeviceDefinition,
  { stateOffset }: DeviceBlueprint,
  memory: WebAssembly.Memory,
): BoundChardev | undefined {
  return schema.chardev === true
    ? new BoundChardev(memory.buffer, stateOffset + layoutState(schema.state ?? {}).size)
    : undefined;
}

// One class for each schema, however many devices and machines there are.
const binders = new WeakMap<StateSchema, StateBinder<StateSchema>>();
const NO_STATE: StateSchema = {};

function binderOf(schema: StateSchema): StateBinder<StateSchema> {
  const key = Object.keys(schema).length === 0 ? NO_STATE : schema;
  let binder = binders.get(key);
  if (binder === undefined) {
    binder = stateBinder(key);
    binders.set(key, binder);
  }
  return binder;
}

/** Binds one device of the blueprint in this thread. Writes nothing. */
export function bindDevice(
  index: number,
  definition: AnyDeviceDefinition,
  blueprint: DeviceBlueprint,
  parts: Parts,
): Device {
  return new DeviceContext(index, definition, blueprint, parts) as Device;
}
