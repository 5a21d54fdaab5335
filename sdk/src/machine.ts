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
  /** The normal machine: what a plugin without `init()` gets. A PC of 440FX and PIIX3. */
  pc(options?: PcOptions): PcMachine;
  /** A PC without PCI. */
  isapc(options?: IsaPcOptions): IsaPcMachine;
}

/** A part that a machine has if it is asked for: with its defaults, or with properties. */
type Part<T extends BuiltinType> = boolean | Partial<DeviceTypes[T]>;

/** Options of `machine.isapc()`. The parts that are left out by default are found by their ids: `machine.get('hpet0')`. */
export interface IsaPcOptions {
  /**
   * Bytes of RAM, a multiple of 4096, up to 3 GiB. Those from 640 KiB to 1 MiB are none in an `isapc`; in a `pc` they show when the
   * 440FX's registers SMRAM and PAM say so. Default 128 MiB.
   */
  readonly ram?: number;
  /** CPUs that the firmware's tables tell of, and that have a local APIC, up to 8. Default: the most VCPUs that a case of the plugin has. */
  readonly cpus?: number;
  /** Properties of the RTC. By default it behaves as QEMU's; `cmos` goes in place of the PC's. */
  readonly rtc?: DeviceTypes['mc146818rtc'];
  /** Bytes of the CMOS by their indices, in place of those that the board puts there for the firmware: 0x38 and 0x3d, the boot order. */
  readonly cmos?: Readonly<Record<number, number>>;
  /** Properties of `fw_cfg0`, such as its files. */
  readonly fwCfg?: Partial<DeviceTypes['fw_cfg']>;
  /** Serial ports: COM1 at 0x3f8, IRQ 4; COM2 at 0x2f8, IRQ 3; COM3 at 0x3e8, IRQ 4; COM4 at 0x2e8, IRQ 3. Default 1. */
  readonly serial?: number;
  /** `hpet0`, through which PIT and RTC get to IRQ 0 and 8. Default false. */
  readonly hpet?: Part<'hpet'>;
  /** `pvpanic0`, at 0x505. Default false. */
  readonly pvpanic?: Part<'pvpanic'>;
  /** `watchdog0`, whose action `reset` resets the machine. Default false. */
  readonly ib700?: Part<'ib700'>;
  /** `testdev-pc0`, at 0xe0, on all of the ISA bus's IRQs. Default false. */
  readonly 'pc-testdev'?: Part<'pc-testdev'>;
}

/** Options of `machine.pc()`. */
export interface PcOptions extends IsaPcOptions {
  /** `apic0`, the local APICs: the PIC's INT goes to LINT0 of CPU 0, as a BIOS leaves it, and not to INTR. Default true. */
  readonly apic?: Part<'apic'>;
  /** `ioapic0`: ISA IRQ n is at input n, and IRQ 0 at input 2. Default true. */
  readonly ioapic?: Part<'ioapic'>;
  /** `edu0`, in slot 2. Default false. */
  readonly edu?: Part<'edu'>;
  /** `pcitest0`, in slot 3. Default false. */
  readonly 'pci-testdev'?: Part<'pci-testdev'>;
  /** `pvpanic0`, or `pvpanic1` beside the ISA one, in slot 4. Default false. */
  readonly 'pvpanic-pci'?: Part<'pvpanic-pci'>;
  /** `bridge0`, in slot 5: a second PCI bus, so that `bus` must say of which one a further function is. Default false. */
  readonly 'pci-bridge'?: Part<'pci-bridge'>;
}

/** What `machine.isapc()` has built. */
export interface IsaPcMachine {
  readonly isa: DeviceRef;
  readonly pic: DeviceRef;
  readonly pit: DeviceRef;
  /** Port 0x61. */
  readonly speaker: DeviceRef;
  readonly rtc: DeviceRef;
  /** The keyboard controller, whose pin `reset` resets the machine. */
  readonly kbc: DeviceRef;
  /** The serial ports in order. */
  readonly uarts: readonly DeviceRef[];
  readonly fwCfg: DeviceRef;
}

/** What `machine.pc()` has built. `isa` is the PIIX3. */
export interface PcMachine extends IsaPcMachine {
  /** The host bridge: PCI bus 0. */
  readonly pci: DeviceRef;
  /** The 440FX's function 0:0.0. */
  readonly pmc: DeviceRef;
}

export type { AnyDeviceDefinition, DeviceSchema };
