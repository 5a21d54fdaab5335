import type { AccessSize, IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { OP } from '@qtest/machine';

/** What is told of a VCPU's accesses: of a write before it is made, of a read with its answer. */
export interface AccessWatcher {
  /** One of up to four bytes; of eight it is two. */
  access(op: number, size: AccessSize, address: number, value: number): void;
  /** A bulk access: `READ_BLOCK` or `WRITE_BLOCK`. */
  block(op: number, address: number, bytes: Uint8Array): void;
  fill(address: number, size: number, value: number): void;
  /** A poll starts; what it gives is called before each look at the condition. */
  poll?(): () => void;
}

/** A VCPU whose accesses are told to a watcher. */
export class WatchedVcpu implements Vcpu {
  readonly index: number;
  readonly #vcpu: Vcpu;
  readonly #watcher: AccessWatcher;

  constructor(vcpu: Vcpu, watcher: AccessWatcher) {
    this.index = vcpu.index;
    this.#vcpu = vcpu;
    this.#watcher = watcher;
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
    this.#watcher.block(OP.READ_BLOCK, address, bytes);
    return bytes;
  }

  write(address: number, data: Uint8Array): void {
    this.#watcher.block(OP.WRITE_BLOCK, address, data);
    this.#vcpu.write(address, data);
  }

  fill(address: number, size: number, value: number): void {
    this.#watcher.fill(address, size, value);
    this.#vcpu.fill(address, size, value);
  }

  waitIrq(line: IrqSource, options?: WaitOptions): bigint {
    return this.#vcpu.waitIrq(line, options);
  }

  idle(options?: WaitOptions): bigint {
    return this.#vcpu.idle(options);
  }

  poll(condition: () => boolean, options?: PollOptions): bigint {
    const look = this.#watcher.poll?.();
    if (look === undefined) return this.#vcpu.poll(condition, options);
    return this.#vcpu.poll(() => {
      look();
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

  #got(op: number, size: AccessSize, address: number, value: number): number {
    this.#watcher.access(op, size, address, value);
    return value;
  }

  #long(op: number, address: number, value: bigint): void {
    this.#got(op, 4, address, Number(value & 0xffff_ffffn));
    this.#got(op, 4, address + 4, Number(value >> 32n));
  }
}
