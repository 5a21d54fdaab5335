import type { AnyDeviceDefinition, DeviceDefinition, DeviceSchema } from './device.ts';
import type { PropertiesIn, PropertySchema } from './properties.ts';
import type { StateSchema } from './state.ts';
import type { ClockKind } from './hardware.ts';

/** A device that has been added to a machine under construction. */
export interface DeviceRef {
  readonly id: string;
  readonly type: string;
}

/** One pin of a device under construction. */
export interface PinRef {
  readonly device: DeviceRef;
  readonly name: string;
  readonly pin: number;
}

/** What every device takes beside its own properties. */
export interface Placement {
  /** Its name in the machine; by default its type's short name and a number (`rtc0`). */
  readonly id?: string;
  /** The bus it is on. May be left out when the machine has exactly one bus of the kind it needs. */
  readonly bus?: DeviceRef;
}

/**
 * The types that a machine can be given by their names, and the properties that each takes. A family of parts adds its own:
 * `@qtest/parts/pc` those of a PC. A model of a part is checked against them, and authors need no model to write for one.
 */
export interface DeviceTypes {}

/** The boards that build a whole machine, each a method of the machine. A family of parts adds its own: `@qtest/parts/pc` the `pc()`. */
export interface Boards {}

/** Names of the types of devices. */
export type DeviceType = keyof DeviceTypes;

/** Arguments after the type: optional when every property has a default. */
type AddArguments<T> = {} extends T ? [properties?: T & Placement] : [properties: T & Placement];

/**
 * A machine under construction: what `init()` and the hook `machineInit` get. It is sealed after them, and from then on
 * only its state changes.
 */
export interface MachineBuilder extends Boards {
  readonly clock: ClockKind;
  readonly devices: readonly DeviceRef[];
  /** Adds one of the host's devices. */
  add<T extends DeviceType>(type: T, ...rest: AddArguments<DeviceTypes[T]>): DeviceRef;
  /** Adds a device of a plugin's own, which the plugin must list in `devices`. */
  add<
    P extends PropertySchema,
    S extends StateSchema,
    R extends string,
    T extends string,
    O extends string,
    I extends string,
  >(
    definition: DeviceDefinition<P, S, R, T, O, I>,
    ...rest: AddArguments<PropertiesIn<P>>
  ): DeviceRef;
  /**
   * Adds `size` bytes of RAM at `base`; both multiples of 4096. RAM and a ROM may overlap only where a device can turn accesses away from
   * RAM: they reach the ROM then.
   */
  ram(base: number, size: number): void;
  /** Adds a ROM at `base`, a multiple of 4096. The guest's writes are ignored. */
  rom(base: number, image: Uint8Array): void;
  /** Fills RAM before the machine's first instant. */
  load(address: number, data: Uint8Array): void;
  /** A device by its id. */
  get(id: string): DeviceRef;
  /** Whether there is a device of this id. */
  has(id: string): boolean;
  /** An output pin, to be connected. */
  output(device: DeviceRef, name: string, pin?: number): PinRef;
  /** An input pin, to be connected. */
  input(device: DeviceRef, name: string, pin?: number): PinRef;
  /** IRQ line `n` of a bus, to be connected. */
  line(bus: DeviceRef, n: number): PinRef;
  /** Wires an output, or a bus's line, to an input or to a bus's line. Several to one input are a wired OR only if `shared` is set. */
  connect(from: PinRef, to: PinRef, options?: { readonly shared?: boolean }): void;
  /** Has an output reset the machine (`warm`) when it rises, as one does of itself that its schema marks `reset: true`. */
  resetOn(output: PinRef): void;
  /**
   * For the backend `qemu` alone: what cannot be told from the devices.
   * @param options.args appended to QEMU's command line.
   * @param options.provides devices that these arguments stand for; without them QEMU is taken not to have a device that it does not know.
   */
  qemu(options: { readonly args?: readonly string[]; readonly provides?: readonly DeviceRef[] }): void;
}

export type { AnyDeviceDefinition, DeviceSchema };
