import type { ClockKind, IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { formatNanoseconds, nanoseconds } from '@qtest/sdk';
import { hostError } from '../../errors.ts';
import { badPort, badValue, checkAddress, checkLong, checkSize, checkVector } from '../../vcpu/arguments.ts';
import { Skipped } from '../../vcpu/case-context.ts';
import { noLine } from '../../vcpu/irq-lines.ts';
import { OP, type TraceRing } from '../../vcpu/trace.ts';
import type { Hole } from './command-line.ts';
import { QemuIrqLine, type Irqs } from './irqs.ts';
import type { Qtest } from './protocol.ts';

export interface QemuVcpuOptions {
  readonly qtest: Qtest;
  readonly irqs: Irqs;
  readonly clock: ClockKind;
  readonly trace: TraceRing;
  readonly holes: readonly Hole[];
  /** The line of a number on the ISA bus. */
  readonly isaLine: (irq: number) => QemuIrqLine;
}

const DEFAULT_TIMEOUT = '10s';
const DEFAULT_STEP = '1us';

/** In real time: longest sleep between two looks at what has come, ms. QEMU wakes nobody. */
const LOOK_EVERY = 0.1;

/**
 * In virtual time, while a handler watches a line: how far the time moves between two looks, ns. QEMU does not say when its next timer is
 * due. Two looks in the RTC's shortest period, 1/8192 s.
 */
const WATCHED_STEP = 61_035n;

/** Bytes of a bulk access in one request. */
const BULK = 2 ** 18;

const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/** A VCPU of QEMU's machine, whose own CPU is parked: every access is a request over the qtest protocol, made on this thread. */
export class QemuVcpu implements Vcpu {
  readonly index = 0;
  readonly #qtest: Qtest;
  readonly #irqs: Irqs;
  readonly #virtual: boolean;
  readonly #trace: TraceRing;
  readonly #holes: readonly Hole[];
  readonly #ioHoles: readonly Hole[];
  /** 1 where a port of ours is that QEMU has not. */
  readonly #ports = new Uint8Array(0x1_0004);
  readonly #isaLine: (irq: number) => QemuIrqLine;
  /** Machine time 0 on the host's monotonic clock, or, in virtual time, the time. */
  #time: bigint;

  constructor({ qtest, irqs, clock, trace, holes, isaLine }: QemuVcpuOptions) {
    this.#qtest = qtest;
    this.#irqs = irqs;
    this.#virtual = clock === 'virtual';
    this.#trace = trace;
    this.#holes = holes.filter(({ space }) => space === 'memory');
    for (const { space, base, size } of holes) if (space === 'io') this.#ports.fill(1, base, base + size);
    this.#ioHoles = holes.filter(({ space }) => space === 'io');
    this.#isaLine = isaLine;
    this.#time = this.#virtual ? 0n : process.hrtime.bigint();
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

  read(address: number, size: number): Uint8Array {
    checkSize('read', size);
    checkAddress('read', address, size);
    this.#checkHole(address, size);
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size; done += BULK) {
      const length = Math.min(BULK, size - done);
      const [text = ''] = this.#qtest.ask(`b64read ${address + done} ${length}`);
      bytes.set(Buffer.from(text, 'base64').subarray(0, length), done);
    }
    this.#irqs.take();
    return bytes;
  }

  write(address: number, data: Uint8Array): void {
    checkAddress('write', address, data.length);
    this.#checkHole(address, data.length);
    for (let done = 0; done < data.length; done += BULK) {
      const part = data.subarray(done, done + BULK);
      const text = Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64');
      this.#qtest.ask(`b64write ${address + done} ${part.length} ${text}`);
    }
    this.#irqs.take();
  }

  fill(address: number, size: number, value: number): void {
    checkSize('fill', size);
    checkAddress('fill', address, size);
    if ((value & 0xff) !== value) badValue('fill', value, 8);
    this.#checkHole(address, size);
    if (size > 0) this.#qtest.ask(`memset ${address} ${size} ${value}`);
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

  poll(condition: () => boolean, { timeout = DEFAULT_TIMEOUT, step = DEFAULT_STEP }: PollOptions = {}): bigint {
    const by = nanoseconds(step);
    if (by === 0n) throw new RangeError(`poll(): the step must be longer than 0, or the time would stand still`);
    const start = this.now();
    const limit = nanoseconds(timeout);
    for (;;) {
      if (condition()) return this.now() - start;
      const waited = this.now() - start;
      if (waited >= limit) {
        throw hostError(
          'TIMEOUT',
          `poll(): the condition has not come true within ${formatNanoseconds(limit)} of machine time`,
        );
      }
      this.step(waited + by > limit ? limit - waited : by);
    }
  }

  onIrq(source: IrqSource, handler: () => void): () => void {
    const { pin } = this.#line(source);
    this.#qtest.poll();
    return this.#irqs.watch(pin, handler);
  }

  onInterrupt(vector: number, _handler: () => void): () => void {
    checkVector(vector);
    throw new Skipped(NO_ACKNOWLEDGE);
  }

  cli(): void {}

  sti(): void {}

  barrier(): void {}

  pause(): void {}

  /** Machine time, ns. */
  now(): bigint {
    return this.#virtual ? this.#time : process.hrtime.bigint() - this.#time;
  }

  /** `clock.step()`. */
  step(duration: bigint | undefined): bigint {
    const start = this.now();
    if (this.#virtual) {
      if (duration === undefined) this.#advance();
      else this.#advanceTo(start + duration);
    } else if (duration === undefined) {
      throw hostError(
        'DEADLOCK',
        'clock.step() without a duration goes to the next deadline, which QEMU does not tell in real time; give a duration',
      );
    } else {
      this.#sleepUntil(start + duration, () => false);
    }
    const moved = this.now() - start;
    this.#trace.add(OP.STEP, 0, Number(moved >> 32n), Number(moved & 0xffff_ffffn));
    this.#irqs.take();
    return this.now();
  }

  /** Takes in what QEMU has told meanwhile, and runs the handlers. In virtual time nothing happens by itself. */
  #look(): void {
    if (!this.#virtual) this.#qtest.poll();
    this.#irqs.take();
  }

  #wait(isOver: () => boolean, { timeout = DEFAULT_TIMEOUT }: WaitOptions, message: () => string): bigint {
    const start = this.now();
    const limit = nanoseconds(timeout);
    const end = start + limit;
    this.#look();
    if (this.#virtual) {
      while (!isOver() && this.now() < end) {
        this.#advance();
        this.#irqs.take();
      }
    } else {
      this.#sleepUntil(end, isOver);
    }
    if (isOver()) return this.now() - start;
    throw hostError('TIMEOUT', `${message()} within ${formatNanoseconds(limit)} of machine time`);
  }

  /** In real time. */
  #sleepUntil(end: bigint, isOver: () => boolean): void {
    for (;;) {
      this.#look();
      if (isOver()) return;
      const left = Number(end - this.now()) / 1e6;
      if (left <= 0) return;
      Atomics.wait(SLEEP, 0, 0, Math.min(left, LOOK_EVERY));
    }
  }

  /** In virtual time: to the next deadline. */
  #advance(): void {
    const [now] = this.#qtest.tryAsk('clock_step') ?? [];
    if (now === undefined)
      throw hostError('DEADLOCK', 'the time cannot go on to the next deadline: no timer of QEMU is armed');
    this.#time = BigInt(now);
  }

  #advanceTo(end: bigint): void {
    while (this.#time < end) {
      const left = end - this.#time;
      const by = this.#irqs.watched && left > WATCHED_STEP ? WATCHED_STEP : left;
      this.#time = BigInt(this.#qtest.number(`clock_step ${by}`));
      this.#irqs.take();
    }
  }

  #line(source: IrqSource): QemuIrqLine {
    if (source instanceof QemuIrqLine) return source;
    if (typeof source === 'number') return this.#isaLine(source);
    throw noLine(source);
  }

  #in(call: string, port: number, size: number): number {
    if ((port & 0xffff) !== port) badPort(call, port);
    this.#checkPort(port, size);
    const value = this.#qtest.number(`${call} ${port}`);
    this.#trace.add(OP.IN, size, port, value);
    this.#irqs.take();
    return value;
  }

  #out(call: string, port: number, value: number, size: number): void {
    if ((port & 0xffff) !== port) badPort(call, port);
    checkValue(call, value, size);
    this.#checkPort(port, size);
    this.#trace.add(OP.OUT, size, port, value);
    this.#qtest.ask(`${call} ${port} ${value}`);
    this.#irqs.take();
  }

  #read(call: string, address: number, size: number): number {
    checkAddress(call, address, size);
    this.#checkHole(address, size);
    const value = this.#qtest.number(`${call} ${address}`);
    this.#trace.add(OP.READ, size, address, value);
    this.#irqs.take();
    return value;
  }

  #write(call: string, address: number, value: number, size: number): void {
    checkAddress(call, address, size);
    checkValue(call, value, size);
    this.#checkHole(address, size);
    this.#trace.add(OP.WRITE, size, address, value);
    this.#qtest.ask(`${call} ${address} ${value}`);
    this.#irqs.take();
  }

  #checkPort(port: number, size: number): void {
    for (let at = port; at < port + size; at++) {
      if (this.#ports[at] === 0) continue;
      const hole = this.#ioHoles.find(({ base, size: length }) => at >= base && at < base + length);
      throw new Skipped(hole?.reason ?? 'QEMU has no such port');
    }
  }

  #checkHole(address: number, size: number): void {
    for (const hole of this.#holes) {
      if (address < hole.base + hole.size && hole.base < address + size) throw new Skipped(hole.reason);
    }
  }
}

/** Why a case that takes interrupts by their vectors cannot run. */
export const NO_ACKNOWLEDGE =
  'qtest has no interrupt acknowledge cycle: over it, QEMU gives no vector (use vcpu.onIrq(), or poll the 8259A by OCW3)';

function checkValue(call: string, value: number, size: number): void {
  const fits = size === 4 ? value >>> 0 === value : (value & (2 ** (8 * size) - 1)) === value;
  if (!fits) badValue(call, value, 8 * size);
}
