import type { AccessSize, Initiator } from '@qtest/sdk';
import { Bus } from './bus.ts';
import { Lines, type Binding } from './lines.ts';
import type { Target } from './map.ts';
import { blockValue, REACHED, TRACED, type Tracer } from './tracer.ts';

/** None is under way. */
const NONE = -1;

// To call them as `super.inb()` takes longer than the access itself.
const { inb, outb, readTarget, writeTarget, memoryRead, memoryWrite } = Bus.prototype;

/**
 * The address spaces of a machine that is traced: each access of a VCPU, and of a device by DMA, is told to the tracer when it begins, with what
 * it reaches then, and when it has been answered. A class of its own, so that a machine that is not traced pays nothing.
 */
export class TracedBus extends Bus {
  readonly #tracer: Tracer;
  /** The VCPU's access that is under way: what it is split into is not told. */
  #open = NONE;
  /** The device whose DMA is under way. */
  #master = NONE;

  constructor(binding: Binding, tracer: Tracer) {
    super(binding);
    this.#tracer = tracer;
  }

  override get isTraced(): boolean {
    return true;
  }

  override inb(port: number, initiator: Initiator): number {
    const target = this.portTarget(port, 1);
    const entry = this.#begin(TRACED.IN, 1, port, target);
    const value = target.takesBytes
      ? readTarget.call(this, target, port, 1, initiator)
      : inb.call(this, port, initiator);
    return this.#end(entry, value);
  }

  override outb(port: number, value: number, initiator: Initiator): void {
    const target = this.portTarget(port, 1);
    const entry = this.#begin(TRACED.OUT, 1, port, target);
    if (target.takesBytes) writeTarget.call(this, target, port, value, 1, initiator);
    else outb.call(this, port, value, initiator);
    this.#end(entry, value);
  }

  override ioRead(port: number, size: AccessSize, initiator: Initiator): number {
    if (this.#open !== NONE) return super.ioRead(port, size, initiator);
    const entry = this.#begin(TRACED.IN, size, port, this.portTarget(port, size));
    return this.#end(entry, super.ioRead(port, size, initiator));
  }

  override ioWrite(port: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (this.#open !== NONE) return super.ioWrite(port, value, size, initiator);
    const entry = this.#begin(TRACED.OUT, size, port, this.portTarget(port, size));
    super.ioWrite(port, value, size, initiator);
    this.#end(entry, value);
  }

  override readTarget(target: Target, address: number, size: AccessSize, initiator: Initiator): number {
    const entry = this.#begin(TRACED.READ, size, address, target);
    return this.#end(entry, readTarget.call(this, target, address, size, initiator));
  }

  override writeTarget(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    const entry = this.#begin(TRACED.WRITE, size, address, target);
    writeTarget.call(this, target, address, value, size, initiator);
    this.#end(entry, value);
  }

  override memoryRead(address: number, size: AccessSize, initiator: Initiator): number {
    if (this.#isPart(initiator)) return super.memoryRead(address, size, initiator);
    const { target } = this.memory.find(address);
    const before = this.#master;
    const entry = this.#beginBy(initiator, TRACED.READ, size, address, target);
    return this.#endBy(initiator, before, entry, memoryRead.call(this, address, size, initiator));
  }

  override memoryWrite(address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (this.#isPart(initiator)) return super.memoryWrite(address, value, size, initiator);
    const { target } = this.writes.find(address);
    const before = this.#master;
    const entry = this.#beginBy(initiator, TRACED.WRITE, size, address, target);
    memoryWrite.call(this, address, value, size, initiator);
    this.#endBy(initiator, before, entry, value);
  }

  override memoryReadBulk(address: number, target: Uint8Array, initiator: Initiator): void {
    const before = this.#master;
    const entry = this.#beginBy(initiator, TRACED.READ, target.length, address, this.memory.find(address).target);
    super.memoryReadBulk(address, target, initiator);
    this.#endBulk(initiator, before, entry, target);
  }

  override memoryWriteBulk(address: number, data: Uint8Array, initiator: Initiator): void {
    const before = this.#master;
    const entry = this.#beginBy(initiator, TRACED.WRITE, data.length, address, this.writes.find(address).target);
    super.memoryWriteBulk(address, data, initiator);
    this.#endBulk(initiator, before, entry, data);
  }

  override configRead(address: number, size: AccessSize, initiator: Initiator): number {
    this.#configured(address);
    return super.configRead(address, size, initiator);
  }

  override configWrite(address: number, value: number, size: AccessSize, initiator: Initiator): void {
    this.#configured(address);
    super.configWrite(address, value, size, initiator);
  }

  /** What the access of the VCPU comes to, behind the ports of configuration space. */
  #configured(address: number): void {
    const { target } = this.configAt(address);
    if (this.#open !== NONE && target !== undefined)
      this.#tracer.reaches(this.#open, target.index, address - target.base);
  }

  #begin(kind: number, size: number, address: number, target: Target): number {
    return (this.#open = this.#tracer.begin(kind, size, address, target.index, address - target.base));
  }

  #end(entry: number, value: number): number {
    this.#open = NONE;
    this.#tracer.end(entry, value);
    return value;
  }

  #isPart({ kind, index }: Initiator): boolean {
    return kind === 'vcpu' ? this.#open !== NONE : this.#master === index;
  }

  #beginBy(
    { kind, index }: Initiator,
    what: number,
    size: number,
    address: number,
    target: Target | undefined,
  ): number {
    const reached = target === undefined ? REACHED.RAM : target.index;
    const offset = target === undefined ? 0 : address - target.base;
    if (kind === 'vcpu') return (this.#open = this.#tracer.begin(what, size, address, reached, offset));
    this.#master = index;
    const dma = what === TRACED.READ ? TRACED.DMA_READ : TRACED.DMA_WRITE;
    return this.#tracer.beginDma(index, dma, size, address, reached, offset);
  }

  #endBy({ kind }: Initiator, before: number, entry: number, value: number): number {
    if (kind === 'vcpu') return this.#end(entry, value);
    this.#master = before;
    this.#tracer.end(entry, value);
    return value;
  }

  #endBulk(initiator: Initiator, before: number, entry: number, bytes: Uint8Array): void {
    this.#endBy(initiator, before, entry, blockValue(bytes));
    this.#tracer.data(entry, bytes);
  }
}

/** The IRQ lines of a machine that is traced. */
export class TracedLines extends Lines {
  readonly #tracer: Tracer;

  constructor(binding: Binding, tracer: Tracer) {
    super(binding);
    this.#tracer = tracer;
  }

  override set(line: number, level: boolean): void {
    if (this.level(line) !== level) this.#tracer.event(TRACED.EDGE, line, level ? 1 : 0);
    super.set(line, level);
  }
}
