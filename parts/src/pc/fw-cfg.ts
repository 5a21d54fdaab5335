import { QtestError, type Vcpu, register, ro, reserved, rw, wo } from '@qtest/sdk';

/**
 * Registers, formats and a driver of QEMU's firmware configuration device (QEMU, docs/specs/fw_cfg, "QEMU Firmware
 * Configuration (fw_cfg) Device"), as a PC has it: at I/O ports.
 */

/** Port of the selector; the data port follows, and the address for DMA is 4 further. */
export const IO_BASE = 0x510;
/** From the selector's port to that of the address for DMA. */
export const DMA_OFFSET = 4;

/** The item whose data is read next; also sets the offset to 0. A word, little-endian. */
export const SELECTOR = register('SELECTOR', {
  offset: 0,
  width: 16,
  fields: { ARCH_LOCAL: wo(15), WRITE_CHANNEL: wo(14), ENTRY: wo(13, 0) },
  effect: 'selects an item, from its first byte',
});
/** The selected item's next byte; 0 beyond its end. */
export const DATA = register('DATA', { offset: 1, access: 'ro', effect: 'reading goes on to the next byte' });

/** High half of the address of a DMA descriptor, big-endian. Reads as the first half of the signature. */
export const DMA_ADDRESS_HIGH = register('DMA_ADDRESS_HIGH', {
  offset: 0,
  width: 32,
  reset: 0x554d_4551,
  access: 'ro',
  effect: 'reads as "QEMU"; written with the high half of a descriptor’s address, big-endian',
});
/** Low half of it. Writing it starts the operation. Reads as the second half of the signature. */
export const DMA_ADDRESS_LOW = register('DMA_ADDRESS_LOW', {
  offset: 4,
  width: 32,
  reset: 0x4746_4320,
  access: 'ro',
  effect: 'reads as " CFG"; written with the low half, starts the operation',
});

/** First field of a DMA descriptor, big-endian. All bits clear again but ERROR when the operation is over. */
export const DMA_CONTROL = register('DMA_CONTROL', {
  offset: 0,
  width: 32,
  fields: {
    KEY: rw(31, 16),
    ZERO: reserved(15, 5),
    WRITE: rw(4),
    SELECT: rw(3),
    SKIP: rw(2),
    READ: rw(1),
    ERROR: rw(0),
  },
});
/** Bytes of a DMA descriptor: control, length, address (64 bits), all big-endian. */
export const DESCRIPTOR_SIZE = 16;

/** What the address for DMA reads as, in the order of its bytes. */
export const DMA_SIGNATURE = 'QEMU CFG';
/** What the item SIGNATURE holds. */
export const SIGNATURE_TEXT = 'QEMU';

/** Bits of the item ID. */
export const ID = register('ID', {
  offset: 0,
  width: 32,
  reset: 3,
  fields: { ZERO: reserved(31, 2), DMA: ro(1), TRADITIONAL: ro(0) },
});

/** Keys of items. Numbers in items are little-endian, those in the directory big-endian. */
export const KEY = {
  SIGNATURE: 0x0000,
  ID: 0x0001,
  UUID: 0x0002,
  /** Bytes of RAM, 64 bits. */
  RAM_SIZE: 0x0003,
  /** 16 bits: 1 when there is no display. */
  NOGRAPHIC: 0x0004,
  /** CPUs, 16 bits. */
  NB_CPUS: 0x0005,
  MACHINE_ID: 0x0006,
  KERNEL_ADDR: 0x0007,
  KERNEL_SIZE: 0x0008,
  KERNEL_CMDLINE: 0x0009,
  INITRD_ADDR: 0x000a,
  INITRD_SIZE: 0x000b,
  BOOT_DEVICE: 0x000c,
  /** 64 bits each: the number of nodes, the node of each CPU, the memory of each node. */
  NUMA: 0x000d,
  /** 16 bits: 1 when the firmware is to show a boot menu. */
  BOOT_MENU: 0x000e,
  /** One more than the greatest ID of a local APIC, 16 bits. */
  MAX_CPUS: 0x000f,
  KERNEL_ENTRY: 0x0010,
  KERNEL_DATA: 0x0011,
  INITRD_DATA: 0x0012,
  CMDLINE_ADDR: 0x0013,
  CMDLINE_SIZE: 0x0014,
  CMDLINE_DATA: 0x0015,
  SETUP_ADDR: 0x0016,
  SETUP_SIZE: 0x0017,
  SETUP_DATA: 0x0018,
  FILE_DIR: 0x0019,
  /** The first of the files. */
  FILE_FIRST: 0x0020,
  ACPI_TABLES: 0x8000,
  SMBIOS_ENTRIES: 0x8001,
  /** 32 bits: 1 when IRQ 0 is input 2 of the I/O APIC. */
  IRQ0_OVERRIDE: 0x8002,
  /** The blocks of high precision event timers: see `hpetItem`. */
  HPET: 0x8004,
} as const;

/** Bytes of an entry in the file directory, and of the name in it with the zero at its end. */
export const FILE_ENTRY_SIZE = 64;
export const FILE_NAME_SIZE = 56;
/** Files that a PC's directory has room for. */
export const FILE_SLOTS = 32;

/** Bytes of an entry of the file `etc/e820`: base and length (64 bits), type (32 bits), little-endian. */
export const E820_ENTRY_SIZE = 20;
/** Type of an entry that is RAM. */
export const E820_RAM = 1;

const utf8 = new TextEncoder();
const hexOf = (content: Uint8Array | string): string =>
  Array.from(typeof content === 'string' ? utf8.encode(content) : content, (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');

/**
 * The device's property `files`, from names and contents; text is taken as UTF-8, without a zero at its end.
 * @example machine.add('fw_cfg', { files: fwCfg.files({ 'opt/org.example/greeting': 'hello' }) });
 * @throws RangeError for a name that is not 1 to 55 printable ASCII characters without `"` and `\`.
 */
export function files(contents: Readonly<Record<string, Uint8Array | string>>): string {
  for (const name of Object.keys(contents)) {
    if (!/^[ !#-[\]-~]{1,55}$/.test(name)) {
      throw new RangeError(
        `fw_cfg file name ${JSON.stringify(name)}: give 1 to ${FILE_NAME_SIZE - 1} printable ASCII characters without " and \\`,
      );
    }
  }
  return JSON.stringify(Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, hexOf(content)])));
}

/**
 * The device's property `items`, from keys and contents.
 * @example machine.add('fw_cfg', { items: fwCfg.items([[fwCfg.KEY.HPET, fwCfg.hpetItem([{ base: 0xfed0_0000 }])]]) });
 */
export function items(contents: Iterable<readonly [key: number, content: Uint8Array | string]>): string {
  return JSON.stringify(
    Object.fromEntries(
      Array.from(contents, ([key, content]) => [key.toString(16).padStart(4, '0'), hexOf(content)] as const),
    ),
  );
}

/** A block of timers, as the item HPET tells the firmware of it. */
export interface HpetBlock {
  readonly base: number;
  /** The low half of its GCAP_ID. Default: three timers, as QEMU. */
  readonly id?: number;
  /** Ticks that a periodic timer's period must have at least. Default 0. */
  readonly minTick?: number;
}

/** Content of the item HPET: a count, and eight entries of 15 bytes. */
export function hpetItem(blocks: readonly HpetBlock[]): Uint8Array {
  const [max, size] = [8, 15];
  if (blocks.length > max) throw new RangeError(`hpetItem(): there are ${blocks.length} blocks, and room for ${max}`);
  const content = new Uint8Array(1 + max * size);
  const view = new DataView(content.buffer);
  view.setUint8(0, blocks.length);
  for (const [n, { base, id = 0x8086_a201, minTick = 0 }] of blocks.entries()) {
    const at = 1 + n * size;
    view.setUint32(at, id, true);
    view.setBigUint64(at + 4, BigInt(base), true);
    view.setUint16(at + 12, minTick, true);
  }
  return content;
}

/** An entry of the file directory. */
export interface FwCfgFile {
  readonly name: string;
  readonly key: number;
  readonly size: number;
}

/** What a DMA operation does: it selects `key` if there is one, and then does one of the others. */
export interface FwCfgOperation {
  readonly key?: number;
  readonly action?: 'read' | 'write' | 'skip';
  readonly length?: number;
  /** Physical address of the data. */
  readonly address?: number;
}

/** Where fw_cfg is, and the RAM that the driver may use. */
export interface FwCfgOptions {
  /** Port of the selector. Default 0x510. */
  readonly ioBase?: number;
  /** Physical address of 16 bytes of RAM for DMA descriptors. Default 0x1000. */
  readonly descriptor?: number;
}

/** The device as a driver sees it. VCPUs that share it need a lock of their own around each call. */
export interface FwCfg {
  /** Selects an item. */
  select(key: number): void;
  /** Reads the next `length` bytes of the selected item, by the data port. */
  read(length: number): Uint8Array;
  /** Reads the first `length` bytes of an item. */
  item(key: number, length: number): Uint8Array;
  /** An item of 16, 32 or 64 bits. */
  readU16(key: number): number;
  readU32(key: number): number;
  readU64(key: number): bigint;
  /** Whether there is such a device. It looks for the signature. */
  present(): boolean;
  /** Whether the device does DMA: its address register has the signature, and the item ID says so. */
  hasDma(): boolean;
  files(): readonly FwCfgFile[];
  /** The directory's entry for a name. Undefined when there is none. */
  file(name: string): FwCfgFile | undefined;
  /**
   * The content of a file, by the data port.
   * @throws QtestError `DRIVER`, which names the files, when there is none of this name.
   */
  readFile(name: string): Uint8Array;
  /**
   * Does one operation by DMA, and waits until it is over.
   * @returns whether it went without an error.
   */
  dma(operation: FwCfgOperation): boolean;
  /**
   * The first `length` bytes of an item, by DMA through `buffer`, a physical address.
   * @throws QtestError `DRIVER` when the device says that it failed.
   */
  dmaItem(key: number, length: number, buffer: number): Uint8Array;
}

/** A driver of the device. It does nothing to it by itself. */
export function device(vcpu: Vcpu, options: FwCfgOptions = {}): FwCfg {
  const { ioBase = IO_BASE, descriptor = 0x1000 } = options;
  const select = (key: number): void => vcpu.outw(ioBase + SELECTOR.offset, key);
  const read = (length: number): Uint8Array => Uint8Array.from({ length }, () => vcpu.inb(ioBase + DATA.offset));
  const item = (key: number, length: number): Uint8Array => {
    select(key);
    return read(length);
  };
  const view = (key: number, length: number): DataView => new DataView(item(key, length).buffer);
  const listFiles = (): FwCfgFile[] => {
    select(KEY.FILE_DIR);
    const count = new DataView(read(4).buffer).getUint32(0);
    return Array.from({ length: Math.min(count, 0x3fe0) }, () => {
      const entry = read(FILE_ENTRY_SIZE);
      const numbers = new DataView(entry.buffer);
      const name = textOf(entry.subarray(FILE_ENTRY_SIZE - FILE_NAME_SIZE));
      return { name, key: numbers.getUint16(4), size: numbers.getUint32(0) };
    });
  };
  const file = (name: string): FwCfgFile | undefined => listFiles().find((entry) => entry.name === name);
  const dma = ({ key, action, length = 0, address = 0 }: FwCfgOperation): boolean => {
    let control = 0;
    if (key !== undefined) control = DMA_CONTROL.KEY.set(DMA_CONTROL.SELECT.mask, key);
    if (action !== undefined) {
      const { READ, WRITE, SKIP } = DMA_CONTROL;
      control |= { read: READ, write: WRITE, skip: SKIP }[action].mask;
    }
    const bytes = new DataView(new ArrayBuffer(DESCRIPTOR_SIZE));
    bytes.setUint32(0, control);
    bytes.setUint32(4, length);
    bytes.setBigUint64(8, BigInt(address));
    vcpu.write(descriptor, new Uint8Array(bytes.buffer));
    vcpu.outl(ioBase + DMA_OFFSET + DMA_ADDRESS_HIGH.offset, swap(Math.floor(descriptor / 2 ** 32)));
    vcpu.outl(ioBase + DMA_OFFSET + DMA_ADDRESS_LOW.offset, swap(descriptor % 2 ** 32));
    let after = swap(vcpu.readl(descriptor));
    const over = (): boolean => (after & ~DMA_CONTROL.ERROR.mask) === 0 || DMA_CONTROL.ERROR.test(after);
    if (!over()) {
      vcpu.poll(
        () => {
          after = swap(vcpu.readl(descriptor));
          return over();
        },
        { timeout: '1s', step: '10us' },
      );
    }
    return !DMA_CONTROL.ERROR.test(after);
  };

  return {
    select,
    read,
    item,
    readU16: (key) => view(key, 2).getUint16(0, true),
    readU32: (key) => view(key, 4).getUint32(0, true),
    readU64: (key) => view(key, 8).getBigUint64(0, true),
    present: () => textOf(item(KEY.SIGNATURE, SIGNATURE_TEXT.length)) === SIGNATURE_TEXT,
    hasDma: () =>
      vcpu.inl(ioBase + DMA_OFFSET + DMA_ADDRESS_HIGH.offset) === DMA_ADDRESS_HIGH.reset &&
      vcpu.inl(ioBase + DMA_OFFSET + DMA_ADDRESS_LOW.offset) === DMA_ADDRESS_LOW.reset &&
      ID.DMA.test(view(KEY.ID, 4).getUint32(0, true)),
    files: listFiles,
    file,
    readFile(name) {
      const found = file(name);
      if (found !== undefined) return item(found.key, found.size);
      const names = listFiles().map((entry) => entry.name);
      throw new QtestError('DRIVER', `fw_cfg has no file '${name}'; it has ${names.join(', ') || 'none'}`);
    },
    dma,
    dmaItem(key, length, buffer) {
      if (dma({ key, action: 'read', length, address: buffer })) return vcpu.read(buffer, length);
      throw new QtestError('DRIVER', `fw_cfg: DMA of ${length} bytes of the item 0x${key.toString(16)} failed`);
    },
  };
}

/** Text up to its first zero. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** A 32-bit number with its bytes in the other order. */
function swap(value: number): number {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, value);
  return bytes.getUint32(0, true);
}
