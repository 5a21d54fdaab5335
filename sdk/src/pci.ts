import {
  defineDevice,
  type BusSpec,
  type ContractSpec,
  type Device,
  type DeviceBehaviour,
  type DeviceDefinition,
  type DeviceParts,
  type RegionBehaviour,
  type RegionSpec,
} from './device.ts';
import { property, type PropertiesOf, type PropertySchema } from './properties.ts';
import {
  CAPABILITY,
  COMMAND,
  CONFIG_BYTES,
  HEADER,
  placed,
  readConfig,
  registerWith,
  STATUS,
  touches,
  type PciStateSchema,
  type FieldsByName,
  type PciDevice,
  type PciPlacementSchema,
} from './pci-config.ts';
import {
  MESSAGE_IDS,
  messagesWritten,
  msiRegisters,
  msixBank,
  msixRegisters,
  msixWords,
  withMsix,
  type MsiSpec,
  type MsixSpec,
} from './pci-message.ts';
import { register, ro, rw, type Field, type Register, type RegisterBank } from './registers.ts';
import { array, bytes, type StateArray, type StateSchema } from './state.ts';

/**
 * PCI functions: what a device author writes for a part behind a PCI bus. The configuration space (PCI Local Bus Specification 3.0,
 * chapter 6) is kept here: header, BARs, capabilities, command and status; the author gives identity, BARs and behaviour.
 */

/** A base address register (BAR). */
export interface BarSpec {
  /** 0 to 5, or `rom`. A 64-bit BAR takes the next one as well. */
  readonly bar: 0 | 1 | 2 | 3 | 4 | 5 | 'rom';
  readonly kind: 'io' | 'memory32' | 'memory64';
  /** Bytes, a power of two: at least 4 for I/O, 16 for memory, 2048 for a ROM. */
  readonly size: number;
  readonly prefetchable?: boolean;
  readonly access?: RegionSpec['access'];
}

/** A capability of any other kind. `content` has the bytes after ID and pointer. `writable` has a 1 for each of their bits that can be written. */
export interface VendorSpec {
  readonly kind: 'vendor';
  readonly offset: number;
  /** One of `CAPABILITY`. Default `VENDOR`: its first byte of content is the length of the capability. */
  readonly id?: number;
  readonly content: readonly number[];
  readonly writable?: readonly number[];
}

/** A capability of a PCI function. */
export type CapabilitySpec = MsiSpec | MsixSpec | VendorSpec;

/** The identity of a function, and the contents of its header. */
export interface FunctionSpec<R extends string> {
  /** The layout of the header. Default 0. 1 is that of a bridge, which `definePciBridge` makes: it has only BARs 0 and 1, and no subsystem. */
  readonly header?: 0 | 1;
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  /** 0 (default), or 1 for INTA … 4 for INTD. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
  readonly bars?: { readonly [K in R]?: BarSpec };
  readonly capabilities?: readonly CapabilitySpec[];
  /** The default of the property `multifunction`: whether the slot has other functions. */
  readonly multifunction?: boolean;
  /** The default of the property `slot`. Without it the property is required. */
  readonly slot?: number;
  /**
   * The part's own registers in the configuration space, with reset values and access (`rw`, `ro`, `w1c` or `reserved`). A register
   * with the offset and the width of a register of the header replaces it.
   */
  readonly registers?: readonly Register[];
}

function placement({ slot, multifunction = false }: FunctionSpec<string>): PropertySchema {
  return {
    slot: {
      ...property.number({ max: 31, description: 'device number on its bus' }),
      ...(slot !== undefined && { default: slot }),
    },
    function: property.number({ max: 7, default: 0, description: 'function number in its slot' }),
    multifunction: property.boolean({ default: multifunction, description: 'whether its slot has other functions' }),
  };
}

/** The schema of a PCI function, `R` its BARs and the regions beside them; `Spec` is what its header says. */
export interface FunctionSchema<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
  Spec = FunctionSpec<R>,
> extends DeviceParts<P, S, R, T, O, I> {
  readonly pci: Spec;
  /** The bus that it provides: that of a bridge. */
  readonly provides?: BusSpec;
  /** Where it answers beside its BARs: at addresses that no software can move. */
  regions?(properties: PropertiesOf<NoInfer<P>>): { readonly [K in R]?: RegionSpec };
  readonly contract?: ContractSpec<NoInfer<P> & PciPlacementSchema>;
}

/** The schema of any PCI function, or bridge. */
export type AnyFunctionSchema<Spec = FunctionSpec<string>> = FunctionSchema<
  PropertySchema,
  StateSchema,
  string,
  string,
  string,
  string,
  Spec
>;

type FunctionDevice<P extends PropertySchema, S extends StateSchema, T extends string, O extends string> = Device<
  P & PciPlacementSchema,
  S & PciStateSchema,
  T,
  O | 'intx'
>;

export type FunctionBehaviour<
  P extends PropertySchema = PropertySchema,
  S extends StateSchema = StateSchema,
  R extends string = string,
  T extends string = string,
  O extends string = string,
  I extends string = string,
> = DeviceBehaviour<P & PciPlacementSchema, S & PciStateSchema, R, T, O | 'intx', I> & {
  /** Called after a write to the configuration space: `offset` and `size` in bytes. */
  configWritten?(device: FunctionDevice<P, S, T, O>, offset: number, size: number): void;
};

/** A configuration space: its registers, their bytes at reset, and which bits of them a write stores or clears. */
interface ConfigImage {
  readonly registers: readonly Register[];
  readonly initial: Uint8Array;
  readonly writable: Uint8Array;
  readonly w1c: Uint8Array;
}

/** Defines a PCI function. It keeps the configuration space, and the places of the BARs, for the author. */
export function definePciFunction<
  const P extends PropertySchema = {},
  const S extends StateSchema = {},
  const R extends string = never,
  const T extends string = never,
  const O extends string = never,
  const I extends string = never,
>(
  schema: FunctionSchema<P, S, R, T, O, I>,
  behaviour: FunctionBehaviour<NoInfer<P>, NoInfer<S>, NoInfer<R>, NoInfer<T>, NoInfer<O>, NoInfer<I>>,
): DeviceDefinition<P & PciPlacementSchema, S & PciStateSchema, R | 'config', T, O | 'intx', I>;
export function definePciFunction(schema: AnyFunctionSchema, behaviour: FunctionBehaviour): DeviceDefinition {
  const { pci, properties, state, registers, outputs, ...rest } = schema;
  const image = configImage(schema.type, pci);
  const bars = Object.entries(given(pci.bars));
  const { header = 0, capabilities = [] } = pci;
  const msix = capabilities.find((capability) => capability.kind === 'msix');
  for (const kind of ['msi', 'msix'] as const) {
    if (capabilities.filter((capability) => capability.kind === kind).length > 1)
      throw new TypeError(`device type '${schema.type}': it has more than one capability of the kind '${kind}'`);
  }
  for (const name of ['config', 'msix'])
    if (name in (state ?? {})) throw new TypeError(`device type '${schema.type}': the state field '${name}' is PCI's`);
  const regions: Record<string, RegionSpec> = {
    config: { space: 'config', size: CONFIG_BYTES, access: { min: 1, max: 4 } },
  };
  const handlers: Record<string, RegionBehaviour<PciDevice>> = { ...behaviour.regions };
  for (const [name, spec] of bars) {
    const { kind, size, access } = spec;
    const own = behaviour.regions?.[name];
    if (name === 'config' || own === undefined) {
      throw new TypeError(
        `device type '${schema.type}': BAR '${name}' has no handlers of its own; choose a name that is not 'config', and give it some`,
      );
    }
    // A PCI cycle is claimed before the ISA bus sees it, and after RAM and the host bridge have left it to PCI.
    const where =
      kind === 'io' ? ({ space: 'io', priority: 1 } as const) : ({ space: 'memory', priority: -1 } as const);
    regions[name] = { ...where, size, ...(access !== undefined && { access }) };
    handlers[name] = {
      ...(msix?.bar === name ? withMsix(msix, own) : own),
      base: (device) => barBase(device.state.config, spec, header),
    };
  }
  handlers.config = {
    base: ({ properties: { slot, function: fn } }) => (slot << 15) | (fn << 12),
    read: ({ state: { config: cells } }, offset, size) => readConfig(cells, offset, size),
    write(device, offset, value, size) {
      writeConfig(device.state.config, image, offset, value, size);
      // A type 1 header has its windows between the BARs and the ROM's.
      const moves = touches(offset, size, HEADER.BAR0, header === 1 ? 0x2c : 0x24);
      if (moves || touches(offset, size, HEADER.COMMAND, 2)) device.remap();
      if (touches(offset, size, HEADER.COMMAND, 2)) updateIntx(device);
      messagesWritten(device, capabilities, offset, size);
      behaviour.configWritten?.(device, offset, size);
    },
  };
  const merged = {
    ...rest,
    bus: 'pci',
    properties: { ...placement(pci), ...properties },
    state: { ...state, config: bytes(CONFIG_BYTES), msix: array('u32', msixWords(msix)) },
    regions: (own: PropertiesOf<PropertySchema>) => ({ ...regions, ...given(schema.regions?.(own)) }),
    registers: {
      ...registers,
      ...(msix !== undefined && { [msix.bar]: withEntries(registers?.[msix.bar], msix) }),
      config: { registers: image.registers },
    },
    // Without an interrupt pin the output is there and wired to nothing.
    outputs: {
      ...outputs,
      intx: pci.interruptPin === undefined || pci.interruptPin === 0 ? {} : { intx: pci.interruptPin - 1 },
    },
  };
  const whole = {
    ...behaviour,
    regions: handlers,
    reset(device: PciDevice, kind: 'cold' | 'warm') {
      device.state.config.write(0, image.initial);
      const type = header | (device.properties.multifunction ? MULTIFUNCTION : 0);
      device.state.config.set(HEADER.HEADER_TYPE, type);
      // Every vector is masked (6.8.2.9).
      for (let i = 0; i < device.state.msix.length; i++)
        device.state.msix.set(i, msix !== undefined && i < 4 * msix.vectors && i % 4 === 3 ? 1 : 0);
      device.remap();
      behaviour.reset?.(device, kind);
    },
    updateIrq(device: PciDevice) {
      updateIntx(device);
      behaviour.updateIrq?.(device);
    },
  };
  return defineDevice(merged, whole);
}

/** What is there of a record of BARs, or of regions: each names some of a function's. */
function given<T>(record: Readonly<Record<string, T | undefined>> = {}): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined));
}

/** A BAR's registers, with those of MSI-X in it. */
function withEntries(bank: RegisterBank | undefined, msix: MsixSpec): RegisterBank {
  return { ...bank, registers: [...(bank?.registers ?? []), ...msixBank(msix)] };
}

function configImage(type: string, spec: FunctionSpec<string>): ConfigImage {
  const registers = configRegisters(type, spec);
  const image = {
    registers,
    initial: new Uint8Array(CONFIG_BYTES),
    writable: new Uint8Array(CONFIG_BYTES),
    w1c: new Uint8Array(CONFIG_BYTES),
  };
  const put = (array: Uint8Array, { offset, width }: Register, value: number): void => {
    for (let i = 0; i < width / 8; i++) array[offset + i] = value >>> (8 * i);
  };
  for (const item of registers) {
    put(image.initial, item, item.reset ?? 0);
    put(image.writable, item, item.writable);
    put(image.w1c, item, maskOf(item.fields, 'w1c'));
  }
  return image;
}

function maskOf(fields: readonly Field[], access: string): number {
  return fields.reduce((mask, field) => (field.access === access ? mask | field.mask : mask), 0) >>> 0;
}

/** Every register of a function's configuration space, in order. */
function configRegisters(type: string, spec: FunctionSpec<string>): readonly Register[] {
  const own = spec.registers ?? [];
  const bars = given(spec.bars);
  const replaced = ({ offset, width }: Register): boolean =>
    own.some((other) => other.offset === offset && other.width === width);
  const all = [
    ...headerRegisters(spec).filter((item) => !replaced(item)),
    ...Object.entries(bars).flatMap(([name, bar]) => barRegisters(type, name, bar, spec.header ?? 0)),
    ...(spec.capabilities ?? []).flatMap((capability, n, list) =>
      capabilityRegisters(type, capability, list[n + 1]?.offset ?? 0, bars),
    ),
    ...own,
  ].toSorted((a, b) => a.offset - b.offset);
  for (const [n, item] of all.entries()) {
    const end = item.offset + item.width / 8;
    const next = all[n + 1];
    if (end > CONFIG_BYTES)
      throw new RangeError(
        `device type '${type}': register ${item.name} ends beyond the ${CONFIG_BYTES} bytes of its configuration space`,
      );
    if (next !== undefined && next.offset < end) {
      throw new RangeError(
        `device type '${type}': registers ${item.name} and ${next.name} overlap at 0x${next.offset.toString(16)} of its configuration space`,
      );
    }
    const odd = item.fields.find(({ access }) => !['rw', 'ro', 'w1c', 'reserved'].includes(access));
    if (odd !== undefined)
      throw new TypeError(
        `device type '${type}': field ${odd.name} of ${item.name} is '${odd.access}'; expected rw, ro, w1c or reserved`,
      );
  }
  return all;
}

const MULTIFUNCTION = 0x80;

/** Of a type 1 header. */
const BRIDGE_ROM_BAR = 0x38;

/** The header without its BARs (6.1), and without what a bridge has in the place of the rest of them. */
function headerRegisters(spec: FunctionSpec<string>): readonly Register[] {
  const [first] = spec.capabilities ?? [];
  const fixed = (name: string, offset: number, width: 8 | 16, reset = 0): Register =>
    register(name, { offset, width, reset, access: 'ro' });
  return [
    fixed('VENDOR_ID', HEADER.VENDOR_ID, 16, spec.vendor),
    fixed('DEVICE_ID', HEADER.DEVICE_ID, 16, spec.device),
    COMMAND,
    placed(STATUS, 0, first === undefined ? 0 : STATUS.CAPABILITIES.mask),
    fixed('REVISION_ID', HEADER.REVISION_ID, 8, spec.revision),
    fixed('PROGRAMMING_INTERFACE', HEADER.CLASS_CODE, 8, spec.classCode & 0xff),
    fixed('CLASS', HEADER.CLASS_CODE + 1, 16, spec.classCode >>> 8),
    register('CACHE_LINE_SIZE', { offset: HEADER.CACHE_LINE_SIZE, reset: 0 }),
    fixed('LATENCY_TIMER', HEADER.LATENCY_TIMER, 8),
    // Its highest bit is the property `multifunction`.
    register('HEADER_TYPE', { offset: HEADER.HEADER_TYPE, fields: { MULTIFUNCTION: ro(7), TYPE: ro(6, 0) } }),
    fixed('BIST', HEADER.BIST, 8),
    ...(spec.header === 1
      ? []
      : [
          fixed('SUBSYSTEM_VENDOR_ID', HEADER.SUBSYSTEM_VENDOR_ID, 16, spec.subsystemVendor),
          fixed('SUBSYSTEM_ID', HEADER.SUBSYSTEM_ID, 16, spec.subsystem),
        ]),
    fixed('CAPABILITIES', HEADER.CAPABILITIES, 8, first?.offset),
    register('INTERRUPT_LINE', { offset: HEADER.INTERRUPT_LINE, reset: 0 }),
    fixed('INTERRUPT_PIN', HEADER.INTERRUPT_PIN, 8, spec.interruptPin),
  ];
}

/** Bytes that a BAR may have: the least that its fixed bits leave, and the most that its space, and exact numbers, can hold. */
const BAR_SIZES = {
  io: [4, 2 ** 16],
  memory32: [16, 2 ** 31],
  memory64: [16, 2 ** 50],
  rom: [2 ** 11, 2 ** 24],
} as const;

/** A base address register (6.2.5.1, 6.2.5.2): the address bits below its size are hardwired to 0. */
function barRegisters(
  type: string,
  name: string,
  { bar, kind, size, prefetchable = false }: BarSpec,
  header: 0 | 1,
): readonly Register[] {
  const [least, most] = BAR_SIZES[bar === 'rom' ? 'rom' : kind];
  const log = Math.log2(size);
  if (!(Number.isInteger(log) && size >= least && size <= most)) {
    throw new RangeError(
      `device type '${type}': BAR '${name}' has the size ${size}; expected a power of two from ${least} to ${most}`,
    );
  }
  const base: FieldsByName = log < 32 ? { BASE: rw(31, log) } : {};
  if (bar === 'rom') {
    if (kind !== 'memory32')
      throw new TypeError(`device type '${type}': BAR '${name}' is a ROM and its kind '${kind}'; expected 'memory32'`);
    return [
      registerWith('ROM_BAR', { offset: romBar(header), width: 32, reset: 0, fields: { ...base, ENABLE: rw(0) } }),
    ];
  }
  if (header === 1 && bar > 1)
    throw new RangeError(`device type '${type}': BAR '${name}' is ${bar}; a bridge has 0 and 1`);
  const offset = HEADER.BAR0 + 4 * bar;
  if (kind === 'io')
    return [registerWith(`BAR${bar}`, { offset, width: 32, reset: 1, fields: { ...base, IO: ro(0) } })];
  const fixed = (kind === 'memory64' ? 4 : 0) | (prefetchable ? 8 : 0);
  const low = registerWith(`BAR${bar}`, {
    offset,
    width: 32,
    reset: fixed,
    fields: { ...base, PREFETCHABLE: ro(3), TYPE: ro(2, 1), IO: ro(0) },
  });
  if (kind === 'memory32') return [low];
  const last = header === 1 ? 1 : 5;
  if (bar === last)
    throw new RangeError(
      `device type '${type}': BAR '${name}' has 64 bits and no BAR after it: expected 0 to ${last - 1}`,
    );
  const high = registerWith(`BAR${bar + 1}`, {
    offset: offset + 4,
    width: 32,
    reset: 0,
    fields: { BASE_HIGH: rw(31, Math.max(0, log - 32)) },
  });
  return [low, high];
}

/** Where the BAR of the expansion ROM is. */
function romBar(header: 0 | 1): number {
  return header === 1 ? BRIDGE_ROM_BAR : HEADER.ROM_BAR;
}

function capabilityRegisters(
  type: string,
  capability: CapabilitySpec,
  next: number,
  bars: Readonly<Record<string, BarSpec>>,
): readonly Register[] {
  const { offset } = capability;
  if (!(Number.isInteger(offset) && offset >= 0x40 && offset < CONFIG_BYTES && offset % 4 === 0)) {
    throw new RangeError(
      `device type '${type}': a capability is at ${offset}; expected a multiple of 4 from 0x40 to 0xfc`,
    );
  }
  const pair = (id: number, name: string): Register[] => [
    register(`${name}_ID`, { offset, reset: id, access: 'ro' }),
    register(`${name}_NEXT`, { offset: offset + 1, reset: next, access: 'ro' }),
  ];
  if (capability.kind === 'vendor') {
    const { id = CAPABILITY.VENDOR, content, writable = [] } = capability;
    const name = `CAP_${offset.toString(16).toUpperCase()}`;
    const byteAt = (reset: number, i: number): Register => {
      const mask = writable[i] ?? 0;
      const bits = Array.from({ length: 8 }, (_, bit): [string, ReturnType<typeof rw>] => [
        `B${bit}`,
        ((mask >> bit) & 1) === 1 ? rw(bit) : ro(bit),
      ]);
      return registerWith(`${name}_${i}`, { offset: offset + 2 + i, reset, fields: Object.fromEntries(bits) });
    };
    return [...pair(id, name), ...content.map(byteAt)];
  }
  const [id, name] = MESSAGE_IDS[capability.kind];
  const rest =
    capability.kind === 'msi' ? msiRegisters(type, capability) : msixRegisters(type, capability, bars[capability.bar]);
  return [...pair(id, name), ...rest];
}

function writeConfig(cells: StateArray, image: ConfigImage, offset: number, value: number, size: number): void {
  for (let i = 0; i < size; i++) {
    const at = offset + i;
    const written = (value >>> (8 * i)) & 0xff;
    const writable = image.writable[at] ?? 0;
    const kept = cells.get(at) & ~writable & ~(written & (image.w1c[at] ?? 0));
    cells.set(at, kept | (written & writable));
  }
}

/** Where a BAR lies now; undefined while its decoding is off, or its address is none that can be decoded. */
function barBase(cells: StateArray, { bar, kind, size }: BarSpec, header: 0 | 1): number | undefined {
  const command = readConfig(cells, HEADER.COMMAND, 2);
  if (!(kind === 'io' ? COMMAND.IO : COMMAND.MEMORY).test(command)) return undefined;
  const offset = bar === 'rom' ? romBar(header) : HEADER.BAR0 + 4 * bar;
  const low = readConfig(cells, offset, 4);
  if (bar === 'rom' && (low & 1) === 0) return undefined;
  const high = kind === 'memory64' ? readConfig(cells, offset + 4, 4) : 0;
  const address = high * 2 ** 32 + low - (low % size);
  // 0 is what a BAR holds that nobody has set, and all ones what sizing leaves there.
  const limit = kind === 'io' ? 0x1_0000 : kind === 'memory64' ? 2 ** 52 : 2 ** 32 - 1;
  return address === 0 || address + size > limit ? undefined : address;
}

/** Asks for an interrupt by the INTx pin (`level` true), or takes it back. */
export function setIntx(device: PciDevice, level: boolean): void {
  const { config } = device.state;
  const status = config.get(HEADER.STATUS);
  config.set(HEADER.STATUS, level ? status | STATUS.INTERRUPT.mask : status & ~STATUS.INTERRUPT.mask);
  updateIntx(device);
}

function updateIntx(device: PciDevice): void {
  const { config } = device.state;
  const asks = (config.get(HEADER.STATUS) & STATUS.INTERRUPT.mask) !== 0;
  const disabled = COMMAND.INTX_DISABLE.test(readConfig(config, HEADER.COMMAND, 2));
  device.out.intx.set(asks && !disabled);
}
