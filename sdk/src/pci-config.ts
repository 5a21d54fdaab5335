import type { Device } from './device.ts';
import type { BooleanProperty, NumberProperty } from './properties.ts';
import { register, ro, rw, w1c, type Register, type RegisterSpec } from './registers.ts';
import type { ArrayType, StateArray } from './state.ts';

/** The configuration space of a PCI function (PCI Local Bus Specification 3.0, chapter 6): its registers' places and fields. */

/** Offsets in a type 0 header. A type 1 header has the same up to BAR 1, and from the capabilities on, except for the ROM's BAR. */
export const HEADER = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BIST: 0x0f,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  ROM_BAR: 0x30,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

/** Command register (6.2.2). Bits that the part does not implement are hardwired to 0. */
export const COMMAND = register('COMMAND', {
  offset: HEADER.COMMAND,
  width: 16,
  reset: 0,
  fields: { IO: rw(0), MEMORY: rw(1), MASTER: rw(2), PARITY: rw(6), SERR: rw(8), INTX_DISABLE: rw(10) },
  effect: 'IO and MEMORY decide where the BARs answer',
});

/** Status register (6.2.3). */
export const STATUS = register('STATUS', {
  offset: HEADER.STATUS,
  width: 16,
  fields: {
    INTERRUPT: ro(3),
    CAPABILITIES: ro(4),
    FAST_BACK_TO_BACK: ro(7),
    MASTER_PARITY: w1c(8),
    DEVSEL: ro(10, 9),
    SIGNALED_TARGET_ABORT: w1c(11),
    RECEIVED_TARGET_ABORT: w1c(12),
    RECEIVED_MASTER_ABORT: w1c(13),
    SIGNALED_SYSTEM_ERROR: w1c(14),
    PARITY_ERROR: w1c(15),
  },
});

/** Capability IDs (PCI Local Bus Specification 3.0, appendix H). */
export const CAPABILITY = { POWER_MANAGEMENT: 0x01, MSI: 0x05, VENDOR: 0x09, MSIX: 0x11 } as const;

/** Bytes of the configuration space of a conventional PCI function. */
export const CONFIG_BYTES = 256;

/** Properties that every PCI function has. */
export type PciPlacementSchema = {
  readonly slot: NumberProperty;
  readonly function: NumberProperty & { readonly default: number };
  readonly multifunction: BooleanProperty & { readonly default: boolean };
};
/** State that every PCI function has. */
export type PciStateSchema = {
  readonly config: ArrayType<'u8'>;
  /** The MSI-X table, four words for each vector, and the pending bits after it. */
  readonly msix: ArrayType<'u32'>;
};

/** What the device of every PCI function has, in addition to its own. */
export type PciDevice = Device<PciPlacementSchema, PciStateSchema, string, 'intx'>;

/** Whether an access touches `length` bytes from `start`. */
export function touches(offset: number, size: number, start: number, length: number): boolean {
  return offset < start + length && offset + size > start;
}

/** `size` bytes of a configuration space, little-endian. */
export function readConfig(cells: StateArray, offset: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + cells.get(offset + i);
  return value;
}

export type FieldsByName = Readonly<Record<string, ReturnType<typeof rw>>>;

/** A register whose fields' names are not known here. */
export function registerWith(name: string, spec: RegisterSpec<string>): Register {
  return register(name, spec) as Register;
}

/** A register at another place, with another reset value. */
export function placed({ name, offset, width, fields, effect }: Register, by: number, reset: number): Register {
  const specs = Object.fromEntries(
    fields.map((field) => [field.name, { access: field.access, msb: field.msb, lsb: field.lsb }]),
  );
  return registerWith(name, {
    offset: offset + by,
    width,
    reset,
    fields: specs,
    ...(effect !== undefined && { effect }),
  });
}
