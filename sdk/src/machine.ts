import type { AnyDeviceDefinition, DeviceDefinition, DeviceSchema } from './device.ts';
import type { DeviceTypes } from './device-types.ts';
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

/** Type names of devices that the host provides. */
export type BuiltinType = keyof DeviceTypes;

/** Arguments after the type: optional when every property has a default. */
type AddArguments<T> = {} extends T ? [properties?: T & Placement] : [properties: T & Placement];

/**
 * A machine under construction: what `init()` and the hook `machineInit` get. It is sealed after them, and from then on
 * only its state changes.
 */
export interface MachineBuilder {
  readonly clock: ClockKind;
  readonly devices: readonly DeviceRef[];
  /** Adds one of the host's devices. */
  add<T extends BuiltinType>(type: T, ...rest: AddArguments<DeviceTypes[T]>): DeviceRef;
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
  /** Adds `size` bytes of RAM at `base`; both multiples of 4096. */
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
  /** Wires an output to an input or to a bus's line. Several outputs to one input are a wired OR only if `shared` is set. */
  connect(output: PinRef, to: PinRef, options?: { readonly shared?: boolean }): void;
  /** The normal machine: what a plugin without `init()` gets. */
  pc(options?: PcOptions): PcMachine;
}

export interface PcOptions {
  /** Bytes of RAM, a multiple of 4096. Default 128 MiB. */
  readonly ram?: number;
  /** Properties of the RTC. */
  readonly rtc?: DeviceTypes['mc146818rtc'];
}

/** What `machine.pc()` has built. */
export interface PcMachine {
  readonly isa: DeviceRef;
  readonly pic: DeviceRef;
  readonly rtc: DeviceRef;
}

export type { AnyDeviceDefinition, DeviceSchema };
