import type { Vcpu } from './hardware.ts';
import type { PropertiesIn, PropertiesOf, PropertySchema } from './properties.ts';
import type { RegisterBank } from './registers.ts';
import { RESERVED_FIELDS, SCALAR_WIDTH, type StateOf, type StateSchema } from './state.ts';

/** Who makes an access: a VCPU (with its index), a device by DMA (with its index in the blueprint), or the host. */
export interface Initiator {
  readonly kind: 'vcpu' | 'device' | 'host';
  readonly index: number;
}

/** The number of bytes of one access, as a device's handlers get it. */
export type AccessSize = 1 | 2 | 4;

/** An address space of the machine. */
export type Space = 'io' | 'memory' | 'config';

/** A range in which a device answers. */
export interface RegionSpec {
  /**
   * `io`: the 64 Ki ports. `memory`: the physical address space. `config`: the PCI configuration space. An address in it is
   * bus << 20 | slot << 15 | function << 12 | offset. Only devices reach it, by `device.config`.
   */
  readonly space: Space;
  /** Where the region lies. Leave it out if the behaviour's `base` decides, from the device's state. */
  readonly base?: number;
  /** Bytes. */
  readonly size: number;
  /**
   * Of overlapping regions, the one with the highest priority answers. Two regions of the same priority must not overlap. RAM and ROM lie
   * below priority 0, and above negative priorities. Default 0.
   */
  readonly priority?: number;
  /**
   * The sizes that the device's handlers take. A wider access is split into parts of `max`, the low address first. A narrower
   * access is widened to `min` if `widen` is set; otherwise it is refused. Default: 1 to 1.
   */
  readonly access?: {
    readonly min?: AccessSize;
    readonly max?: AccessSize;
    /** Wider accesses are refused, not split: a read gives all ones, a write is ignored, and both are a `guestError`. */
    readonly strict?: boolean;
    /** A narrower read takes part of a wider read. A narrower write is refused. */
    readonly widen?: boolean;
    /** Handlers get accesses that are not aligned to their size. Without it such an access is split into parts of `min`, or refused if these are not aligned either. */
    readonly unaligned?: boolean;
    /** Ports only: an access that would be refused goes to what lies below the region instead. */
    readonly transparent?: boolean;
  };
}

/** An area of physical memory. */
export interface ShadowSpec {
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** Which kinds of access reach an area of RAM. The other kind goes to what lies below RAM. */
export interface Shadow {
  readonly read: boolean;
  readonly write: boolean;
}

/** The output pins of one name, and what they drive. */
export interface OutputSpec {
  /** The number of pins. Default 1. */
  readonly count?: number;
  /** The name of a property. It holds the number of the bus's IRQ line to which the pin is wired. */
  readonly busIrq?: string;
  /** The pin is a PCI INTx pin, 0 for INTA to 3 for INTD. The device's slot decides to which line of the PCI bus it is wired. */
  readonly intx?: number;
  /** Pin n drives line n of the bus that the device provides, as the devices on that bus do. The bus has as many lines as there are pins. */
  readonly ownIrq?: boolean;
  /**
   * The device is an interrupt controller: pin n is wired to INTR of VCPU n, and the device answers the acknowledge cycle. `true` is for
   * all pins. A text is the name of a property that holds the number of such pins. A controller that also has an input marked `intr` stands
   * before all others.
   */
  readonly intr?: boolean | string;
  /**
   * The pin is wired to the machine's reset line, which several devices may drive. When it rises, the machine is reset (`warm`) before the
   * next access of any VCPU. The access in which it rises ends normally, and so does everything that a timer does at that instant.
   */
  readonly reset?: boolean;
  /**
   * The pin is RST# of the bus that the device provides. When it rises, the devices on that bus, and those behind their own buses, are reset
   * (`warm`) at once. The device itself is not.
   */
  readonly busReset?: boolean;
}

/** The input pins of one name. */
export interface InputSpec {
  /** The number of pins. Default 1. */
  readonly count?: number;
  /** Pin n is wired to IRQ line n of the device's bus. */
  readonly bus?: boolean;
  /**
   * The first pin is wired to what would drive INTR of VCPU 0 without this device. The order in which the two are added does not matter.
   * Example: LINT0 of a local APIC gets the INT of the 8259A.
   */
  readonly intr?: boolean;
}

/** IRQ lines that a bus provides to the devices on it. */
export interface BusSpec {
  /** The name that devices use in `bus` (`isa`, `pci`). */
  readonly name: string;
  readonly irqs: number;
  /** Whether several devices may drive one line (wired OR). */
  readonly shared?: boolean;
  /** For PCI: the line of a slot's pin is (slot + pin + `swizzle`) modulo the number of lines. Default 0. */
  readonly swizzle?: number;
  /** For a PCI-to-PCI bridge: line n goes on to where INTx pin n of the bridge itself would go, on the bus that the bridge is on. */
  readonly intx?: boolean;
}

/** What `qtest contract` cannot tell from the device's tables. */
export interface ContractSpec<P extends PropertySchema = PropertySchema> {
  /** Properties for the check: those that have no default, and others that the device needs there. */
  readonly properties?: Partial<PropertiesIn<P>>;
  /**
   * Does what a guest does after a reset until all regions answer: it maps the regions without a `base`. The check maps the BARs of a PCI
   * function by itself. `setup` runs often, and not only after a reset.
   */
  setup?(vcpu: Vcpu, properties: PropertiesOf<P>): void;
}

/** What the schema of a device and the schema of a PCI function have in common. */
export interface DeviceParts<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
> {
  /** The name of its type, for `machine.add()`. */
  readonly type: string;
  readonly description: string;
  /** The start of the ids that `machine.add()` gives (`rtc` for `rtc0`). Default: the type. */
  readonly idPrefix?: string;
  /** Increase it when the meaning of the state's bytes changes: a snapshot of another version is refused. Default 1. */
  readonly version?: number;
  readonly properties?: P;
  readonly state?: S;
  /** Its registers, by region. */
  readonly registers?: Readonly<Partial<Record<NoInfer<R>, RegisterBank>>>;
  /**
   * Areas of RAM from which the device can turn accesses away. They go to what lies below RAM: a ROM, or a region of negative priority. The
   * behaviour's `shadow` says when. Addresses and sizes are multiples of 4096.
   */
  readonly shadow?: readonly ShadowSpec[];
  /** The names of its timers. Timers that are due at the same instant fire in this order. */
  readonly timers?: readonly T[];
  readonly outputs?: Readonly<Record<O, OutputSpec>>;
  readonly inputs?: Readonly<Record<I, InputSpec>>;
}

/** The static half of a device: what it is, apart from what it does. */
export interface DeviceSchema<
  P extends PropertySchema = PropertySchema,
  S extends StateSchema = StateSchema,
  R extends string = string,
  T extends string = string,
  O extends string = string,
  I extends string = string,
> extends DeviceParts<P, S, R, T, O, I> {
  /** The name of the bus that the device goes on. */
  readonly bus?: string;
  /** The bus that the device provides. */
  readonly provides?: BusSpec;
  /** The ranges in which the device answers. The function is called with the device's properties, once in each thread. */
  regions?(properties: PropertiesOf<NoInfer<P>>): Readonly<Record<R, RegionSpec>>;
  /** The device has a character backend, `device.chardev`. A test holds the other end, `machine.chardev(id)`. Default false. */
  readonly chardev?: boolean;
  readonly contract?: ContractSpec<NoInfer<P>>;
}

/** An output pin, or a row of them. Its level is part of the machine's state. Setting the level that it has does nothing. */
export interface Output {
  set(level: boolean, pin?: number): void;
  level(pin?: number): boolean;
}

/** One timer. Its deadline is part of the machine's state. */
export interface Timer {
  /** Nanoseconds of machine time at which it fires; −1n when it is not armed. */
  readonly deadline: bigint;
  /** Arms the timer for an absolute time. If that has passed, the timer fires at once, after the current access. */
  arm(deadline: bigint): void;
  cancel(): void;
}

/** Addresses from `base` up to, and not including, `end`. */
export interface AddressRange {
  readonly base: number;
  readonly end: number;
}

/** A device's own accesses to memory (DMA). An access to a region of a device that is being accessed at that moment is refused. */
export interface Dma {
  read(address: number, target: Uint8Array): void;
  write(address: number, data: Uint8Array): void;
  /** Whether any of these bytes lies in a region of the device itself. It must not access that; an address that a guest gives may be one. */
  isOwn(address: number, size: number): boolean;
  readb(address: number): number;
  readw(address: number): number;
  readl(address: number): number;
  writeb(address: number, value: number): void;
  writew(address: number, value: number): void;
  writel(address: number, value: number): void;
}

/**
 * The device's end of its character backend: two rings of 4096 bytes, one for each direction. A device without a character backend gets
 * nothing, and what it sends is lost.
 */
export interface CharBackend {
  /** The number of bytes that have come and that the device has not taken. */
  readonly waiting: number;
  /** Takes the next byte that has come; undefined when there is none. */
  receive(): number | undefined;
  /** Sends a byte. Gives false, and sends nothing, when the ring is full because nobody reads. */
  send(byte: number): boolean;
}

/** The PCI configuration space, as a host bridge reaches it. Where no function answers, a read gives all ones. */
export interface ConfigSpace {
  read(address: number, size: AccessSize): number;
  write(address: number, value: number, size: AccessSize): void;
}

/**
 * A device as its own code sees it. Everything that changes is in `state`, `timers` and `out`, which lie in the machine's
 * shared memory. Device code runs on the thread that made the access, under the machine's lock. Anything else that
 * it remembers is remembered in that thread only, and is lost.
 */
export interface Device<
  P extends PropertySchema = PropertySchema,
  S extends StateSchema = StateSchema,
  T extends string = string,
  O extends string = string,
> {
  /** Its name in the machine, `rtc0`. */
  readonly id: string;
  readonly properties: PropertiesOf<P>;
  readonly state: StateOf<S>;
  readonly timers: { readonly [K in T]: Timer };
  readonly out: { readonly [K in O]: Output };
  readonly dma: Dma;
  readonly config: ConfigSpace;
  readonly chardev: CharBackend;
  /** Machine time in nanoseconds since the machine's start. */
  readonly now: () => bigint;
  /** Reports that the guest did what the part does not allow. The access goes on. At most 104 characters of the message are kept. */
  readonly guestError: (message: string) => void;
  /** Reports that the guest used what the part has and this model lacks. The access goes on. */
  readonly unimplemented: (message: string) => void;
  /** Call it when a region's `base`, a `shadow` or `windows` has changed. Every thread sees the new map before its next access. */
  readonly remap: () => void;
}

/** What a region does: the handlers of its accesses. */
export interface RegionBehaviour<D> {
  /** Gives an unsigned number of `size` bytes; higher bits are cut off. `offset` is from the region's start. */
  read(device: D, offset: number, size: AccessSize, initiator: Initiator): number;
  write(device: D, offset: number, value: number, size: AccessSize, initiator: Initiator): void;
  /** Where the region lies now; `undefined` while it does not answer. It must depend on the device's state alone. */
  base?(device: D): number | undefined;
}

// Methods, not function types: the parameter of a method is compared both ways, so that a definition of one device is
// also a definition of any device, which is what a registry holds.
/** What a timer does when it is due. `deadline` is the time at which it was due, in ns. */
export type TimerHandler<D> = { fire(device: D, deadline: bigint): void }['fire'];
/** What a change of an input pin does. */
export type InputHandler<D> = { change(device: D, pin: number, level: boolean): void }['change'];

/** `cold` is power-on: the state's bytes are zero before it. `warm` is the reset line: the device keeps what hardware keeps. */
export type ResetKind = 'cold' | 'warm';

/** The other half of a device: what it does. Whatever a guest does, nothing here may throw. */
export interface DeviceBehaviour<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
> {
  /** The first phase of a reset: it sets the device's own state and timers, and no lines. */
  reset?(device: Device<P, S, T, O>, kind: ResetKind): void;
  /** Sets the level of every output from the state. Nothing else may drive them. It is the second phase of a reset. */
  updateIrq?(device: Device<P, S, T, O>): void;
  readonly regions?: { readonly [K in R]: RegionBehaviour<Device<P, S, T, O>> };
  /** Called when a timer's deadline has come. The timer is no longer armed then. */
  readonly timers?: { readonly [K in T]: TimerHandler<Device<P, S, T, O>> };
  /** Called when an input pin changes its level. */
  readonly inputs?: { readonly [K in I]: InputHandler<Device<P, S, T, O>> };
  /**
   * For a bus: the address at which a region that lies at `base` on the bus is seen from outside; undefined if the bus does not forward it.
   * Without `forward`, a region is seen where it lies.
   */
  forward?(device: Device<P, S, T, O>, space: Space, base: number, size: number): number | undefined;
  /** Says which accesses to area `n` of `schema.shadow` reach RAM. It must depend on the device's state alone. Call `device.remap()` after a change. */
  shadow?(device: Device<P, S, T, O>, n: number): Shadow;
  /**
   * For a bus: the addresses, as seen from outside, at which it passes accesses on to the devices on it. Undefined means all addresses, and
   * so does a bus without `windows`. A region that lies in them in part is seen in that part. It must depend on the device's state alone.
   * Call `device.remap()` after a change.
   */
  windows?(device: Device<P, S, T, O>, space: Space): readonly AddressRange[] | undefined;
  /**
   * For a bus: whether it lets a DMA of a device on it pass. Without `forwardDma` it does. Each bus on the way up is asked; asking is not an
   * access of the bus. If the DMA does not pass, a read gives all ones, a write is lost, and a `guestError` says so.
   */
  forwardDma?(device: Device<P, S, T, O>, address: number, size: number): boolean;
  /** Called after a test has written to the character backend: take the bytes by `device.chardev.receive()`, now or later. */
  received?(device: Device<P, S, T, O>): void;
  /**
   * For an interrupt controller: the acknowledge cycle of VCPU `vcpu`. It gives the vector, 0 to 255. `undefined` passes the cycle on to the
   * controller at the input marked `intr`, which gives the vector for what came from there (ExtINT).
   */
  acknowledge?(device: Device<P, S, T, O>, vcpu: number): number | undefined;
}

const BRAND = Symbol.for('@qtest/device');

/** A device definition: its schema and its behaviour. */
export interface DeviceDefinition<
  P extends PropertySchema = PropertySchema,
  S extends StateSchema = StateSchema,
  R extends string = string,
  T extends string = string,
  O extends string = string,
  I extends string = string,
> {
  readonly schema: DeviceSchema<P, S, R, T, O, I>;
  readonly behaviour: DeviceBehaviour<P, S, R, T, O, I>;
}

/** A definition of any device. */
export type AnyDeviceDefinition = DeviceDefinition;

/** Gives a schema its exact type, so that `DeviceOf<typeof schema>` can name the device in helper functions. */
export function deviceSchema<
  const P extends PropertySchema = {},
  const S extends StateSchema = {},
  const R extends string = never,
  const T extends string = never,
  const O extends string = never,
  const I extends string = never,
>(schema: DeviceSchema<P, S, R, T, O, I>): DeviceSchema<P, S, R, T, O, I> {
  return schema;
}

/** The type of the `device` that the handlers of a schema get. */
export type DeviceOf<D> =
  D extends DeviceSchema<infer P, infer S, infer _R, infer T, infer O, infer _I> ? Device<P, S, T, O> : never;

/**
 * Defines a device from its schema and its behaviour.
 * @example
 * export const lamp = defineDevice(
 *   { type: 'lamp', description: 'A lamp', state: { on: 'bool' }, regions: () => ({ reg: { space: 'io', base: 0x300, size: 1 } }) },
 *   { regions: { reg: { read: ({ state }) => Number(state.on), write: ({ state }, _offset, value) => { state.on = value === 1; } } } },
 * );
 */
export function defineDevice<
  const P extends PropertySchema = {},
  const S extends StateSchema = {},
  const R extends string = never,
  const T extends string = never,
  const O extends string = never,
  const I extends string = never,
>(
  schema: DeviceSchema<P, S, R, T, O, I>,
  behaviour: DeviceBehaviour<NoInfer<P>, NoInfer<S>, NoInfer<R>, NoInfer<T>, NoInfer<O>, NoInfer<I>>,
): DeviceDefinition<P, S, R, T, O, I> {
  checkHandlers(schema.type, behaviour, 'timers', schema.timers ?? []);
  checkHandlers(schema.type, behaviour, 'inputs', Object.keys(schema.inputs ?? {}));
  for (const [name, type] of Object.entries(schema.state ?? {})) checkStateField(schema.type, name, type);
  if (schema.shadow !== undefined && behaviour.shadow === undefined)
    throw new TypeError(`device type '${schema.type}': its schema has areas 'shadow', and its behaviour no shadow()`);
  return Object.freeze({ schema, behaviour, [BRAND]: true });
}

function checkHandlers(type: string, behaviour: object, kind: 'timers' | 'inputs', names: readonly string[]): void {
  const handlers: unknown = Reflect.get(behaviour, kind);
  for (const name of names) {
    if (typeof handlers === 'object' && handlers !== null && name in handlers) continue;
    throw new TypeError(
      `device type '${type}': its schema names ${kind} '${name}', and its behaviour has no handler ${kind}.${name}`,
    );
  }
}

function checkStateField(type: string, name: string, field: StateSchema[string]): void {
  if (RESERVED_FIELDS.has(name))
    throw new TypeError(`device type '${type}': the state field '${name}' has a reserved name; choose another`);
  const known = typeof field === 'string' ? field in SCALAR_WIDTH : field.length > 0;
  if (!known)
    throw new TypeError(
      `device type '${type}': the state field '${name}' has the type '${JSON.stringify(field)}'; expected one of ${Object.keys(SCALAR_WIDTH).join(', ')}, or array()`,
    );
}

/** Whether `value` came from `defineDevice`, in any copy of this SDK. */
export function isDeviceDefinition(value: unknown): value is AnyDeviceDefinition {
  return typeof value === 'object' && value !== null && BRAND in value;
}
