import { QtestError } from '../errors.ts';
import type { Vcpu } from '../hardware.ts';
import { BRIDGE, BRIDGE_CONTROL } from '../pci-bridge.ts';
import { CAPABILITY, COMMAND, HEADER, STATUS } from '../pci-config.ts';
import { MSI, MSIX, MSIX_ENTRY, MSIX_ENTRY_BYTES } from '../pci-message.ts';
import { assignAll, IO_WINDOW, isBridge, MEMORY_WINDOW, numberBuses, type Free } from './pci-setup.ts';

/**
 * A small driver of PCI behind a PC's host bridge (PCI Local Bus Specification 3.0, 3.2.2.3.2, chapter 6): configuration space,
 * enumeration, bridges, base address registers, capabilities, MSI and MSI-X, interrupt routing. An access is a write of the address and then one of the data: VCPUs that
 * share a machine must not do so at the same time, and no interrupt handler in between.
 */

export { BRIDGE, BRIDGE_CONTROL, CAPABILITY, COMMAND, HEADER, MSI, MSIX, STATUS };
export { closeWindow, HIGH_WINDOW, IO_WINDOW, isBridge, MEMORY_WINDOW, setWindow } from './pci-setup.ts';

/** CONFIG_ADDRESS and CONFIG_DATA of configuration mechanism #1. */
export const CONFIG_ADDRESS = 0xcf8;
export const CONFIG_DATA = 0xcfc;

/** What a register reads as where no function answers. */
const NOBODY = 0xffff;

/** Header types: bit 7 tells of further functions in the slot. */
const MULTIFUNCTION = 0x80;

/** The PC's PCI-to-ISA bridges, and their PIRQ route control (82371SB, 2.2.7): an IRQ, or bit 7 for none. */
const ISA_BRIDGES = [
  { vendor: 0x8086, device: 0x7000 },
  { vendor: 0x8086, device: 0x7110 },
] as const;
const PIRQRC = 0x60;
const PIRQRC_OFF = 0x80;

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

/** The message of one vector of MSI-X. */
export interface MsixMessage {
  /** Where the function writes, a multiple of 4. */
  readonly address: number;
  /** What it writes, 32 bits. */
  readonly data: number;
}

/** The MSI-X table of a function that has been enabled. */
export interface Msix {
  /** Entries of the table. */
  readonly vectors: number;
  /** Addresses of the table and of the pending bits. */
  readonly table: number;
  readonly pba: number;
  /** Sets the message of a vector, masked meanwhile, and unmasks it. */
  set(vector: number, message: MsixMessage): void;
  mask(vector: number, masked: boolean): void;
  /** Masks all vectors, or leaves them to their own masks. */
  maskAll(masked: boolean): void;
  /** Whether a message waits for its mask to go. */
  isPending(vector: number): boolean;
  disable(): void;
}

/** Where an interrupt pin leads. */
export interface IntxRoute {
  /** Line of bus 0: 0 for PIRQA to 3 for PIRQD. */
  readonly pirq: number;
  /** ISA IRQ to which the PC's ISA bridge routes that; undefined while it does not, or when there is none. */
  readonly irq: number | undefined;
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
   * @throws QtestError `DRIVER` when it does not have the BAR, or the window is full; or when the function is behind a bridge and has no
   * address, which `assign()` gives it.
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
  /**
   * Has it send MSI-X in the place of INTx, with every vector masked. It must be a bus master for that, too. The BAR of the table must have
   * an address, or gets one, as `map` does.
   * @throws QtestError `DRIVER` when it has no MSI-X capability.
   */
  enableMsix(): Msix;
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
  /** Numbers the buses behind all bridges, depth first, as firmware does. Gives every function, as `scan` does then. */
  enumerate(): readonly PciFunction[];
  /**
   * Gives every BAR of every function a new address, behind bridges too, and opens the bridges' windows for them; a bridge that has no
   * bus numbers is left out. Functions answer as before, or not; bridges forward, DMA too. 64-bit prefetchable BARs lie above 4 GiB if
   * they do not fit below, or by `above4g`.
   * @throws QtestError `DRIVER` when there is no room.
   */
  assign(options?: { readonly above4g?: boolean }): void;
  /** Where the INTx pin of a function leads, through the bridges above it; undefined when it has none, or a bridge is not numbered. */
  intx(fn: PciFunction): IntxRoute | undefined;
  /**
   * Has the PC's ISA bridge route a line of bus 0 to an ISA IRQ, or to none.
   * @throws QtestError `DRIVER` when there is none.
   */
  route(pirq: number, irq: number | undefined): void;
  /**
   * The first function that matches.
   * @throws QtestError `DRIVER` when there is none; it names those that there are.
   */
  find(match: PciMatch): PciFunction;
}

const hex = (value: number, digits = 1): string => value.toString(16).padStart(digits, '0');

/** A driver of the host bridge on a VCPU. It writes nothing but what it is told to. */
export function host(vcpu: Vcpu): PciHost {
  let next: Free = { io: IO_WINDOW.start, memory: MEMORY_WINDOW.start };

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
    return functionAt({ bus, slot, function: fn }, { vcpu, read, write, allocate });
  };

  const functionsOf = (bus: number): readonly PciFunction[] => {
    const found: PciFunction[] = [];
    for (let slot = 0; slot < 32; slot++) {
      for (let fn = 0; fn < 8; fn++) {
        const item = at({ bus, slot, function: fn });
        // Without a function 0 there is nothing in the slot (3.2.2.3.4).
        if (item === undefined && fn === 0) break;
        if (item === undefined) continue;
        found.push(item);
        if (fn === 0 && (item.readb(HEADER.HEADER_TYPE) & MULTIFUNCTION) === 0) break;
      }
    }
    return found;
  };

  const scanBus = (bus: number, found: PciFunction[], seen: Set<number>): void => {
    if (seen.has(bus)) return;
    seen.add(bus);
    for (const item of functionsOf(bus)) {
      found.push(item);
      const secondary = isBridge(item) ? item.readb(BRIDGE.SECONDARY_BUS) : 0;
      if (secondary > bus) scanBus(secondary, found, seen);
    }
  };

  const scan = (): readonly PciFunction[] => {
    const found: PciFunction[] = [];
    scanBus(0, found, new Set());
    return found;
  };

  const isaBridge = (): PciFunction | undefined => {
    const all = functionsOf(0);
    return all.find((item) => ISA_BRIDGES.some((match) => matches(item, match)));
  };

  return {
    read,
    write,
    at,
    scan,
    enumerate() {
      numberBuses(0, functionsOf);
      return scan();
    },
    assign({ above4g = false } = {}) {
      next = assignAll(functionsOf, above4g);
    },
    intx(fn) {
      if (fn.interruptPin === 0) return undefined;
      const all = scan();
      let [{ bus, slot }, pin]: [{ bus: number; slot: number }, number] = [fn, fn.interruptPin - 1];
      while (bus !== 0) {
        const bridge = all.find((item) => isBridge(item) && item.readb(BRIDGE.SECONDARY_BUS) === bus);
        if (bridge === undefined) return undefined;
        // PCI-to-PCI Bridge Architecture Specification 1.2, 9.1.
        pin = (pin + slot) & 3;
        ({ bus, slot } = bridge);
      }
      // INTA# of device 1 is PIRQA, and each further device turns by one (QEMU, hw/pci-host/i440fx.c).
      const pirq = (pin + slot - 1) & 3;
      const route = isaBridge()?.readb(PIRQRC + pirq) ?? PIRQRC_OFF;
      return { pirq, irq: (route & PIRQRC_OFF) === 0 ? route & 0x0f : undefined };
    },
    route(pirq, irq) {
      check('PIRQ', pirq, 3);
      if (irq !== undefined) check('IRQ', irq, 15);
      const isa = isaBridge();
      if (isa === undefined)
        throw new QtestError('DRIVER', 'there is no PIIX3 or PIIX4 on bus 0 that would route PCI interrupts');
      isa.writeb(PIRQRC + pirq, irq ?? PIRQRC_OFF);
    },
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
  readonly vcpu: Vcpu;
  readonly read: PciHost['read'];
  readonly write: PciHost['write'];
  readonly allocate: (bar: PciBar, who: string) => number;
}

function functionAt(where: Required<PciAddress>, { vcpu, read, write, allocate }: Access): PciFunction {
  const name = `PCI function ${hex(where.bus, 2)}:${hex(where.slot, 2)}.${where.function}`;
  const readw = (offset: number): number => read(where, offset, 2);
  const readl = (offset: number): number => read(where, offset, 4);
  const writew = (offset: number, value: number): void => write(where, offset, value, 2);
  const writel = (offset: number, value: number): void => write(where, offset, value, 4);
  const bridge = (read(where, HEADER.HEADER_TYPE, 1) & 0x7f) === 1;
  const lastBar = bridge ? 1 : 5;
  const romBar = bridge ? BRIDGE.ROM_BAR : HEADER.ROM_BAR;
  const barOffset = (bar: number | 'rom'): number => {
    if (bar !== 'rom') check('BAR', bar, lastBar);
    return bar === 'rom' ? romBar : HEADER.BAR0 + 4 * bar;
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
    writel(offset, offset === romBar ? 0xffff_fffe : 0xffff_ffff);
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

  const map = (bar: number | 'rom'): PciBar => {
    const found = probe(bar);
    if (found === undefined) throw new QtestError('DRIVER', `${name} has no BAR ${bar}`);
    if (found.address === 0 && where.bus !== 0) {
      throw new QtestError(
        'DRIVER',
        `${name}, BAR ${bar}: it is behind a bridge and has no address; call assign() first, which opens the bridge's windows`,
      );
    }
    const address = found.address === 0 ? allocate(found, `${name}, BAR ${bar}`) : found.address;
    if (found.address === 0) setBar(bar, address);
    if (bar === 'rom') writel(romBar, (address | 1) >>> 0);
    enable(found.kind === 'io' ? { io: true } : { memory: true });
    return { ...found, address };
  };

  const enableMsix = (): Msix => {
    const offset = capability(CAPABILITY.MSIX);
    if (offset === undefined) throw new QtestError('DRIVER', `${name} has no MSI-X capability`);
    const { CONTROL, TABLE, PBA } = MSIX;
    const { VECTOR_CONTROL, ADDRESS, ADDRESS_HIGH, DATA } = MSIX_ENTRY;
    const addressOf = (value: number): number => map(TABLE.BIR.get(value)).address + (TABLE.OFFSET.get(value) << 3);
    const [table, pba] = [addressOf(readl(offset + TABLE.offset)), addressOf(readl(offset + PBA.offset))];
    const controlAt = offset + CONTROL.offset;
    const vectors = CONTROL.SIZE.get(readw(controlAt)) + 1;
    const entry = (vector: number): number => {
      check('MSI-X vector', vector, vectors - 1);
      return table + MSIX_ENTRY_BYTES * vector;
    };
    const mask = (vector: number, masked: boolean): void =>
      vcpu.writel(entry(vector) + VECTOR_CONTROL.offset, Number(masked));
    // Enabled behind the mask of the function, so that nothing is sent that is not set yet.
    writew(controlAt, CONTROL.ENABLE.mask | CONTROL.FUNCTION_MASK.mask);
    for (let vector = 0; vector < vectors; vector++) mask(vector, true);
    writew(controlAt, CONTROL.ENABLE.mask);
    return {
      vectors,
      table,
      pba,
      set(vector, { address, data }) {
        if (!(Number.isSafeInteger(address) && address >= 0 && address % 4 === 0))
          throw new RangeError(`${name}: MSI-X cannot be sent to the address ${address}`);
        mask(vector, true);
        vcpu.writel(entry(vector) + ADDRESS.offset, address % 2 ** 32);
        vcpu.writel(entry(vector) + ADDRESS_HIGH.offset, Math.floor(address / 2 ** 32));
        vcpu.writel(entry(vector) + DATA.offset, data);
        mask(vector, false);
      },
      mask,
      maskAll: (masked) => writew(controlAt, CONTROL.FUNCTION_MASK.set(readw(controlAt), Number(masked))),
      isPending(vector) {
        check('MSI-X vector', vector, vectors - 1);
        return ((vcpu.readl(pba + 4 * (vector >> 5)) >>> (vector & 31)) & 1) === 1;
      },
      disable: () => writew(controlAt, CONTROL.ENABLE.set(readw(controlAt), 0)),
    };
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
    bars: () =>
      [...Array.from({ length: lastBar + 1 }, (_, n) => n), 'rom' as const]
        .map(probe)
        .filter((bar) => bar !== undefined),
    setBar,
    map,
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
    enableMsix,
    get interruptLine() {
      return read(where, HEADER.INTERRUPT_LINE, 1);
    },
    set interruptLine(irq) {
      write(where, HEADER.INTERRUPT_LINE, irq, 1);
    },
    interruptPin: read(where, HEADER.INTERRUPT_PIN, 1),
  };
}
