import type { AccessSize } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { type BoundMachine, IO_PORTS, type Target, OP } from '@qtest/machine';
import type { AccessWatcher } from '../trace/watched-vcpu.ts';
import { CONFIG_WORD, type CountedBank, type CountedRegister, type Counters } from './counters.ts';

/** Bit 31 of CONFIG_ADDRESS: accesses to CONFIG_DATA go to configuration space. */
const ENABLE = 0x8000_0000;

/** Bytes that reach one region: where they begin in the access, how many, and at which of its offsets. */
interface Piece {
  readonly target: Target | undefined;
  readonly length: number;
  readonly offset: number;
}

/** Counts accesses as they are made, by the machine's map of that moment: each for every register that it reaches, PCI configuration space included. */
export class AccessCounter implements AccessWatcher {
  readonly #machine: BoundMachine;
  readonly #counters: Counters;
  /** Those of an access, by its size. */
  readonly #bytes = { 1: new Uint8Array(1), 2: new Uint8Array(2), 4: new Uint8Array(4) };
  readonly #banks = new Map<Target, CountedBank | undefined>();

  constructor(machine: BoundMachine, counters: Counters) {
    this.#machine = machine;
    this.#counters = counters;
  }

  access(op: number, size: AccessSize, address: number, value: number): void {
    const bytes = this.#bytes[size];
    for (let n = 0; n < size; n++) bytes[n] = value >>> (8 * n);
    const isPort = op === OP.IN || op === OP.OUT;
    this.#count(isPort, op === OP.OUT || op === OP.WRITE, address, bytes);
  }

  block(op: number, address: number, bytes: Uint8Array): void {
    this.#count(false, op === OP.WRITE_BLOCK, address, bytes);
  }

  fill(address: number, size: number, value: number): void {
    this.#count(false, true, address, new Uint8Array(size).fill(value));
  }

  #count(isPort: boolean, writes: boolean, address: number, bytes: Uint8Array): void {
    this.#machine.bus.refresh();
    if (isPort && writes && bytes.length === 4 && address === pci.CONFIG_ADDRESS)
      this.#counters.setWord(CONFIG_WORD, wordOf(bytes));
    for (let at = 0; at < bytes.length;) {
      const left = bytes.length - at;
      const { target, length, offset } = isPort
        ? this.#port(address + at, left, bytes.length)
        : this.#memory(address + at, left, writes);
      if (target !== undefined && target.device >= 0)
        this.#countIn(target, offset, length === bytes.length ? bytes : bytes.subarray(at, at + length), writes);
      at += length;
    }
  }

  #port(port: number, left: number, size: number): Piece {
    const { bus } = this.#machine;
    const target = bus.portTarget(port, size);
    const configured = (port & ~3) === pci.CONFIG_DATA ? this.#configured(port) : undefined;
    if (configured !== undefined) return { ...configured, length: Math.min(left, 4 - (port & 3)) };
    let length = 1;
    while (length < left && port + length < IO_PORTS && bus.portTarget(port + length, size) === target) length++;
    return { target, length, offset: port - target.base };
  }

  /** What CONFIG_DATA reaches, by the address that was written last. */
  #configured(port: number): Omit<Piece, 'length'> | undefined {
    const selected = this.#counters.word(CONFIG_WORD);
    if (selected < ENABLE) return undefined;
    const at = (((selected & 0xff_ff00) << 4) | (selected & 0xfc) | (port & 3)) >>> 0;
    const { target } = this.#machine.bus.configAt(at);
    return target === undefined || target.device < 0 ? undefined : { target, offset: at - target.base };
  }

  #memory(address: number, left: number, writes: boolean): Piece {
    const { bus } = this.#machine;
    const { target, end } = (writes ? bus.writes : bus.memory).find(address);
    return { target, length: Math.min(left, end - address), offset: address - (target?.base ?? 0) };
  }

  #countIn(target: Target, offset: number, bytes: Uint8Array, writes: boolean): void {
    const bank = this.#bankOf(target);
    if (bank === undefined) return;
    this.#countRegisters(bank, offset, bytes, writes);
    const { indexed } = bank;
    if (indexed === undefined) return;
    const index = bytes[indexed.index - offset];
    if (writes && index !== undefined) this.#counters.setWord(indexed.at, (index & indexed.mask) + 1);
    const selected = this.#counters.word(indexed.at) - 1;
    const found = indexed.byIndex.get(selected);
    if (found !== undefined) this.#countOne(found, indexed.data, offset, bytes, writes);
  }

  #countRegisters({ places }: CountedBank, offset: number, bytes: Uint8Array, writes: boolean): void {
    const end = offset + bytes.length;
    for (const { start, end: behind, read, write } of places) {
      if (start < end && behind > offset) this.#countOne(writes ? write : read, start, offset, bytes, writes);
    }
  }

  /** @param start the offset in the region at which the register lies. */
  #countOne(counted: CountedRegister, start: number, offset: number, bytes: Uint8Array, writes: boolean): void {
    let value = 0;
    let covered = 0;
    for (let n = 0; n < counted.register.width / 8; n++) {
      const byte = bytes[start + n - offset];
      if (byte === undefined) continue;
      value |= byte << (8 * n);
      covered |= 0xff << (8 * n);
    }
    if (covered === 0) return;
    if (writes) this.#counters.write(counted, value, covered);
    else this.#counters.read(counted, value, covered);
  }

  #bankOf(target: Target): CountedBank | undefined {
    if (!this.#banks.has(target)) {
      const { id = '', banks } = this.#counters.devices[target.device] ?? {};
      this.#banks.set(target, banks?.get(target.region.slice(id.length + 1)));
    }
    return this.#banks.get(target);
  }
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
