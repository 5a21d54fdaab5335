import { QtestError } from '../errors.ts';
import type { Vcpu } from '../hardware.ts';
import { CAPABILITY, COMMAND, HEADER, STATUS } from '../pci-config.ts';
import { MSI } from '../pci-message.ts';

/**
 * A small driver of PCI behind a PC's host bridge (PCI Local Bus Specification 3.0, 3.2.2.3.2, chapter 6): configuration space,
 * enumeration, base address registers, capabilities, MSI. An access is a write of the address and then one of the data: VCPUs that
 * share a machine must not do so at the same time, and no interrupt handler in between.
 */

export { CAPABILITY, COMMAND, HEADER, MSI, STATUS };

/** CONFIG_ADDRESS and CONFIG_DATA of configuration mechanism #1. */
export const CONFIG_ADDRESS = 0xcf8;
export const CONFIG_DATA = 0xcfc;

/** Where addresses are given out from, and up to, as QEMU's own test library does. */
export const IO_WINDOW = { start: 0xc000, end: 0x1_0000 } as const;
export const MEMORY_WINDOW = { start: 0xe000_0000, end: 0x1_0000_0000 } as const;

/** What a register reads as where no function answers. */
const NOBODY = 0xffff;

/** Header types: bit 7 tells of further functions in the slot. */
const MULTIFUNCTION = 0x80;
const BRIDGE = 0x01;
const SECONDARY_BUS = 0x19;

/** Where a function is. */
export interface PciAddress {
  /** Default 0. */
  readonly bus?: number;
  /** 0 to 31. */
  readonly slot: number;
  /** 0 to 7; default 0. */
  readonly function?: number;
}

export type BarKind = 'io' | 'memory32' | 'memory64';

/** A base address register as its function has it now. */
export interface PciBar {
  /** 0 to 5, or `rom`. */
  readonly bar: number | 'rom';
  readonly kind: BarKind;
  /** Bytes. */
  readonly size: number;
  readonly prefetchable: boolean;
  /** What it holds: where the function answers while its command register lets it; 0 is nowhere. */
  readonly address: number;
}

/** Bits of the command register, by what they let a function do. */
export interface PciEnables {
  /** Answer at ports. */
  readonly io?: boolean;
  /** Answer in memory. */
  readonly memory?: boolean;
  /** Make accesses of its own: DMA and MSI. */
  readonly master?: boolean;
  /** Drive its INTx pin. */
  readonly intx?: boolean;
}

export interface MsiSetup {
  /** Where the function writes, a multiple of 4. */
  readonly address: number;
  /** What it writes, 16 bits; the low bits are replaced by the vector's number if there are several. */
  readonly data: number;
  /** 1, 2, 4 … 32. Default 1. */
  readonly vectors?: number;
}

/** One function. Offsets are into its configuration space and aligned to the access. */
export interface PciFunction {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  /** Base class, sub-class and programming interface, 24 bits. */
  readonly classCode: number;
  readb(offset: number): number;
  readw(offset: number): number;
  readl(offset: number): number;
  writeb(offset: number, value: number): void;
  writew(offset: number, value: number): void;
  writel(offset: number, value: number): void;
  /**
   * Looks at a BAR: finds its kind and size, with decoding switched off meanwhile, and leaves it as it was. Undefined when the function
   * does not have it, or when it is the upper half of a 64-bit one.
   */
  bar(bar: number | 'rom'): PciBar | undefined;
  /** All its BARs, the ROM's last. */
  bars(): readonly PciBar[];
  /** Moves a BAR. It does not switch decoding on. */
  setBar(bar: number | 'rom', address: number): void;
  /**
   * Gives a BAR an address that no other has of this driver, unless it has one already, and lets the function answer there.
   * @throws QtestError `DRIVER` when it does not have the BAR, or the window is full.
   */
  map(bar: number | 'rom'): PciBar;
  /** Switches bits of the command register; those that are left out stay as they are. */
  enable(what: PciEnables): void;
  /** Offset of the first capability of the kind, one of `CAPABILITY`. */
  capability(id: number): number | undefined;
  /** Its capabilities in the order of the list, which may be broken: it ends at the first that comes twice. */
  capabilities(): readonly { readonly id: number; readonly offset: number }[];
  /**
   * Has it send MSI in the place of INTx. It must be a bus master for that, too: `enable({ master: true })`.
   * @throws QtestError `DRIVER` when it has no MSI capability, or one with fewer vectors.
   */
  enableMsi(setup: MsiSetup): void;
  disableMsi(): void;
  /** ISA IRQ that the firmware, or a test, has noted for its INTx pin; 0xff is none. */
  interruptLine: number;
  /** 1 for INTA to 4 for INTD; 0 for none. */
  readonly interruptPin: number;
}

/** A criterion for functions: what is left out may be anything. */
export interface PciMatch {
  readonly vendor?: number;
  readonly device?: number;
  /** Base class and sub-class, 16 bits, or with the programming interface, 24 bits. */
  readonly classCode?: number;
}

/** PCI as a VCPU sees it. */
export interface PciHost {
  /** Reads `size` bytes of any function's configuration space, whether it is there or not. */
  read(at: PciAddress, offset: number, size: 1 | 2 | 4): number;
  write(at: PciAddress, offset: number, value: number, size: 1 | 2 | 4): void;
  /** The function at an address; undefined when none answers. */
  at(address: PciAddress): PciFunction | undefined;
  /** Every function, in the order of the addresses; those behind a bridge, which must have been given its bus numbers, after it. */
  scan(): readonly PciFunction[];
  /**
   * The first function that matches.
   * @throws QtestError `DRIVER` when there is none; it names those that there are.
   */
  find(match: PciMatch): PciFunction;
}

const hex = (value: number, digits = 1): string => value.toString(16).padStart(digits, '0');

/** A driver of the host bridge on a VCPU. It writes nothing but what it is told to. */
export function host(vcpu: Vcpu): PciHost {
  const next = { io: IO_WINDOW.start as number, memory: MEMORY_WINDOW.start as number };

  const select = ({ bus = 0, slot, function: fn = 0 }: PciAddress, offset: number, size: number): number => {
    check('bus', bus, 255);
    check('slot', slot, 31);
    check('function', fn, 7);
    check('offset', offset, 256 - size);
    if (offset % size !== 0)
      throw new RangeError(`offset 0x${hex(offset)}: ${size} bytes must be aligned to their size`);
    vcpu.outl(CONFIG_ADDRESS, (0x8000_0000 | (bus << 16) | (slot << 11) | (fn << 8) | (offset & 0xfc)) >>> 0);
    return CONFIG_DATA + (offset & 3);
  };

  const read: PciHost['read'] = (at, offset, size) => {
    const port = select(at, offset, size);
    return size === 1 ? vcpu.inb(port) : size === 2 ? vcpu.inw(port) : vcpu.inl(port);
  };

  const write: PciHost['write'] = (at, offset, value, size) => {
    const port = select(at, offset, size);
    if (size === 1) vcpu.outb(port, value);
    else if (size === 2) vcpu.outw(port, value);
    else vcpu.outl(port, value);
  };

  const allocate = ({ kind, size }: PciBar, who: string): number => {
    const space = kind === 'io' ? 'io' : 'memory';
    const { end } = kind === 'io' ? IO_WINDOW : MEMORY_WINDOW;
    const address = Math.ceil(next[space] / size) * size;
    // The last address of 32 bits is never decoded: sizing leaves it.
    if (address + size >= end + (kind === 'io' ? 1 : 0)) {
      throw new QtestError('DRIVER', `${who}: no ${size} bytes are left below 0x${hex(end)}`);
    }
    next[space] = address + size;
    return address;
  };

  const at: PciHost['at'] = (address) => {
    const { bus = 0, slot, function: fn = 0 } = address;
    if (read(address, HEADER.VENDOR_ID, 2) === NOBODY) return undefined;
    return functionAt({ bus, slot, function: fn }, { read, write, allocate });
  };

  const scanBus = (bus: number, found: PciFunction[], seen: Set<number>): void => {
    if (seen.has(bus)) return;
    seen.add(bus);
    for (let slot = 0; slot < 32; slot++) {
      for (let fn = 0; fn < 8; fn++) {
        const item = at({ bus, slot, function: fn });
        // Without a function 0 there is nothing in the slot (3.2.2.3.4).
        if (item === undefined && fn === 0) break;
        if (item === undefined) continue;
        found.push(item);
        const type = item.readb(HEADER.HEADER_TYPE);
        if ((type & 0x7f) === BRIDGE && item.readb(SECONDARY_BUS) > bus)
          scanBus(item.readb(SECONDARY_BUS), found, seen);
        if (fn === 0 && (type & MULTIFUNCTION) === 0) break;
      }
    }
  };

  const scan = (): readonly PciFunction[] => {
    const found: PciFunction[] = [];
    scanBus(0, found, new Set());
    return found;
  };

  return {
    read,
    write,
    at,
    scan,
    find(match) {
      const all = scan();
      const found = all.find((item) => matches(item, match));
      if (found !== undefined) return found;
      const wanted = Object.entries(match).map(([key, value]) => `${key} 0x${hex(value)}`);
      const there = all.map(
        (item) => `${hex(item.vendor, 4)}:${hex(item.device, 4)} at ${hex(item.slot, 2)}.${item.function}`,
      );
      throw new QtestError(
        'DRIVER',
        `no PCI function with ${wanted.join(', ')}; there are ${there.join(', ') || 'none'}`,
      );
    },
  };
}

function check(what: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new RangeError(`PCI ${what} ${value}: expected an integer from 0 to ${max}`);
}

function matches(item: PciFunction, { vendor, device, classCode }: PciMatch): boolean {
  if (vendor !== undefined && vendor !== item.vendor) return false;
  if (device !== undefined && device !== item.device) return false;
  return classCode === undefined || classCode === item.classCode || classCode === item.classCode >>> 8;
}

interface Access {
  readonly read: PciHost['read'];
  readonly write: PciHost['write'];
  readonly allocate: (bar: PciBar, who: string) => number;
}

function functionAt(where: Required<PciAddress>, { read, write, allocate }: Access): PciFunction {
  const name = `PCI function ${hex(where.bus, 2)}:${hex(where.slot, 2)}.${where.function}`;
  const readw = (offset: number): number => read(where, offset, 2);
  const readl = (offset: number): number => read(where, offset, 4);
  const writew = (offset: number, value: number): void => write(where, offset, value, 2);
  const writel = (offset: number, value: number): void => write(where, offset, value, 4);
  const barOffset = (bar: number | 'rom'): number => {
    if (bar !== 'rom') check('BAR', bar, 5);
    return bar === 'rom' ? HEADER.ROM_BAR : HEADER.BAR0 + 4 * bar;
  };
  /** Whether the BAR is the upper half of the one before it. */
  const isUpper = (bar: number | 'rom'): boolean => {
    let upper = false;
    for (let n = 0; n < (bar === 'rom' ? 0 : bar); n++) upper = !upper && (readl(barOffset(n)) & 7) === 4;
    return upper;
  };

  /** The bits of a dword that can be written; it is left as it was. */
  const writableBits = (offset: number): number => {
    const before = readl(offset);
    // The enable bit of the ROM stays 0.
    writel(offset, offset === HEADER.ROM_BAR ? 0xffff_fffe : 0xffff_ffff);
    const after = readl(offset);
    writel(offset, before);
    return after;
  };

  const probe = (bar: number | 'rom'): PciBar | undefined => {
    const offset = barOffset(bar);
    if (isUpper(bar)) return undefined;
    const command = readw(HEADER.COMMAND);
    writew(HEADER.COMMAND, command & ~(COMMAND.IO.mask | COMMAND.MEMORY.mask));
    const held = readl(offset);
    const io = bar !== 'rom' && (held & 1) === 1;
    const long = bar !== 'rom' && !io && (held & 6) === 4;
    const flags = bar === 'rom' ? 0x7ff : io ? 3 : 15;
    const low = BigInt((writableBits(offset) & ~flags) >>> 0);
    const mask = long ? (BigInt(writableBits(offset + 4)) << 32n) | low : low;
    const high = long ? readl(offset + 4) : 0;
    writew(HEADER.COMMAND, command);
    if (mask === 0n) return undefined;
    return {
      bar,
      kind: io ? 'io' : long ? 'memory64' : 'memory32',
      // The lowest address bit that it has.
      size: Number(mask & -mask),
      prefetchable: bar !== 'rom' && !io && (held & 8) !== 0,
      address: high * 2 ** 32 + ((held & ~flags) >>> 0),
    };
  };

  const setBar = (bar: number | 'rom', address: number): void => {
    const offset = barOffset(bar);
    const held = readl(offset);
    const long = bar !== 'rom' && (held & 7) === 4;
    if (!(Number.isSafeInteger(address) && address >= 0 && (long || address < 2 ** 32))) {
      throw new RangeError(`${name}: BAR ${bar} cannot hold the address ${address}`);
    }
    const enabled = bar === 'rom' ? held & 1 : 0;
    writel(offset, ((address % 2 ** 32) | enabled) >>> 0);
    if (long) writel(offset + 4, Math.floor(address / 2 ** 32));
  };

  const enable = ({ io, memory, master, intx }: PciEnables): void => {
    let command = readw(HEADER.COMMAND);
    if (io !== undefined) command = COMMAND.IO.set(command, Number(io));
    if (memory !== undefined) command = COMMAND.MEMORY.set(command, Number(memory));
    if (master !== undefined) command = COMMAND.MASTER.set(command, Number(master));
    if (intx !== undefined) command = COMMAND.INTX_DISABLE.set(command, Number(!intx));
    writew(HEADER.COMMAND, command);
  };

  const capabilities = (): { id: number; offset: number }[] => {
    const list: { id: number; offset: number }[] = [];
    if (!STATUS.CAPABILITIES.test(readw(HEADER.STATUS))) return list;
    let offset = read(where, HEADER.CAPABILITIES, 1) & 0xfc;
    while (offset >= 0x40 && !list.some((item) => item.offset === offset)) {
      list.push({ id: read(where, offset, 1), offset });
      offset = read(where, offset + 1, 1) & 0xfc;
    }
    return list;
  };

  const capability = (id: number): number | undefined => capabilities().find((item) => item.id === id)?.offset;

  const msi = (): number => {
    const offset = capability(CAPABILITY.MSI);
    if (offset === undefined) throw new QtestError('DRIVER', `${name} has no MSI capability`);
    return offset;
  };

  return {
    ...where,
    vendor: readw(HEADER.VENDOR_ID),
    device: readw(HEADER.DEVICE_ID),
    classCode: readl(HEADER.REVISION_ID) >>> 8,
    readb: (offset) => read(where, offset, 1),
    readw,
    readl,
    writeb: (offset, value) => write(where, offset, value, 1),
    writew,
    writel,
    bar: probe,
    bars: () => [0, 1, 2, 3, 4, 5, 'rom' as const].map(probe).filter((bar) => bar !== undefined),
    setBar,
    map(bar) {
      const found = probe(bar);
      if (found === undefined) throw new QtestError('DRIVER', `${name} has no BAR ${bar}`);
      const address = found.address === 0 ? allocate(found, `${name}, BAR ${bar}`) : found.address;
      if (found.address === 0) setBar(bar, address);
      if (bar === 'rom') writel(HEADER.ROM_BAR, (address | 1) >>> 0);
      enable(found.kind === 'io' ? { io: true } : { memory: true });
      return { ...found, address };
    },
    enable,
    capability,
    capabilities,
    enableMsi({ address, data, vectors = 1 }) {
      const offset = msi();
      const { CONTROL, ADDRESS, ADDRESS_HIGH, DATA } = MSI;
      const control = readw(offset + CONTROL.offset);
      const multiple = Math.log2(vectors);
      if (!(Number.isInteger(multiple) && multiple >= 0 && multiple <= CONTROL.MULTIPLE_CAPABLE.get(control))) {
        throw new QtestError(
          'DRIVER',
          `${name} has ${1 << CONTROL.MULTIPLE_CAPABLE.get(control)} MSI vectors, not ${vectors}`,
        );
      }
      const long = CONTROL.ADDRESS_64.test(control);
      if (!(Number.isSafeInteger(address) && address >= 0 && address % 4 === 0 && (long || address < 2 ** 32))) {
        throw new RangeError(`${name}: MSI cannot be sent to the address ${address}`);
      }
      writel(offset + ADDRESS.offset, address % 2 ** 32);
      if (long) writel(offset + ADDRESS_HIGH.offset, Math.floor(address / 2 ** 32));
      writew(offset + (long ? DATA.offset : ADDRESS_HIGH.offset), data);
      writew(offset + CONTROL.offset, CONTROL.ENABLE.set(CONTROL.MULTIPLE_ENABLE.set(control, multiple), 1));
    },
    disableMsi() {
      const at = msi() + MSI.CONTROL.offset;
      writew(at, MSI.CONTROL.ENABLE.set(readw(at), 0));
    },
    get interruptLine() {
      return read(where, HEADER.INTERRUPT_LINE, 1);
    },
    set interruptLine(irq) {
      write(where, HEADER.INTERRUPT_LINE, irq, 1);
    },
    interruptPin: read(where, HEADER.INTERRUPT_PIN, 1),
  };
}
