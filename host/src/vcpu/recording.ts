import { crc32 } from 'node:zlib';
import type { IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { OP, type TraceEntry } from './trace.ts';

/** Accesses that are kept; later ones are not. */
const ENTRIES = 2 ** 18;
const ENTRY_WORDS = 4;

/** All accesses of a VCPU from the start of a case, in shared memory, so that they are there when it has been killed. */
export class Recording {
  readonly #words: Float64Array;
  readonly #head: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#head = new Int32Array(buffer, 0, 1);
    this.#words = new Float64Array(buffer, 8);
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(8 + 8 * ENTRY_WORDS * ENTRIES);
  }

  /** Entries so far. */
  get length(): number {
    return this.#head[0] ?? 0;
  }

  /** Forgets all but the first so many. */
  cut(length: number): void {
    this.#head[0] = length;
  }

  add({ op, size, address, value }: TraceEntry): void {
    const { length } = this;
    if (length === ENTRIES) return;
    this.#words.set([op, size, address, value], length * ENTRY_WORDS);
    this.#head[0] = length + 1;
  }

  entries(): TraceEntry[] {
    return Array.from({ length: this.length }, (_, n) => {
      const at = n * ENTRY_WORDS;
      const [op = 0, size = 0, address = 0, value = 0] = this.#words.subarray(at, at + ENTRY_WORDS);
      return { op, size, address, value };
    });
  }
}

/** A VCPU whose accesses are recorded, when they are asked for; the VCPU itself otherwise. */
export function recorded(vcpu: Vcpu, buffer: SharedArrayBuffer | undefined): Vcpu {
  return buffer === undefined ? vcpu : new RecordingVcpu(vcpu, new Recording(buffer));
}

class RecordingVcpu implements Vcpu {
  readonly index: number;
  readonly #vcpu: Vcpu;
  readonly #recording: Recording;

  constructor(vcpu: Vcpu, recording: Recording) {
    this.index = vcpu.index;
    this.#vcpu = vcpu;
    this.#recording = recording;
  }

  inb(port: number): number {
    return this.#got(OP.IN, 1, port, this.#vcpu.inb(port));
  }

  inw(port: number): number {
    return this.#got(OP.IN, 2, port, this.#vcpu.inw(port));
  }

  inl(port: number): number {
    return this.#got(OP.IN, 4, port, this.#vcpu.inl(port));
  }

  outb(port: number, value: number): void {
    this.#got(OP.OUT, 1, port, value);
    this.#vcpu.outb(port, value);
  }

  outw(port: number, value: number): void {
    this.#got(OP.OUT, 2, port, value);
    this.#vcpu.outw(port, value);
  }

  outl(port: number, value: number): void {
    this.#got(OP.OUT, 4, port, value);
    this.#vcpu.outl(port, value);
  }

  readb(address: number): number {
    return this.#got(OP.READ, 1, address, this.#vcpu.readb(address));
  }

  readw(address: number): number {
    return this.#got(OP.READ, 2, address, this.#vcpu.readw(address));
  }

  readl(address: number): number {
    return this.#got(OP.READ, 4, address, this.#vcpu.readl(address));
  }

  readq(address: number): bigint {
    const value = this.#vcpu.readq(address);
    this.#long(OP.READ, address, value);
    return value;
  }

  writeb(address: number, value: number): void {
    this.#got(OP.WRITE, 1, address, value);
    this.#vcpu.writeb(address, value);
  }

  writew(address: number, value: number): void {
    this.#got(OP.WRITE, 2, address, value);
    this.#vcpu.writew(address, value);
  }

  writel(address: number, value: number): void {
    this.#got(OP.WRITE, 4, address, value);
    this.#vcpu.writel(address, value);
  }

  writeq(address: number, value: bigint): void {
    this.#long(OP.WRITE, address, value);
    this.#vcpu.writeq(address, value);
  }

  read(address: number, size: number): Uint8Array;
  read<T extends Uint8Array>(address: number, target: T): T;
  read(address: number, wanted: number | Uint8Array): Uint8Array {
    const bytes =
      typeof wanted === 'number' ? this.#vcpu.read(address, wanted) : this.#vcpu.read<Uint8Array>(address, wanted);
    this.#got(OP.READ_BLOCK, bytes.length, address, crc32(bytes));
    return bytes;
  }

  write(address: number, data: Uint8Array): void {
    this.#got(OP.WRITE_BLOCK, data.length, address, crc32(data));
    this.#vcpu.write(address, data);
  }

  fill(address: number, size: number, value: number): void {
    this.#got(OP.WRITE_BLOCK, size, address, value);
    this.#vcpu.fill(address, size, value);
  }

  waitIrq(line: IrqSource, options?: WaitOptions): bigint {
    return this.#vcpu.waitIrq(line, options);
  }

  idle(options?: WaitOptions): bigint {
    return this.#vcpu.idle(options);
  }

  /** How often a condition is looked at depends on the time; of its looks the last one is kept. */
  poll(condition: () => boolean, options?: PollOptions): bigint {
    const start = this.#recording.length;
    return this.#vcpu.poll(() => {
      this.#recording.cut(start);
      return condition();
    }, options);
  }

  onIrq(line: IrqSource, handler: () => void): () => void {
    return this.#vcpu.onIrq(line, handler);
  }

  onInterrupt(vector: number, handler: () => void): () => void {
    return this.#vcpu.onInterrupt(vector, handler);
  }

  cli(): void {
    this.#vcpu.cli();
  }

  sti(): void {
    this.#vcpu.sti();
  }

  barrier(options?: WaitOptions): void {
    this.#vcpu.barrier(options);
  }

  pause(): void {
    this.#vcpu.pause();
  }

  #got(op: number, size: number, address: number, value: number): number {
    this.#recording.add({ op, size, address, value });
    return value;
  }

  #long(op: number, address: number, value: bigint): void {
    this.#got(op, 4, address, Number(value & 0xffff_ffffn));
    this.#got(op, 4, address + 4, Number(value >> 32n));
  }
}
