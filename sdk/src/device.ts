import type { Vcpu } from './hardware.ts';
import type { PropertiesIn, PropertiesOf, PropertySchema } from './properties.ts';
import type { RegisterBank } from './registers.ts';
import { RESERVED_FIELDS, SCALAR_WIDTH, type StateOf, type StateSchema } from './state.ts';

/** Who makes an access: a VCPU (`vcpu`, its index), a device by DMA (`device`, its index in the blueprint), or the host. */
export interface Initiator {
  readonly kind: 'vcpu' | 'device' | 'host';
  readonly index: number;
}

/** Bytes of one access on a device's handlers. */
export type AccessSize = 1 | 2 | 4;

/** An address space of the machine. */
export type Space = 'io' | 'memory' | 'config';

/** A range in which a device answers. */
export interface RegionSpec {
  /**
   * `io`: the 64 Ki ports. `memory`: the physical address space. `config`: the PCI configuration space, where an address is
   * bus << 20 | slot << 15 | function << 12 | offset; only devices reach it, by `device.config`.
   */
  readonly space: Space;
  /** Where it lies at reset; left out when the behaviour's `base` decides, from the device's state. */
  readonly base?: number;
  /** Bytes. */
  readonly size: number;
  /**
   * Which of overlapping regions answers: the highest. Two regions of one priority must not overlap. RAM and ROM lie below a priority of 0,
   * and above those that are negative. Default 0.
   */
  readonly priority?: number;
  /**
   * Sizes that the device's handlers take. A wider access is split into parts of `max` (low address first), a narrower
   * one is widened to `min` when `widen` is set, and otherwise refused. Default: 1 to 1.
   */
  readonly access?: {
    readonly min?: AccessSize;
    readonly max?: AccessSize;
    /** Wider accesses are refused (all ones, ignored, `guestError`) and not split. */
    readonly strict?: boolean;
    /** Narrower reads take part of a wider one; narrower writes are refused. */
    readonly widen?: boolean;
    /** Accesses that are not aligned to their size are passed on whole; otherwise they are split into parts of `min`, or refused where that does not help. */
    readonly unaligned?: boolean;
    /** Ports only: an access that would be refused goes to what lies below the region, as if this were not there. */
    readonly transparent?: boolean;
  };
}

/** An area of physical memory. */
export interface ShadowSpec {
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** What of an area of RAM is accessed: the other kind of access goes to what lies below it. */
export interface Shadow {
  readonly read: boolean;
  readonly write: boolean;
}

/** Output pins of a name, and what they drive. */
export interface OutputSpec {
  /** Pins; 1 when left out. */
  readonly count?: number;
  /** The property that holds the number of the bus's IRQ line to which the pin is wired. */
  readonly busIrq?: string;
  /** A PCI INTx pin, 0 for INTA to 3 for INTD: wired to the line of the PCI bus that its slot gives it. */
  readonly intx?: number;
  /** For a bus with as many IRQ lines as there are pins: pin n drives line n of the bus that the device provides, beside the devices on it. */
  readonly ownIrq?: boolean;
  /**
   * Pin n is wired to INTR of VCPU n, and the device answers its acknowledge cycle: an interrupt controller. The name of a property
   * that holds how many of the pins are, or `true` for all. One that has an input marked `intr` stands before any other.
   */
  readonly intr?: boolean | string;
  /**
   * The pin is wired to the machine's reset line, with any other device's: when it rises, the machine is reset (`warm`) before the next
   * access of any VCPU. The access in which it rises ends as it would have, and so does everything that a timer does at that instant.
   */
  readonly reset?: boolean;
  /**
   * RST# of the bus that the device provides: when it rises, the devices on that bus, and those behind their own buses, are reset
   * (`warm`) at once, and the device itself is not.
   */
  readonly busReset?: boolean;
}

/** Input pins of a name. */
export interface InputSpec {
  /** Pins; 1 when left out. */
  readonly count?: number;
  /** Pin n is wired to IRQ line n of the device's bus. */
  readonly bus?: boolean;
  /**
   * The first pin is wired to what would drive INTR of VCPU 0 were this device not there, in whatever order the two are added: LINT0 of a
   * local APIC, which gets the INT of the 8259A.
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
  /** PCI: the line of a slot's pin is (slot + pin + this) modulo the number of lines. Default 0. */
  readonly swizzle?: number;
  /** A PCI-to-PCI bridge's: line n goes on where the INTx pin n of the bridge itself would, on the bus that the bridge is on. */
  readonly intx?: boolean;
}

/** What the contract that every device is held to (`qtest contract`) cannot tell from the device's tables. */
export interface ContractSpec<P extends PropertySchema = PropertySchema> {
  /** Properties with which it is checked: those that have no default, and others that it needs there. */
  readonly properties?: Partial<PropertiesIn<P>>;
  /**
   * What a guest does after a reset before all regions answer: maps those that have no `base`. The BARs of a PCI function are mapped
   * without it. It runs often, and in states that no reset precedes.
   */
  setup?(vcpu: Vcpu, properties: PropertiesOf<P>): void;
}

/** What the schema of a device has, and that of a PCI function alike. */
export interface DeviceParts<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
> {
  /** Its type, as `machine.add()` names it. */
  readonly type: string;
  readonly description: string;
  /** Stem of the ids that `machine.add()` gives (`rtc` for `rtc0`); the type when left out. */
  readonly idPrefix?: string;
  /** Counted up when the meaning of the state's bytes changes; a snapshot of another version is refused. Default 1. */
  readonly version?: number;
  readonly properties?: P;
  readonly state?: S;
  /** Its registers, by region. */
  readonly registers?: Readonly<Partial<Record<NoInfer<R>, RegisterBank>>>;
  /**
   * Areas of RAM from which the device can turn accesses away, to what lies below RAM: a ROM, or a region of negative priority. Its
   * behaviour's `shadow` says when. Addresses and sizes are multiples of 4096.
   */
  readonly shadow?: readonly ShadowSpec[];
  /** Timers by name. Those due at the same instant fire in this order. */
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
  /** Name of the bus that it must be put on. */
  readonly bus?: string;
  /** The bus that it provides. */
  readonly provides?: BusSpec;
  /** Where it answers. The function is called with the device's properties, once in each thread. */
  regions?(properties: PropertiesOf<NoInfer<P>>): Readonly<Record<R, RegionSpec>>;
  /** It has a character backend, `device.chardev`, whose other end a test holds as `machine.chardev(id)`. */
  readonly chardev?: boolean;
  readonly contract?: ContractSpec<NoInfer<P>>;
}

/** An output pin, or a row of them. Its level is part of the machine's state; setting the level it has does nothing. */
export interface Output {
  set(level: boolean, pin?: number): void;
  level(pin?: number): boolean;
}

/** One timer. Its deadline is part of the machine's state. */
export interface Timer {
  /** Nanoseconds of machine time at which it fires; −1n when it is not armed. */
  readonly deadline: bigint;
  /** Arms it for an absolute time. A deadline that has passed fires at once, after the current access. */
  arm(deadline: bigint): void;
  cancel(): void;
}

/** Addresses from `base` up to, and not including, `end`. */
export interface AddressRange {
  readonly base: number;
  readonly end: number;
}

/** A device's own accesses to the machine's address spaces (DMA). An access to a region of a device that is being accessed is refused. */
export interface Dma {
  read(address: number, target: Uint8Array): void;
  write(address: number, data: Uint8Array): void;
  /** Whether any of these bytes lies in a region of the device itself, which it must not access: an address that a guest gives may be one. */
  isOwn(address: number, size: number): boolean;
  readb(address: number): number;
  readw(address: number): number;
  readl(address: number): number;
  writeb(address: number, value: number): void;
  writew(address: number, value: number): void;
  writel(address: number, value: number): void;
}

/** The device's end of its character backend. A device without one hears nothing, and what it sends is gone. */
export interface CharBackend {
  /** Bytes that have come and are not yet received. */
  readonly waiting: number;
  /** Takes the next byte that has come. */
  receive(): number | undefined;
  /** Sends a byte; false when nobody takes them and the ring (4 KiB) is full. */
  send(byte: number): boolean;
}

/** The PCI configuration space as a host bridge reaches it. Where no function answers, reads give all ones. */
export interface ConfigSpace {
  read(address: number, size: AccessSize): number;
  write(address: number, value: number, size: AccessSize): void;
}

/**
 * A device as its own code sees it: everything mutable is in `state`, `timers` and `out`, which lie in the machine's
 * shared memory. Device code runs on the thread that made the access, under the machine's lock, so anything else that
 * it remembers is remembered in one thread only and lost.
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
  /** The guest did what the part does not allow. Reported, and the access goes on. At most 104 characters are kept. */
  readonly guestError: (message: string) => void;
  /** The guest used what the part has and this model lacks. */
  readonly unimplemented: (message: string) => void;
  /** To be called when a region's `base`, or a `shadow`, has changed: every thread sees the new map before its next access. */
  readonly remap: () => void;
}

/** What a region does: the handlers of its accesses. */
export interface RegionBehaviour<D> {
  /** `offset` is from the region's start. Give an unsigned number of `size` bytes; what lies above is cut off. */
  read(device: D, offset: number, size: AccessSize, initiator: Initiator): number;
  write(device: D, offset: number, value: number, size: AccessSize, initiator: Initiator): void;
  /** Where the region lies now, going by the device's state alone; `undefined` while it does not answer. */
  base?(device: D): number | undefined;
}

// Methods, not function types: the parameter of a method is compared both ways, so that a definition of one device is
// also a definition of any device, which is what a registry holds.
/** What a timer does when it is due; `deadline` is when it was, in ns. */
export type TimerHandler<D> = { fire(device: D, deadline: bigint): void }['fire'];
/** What a change of an input pin does. */
export type InputHandler<D> = { change(device: D, pin: number, level: boolean): void }['change'];

/** `cold`: power-on; the state's bytes are zero before it. `warm`: the reset line; what hardware keeps is kept. */
export type ResetKind = 'cold' | 'warm';

/** The other half of a device: what it does. Nothing here may throw because of what a guest does. */
export interface DeviceBehaviour<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
> {
  /** First phase of a reset: the device's own state and timers, no lines. */
  reset?(device: Device<P, S, T, O>, kind: ResetKind): void;
  /** Derives the level of every output from the state; the only place that drives them. Second phase of a reset. */
  updateIrq?(device: Device<P, S, T, O>): void;
  readonly regions?: { readonly [K in R]: RegionBehaviour<Device<P, S, T, O>> };
  /** Called when the timer's deadline has come; it is no longer armed then. */
  readonly timers?: { readonly [K in T]: TimerHandler<Device<P, S, T, O>> };
  /** Called when an input pin changes its level. */
  readonly inputs?: { readonly [K in I]: InputHandler<Device<P, S, T, O>> };
  /**
   * For a bus: where a region that lies at `base` on it is seen from outside the bus; undefined where the bus does not forward
   * it. Without it, a region is seen where it lies.
   */
  forward?(device: Device<P, S, T, O>, space: Space, base: number, size: number): number | undefined;
  /** Which accesses to its area `n` of `schema.shadow` reach RAM, going by the device's state alone. After a change, `remap()`. */
  shadow?(device: Device<P, S, T, O>, n: number): Shadow;
  /**
   * For a bus: the addresses, as they are outside, at which it passes accesses on to the devices on it; undefined for all of them, as
   * without it. A region that lies in them in part is seen in that part. To be gone by the device's state alone, with `device.remap()`
   * after it has changed.
   */
  windows?(device: Device<P, S, T, O>, space: Space): readonly AddressRange[] | undefined;
  /**
   * For a bus: whether a DMA of a device on it gets to where it goes; without it, it does. It is asked, as each bus on the way up is, and
   * nothing is accessed: the bus is not entered. Where it does not, reads give all ones, writes are lost, and a `guestError` says so.
   */
  forwardDma?(device: Device<P, S, T, O>, address: number, size: number): boolean;
  /** Bytes have come at the character backend. */
  received?(device: Device<P, S, T, O>): void;
  /**
   * The interrupt-acknowledge cycle of an interrupt controller, by VCPU `vcpu`: gives the vector, 0 to 255. `undefined` passes the cycle
   * on to the controller at the input marked `intr`, which gives the vector of what came from there (ExtINT).
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

/** A definition of any device: what a registry holds. */
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

/** The `device` argument of a schema's handlers. */
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

/** Whether `value` came from `defineDevice`, of any copy of this SDK. */
export function isDeviceDefinition(value: unknown): value is AnyDeviceDefinition {
  return typeof value === 'object' && value !== null && BRAND in value;
}
