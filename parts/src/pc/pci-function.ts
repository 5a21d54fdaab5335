import {
  QtestError,
  type Vcpu,
  BRIDGE,
  CAPABILITY,
  COMMAND,
  HEADER,
  STATUS,
  MSI,
  MSIX,
  MSIX_ENTRY,
  MSIX_ENTRY_BYTES,
} from '@qtest/sdk';
import type { Msix, PciAddress, PciBar, PciEnables, PciFunction, PciHost } from './pci-types.ts';

/** Without a prefix. */
export const hex = (value: number, digits = 1): string => value.toString(16).padStart(digits, '0');

/** What a function's driver is made with. */
interface Access {
  readonly vcpu: Vcpu;
  readonly read: PciHost['read'];
  readonly write: PciHost['write'];
  readonly allocate: (bar: PciBar, who: string) => number;
}

/** A driver of one function, wherever its BARs are. */
export function functionAt(where: Required<PciAddress>, { vcpu, read, write, allocate }: Access): PciFunction {
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

/** Checks a number that a test has given. */
export function check(what: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new RangeError(`PCI ${what} ${value}: expected an integer from 0 to ${max}`);
}
