import type { AccessSize, Initiator, IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { PAGE_BYTES } from '../blueprint.ts';
import type { BoundMachine } from '../bound-machine.ts';
import type { Bus } from '../bus.ts';
import { WORD } from '../control.ts';
import type { Stretch, Target } from '../map.ts';
import type { Notice } from '../notice.ts';
import { badPort, badValue, checkAddress, checkLong, checkSize } from './arguments.ts';
import { Gate, LOOK_MASK, type VcpuOptions } from './gate.ts';
import type { Interrupts } from './interrupts.ts';
import { lineIndex } from './irq-lines.ts';
import { OP, type TraceRing } from './trace.ts';
import { Waits } from './waits.ts';

// Constants of this module are folded into its code; an imported one is loaded and checked at every access.
const { ATTENTION } = WORD;
const { IN_BYTE, OUT_BYTE, READ_LOW, WRITE_LOW } = OP;
const MASK = LOOK_MASK;

/** No stretch of memory: nothing lies in it. */
const NOWHERE: Stretch = { start: 0, end: 0, target: undefined, delta: 0, writable: false };

/**
 * A VCPU on the machine itself: every access runs the device's code on this thread, under the machine's lock. While the machine
 * has one VCPU, virtual time and no other client, the lock is kept between accesses.
 */
export class NativeVcpu implements Vcpu {
  readonly index: number;
  readonly trace: TraceRing;
  readonly interrupts: Interrupts;
  readonly #machine: BoundMachine;
  readonly #bus: Bus;
  readonly #notice: Notice;
  readonly #gate: Gate;
  readonly #waits: Waits;
  readonly #words: Int32Array;
  readonly #initiator: Initiator;
  /** As the gate's. */
  readonly #alone: boolean;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #dirty: Uint8Array;
  readonly #ramStart: number;
  /** The stretches of memory that were read and written last: the next access is most often there too. */
  #reads = NOWHERE;
  #writes = NOWHERE;

  constructor(machine: BoundMachine, options: VcpuOptions) {
    const { layout } = machine.blueprint;
    const { buffer } = machine.handle.memory;
    this.index = options.index;
    this.#machine = machine;
    this.#bus = machine.bus;
    this.#notice = machine.notice;
    this.#words = machine.control.words;
    this.#initiator = { kind: 'vcpu', index: options.index };
    this.#gate = new Gate(machine, options);
    this.#alone = this.#gate.alone;
    this.#gate.onAttend = () => {
      this.#reads = NOWHERE;
      this.#writes = NOWHERE;
    };
    this.#waits = new Waits(machine, this.#gate, options);
    this.trace = this.#gate.trace;
    this.interrupts = this.#gate.interrupts;
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#dirty = new Uint8Array(buffer, layout.dirty, layout.ramBytes / PAGE_BYTES);
    this.#ramStart = layout.ram;
  }

  /** Before the case's first access. */
  begin(): void {
    this.#gate.begin();
  }

  /** After its last. */
  end(): void {
    this.#gate.end();
  }

  /** Ends the case for the other VCPUs too. */
  abandon(): void {
    this.#gate.abandon();
  }

  inb(port: number): number {
    if ((port & 0xffff) !== port) badPort('inb', port);
    if (!this.#alone) return this.#inAmongOthers(port);
    const value = this.#bus.inb(port, this.#initiator);
    if ((this.trace.addByte(IN_BYTE, port, value) & MASK) === 0 || this.#notice.raised === true) this.#gate.leave();
    return value;
  }

  inw(port: number): number {
    if ((port & 0xffff) !== port) badPort('inw', port);
    return this.#in(port, 2);
  }

  inl(port: number): number {
    if ((port & 0xffff) !== port) badPort('inl', port);
    return this.#in(port, 4);
  }

  outb(port: number, value: number): void {
    if ((port & 0xffff) !== port) badPort('outb', port);
    if ((value & 0xff) !== value) badValue('outb', value, 8);
    if (!this.#alone) return this.#outAmongOthers(port, value);
    this.#bus.outb(port, value, this.#initiator);
    if ((this.trace.addByte(OUT_BYTE, port, value) & MASK) === 0 || this.#notice.raised === true) this.#gate.leave();
  }

  outw(port: number, value: number): void {
    if ((port & 0xffff) !== port) badPort('outw', port);
    if ((value & 0xffff) !== value) badValue('outw', value, 16);
    this.#out(port, value, 2);
  }

  outl(port: number, value: number): void {
    if ((port & 0xffff) !== port) badPort('outl', port);
    if (value >>> 0 !== value) badValue('outl', value, 32);
    this.#out(port, value, 4);
  }

  readb(address: number): number {
    const { start, end, target, delta } = this.#reads;
    if (address >>> 0 === address && address >= start && address < end) {
      if (target !== undefined && this.#alone) return this.#readTarget(target, address, 1);
      if (target === undefined && this.#mayTouchRam()) return this.#u8[address + delta] ?? 0;
    }
    return this.#read('readb', address, 1);
  }

  readw(address: number): number {
    const { start, end, target, delta } = this.#reads;
    if (address >>> 0 === address && address >= start && address + 2 <= end) {
      if (target !== undefined && this.#alone) return this.#readTarget(target, address, 2);
      const at = address + delta;
      if (target === undefined && this.#mayTouchRam()) return (this.#u8[at] ?? 0) | ((this.#u8[at + 1] ?? 0) << 8);
    }
    return this.#read('readw', address, 2);
  }

  readl(address: number): number {
    const { start, end, target, delta } = this.#reads;
    if (address >>> 0 === address && address >= start && address + 4 <= end) {
      if (target !== undefined && this.#alone) return this.#readTarget(target, address, 4);
      const at = address + delta;
      if (target === undefined && (at & 3) === 0 && this.#mayTouchRam()) return this.#u32[at >>> 2] ?? 0;
    }
    return this.#read('readl', address, 4);
  }

  readq(address: number): bigint {
    checkAddress('readq', address, 8);
    return BigInt(this.readl(address)) | (BigInt(this.readl(address + 4)) << 32n);
  }

  writeb(address: number, value: number): void {
    if ((value & 0xff) !== value) badValue('writeb', value, 8);
    const { start, end, target, delta, writable } = this.#writes;
    if (address >>> 0 === address && address >= start && address < end) {
      if (target !== undefined && this.#alone) return this.#writeTarget(target, address, value, 1);
      if (target === undefined && writable && this.#mayTouchRam()) {
        const at = address + delta;
        this.#u8[at] = value;
        this.#dirty[(at - this.#ramStart) >>> 12] = 1;
        return;
      }
    }
    this.#write('writeb', address, value, 1);
  }

  writew(address: number, value: number): void {
    if ((value & 0xffff) !== value) badValue('writew', value, 16);
    const { start, end, target } = this.#writes;
    if (target !== undefined && this.#alone && address >>> 0 === address && address >= start && address + 2 <= end)
      this.#writeTarget(target, address, value, 2);
    else this.#write('writew', address, value, 2);
  }

  writel(address: number, value: number): void {
    if (value >>> 0 !== value) badValue('writel', value, 32);
    const { start, end, target, delta, writable } = this.#writes;
    if (address >>> 0 === address && address >= start && address + 4 <= end) {
      if (target !== undefined && this.#alone) return this.#writeTarget(target, address, value, 4);
      const at = address + delta;
      if (target === undefined && writable && (at & 3) === 0 && this.#mayTouchRam()) {
        this.#u32[at >>> 2] = value;
        this.#dirty[(at - this.#ramStart) >>> 12] = 1;
        return;
      }
    }
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
    const target = wanted instanceof Uint8Array ? wanted : bytesFor(wanted);
    checkAddress('read', address, target.length);
    this.#gate.locked(() => this.#bus.memoryReadBulk(address, target, this.#initiator));
    return target;
  }

  write(address: number, data: Uint8Array): void {
    checkAddress('write', address, data.length);
    this.#gate.locked(() => this.#bus.memoryWriteBulk(address, data, this.#initiator));
  }

  fill(address: number, size: number, value: number): void {
    checkSize('fill', size);
    checkAddress('fill', address, size);
    if ((value & 0xff) !== value) badValue('fill', value, 8);
    this.write(address, new Uint8Array(size).fill(value));
  }

  waitIrq(source: IrqSource, options?: WaitOptions): bigint {
    return this.#waits.waitIrq(source, options);
  }

  idle(options?: WaitOptions): bigint {
    return this.#waits.idle(options);
  }

  poll(condition: () => boolean, options?: PollOptions): bigint {
    return this.#waits.poll(condition, options);
  }

  onIrq(source: IrqSource, handler: () => void): () => void {
    return this.interrupts.watch(lineIndex(this.#machine, source), handler);
  }

  onInterrupt(vector: number, handler: () => void): () => void {
    return this.interrupts.onVector(vector, handler);
  }

  cli(): void {
    this.interrupts.enabled = false;
  }

  sti(): void {
    this.interrupts.enabled = true;
    this.interrupts.take();
  }

  barrier(options?: WaitOptions): void {
    this.#waits.barrier(options);
  }

  pause(): void {
    this.#gate.turns?.yield();
    this.#gate.locked(() => {});
  }

  /** Machine time, ns. */
  now(): bigint {
    return this.#waits.now();
  }

  /** The next deadline, ns; −1n for none. */
  get nextDeadline(): bigint {
    return this.#machine.time.next;
  }

  /** `clock.step()`: in virtual time stops at each deadline on the way. */
  step(duration: bigint | undefined): bigint {
    return this.#waits.step(duration);
  }

  /** Runs what needs the machine's lock, as one access. */
  locked<T>(run: () => T): T {
    return this.#gate.locked(run);
  }

  #inAmongOthers(port: number): number {
    this.#gate.enter();
    const value = this.#bus.inb(port, this.#initiator);
    this.trace.addByte(IN_BYTE, port, value);
    this.#gate.leave();
    return value;
  }

  #outAmongOthers(port: number, value: number): void {
    this.#gate.enter();
    this.#bus.outb(port, value, this.#initiator);
    this.trace.addByte(OUT_BYTE, port, value);
    this.#gate.leave();
  }

  #in(port: number, size: AccessSize): number {
    this.#gate.enter();
    const value = this.#bus.ioRead(port, size, this.#initiator);
    this.trace.add(OP.IN, size, port, value);
    this.#gate.leave();
    return value;
  }

  #out(port: number, value: number, size: AccessSize): void {
    this.#gate.enter();
    this.#bus.ioWrite(port, value, size, this.#initiator);
    this.trace.add(OP.OUT, size, port, value);
    this.#gate.leave();
  }

  #read(call: string, address: number, size: AccessSize): number {
    checkAddress(call, address, size);
    this.#gate.enter();
    const value = this.#bus.memoryRead(address, size, this.#initiator);
    this.#reads = this.#bus.memory.find(address);
    if (this.#reads.target !== undefined) this.trace.add(OP.READ, size, address, value);
    else if (this.#bus.isTraced) this.#reads = NOWHERE;
    this.#gate.leave();
    return value;
  }

  #write(call: string, address: number, value: number, size: AccessSize): void {
    checkAddress(call, address, size);
    this.#gate.enter();
    this.#bus.memoryWrite(address, value, size, this.#initiator);
    this.#writes = this.#bus.writes.find(address);
    if (this.#writes.target !== undefined) this.trace.add(OP.WRITE, size, address, value);
    else if (this.#bus.isTraced) this.#writes = NOWHERE;
    this.#gate.leave();
  }

  /** Alone, an access to the region that was accessed last: nobody else can have moved it. */
  #readTarget(target: Target, address: number, size: AccessSize): number {
    const value = this.#bus.readTarget(target, address, size, this.#initiator);
    const head = this.trace.addLow(READ_LOW, size, address, value);
    if ((head & MASK) === 0 || this.#notice.raised === true) this.#gate.leave();
    return value;
  }

  #writeTarget(target: Target, address: number, value: number, size: AccessSize): void {
    this.#bus.writeTarget(target, address, value, size, this.#initiator);
    const head = this.trace.addLow(WRITE_LOW, size, address, value);
    if ((head & MASK) === 0 || this.#notice.raised === true) this.#gate.leave();
  }

  /** Whether RAM may be accessed at once: the map is as this thread knows it, and neither scheduler nor interrupt come first. */
  #mayTouchRam(): boolean {
    if (this.#words[ATTENTION] !== this.#gate.attention || this.#gate.turns !== undefined) return false;
    // Another thread may have raised a line that a handler of this one waits for.
    return !(this.#gate.locks && this.interrupts.pending);
  }
}

/** Bytes to read into. Every one will be written: to zero them first would be half of the work. */
function bytesFor(size: number): Uint8Array {
  checkSize('read', size);
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}
