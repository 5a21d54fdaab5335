import type { RegionBehaviour } from './device.ts';
import { CAPABILITY, placed, readConfig, registerWith, touches, type PciDevice } from './pci-config.ts';
import { busMaster } from './pci-dma.ts';
import { register, ro, rw, type Register } from './registers.ts';

/** Message signalled interrupts, MSI and MSI-X (PCI Local Bus Specification 3.0, 6.8): an interrupt is a write as a bus master. */

/** The MSI capability with a 64-bit address (6.8.1). Offsets are from the capability's start. MASK and PENDING exist if MASKING is set. */
export const MSI = {
  CONTROL: register('MSI_CONTROL', {
    offset: 2,
    width: 16,
    fields: { ENABLE: rw(0), MULTIPLE_CAPABLE: ro(3, 1), MULTIPLE_ENABLE: rw(6, 4), ADDRESS_64: ro(7), MASKING: ro(8) },
  }),
  ADDRESS: register('MSI_ADDRESS', { offset: 4, width: 32, reset: 0, fields: { ADDRESS: rw(31, 2) } }),
  ADDRESS_HIGH: register('MSI_ADDRESS_HIGH', { offset: 8, width: 32, reset: 0 }),
  DATA: register('MSI_DATA', { offset: 12, width: 16, reset: 0 }),
  MASK: register('MSI_MASK', {
    offset: 16,
    width: 32,
    reset: 0,
    effect: 'a message that waits is sent when its bit goes',
  }),
  PENDING: register('MSI_PENDING', { offset: 20, width: 32, reset: 0, access: 'ro' }),
} as const;

/** The MSI-X capability (6.8.2). Offsets are from the capability's start. */
export const MSIX = {
  CONTROL: register('MSIX_CONTROL', {
    offset: 2,
    width: 16,
    fields: { ENABLE: rw(15), FUNCTION_MASK: rw(14), SIZE: ro(10, 0) },
    effect: 'messages that wait are sent when FUNCTION_MASK goes',
  }),
  TABLE: register('MSIX_TABLE', { offset: 4, width: 32, fields: { OFFSET: ro(31, 3), BIR: ro(2, 0) } }),
  PBA: register('MSIX_PBA', { offset: 8, width: 32, fields: { OFFSET: ro(31, 3), BIR: ro(2, 0) } }),
} as const;

/** An entry of the MSI-X table (6.8.2.6 to 6.8.2.9). Offsets are from the entry's start. */
export const MSIX_ENTRY = {
  ADDRESS: register('MSIX_ADDRESS', { offset: 0, width: 32, reset: 0, fields: { ADDRESS: rw(31, 2) } }),
  ADDRESS_HIGH: register('MSIX_ADDRESS_HIGH', { offset: 4, width: 32, reset: 0 }),
  DATA: register('MSIX_DATA', { offset: 8, width: 32, reset: 0 }),
  VECTOR_CONTROL: register('MSIX_VECTOR_CONTROL', {
    offset: 12,
    width: 32,
    reset: 1,
    fields: { MASK: rw(0) },
    effect: 'a message that waits is sent when MASK goes',
  }),
} as const;

/** Bytes of an entry. */
export const MSIX_ENTRY_BYTES = 16;

/** MSI (6.8.1) with a 64-bit address. */
export interface MsiSpec {
  readonly kind: 'msi';
  /** Offset in the configuration space, a multiple of 4 from 0x40. */
  readonly offset: number;
  /** Vectors: 1, 2, 4, 8, 16 or 32. Default 1. */
  readonly vectors?: number;
  /** Whether each vector can be masked. Default false. */
  readonly masking?: boolean;
}

/** MSI-X (6.8.2). The handlers of the BAR do not see accesses to the table and to the pending bits. */
export interface MsixSpec {
  readonly kind: 'msix';
  /** Offset in the configuration space, a multiple of 4 from 0x40. */
  readonly offset: number;
  /** Vectors: 1 to 2048. */
  readonly vectors: number;
  /** Name of the memory BAR in which table and pending bits lie. */
  readonly bar: string;
  /** Offset of the table in the BAR, a multiple of 8. Default 0. */
  readonly table?: number;
  /** Offset of the pending bits in the BAR, a multiple of 8. Default: behind the table. */
  readonly pba?: number;
}

/** Handlers for a BAR that has only MSI-X: the rest reads as 0, and writes are ignored. */
export const nothingElse: RegionBehaviour<unknown> = { read: () => 0, write: () => {} };

// MSI.

export function msiRegisters(type: string, { offset, vectors = 1, masking = false }: MsiSpec): readonly Register[] {
  const multiple = Math.log2(vectors);
  if (!(Number.isInteger(multiple) && multiple >= 0 && multiple <= 5)) {
    throw new RangeError(`device type '${type}': MSI has ${vectors} vectors; expected 1, 2, 4, 8, 16 or 32`);
  }
  const { CONTROL, ADDRESS, ADDRESS_HIGH, DATA, MASK, PENDING } = MSI;
  const control = CONTROL.MASKING.set(
    CONTROL.ADDRESS_64.set(CONTROL.MULTIPLE_CAPABLE.set(0, multiple), 1),
    Number(masking),
  );
  const bits = { MASK: rw(vectors - 1, 0) };
  const effect = MASK.effect === undefined ? {} : { effect: MASK.effect };
  return [
    placed(CONTROL, offset, control),
    ...[ADDRESS, ADDRESS_HIGH, DATA].map((item) => placed(item, offset, 0)),
    ...(masking
      ? [
          registerWith(MASK.name, { offset: offset + MASK.offset, width: 32, reset: 0, fields: bits, ...effect }),
          placed(PENDING, offset, 0),
        ]
      : []),
  ];
}

/** Whether the guest has enabled MSI in the capability at `offset`: the INTx pin must not be used then (6.8.3.3). */
export function msiEnabled({ state: { config } }: PciDevice, offset: number): boolean {
  return MSI.CONTROL.ENABLE.test(readConfig(config, offset + MSI.CONTROL.offset, 2));
}

/**
 * Sends an MSI, if the guest has enabled MSI in the capability at `offset`. Otherwise it gives false: use the INTx pin then. The message is
 * a write as a bus master. While the guest does not let the device be one, nothing is sent, and the result is true. A masked vector waits.
 */
export function sendMsi(device: PciDevice, offset: number, vector = 0): boolean {
  const { config } = device.state;
  if (!msiEnabled(device, offset)) return false;
  const { CONTROL, ADDRESS, ADDRESS_HIGH, DATA } = MSI;
  const control = readConfig(config, offset + CONTROL.offset, 2);
  // As many low bits of the data as the guest has given vectors, and no more than the part has (6.8.1.3).
  const vectors = 1 << Math.min(CONTROL.MULTIPLE_ENABLE.get(control), CONTROL.MULTIPLE_CAPABLE.get(control));
  const number = vector & (vectors - 1);
  if (CONTROL.MASKING.test(control) && bitOf(device, offset + MSI.MASK.offset, number)) {
    setBit(device, offset + MSI.PENDING.offset, number, true);
    return true;
  }
  const data = readConfig(config, offset + DATA.offset, 2);
  const address =
    readConfig(config, offset + ADDRESS_HIGH.offset, 4) * 2 ** 32 + readConfig(config, offset + ADDRESS.offset, 4);
  busMaster(device)?.writel(address, (data & ~(vectors - 1)) | number);
  return true;
}

/** Sends what waits, after a write to the capability (6.8.1.8). */
function msiWritten(device: PciDevice, offset: number): void {
  if (!msiEnabled(device, offset)) return;
  for (let vector = 0; vector < 32; vector++) {
    const waits = bitOf(device, offset + MSI.PENDING.offset, vector);
    if (!waits || bitOf(device, offset + MSI.MASK.offset, vector)) continue;
    setBit(device, offset + MSI.PENDING.offset, vector, false);
    sendMsi(device, offset, vector);
  }
}

/** A bit of a dword in the configuration space. */
function bitOf({ state: { config } }: PciDevice, offset: number, bit: number): boolean {
  return ((config.get(offset + (bit >> 3)) >> (bit & 7)) & 1) === 1;
}

function setBit({ state: { config } }: PciDevice, offset: number, bit: number, value: boolean): void {
  const at = offset + (bit >> 3);
  config.set(at, value ? config.get(at) | (1 << (bit & 7)) : config.get(at) & ~(1 << (bit & 7)));
}

// MSI-X. The state has the table, four words an entry, and behind it the pending bits.

const ENTRY_WORDS = 4;

/** Where MSI-X lies in its BAR: first byte, and the one after the last. */
interface MsixPlace {
  readonly table: number;
  readonly tableEnd: number;
  readonly pba: number;
  readonly pbaEnd: number;
}

function placeOf({ vectors, table = 0, pba }: MsixSpec): MsixPlace {
  const tableEnd = table + MSIX_ENTRY_BYTES * vectors;
  const start = pba ?? tableEnd;
  return { table, tableEnd, pba: start, pbaEnd: start + 8 * Math.ceil(vectors / 64) };
}

/** Words of state that it takes. */
export function msixWords(spec: MsixSpec | undefined): number {
  return spec === undefined ? 1 : ENTRY_WORDS * spec.vectors + 2 * Math.ceil(spec.vectors / 64);
}

/** What of a BAR the check of its place needs. */
interface MsixBar {
  readonly bar: number | 'rom';
  readonly kind: string;
  readonly size: number;
}

export function msixRegisters(type: string, spec: MsixSpec, bar: MsixBar | undefined): readonly Register[] {
  const { offset, vectors } = spec;
  if (!(Number.isInteger(vectors) && vectors >= 1 && vectors <= 2048))
    throw new RangeError(`device type '${type}': MSI-X has ${vectors} vectors; expected 1 to 2048`);
  if (bar === undefined || bar.kind === 'io' || bar.bar === 'rom')
    throw new TypeError(`device type '${type}': MSI-X lies in '${spec.bar}'; expected the name of a memory BAR of it`);
  const { table, tableEnd, pba, pbaEnd } = placeOf(spec);
  const aligned = [table, pba].every((at) => Number.isInteger(at) && at >= 0 && at % 8 === 0);
  const apart = tableEnd <= pba || pbaEnd <= table;
  if (!aligned || !apart || Math.max(tableEnd, pbaEnd) > bar.size) {
    throw new RangeError(
      `device type '${type}': MSI-X has its table at ${table} and its pending bits at ${pba} of '${spec.bar}'; expected ` +
        `multiples of 8, with room for ${tableEnd - table} and ${pbaEnd - pba} bytes in its ${bar.size}`,
    );
  }
  const { CONTROL, TABLE, PBA } = MSIX;
  return [
    placed(CONTROL, offset, CONTROL.SIZE.set(0, vectors - 1)),
    placed(TABLE, offset, (table | bar.bar) >>> 0),
    placed(PBA, offset, (pba | bar.bar) >>> 0),
  ];
}

/** The registers of table and pending bits in their BAR. */
export function msixBank(spec: MsixSpec): readonly Register[] {
  const { table, pba, pbaEnd } = placeOf(spec);
  const entries = Array.from({ length: spec.vectors }, (_, vector) =>
    Object.values(MSIX_ENTRY).map((item) => placed(item, table + MSIX_ENTRY_BYTES * vector, item.reset ?? 0)),
  );
  const pending = Array.from({ length: (pbaEnd - pba) / 4 }, (_, n) =>
    register('MSIX_PENDING', { offset: pba + 4 * n, width: 32, reset: 0, access: 'ro' }),
  );
  return [...entries.flat(), ...pending];
}

/** Handlers of the BAR: MSI-X's where that lies, the part's own elsewhere. */
export function withMsix<D extends PciDevice>(spec: MsixSpec, own: RegionBehaviour<D>): RegionBehaviour<D> {
  const place = placeOf(spec);
  const { table, tableEnd, pba, pbaEnd } = place;
  return {
    read(device, offset, size, initiator) {
      const at = stateByte(place, offset);
      return at === undefined ? own.read(device, offset, size, initiator) : readBytes(device, at, size);
    },
    write(device, offset, value, size, initiator) {
      if (touches(offset, size, table, tableEnd - table)) {
        writeTable(device, spec, offset - table, value, size);
      } else if (touches(offset, size, pba, pbaEnd - pba)) {
        device.guestError(`write of ${size} bytes to the pending bits of MSI-X`);
      } else {
        own.write(device, offset, value, size, initiator);
      }
    },
  };
}

/** The byte of the state at which an offset in the BAR is kept; undefined where that is not MSI-X's. */
function stateByte({ table, tableEnd, pba, pbaEnd }: MsixPlace, offset: number): number | undefined {
  if (offset >= table && offset < tableEnd) return offset - table;
  return offset >= pba && offset < pbaEnd ? tableEnd - table + offset - pba : undefined;
}

function readBytes({ state: { msix } }: PciDevice, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size && at + i < 4 * msix.length; i++)
    value += ((msix.get((at + i) >> 2) >>> (8 * ((at + i) & 3))) & 0xff) * 2 ** (8 * i);
  return value;
}

const ENTRY_REGISTERS = Object.values(MSIX_ENTRY);

/** Writes to the table, in any size, and sends what its entry has waited with. */
function writeTable(device: PciDevice, spec: MsixSpec, at: number, value: number, size: number): void {
  const { msix } = device.state;
  for (let i = 0; i < size; i++) {
    const byte = at + i;
    if (byte < 0 || byte >= MSIX_ENTRY_BYTES * spec.vectors) continue;
    const word = byte >> 2;
    const shift = 8 * (byte & 3);
    const old = msix.get(word);
    const written = (old & ~(0xff << shift)) | (((value >>> (8 * i)) & 0xff) << shift);
    msix.set(word, ENTRY_REGISTERS[word % ENTRY_WORDS]?.write(old, written >>> 0) ?? old);
  }
  const last = Math.min(Math.floor((at + size - 1) / MSIX_ENTRY_BYTES), spec.vectors - 1);
  for (let vector = Math.max(0, Math.floor(at / MSIX_ENTRY_BYTES)); vector <= last; vector++)
    sendWaiting(device, spec.offset, vector);
}

/** Whether the guest has enabled MSI-X in the capability at `offset`. The INTx pin must not be used then (6.8.3.3). */
export function msixEnabled({ state: { config } }: PciDevice, offset: number): boolean {
  return MSIX.CONTROL.ENABLE.test(readConfig(config, offset + MSIX.CONTROL.offset, 2));
}

/**
 * Sends the message of an entry of the MSI-X table, if the guest has enabled MSI-X in the capability at `offset`. Otherwise it gives false:
 * use the INTx pin then. While the vector or the function is masked, the pending bit is set and the message waits. The message is a write as
 * a bus master. While the guest does not let the device be one, nothing is sent, and the result is true.
 */
export function sendMsix(device: PciDevice, offset: number, vector: number): boolean {
  if (!msixEnabled(device, offset)) return false;
  const { msix, config } = device.state;
  const control = readConfig(config, offset + MSIX.CONTROL.offset, 2);
  const entry = ENTRY_WORDS * vector;
  const masked = MSIX_ENTRY.VECTOR_CONTROL.MASK.test(msix.get(entry + 3));
  if (masked || MSIX.CONTROL.FUNCTION_MASK.test(control)) setPending(device, control, vector, true);
  else busMaster(device)?.writel(msix.get(entry + 1) * 2 ** 32 + msix.get(entry), msix.get(entry + 2));
  return true;
}

/** Takes back a message that waits, because what asked for it has been served (6.8.2.10). */
export function withdrawMsix(device: PciDevice, offset: number, vector: number): void {
  setPending(device, readConfig(device.state.config, offset + MSIX.CONTROL.offset, 2), vector, false);
}

/** The word of the state with a vector's pending bit. */
function pendingWord(control: number, vector: number): number {
  return ENTRY_WORDS * (MSIX.CONTROL.SIZE.get(control) + 1) + (vector >> 5);
}

function setPending({ state: { msix } }: PciDevice, control: number, vector: number, value: boolean): void {
  const word = pendingWord(control, vector);
  const bit = 1 << (vector & 31);
  msix.set(word, value ? msix.get(word) | bit : msix.get(word) & ~bit);
}

/** Sends the message of a vector that waits, if nothing masks it any more. */
function sendWaiting(device: PciDevice, offset: number, vector: number): void {
  const control = readConfig(device.state.config, offset + MSIX.CONTROL.offset, 2);
  if (((device.state.msix.get(pendingWord(control, vector)) >>> (vector & 31)) & 1) === 0) return;
  if (!msixEnabled(device, offset)) return;
  setPending(device, control, vector, false);
  sendMsix(device, offset, vector);
}

/** After a write to the configuration space: sends what that has let go. */
export function messagesWritten(
  device: PciDevice,
  capabilities: readonly { readonly kind: string; readonly offset: number }[],
  offset: number,
  size: number,
): void {
  for (const { kind, offset: at } of capabilities) {
    if (kind === 'msi' && isMasking(device, at) && touches(offset, size, at, MSI.PENDING.offset))
      msiWritten(device, at);
    if (kind !== 'msix' || !touches(offset, size, at + MSIX.CONTROL.offset, 2)) continue;
    const vectors = MSIX.CONTROL.SIZE.get(readConfig(device.state.config, at + MSIX.CONTROL.offset, 2)) + 1;
    for (let vector = 0; vector < vectors; vector++) sendWaiting(device, at, vector);
  }
}

function isMasking({ state: { config } }: PciDevice, offset: number): boolean {
  return MSI.CONTROL.MASKING.test(readConfig(config, offset + MSI.CONTROL.offset, 2));
}

/** IDs and names of the capabilities of this file. */
export const MESSAGE_IDS = {
  msi: [CAPABILITY.MSI, 'MSI'],
  msix: [CAPABILITY.MSIX, 'MSIX'],
} as const;
