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

/** What every device takes, in addition to its own properties. */
export interface Placement {
  /** Its name in the machine. Default: the short name of its type and a number (`rtc0`). */
  readonly id?: string;
  /** The bus that it is on. You may leave it out when the machine has exactly one bus of the kind. */
  readonly bus?: DeviceRef;
}

/**
 * The device types that `machine.add()` takes by name, and the properties of each. A family of parts adds its own types: `@qtest/parts/pc`
 * adds those of a PC. The compiler checks a model of a part against them. To write a test for a part, you need no model of it.
 */
export interface DeviceTypes {}

/** The boards: methods that build a whole machine. A family of parts adds its own: `@qtest/parts/pc` adds `pc()`. */
export interface Boards {}

/** Names of the types of devices. */
export type DeviceType = keyof DeviceTypes;

/** Arguments after the type: optional when every property has a default. */
type AddArguments<T> = {} extends T ? [properties?: T & Placement] : [properties: T & Placement];

/**
 * A machine under construction: `init()` and the hook `machineInit` get it. After them it is sealed: from then on only its state changes.
 */
export interface MachineBuilder extends Boards {
  readonly clock: ClockKind;
  readonly devices: readonly DeviceRef[];
  /** Adds one of the host's devices. */
  add<T extends DeviceType>(type: T, ...rest: AddArguments<DeviceTypes[T]>): DeviceRef;
  /** Adds a plugin's own device. The plugin must list it in `devices`. */
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
   * Adds `size` bytes of RAM at `base`; both are multiples of 4096. RAM and a ROM may overlap only where a device can turn accesses away
   * from RAM; these accesses reach the ROM.
   */
  ram(base: number, size: number): void;
  /** Adds a ROM at `base`, a multiple of 4096. The guest's writes are ignored. */
  rom(base: number, image: Uint8Array): void;
  /** Sets contents of RAM before the machine's first instant. */
  load(address: number, data: Uint8Array): void;
  /** A device by its id. */
  get(id: string): DeviceRef;
  /** Whether there is a device of this id. */
  has(id: string): boolean;
  /** An output pin, to be connected. */
  output(device: DeviceRef, name: string, pin?: number): PinRef;
  /** An input pin, to be connected. */
  input(device: DeviceRef, name: string, pin?: number): PinRef;
  /** IRQ line `n` of the bus `bus`, to be connected. */
  line(bus: DeviceRef, n: number): PinRef;
  /** Wires an output or a bus's line to an input or a bus's line. Several outputs may drive one input, as a wired OR, only if `shared` is set. */
  connect(from: PinRef, to: PinRef, options?: { readonly shared?: boolean }): void;
  /** Makes an output reset the machine (`warm`) when it rises. An output that its schema marks `reset: true` does so by itself. */
  resetOn(output: PinRef): void;
  /**
   * Tells the backend `qemu` what the devices do not show. Other backends ignore it.
   * @param options.args arguments that are appended to QEMU's command line.
   * @param options.provides the devices that these arguments add to QEMU. Without it, a device that the host does not know in QEMU counts as missing there.
   */
  qemu(options: { readonly args?: readonly string[]; readonly provides?: readonly DeviceRef[] }): void;
}

export type { AnyDeviceDefinition, DeviceSchema };
