import type { AddressRange, Device, DeviceDefinition, Space } from './device.ts';
import {
  COMMAND,
  readConfig,
  registerWith,
  touches,
  type PciStateSchema,
  type FieldsByName,
  type PciDevice,
  type PciPlacementSchema,
} from './pci-config.ts';
import {
  definePciFunction,
  type AnyFunctionSchema,
  type FunctionBehaviour,
  type FunctionSchema,
  type FunctionSpec,
} from './pci.ts';
import type { PropertySchema } from './properties.ts';
import { register, ro, rw, w1c, type Register } from './registers.ts';
import type { StateSchema } from './state.ts';

/**
 * PCI-to-PCI bridges (PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3): the type 1 header, and what follows from it. By the
 * bus numbers configuration cycles come to the bus behind, by the windows other cycles; by the bus-master bit those of the devices behind
 * come out. The lines of the bus behind go on to that before as 9.1 has it.
 *
 * Not modelled, though the bits hold what is written: parity, SERR#, the master abort mode, fast back-to-back cycles, latency, the
 * discard timers, special cycles. A peer behind the bridge is reached by DMA only where VCPUs see it, too.
 */

/** Offsets in a type 1 header that a type 0 header does not have. */
export const BRIDGE = {
  PRIMARY_BUS: 0x18,
  SECONDARY_BUS: 0x19,
  SUBORDINATE_BUS: 0x1a,
  SECONDARY_LATENCY: 0x1b,
  IO_BASE: 0x1c,
  IO_LIMIT: 0x1d,
  SECONDARY_STATUS: 0x1e,
  MEMORY_BASE: 0x20,
  MEMORY_LIMIT: 0x22,
  PREFETCH_BASE: 0x24,
  PREFETCH_LIMIT: 0x26,
  PREFETCH_BASE_UPPER: 0x28,
  PREFETCH_LIMIT_UPPER: 0x2c,
  IO_BASE_UPPER: 0x30,
  IO_LIMIT_UPPER: 0x32,
  ROM_BAR: 0x38,
  CONTROL: 0x3e,
} as const;

/** Secondary status (3.2.5.7): the status register of the other side. */
export const SECONDARY_STATUS = register('SECONDARY_STATUS', {
  offset: BRIDGE.SECONDARY_STATUS,
  width: 16,
  reset: 0,
  fields: {
    FAST_BACK_TO_BACK: ro(7),
    MASTER_PARITY: w1c(8),
    DEVSEL: ro(10, 9),
    SIGNALED_TARGET_ABORT: w1c(11),
    RECEIVED_TARGET_ABORT: w1c(12),
    RECEIVED_MASTER_ABORT: w1c(13),
    RECEIVED_SYSTEM_ERROR: w1c(14),
    PARITY_ERROR: w1c(15),
  },
});

/** Bridge control (3.2.5.18). */
export const BRIDGE_CONTROL = register('BRIDGE_CONTROL', {
  offset: BRIDGE.CONTROL,
  width: 16,
  reset: 0,
  fields: {
    PARITY: rw(0),
    SERR: rw(1),
    ISA: rw(2),
    VGA: rw(3),
    VGA_16: rw(4),
    MASTER_ABORT: rw(5),
    RESET: rw(6),
    FAST_BACK_TO_BACK: rw(7),
    PRIMARY_DISCARD: rw(8),
    SECONDARY_DISCARD: rw(9),
    DISCARD_STATUS: w1c(10),
    DISCARD_SERR: rw(11),
  },
  effect: 'RESET resets what is behind the bridge, and keeps it in reset',
});

/** What a base or a limit register has in its low bits: how many address bits there are. */
const DECODES_LONG = 1;

/** The contents of a bridge's header. */
export interface BridgeSpec<R extends string> extends Omit<
  FunctionSpec<R>,
  'header' | 'classCode' | 'subsystemVendor' | 'subsystem'
> {
  /** Default 0x06_0400, a PCI-to-PCI bridge. */
  readonly classCode?: number;
  /** Address bits of its I/O window. Default 16. */
  readonly ioBits?: 16 | 32;
  /** Address bits of its window for prefetchable memory, 0 if it has none. Default 64. */
  readonly prefetchBits?: 0 | 32 | 64;
}

type Bridge = PciDevice & Device<{}, {}, string, 'rst'>;

/**
 * Defines a PCI-to-PCI bridge. It provides a bus of the kind `pci` for other functions and bridges. Its output `rst` is RST# of that bus.
 */
export function definePciBridge<
  const P extends PropertySchema = {},
  const S extends StateSchema = {},
  const R extends string = never,
  const T extends string = never,
  const O extends string = never,
  const I extends string = never,
>(
  schema: FunctionSchema<P, S, R, T, O, I, BridgeSpec<R>>,
  behaviour?: FunctionBehaviour<NoInfer<P>, NoInfer<S>, NoInfer<R>, NoInfer<T>, NoInfer<O>, NoInfer<I>>,
): DeviceDefinition<P & PciPlacementSchema, S & PciStateSchema, R | 'config', T, O | 'intx' | 'rst', I>;
export function definePciBridge(
  schema: AnyFunctionSchema<BridgeSpec<string>>,
  behaviour: FunctionBehaviour = {},
): DeviceDefinition {
  const { ioBits = 16, prefetchBits = 64, classCode = 0x06_0400, registers = [], ...spec } = schema.pci;
  const merged = {
    ...schema,
    pci: {
      ...spec,
      classCode,
      header: 1 as const,
      registers: [...bridgeRegisters(ioBits, prefetchBits), ...registers],
    },
    provides: { name: 'pci', irqs: 4, shared: true, intx: true },
    outputs: { ...schema.outputs, rst: { busReset: true } },
  };
  const hasPrefetch = prefetchBits > 0;
  const whole = {
    ...behaviour,
    forward: forwardConfig,
    windows: (device: Bridge, space: Space) => windows(device, space, hasPrefetch),
    // A cycle to what lies in a window of the bridge stays on its own side (4.3, 5.4).
    forwardDma(device: Bridge, address: number, size: number): boolean {
      const inside = windows(device, 'memory', hasPrefetch) ?? [];
      return (
        COMMAND.MASTER.test(commandOf(device)) ||
        inside.some(({ base, end }) => address >= base && address + size <= end)
      );
    },
    updateIrq(device: Bridge): void {
      device.out.rst.set(inReset(device));
      behaviour.updateIrq?.(device);
    },
    configWritten(device: Bridge, offset: number, size: number): void {
      if (touches(offset, size, BRIDGE.CONTROL, 2)) {
        device.out.rst.set(inReset(device));
        device.remap();
      }
      behaviour.configWritten?.(device, offset, size);
    },
  };
  return definePciFunction(merged, whole);
}

/** The registers that a type 1 header has in the place of BARs 2 to 5 and of the subsystem (3.2.5). */
function bridgeRegisters(ioBits: 16 | 32, prefetchBits: 0 | 32 | 64): readonly Register[] {
  const effect = 'says what comes to the bus behind';
  const plain = (name: string, offset: number, width: 8 | 16 | 32 = 8, access: 'rw' | 'ro' = 'rw'): Register =>
    register(name, { offset, width, reset: 0, access, effect });
  const edge = (name: string, offset: number, width: 8 | 16, fields: FieldsByName, reset = 0): Register =>
    registerWith(name, { offset, width, reset, fields, effect });
  const io = ioBits === 32 ? DECODES_LONG : 0;
  const long = prefetchBits === 64 ? DECODES_LONG : 0;
  const ioFields = { ADDRESS: rw(7, 4), TYPE: ro(3, 0) };
  const memoryFields = { ADDRESS: rw(15, 4), ZERO: ro(3, 0) };
  const prefetchFields = prefetchBits === 0 ? { ZERO: ro(15, 0) } : { ADDRESS: rw(15, 4), TYPE: ro(3, 0) };
  return [
    plain('PRIMARY_BUS', BRIDGE.PRIMARY_BUS),
    plain('SECONDARY_BUS', BRIDGE.SECONDARY_BUS),
    plain('SUBORDINATE_BUS', BRIDGE.SUBORDINATE_BUS),
    register('SECONDARY_LATENCY', { offset: BRIDGE.SECONDARY_LATENCY, reset: 0 }),
    edge('IO_BASE', BRIDGE.IO_BASE, 8, ioFields, io),
    edge('IO_LIMIT', BRIDGE.IO_LIMIT, 8, ioFields, io),
    SECONDARY_STATUS,
    edge('MEMORY_BASE', BRIDGE.MEMORY_BASE, 16, memoryFields),
    edge('MEMORY_LIMIT', BRIDGE.MEMORY_LIMIT, 16, memoryFields),
    edge('PREFETCH_BASE', BRIDGE.PREFETCH_BASE, 16, prefetchFields, long),
    edge('PREFETCH_LIMIT', BRIDGE.PREFETCH_LIMIT, 16, prefetchFields, long),
    plain('PREFETCH_BASE_UPPER', BRIDGE.PREFETCH_BASE_UPPER, 32, prefetchBits === 64 ? 'rw' : 'ro'),
    plain('PREFETCH_LIMIT_UPPER', BRIDGE.PREFETCH_LIMIT_UPPER, 32, prefetchBits === 64 ? 'rw' : 'ro'),
    plain('IO_BASE_UPPER', BRIDGE.IO_BASE_UPPER, 16, ioBits === 32 ? 'rw' : 'ro'),
    plain('IO_LIMIT_UPPER', BRIDGE.IO_LIMIT_UPPER, 16, ioBits === 32 ? 'rw' : 'ro'),
    BRIDGE_CONTROL,
  ];
}

function commandOf({ state: { config } }: PciDevice): number {
  return readConfig(config, COMMAND.offset, 2);
}

function controlOf({ state: { config } }: PciDevice): number {
  return readConfig(config, BRIDGE.CONTROL, 2);
}

function inReset(device: PciDevice): boolean {
  return BRIDGE_CONTROL.RESET.test(controlOf(device));
}

/** Bits of an address in configuration space below the bus number, which is 0 for the bus that a function is on itself. */
const BUS_UNIT = 2 ** 20;

/**
 * Type 1 configuration cycles (3.1.2.1): one to the secondary bus becomes a type 0 cycle there, one to a bus up to the subordinate goes
 * on as it is. A bridge that has no numbers yet, as after a reset, forwards none.
 */
function forwardConfig(device: Bridge, space: Space, base: number): number | undefined {
  if (space !== 'config') return base;
  const { config } = device.state;
  const secondary = config.get(BRIDGE.SECONDARY_BUS);
  if (secondary === 0 || inReset(device)) return undefined;
  const bus = Math.floor(base / BUS_UNIT);
  if (bus === 0) return base + secondary * BUS_UNIT;
  return bus > secondary && bus <= config.get(BRIDGE.SUBORDINATE_BUS) ? base : undefined;
}

/** What of an address space comes to the bus behind (chapter 4). A window whose base is above its limit is closed. */
function windows(device: Bridge, space: Space, hasPrefetch: boolean): readonly AddressRange[] | undefined {
  if (space === 'config') return undefined;
  if (inReset(device)) return [];
  const command = commandOf(device);
  if (space === 'io') return COMMAND.IO.test(command) ? ioWindows(device) : [];
  if (!COMMAND.MEMORY.test(command)) return [];
  const read = (offset: number, size: number): number => readConfig(device.state.config, offset, size);
  const open = [range(memoryEdge(read(BRIDGE.MEMORY_BASE, 2)), memoryEdge(read(BRIDGE.MEMORY_LIMIT, 2)), MEBIBYTE)];
  if (hasPrefetch) {
    const base = read(BRIDGE.PREFETCH_BASE_UPPER, 4) * 2 ** 32 + memoryEdge(read(BRIDGE.PREFETCH_BASE, 2));
    const limit = read(BRIDGE.PREFETCH_LIMIT_UPPER, 4) * 2 ** 32 + memoryEdge(read(BRIDGE.PREFETCH_LIMIT, 2));
    open.push(range(base, limit, MEBIBYTE));
  }
  if (BRIDGE_CONTROL.VGA.test(controlOf(device))) open.push(VGA_MEMORY);
  return open.filter(({ base, end }) => base < end);
}

const MEBIBYTE = 2 ** 20;
const IO_UNIT = 2 ** 12;

/** Address bits 31 to 20. */
function memoryEdge(register: number): number {
  return (register & 0xfff0) * 2 ** 16;
}

/** From `base` to the end of the unit at `limit`. */
function range(base: number, limit: number, unit: number): AddressRange {
  return { base, end: limit + unit };
}

/** VGA's frame buffer and ports (3.2.5.18, bit 3). */
const VGA_MEMORY: AddressRange = { base: 0xa_0000, end: 0xc_0000 };
const VGA_PORTS: readonly AddressRange[] = [
  { base: 0x3b0, end: 0x3bc },
  { base: 0x3c0, end: 0x3e0 },
];
/** ISA's ports are decoded by their low 10 bits, and lie in the upper three quarters of each KiB of the first 64 (3.2.5.18, bit 2). */
const ISA_UNIT = 0x400;
const ISA_FREE = 0x100;
const ISA_PORTS = 0x1_0000;

function ioWindows(device: Bridge): AddressRange[] {
  const control = controlOf(device);
  const edge = (low: number, upper: number): number =>
    readConfig(device.state.config, upper, 2) * 2 ** 16 + (readConfig(device.state.config, low, 1) & 0xf0) * 2 ** 8;
  const window = range(
    edge(BRIDGE.IO_BASE, BRIDGE.IO_BASE_UPPER),
    edge(BRIDGE.IO_LIMIT, BRIDGE.IO_LIMIT_UPPER),
    IO_UNIT,
  );
  const open = BRIDGE_CONTROL.ISA.test(control) ? withoutIsa(window) : [window];
  if (BRIDGE_CONTROL.VGA.test(control)) {
    const last = BRIDGE_CONTROL.VGA_16.test(control) ? ISA_UNIT : ISA_PORTS;
    for (let at = 0; at < last; at += ISA_UNIT)
      open.push(...VGA_PORTS.map(({ base, end }) => ({ base: at + base, end: at + end })));
  }
  return open.filter(({ base, end }) => base < end);
}

/** The quarter of each KiB that is not ISA's. Beyond 64 KiB all would be, where no port is. */
function withoutIsa({ base, end }: AddressRange): AddressRange[] {
  const open: AddressRange[] = [];
  for (let at = base; at < Math.min(end, ISA_PORTS); at += ISA_UNIT) open.push({ base: at, end: at + ISA_FREE });
  return open;
}
