import {
  type IrqSource,
  type PollOptions,
  type Vcpu,
  type WaitOptions,
  formatNanoseconds,
  nanoseconds,
} from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import {
  badPort,
  badValue,
  checkAddress,
  checkLong,
  checkSize,
  checkVector,
  noLine,
  DEFAULT_TIMEOUT,
  poll,
  OP,
  type TraceRing,
} from '@qtest/machine';
import { Skipped } from '../runner/case-context.ts';
import type { AccessSize, Connection, Hole } from '@qtest/sdk/backend';
import { EmulatedIrqLine, type Irqs } from './irqs.ts';

/** What reaches the emulator: one access each, of 1, 2 or 4 bytes, whose arguments have been checked; and bulk accesses. */
export type EmulatedBus = Required<
  Pick<Connection, 'in' | 'out' | 'read' | 'write' | 'readBlock' | 'writeBlock' | 'fill' | 'look'>
>;

/** A connection with bulk accesses: its own, or single ones of each byte. */
export function busOf(connection: Connection): EmulatedBus {
  return hasBulk(connection) ? connection : new BytewiseBus(connection);
}

function hasBulk(connection: Connection): connection is Connection & EmulatedBus {
  const { readBlock, writeBlock, fill } = connection;
  return readBlock !== undefined && writeBlock !== undefined && fill !== undefined;
}

/** A connection some of whose bulk accesses are single ones. */
class BytewiseBus implements EmulatedBus {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  in(port: number, size: AccessSize): number {
    return this.#connection.in(port, size);
  }

  out(port: number, value: number, size: AccessSize): void {
    this.#connection.out(port, value, size);
  }

  read(address: number, size: AccessSize): number {
    return this.#connection.read(address, size);
  }

  write(address: number, value: number, size: AccessSize): void {
    this.#connection.write(address, value, size);
  }

  readBlock(address: number, target: Uint8Array): void {
    const connection = this.#connection;
    if (connection.readBlock !== undefined) connection.readBlock(address, target);
    else for (let i = 0; i < target.length; i++) target[i] = connection.read(address + i, 1);
  }

  writeBlock(address: number, data: Uint8Array): void {
    const connection = this.#connection;
    if (connection.writeBlock !== undefined) connection.writeBlock(address, data);
    else for (const [i, byte] of data.entries()) connection.write(address + i, byte, 1);
  }

  fill(address: number, size: number, value: number): void {
    const connection = this.#connection;
    if (connection.fill !== undefined) connection.fill(address, size, value);
    else for (let i = 0; i < size; i++) connection.write(address + i, value, 1);
  }

  look(): void {
    this.#connection.look();
  }
}

/** The emulator's time, as its VCPU moves it. */
export interface EmulatedTime {
  /** Machine time, ns. */
  now(): bigint;
  /** Moves it on, to the next deadline without a duration; handlers run meanwhile. */
  step(duration: bigint | undefined): void;
  /** Moves it on until the condition holds, or to `end`; handlers run meanwhile. */
  moveUntil(end: bigint, isOver: () => boolean): void;
}

export interface EmulatedVcpuOptions {
  readonly bus: EmulatedBus;
  readonly time: EmulatedTime;
  readonly irqs: Irqs;
  readonly trace: TraceRing;
  readonly holes: readonly Hole[];
  /** As messages name it. */
  readonly emulator: string;
  /** Why a case that takes interrupts by their vectors cannot run; undefined when it can. */
  readonly noAcknowledge: string | undefined;
  /** The line of a number on the ISA bus. */
  readonly isaLine: (irq: number) => EmulatedIrqLine;
}

/** The VCPU of an emulator's machine, whose own CPU does nothing of itself: every access is made from this thread. */
export class EmulatedVcpu implements Vcpu {
  readonly index = 0;
  readonly #bus: EmulatedBus;
  readonly #time: EmulatedTime;
  readonly #irqs: Irqs;
  readonly #trace: TraceRing;
  readonly #holes: readonly Hole[];
  readonly #ioHoles: readonly Hole[];
  /** 1 where a port of ours is that the emulator has not. */
  readonly #ports = new Uint8Array(0x1_0004);
  readonly #emulator: string;
  readonly #noAcknowledge: string | undefined;
  readonly #isaLine: (irq: number) => EmulatedIrqLine;

  constructor({ bus, time, irqs, trace, holes, emulator, noAcknowledge, isaLine }: EmulatedVcpuOptions) {
    this.#bus = bus;
    this.#time = time;
    this.#irqs = irqs;
    this.#trace = trace;
    this.#holes = holes.filter(({ space }) => space === 'memory');
    for (const { space, base, size } of holes) if (space === 'io') this.#ports.fill(1, base, base + size);
    this.#ioHoles = holes.filter(({ space }) => space === 'io');
    this.#emulator = emulator;
    this.#noAcknowledge = noAcknowledge;
    this.#isaLine = isaLine;
  }

  inb(port: number): number {
    return this.#in('inb', port, 1);
  }

  inw(port: number): number {
    return this.#in('inw', port, 2);
  }

  inl(port: number): number {
    return this.#in('inl', port, 4);
  }

  outb(port: number, value: number): void {
    this.#out('outb', port, value, 1);
  }

  outw(port: number, value: number): void {
    this.#out('outw', port, value, 2);
  }

  outl(port: number, value: number): void {
    this.#out('outl', port, value, 4);
  }

  readb(address: number): number {
    return this.#read('readb', address, 1);
  }

  readw(address: number): number {
    return this.#read('readw', address, 2);
  }

  readl(address: number): number {
    return this.#read('readl', address, 4);
  }

  readq(address: number): bigint {
    checkAddress('readq', address, 8);
    return BigInt(this.readl(address)) | (BigInt(this.readl(address + 4)) << 32n);
  }

  writeb(address: number, value: number): void {
    this.#write('writeb', address, value, 1);
  }

  writew(address: number, value: number): void {
    this.#write('writew', address, value, 2);
  }

  writel(address: number, value: number): void {
    this.#write('writel', address, value, 4);
  }

  writeq(address: number, value: bigint): void {
    checkAddress('writeq', address, 8);
    checkLong('writeq', value);
    this.writel(address, Number(value & 0xffff_ffffn));
    this.writel(address + 4, Number(value >> 32n));
  }

  read(address: number, size: number): Uint8Array;
  read<T extends Uint8Array>(address: number, target: T): T;
  read(address: number, wanted: number | Uint8Array): Uint8Array {
    if (typeof wanted === 'number') checkSize('read', wanted);
    const target = typeof wanted === 'number' ? new Uint8Array(wanted) : wanted;
    checkAddress('read', address, target.length);
    this.#checkHole(address, target.length);
    this.#bus.readBlock(address, target);
    this.#trace.addBlock(OP.READ, address, () => target);
    this.#irqs.take();
    return target;
  }

  write(address: number, data: Uint8Array): void {
    checkAddress('write', address, data.length);
    this.#checkHole(address, data.length);
    this.#trace.addBlock(OP.WRITE, address, () => data);
    this.#bus.writeBlock(address, data);
    this.#irqs.take();
  }

  fill(address: number, size: number, value: number): void {
    checkSize('fill', size);
    checkAddress('fill', address, size);
    if ((value & 0xff) !== value) badValue('fill', value, 8);
    this.#checkHole(address, size);
    this.#trace.addBlock(OP.WRITE, address, () => new Uint8Array(size).fill(value));
    if (size > 0) this.#bus.fill(address, size, value);
    this.#irqs.take();
  }

  waitIrq(source: IrqSource, options: WaitOptions = {}): bigint {
    const line = this.#line(source);
    this.#look();
    const rises = this.#irqs.rises(line.pin);
    return this.#wait(
      () => this.#irqs.level(line.pin) || this.#irqs.rises(line.pin) !== rises,
      options,
      () => `waitIrq(): the line ${line.name} has not risen`,
    );
  }

  idle(options: WaitOptions = {}): bigint {
    const { handled } = this.#irqs;
    return this.#wait(
      () => this.#irqs.handled !== handled,
      options,
      () => 'idle(): no watched IRQ has been handled',
    );
  }

  poll(condition: () => boolean, options?: PollOptions): bigint {
    return poll(this, condition, options);
  }

  onIrq(source: IrqSource, handler: () => void): () => void {
    const { pin } = this.#line(source);
    this.#bus.look();
    return this.#irqs.watch(pin, handler);
  }

  onInterrupt(vector: number, handler: () => void): () => void {
    checkVector(vector);
    if (this.#noAcknowledge !== undefined) throw new Skipped(this.#noAcknowledge);
    return this.#irqs.onVector(vector, handler);
  }

  cli(): void {
    this.#irqs.enabled = false;
  }

  sti(): void {
    this.#irqs.enabled = true;
    this.#look();
  }

  barrier(): void {}

  pause(): void {}

  /** Machine time, ns. */
  now(): bigint {
    return this.#time.now();
  }

  /** `clock.step()`. */
  step(duration: bigint | undefined): bigint {
    const start = this.now();
    this.#time.step(duration);
    const moved = this.now() - start;
    this.#trace.add(OP.STEP, 0, Number(moved >> 32n), Number(moved & 0xffff_ffffn));
    this.#irqs.take();
    return this.now();
  }

  /** Takes in what the emulator has told meanwhile, and runs the handlers. */
  #look(): void {
    this.#bus.look();
    this.#irqs.take();
  }

  #wait(isOver: () => boolean, { timeout = DEFAULT_TIMEOUT }: WaitOptions, message: () => string): bigint {
    const start = this.now();
    const limit = nanoseconds(timeout);
    this.#look();
    this.#time.moveUntil(start + limit, isOver);
    if (isOver()) return this.now() - start;
    throw hostError('TIMEOUT', `${message()} within ${formatNanoseconds(limit)} of machine time`);
  }

  #line(source: IrqSource): EmulatedIrqLine {
    if (source instanceof EmulatedIrqLine) return source;
    if (typeof source === 'number') return this.#isaLine(source);
    throw noLine(source);
  }

  #in(call: string, port: number, size: AccessSize): number {
    if ((port & 0xffff) !== port) badPort(call, port);
    this.#checkPort(port, size);
    const value = this.#bus.in(port, size);
    if (!fits(value, size)) this.#badAnswer(call, port, value, size);
    this.#trace.add(OP.IN, size, port, value);
    this.#irqs.take();
    return value;
  }

  #out(call: string, port: number, value: number, size: AccessSize): void {
    if ((port & 0xffff) !== port) badPort(call, port);
    checkValue(call, value, size);
    this.#checkPort(port, size);
    this.#trace.add(OP.OUT, size, port, value);
    this.#bus.out(port, value, size);
    this.#irqs.take();
  }

  #read(call: string, address: number, size: AccessSize): number {
    checkAddress(call, address, size);
    this.#checkHole(address, size);
    const value = this.#bus.read(address, size);
    if (!fits(value, size)) this.#badAnswer(call, address, value, size);
    this.#trace.add(OP.READ, size, address, value);
    this.#irqs.take();
    return value;
  }

  #write(call: string, address: number, value: number, size: AccessSize): void {
    checkAddress(call, address, size);
    checkValue(call, value, size);
    this.#checkHole(address, size);
    this.#trace.add(OP.WRITE, size, address, value);
    this.#bus.write(address, value, size);
    this.#irqs.take();
  }

  /** Of a backend in JavaScript, the type may be wrong as well. */
  #badAnswer(call: string, address: number, value: unknown, size: number): never {
    throw hostError(
      'EMULATOR',
      `${this.#emulator} answers ${call}(0x${address.toString(16)}) with ${String(value)}: expected an integer from 0 to 0x${(2 ** (8 * size) - 1).toString(16)}`,
    );
  }

  #checkPort(port: number, size: number): void {
    for (let at = port; at < port + size; at++) {
      if (this.#ports[at] === 0) continue;
      const hole = this.#ioHoles.find(({ base, size: length }) => at >= base && at < base + length);
      throw new Skipped(hole?.reason ?? 'the emulator has no such port');
    }
  }

  #checkHole(address: number, size: number): void {
    for (const hole of this.#holes) {
      if (address < hole.base + hole.size && hole.base < address + size) throw new Skipped(hole.reason);
    }
  }
}

function checkValue(call: string, value: number, size: number): void {
  if (!fits(value, size)) badValue(call, value, 8 * size);
}

function fits(value: number, size: number): boolean {
  return size === 4 ? value >>> 0 === value : (value & (2 ** (8 * size) - 1)) === value;
}
