/**
 * QEMU's firmware configuration device as the PC has it, at I/O ports.
 *
 * QEMU, docs/specs/fw_cfg, "QEMU Firmware Configuration (fw_cfg) Device": "Guest-side Hardware Interface" and "Guest-side DMA
 * Interface". Keys and their formats: include/standard-headers/linux/qemu_fw_cfg.h, hw/nvram/fw_cfg.c and hw/i386/fw_cfg.c.
 *
 * Items: SIGNATURE, ID, UUID (zero), RAM_SIZE, NOGRAPHIC (0), NB_CPUS, NUMA (no nodes), BOOT_MENU, MAX_CPUS, FILE_DIR and
 * IRQ0_OVERRIDE (1), and any others that the property `items` gives (UUID, HPET, a kernel's …). Files, in the order of their names:
 * `bootorder`, `etc/boot-fail-wait` (−1: do not reboot), `etc/e820`, and those that the property `files` gives, which replace
 * these where the names are the same. `fwCfg.items()` and `fwCfg.files()` of the SDK's drivers make these properties.
 *
 * Contents are properties, so that they are the same in every thread, and nothing can write them: a DMA write fails. The two
 * halves of the DMA address are written one by one, the low half last; an 8-byte write, which x86 ports do not have, there is not.
 *
 * Not modelled: the interface by memory-mapped registers; items that can be written (etc/smi, etc/vmgenid, etc/vmcoreinfo);
 * those that describe what this machine lacks (ACPI and SMBIOS tables, etc/system-states, bios-geometry, option ROMs).
 *
 * Other than QEMU's: a byte read at the selector's port gives 0 and does not go on in the item; a DMA write that is refused does
 * not move the offset; a reset clears the high half of the DMA address. ERROR is set when an address lies beyond 2⁵³, and not
 * when nobody answers there, which a device cannot tell: the bus reports that.
 */
import { defineDevice, deviceSchema, property, type AccessSize, type DeviceOf } from '@qtest/sdk';
import { fwCfg as part } from '@qtest/parts/pc';

const { DATA, DESCRIPTOR_SIZE, DMA_ADDRESS_HIGH, DMA_ADDRESS_LOW, DMA_CONTROL, DMA_OFFSET, DMA_SIGNATURE } = part;
const { E820_ENTRY_SIZE, E820_RAM, FILE_ENTRY_SIZE, FILE_NAME_SIZE, ID, KEY, SELECTOR, SIGNATURE_TEXT } = part;

/** Addresses end here: numbers are exact up to it. */
const ADDRESS_END = 2 ** 53;

/** Bytes of zeros that go to memory at once. */
const ZEROS = 2 ** 20;

/** Where QEMU's i440FX machine parts its RAM if it has so much: up to here below 4 GiB, the rest from there on. */
const RAM_BELOW_4G = 0xe000_0000;
const RAM_SPLIT = 0xc000_0000;
const ABOVE_4G = 2 ** 32;

/** JSON objects as the SDK's drivers make them. No key may come twice, which JSON itself would let pass. */
const ONCE = String.raw`(?!.*"([^"]*)"\s*:.*"\1"\s*:)`;
const object = (key: string, most: string): RegExp => {
  const entry = String.raw`"${key}"\s*:\s*"(?:[0-9a-f]{2})*"`;
  return new RegExp(String.raw`^${ONCE}\s*\{\s*(?:${entry}(?:\s*,\s*${entry}){0,${most}})?\s*\}\s*$`, 's');
};

/** Files that a PC's directory has room for, but for the three that there always are, less the first. */
const FILES = object(String.raw`[ !#-[\]-~]{1,55}`, String(part.FILE_SLOTS - 3 - 1));
/** 0002 to 001f without the directory, and 8000 to bfff. */
const ITEMS = object('(?:00(?:0[2-9a-f]|1[0-8a-f])|[89ab][0-9a-f]{3})', '');

const schema = deviceSchema({
  type: 'fw_cfg',
  description: 'QEMU firmware configuration device',
  properties: {
    ioBase: property.number({ default: part.IO_BASE, max: 0xfff4, description: 'port of the selector' }),
    dma: property.boolean({ default: true, description: 'whether it has the DMA interface' }),
    ramSize: property.number({
      default: 128 * 2 ** 20,
      max: Number.MAX_SAFE_INTEGER,
      description: 'bytes of RAM, for RAM_SIZE and etc/e820',
    }),
    cpus: property.number({ default: 1, min: 1, max: 0xffff, description: 'CPUs, for NB_CPUS' }),
    maxCpus: property.number({
      default: 1,
      min: 1,
      max: 0xffff,
      description: 'one more than the greatest APIC ID, for MAX_CPUS',
    }),
    bootMenu: property.boolean({ default: false, description: 'whether the firmware is to show a boot menu' }),
    bootorder: property.string({ default: '', description: 'device paths, a line each, for the file bootorder' }),
    files: property.string({
      default: '{}',
      pattern: FILES,
      expected: `JSON of up to 29 names and contents in lower-case hex, {"opt/a":"00ff"}, as fwCfg.files() makes it`,
      description: 'further files: JSON, contents in hex',
    }),
    items: property.string({
      default: '{}',
      pattern: ITEMS,
      expected:
        'JSON of keys and contents in lower-case hex, {"8004":"00ff"}, as fwCfg.items() makes it; the keys are 0002 to 001f ' +
        'without 0019, and 8000 to bfff',
      description: 'further items by their keys: JSON, keys and contents in hex',
    }),
  },
  state: {
    /** The selected item's key, without WRITE_CHANNEL. */
    key: 'u16',
    /** Of the item's next byte; at most the item's length. */
    offset: 'u32',
    /** High half of the DMA address. */
    addressHigh: 'u32',
  },
  regions: ({ ioBase, dma }) => ({
    ports: { space: 'io', base: ioBase, size: 2, access: { min: 1, max: 2, unaligned: true } },
    dma: { space: 'io', size: 8, access: { min: 1, max: 4 }, ...(dma && { base: ioBase + DMA_OFFSET }) },
  }),
  registers: {
    ports: { registers: [SELECTOR, DATA] },
    dma: { registers: [DMA_ADDRESS_HIGH, DMA_ADDRESS_LOW] },
  },
});

type FwCfg = DeviceOf<typeof schema>;
type Properties = FwCfg['properties'];

export const fwCfg = defineDevice(schema, {
  reset({ state }) {
    state.key = KEY.SIGNATURE;
    state.offset = 0;
    state.addressHigh = 0;
  },
  regions: {
    ports: { read: readPort, write: writePort },
    dma: { read: readSignature, write: writeAddress },
  },
});

// The ports.

function readPort(device: FwCfg, offset: number, size: AccessSize): number {
  if (offset === DATA.offset && size === 1) return readByte(device);
  device.guestError('read of the selector, which is write-only');
  return 0;
}

function readByte({ state, properties }: FwCfg): number {
  const byte = contentsOf(properties).get(state.key)?.[state.offset];
  if (byte === undefined) return 0;
  state.offset++;
  return byte;
}

function writePort(device: FwCfg, offset: number, value: number, size: AccessSize): void {
  if (offset === SELECTOR.offset && size === 2) select(device, value);
  else if (offset === DATA.offset) device.guestError('write to the data port, which is ignored: use DMA');
  else device.guestError('write of a byte to the selector, which takes words');
}

function select({ state }: FwCfg, selector: number): void {
  state.key = selector & ~SELECTOR.WRITE_CHANNEL.mask;
  state.offset = 0;
}

function readSignature(_device: FwCfg, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value += DMA_SIGNATURE.charCodeAt(offset + i) * 2 ** (8 * i);
  return value;
}

function writeAddress(device: FwCfg, offset: number, value: number, size: AccessSize): void {
  const { state } = device;
  if (size !== 4) {
    device.guestError(`write of ${size} bytes to the DMA address, which takes halves of 4`);
    return;
  }
  const half = new DataView(new ArrayBuffer(4));
  half.setUint32(0, value, true);
  if (offset === DMA_ADDRESS_HIGH.offset) {
    state.addressHigh = half.getUint32(0);
    return;
  }
  const address = state.addressHigh * 2 ** 32 + half.getUint32(0);
  // "The value for the register is 0 at startup and after an operation."
  state.addressHigh = 0;
  operate(device, address);
}

// DMA.

/** Does what the descriptor at `address` says, and leaves there that it is over. */
function operate(device: FwCfg, address: number): void {
  if (address > ADDRESS_END - DESCRIPTOR_SIZE) {
    device.guestError(`DMA descriptor at 0x${address.toString(16)}: no such address`);
    return;
  }
  const descriptor = new DataView(new ArrayBuffer(DESCRIPTOR_SIZE));
  device.dma.read(address, new Uint8Array(descriptor.buffer));
  const control = descriptor.getUint32(0);
  if (DMA_CONTROL.SELECT.test(control)) select(device, DMA_CONTROL.KEY.get(control));
  const done = transfer(device, control, descriptor.getUint32(4), Number(descriptor.getBigUint64(8)));
  descriptor.setUint32(0, done ? 0 : DMA_CONTROL.ERROR.mask);
  device.dma.write(address, new Uint8Array(descriptor.buffer, 0, 4));
}

/** Reads, writes or skips `length` bytes; READ comes before WRITE, WRITE before SKIP. Gives whether it could. */
function transfer(device: FwCfg, control: number, length: number, address: number): boolean {
  const { state, properties } = device;
  const { READ, WRITE, SKIP } = DMA_CONTROL;
  if (!READ.test(control) && (WRITE.test(control) || !SKIP.test(control))) {
    return !WRITE.test(control) || length === 0;
  }
  const content = contentsOf(properties).get(state.key);
  const taken = content?.subarray(state.offset, state.offset + length);
  const count = taken?.length ?? 0;
  if (READ.test(control)) {
    if (length === 0) return true;
    // Not `address + length`, which is rounded beyond the end.
    if (address > ADDRESS_END - length) return false;
    if (taken !== undefined) device.dma.write(address, taken);
    writeZeros(device, address + count, length - count);
  }
  state.offset += count;
  return true;
}

/** Beyond an item's end there are zeros. */
function writeZeros(device: FwCfg, address: number, length: number): void {
  const zeros = new Uint8Array(Math.min(length, ZEROS));
  for (let done = 0; done < length; done += zeros.length) {
    device.dma.write(address + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
  }
}

// Contents. They follow from the properties, which never change: each thread makes its own once.

const made = new WeakMap<Properties, ReadonlyMap<number, Uint8Array>>();

function contentsOf(properties: Properties): ReadonlyMap<number, Uint8Array> {
  let contents = made.get(properties);
  if (contents === undefined) {
    contents = makeContents(properties);
    made.set(properties, contents);
  }
  return contents;
}

/** Items by their keys, files among them. */
function makeContents(properties: Properties): Map<number, Uint8Array> {
  const { dma, ramSize, cpus, maxCpus, bootMenu } = properties;
  const files = Object.entries(filesOf(properties)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return new Map<number, Uint8Array>([
    [KEY.SIGNATURE, text(SIGNATURE_TEXT)],
    [KEY.ID, number(4, ID.TRADITIONAL.mask | (dma ? ID.DMA.mask : 0))],
    [KEY.UUID, new Uint8Array(16)],
    [KEY.RAM_SIZE, number(8, ramSize)],
    [KEY.NOGRAPHIC, number(2, 0)],
    [KEY.NB_CPUS, number(2, cpus)],
    [KEY.NUMA, new Uint8Array(8 * (1 + maxCpus))],
    [KEY.BOOT_MENU, number(2, Number(bootMenu))],
    [KEY.MAX_CPUS, number(2, maxCpus)],
    [KEY.IRQ0_OVERRIDE, number(4, 1)],
    ...Object.entries(parse(properties.items)).map(([key, content]) => [Number.parseInt(key, 16), content] as const),
    [KEY.FILE_DIR, directory(files)],
    ...files.map(([, content], i) => [KEY.FILE_FIRST + i, content] as const),
  ]);
}

function filesOf({ ramSize, bootorder, files }: Properties): Record<string, Uint8Array> {
  return {
    bootorder: bootorder === '' ? new Uint8Array(0) : text(`${bootorder}\0`),
    'etc/boot-fail-wait': number(4, 0xffff_ffff),
    'etc/e820': e820(ramSize),
    ...parse(files),
  };
}

/** The file directory: a count, and entries of size, key and name; its numbers are big-endian. */
function directory(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const content = new Uint8Array(4 + files.length * FILE_ENTRY_SIZE);
  const view = new DataView(content.buffer);
  view.setUint32(0, files.length);
  for (const [i, [name, { length }]] of files.entries()) {
    const at = 4 + i * FILE_ENTRY_SIZE;
    view.setUint32(at, length);
    view.setUint16(at + 4, KEY.FILE_FIRST + i);
    content.set(text(name), at + FILE_ENTRY_SIZE - FILE_NAME_SIZE);
  }
  return content;
}

/** The RAM, from 0 and, if there is so much, from 4 GiB on. */
function e820(ramSize: number): Uint8Array {
  const low = ramSize >= RAM_BELOW_4G ? RAM_SPLIT : ramSize;
  const ranges = [[0, low], ...(ramSize > low ? [[ABOVE_4G, ramSize - low]] : [])];
  const content = new Uint8Array(ranges.length * E820_ENTRY_SIZE);
  for (const [i, [base = 0, length = 0]] of ranges.entries()) {
    content.set(number(8, base), i * E820_ENTRY_SIZE);
    content.set(number(8, length), i * E820_ENTRY_SIZE + 8);
    content.set(number(4, E820_RAM), i * E820_ENTRY_SIZE + 16);
  }
  return content;
}

/** The contents in a property that its pattern has let in. */
function parse(json: string): Record<string, Uint8Array> {
  const contents = JSON.parse(json) as Record<string, string>;
  return Object.fromEntries(Object.entries(contents).map(([name, hex]) => [name, fromHex(hex)]));
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** `size` bytes, little-endian. */
function number(size: 2 | 4 | 8, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(view.buffer, 0, size);
}
