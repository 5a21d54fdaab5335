import type { AccessSize, Initiator, IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { formatNanoseconds, nanoseconds } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import { PAGE_BYTES } from '../machine/blueprint.ts';
import type { BoundMachine } from '../machine/bound-machine.ts';
import { VCPU_STATUS, VCPU_WORD, vcpuWord, WORD } from '../machine/control.ts';
import { readyWaiters, setStatus, statusOf, withStatus } from '../machine/waiters.ts';
import { badPort, badValue, checkAddress, checkLong, checkSize } from './arguments.ts';
import { Interrupts } from './interrupts.ts';
import { lineIndex } from './irq-lines.ts';
import { OP, TraceRing } from './trace.ts';
import { abandoned, hasEnded, Turns } from './turns.ts';

/** How the VCPUs of a case share the machine. */
export interface VcpuOptions {
  readonly index: number;
  /** VCPUs of the case. */
  readonly count: number;
  /** Several VCPUs in virtual time: one at a time by the seeded scheduler, or all at once. */
  readonly schedule: 'seeded' | 'free';
  /** Accesses that may be made while virtual time stands still. */
  readonly stallLimit: number;
  /** Virtual time: tells the host of an instant; the VCPU then waits until `WORD.TICKS_SEEN` has caught up. */
  readonly announceTick: () => void;
}

const DEFAULT_TIMEOUT = '10s';
const DEFAULT_STEP = '1us';

/** Longest sleep between two looks, ms: a wake-up that goes to a dying thread is lost. */
const RECHECK = 50;

/**
 * A VCPU on the machine itself: every access runs the device's code on this thread, under the machine's lock. While the machine
 * has one VCPU, virtual time and no other client, the lock is kept between accesses.
 */
export class NativeVcpu implements Vcpu {
  readonly index: number;
  readonly trace: TraceRing;
  readonly interrupts: Interrupts;
  readonly #machine: BoundMachine;
  readonly #options: VcpuOptions;
  readonly #words: Int32Array;
  readonly #initiator: Initiator;
  readonly #virtual: boolean;
  /** The lock is taken and released around each access; otherwise it is kept. */
  readonly #locks: boolean;
  readonly #turns: Turns | undefined;
  readonly #stallMask: number;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #dirty: Uint8Array;
  readonly #ramStart: number;
  #attention = -1;
  #stallHead = 0;
  #stallNow = 0n;
  /** The stretch of RAM that was accessed last: addresses, and what to add to get a byte in the machine's memory. */
  #ramLow = 0;
  #ramHigh = -1;
  #ramDelta = 0;
  #ramWritable = false;

  constructor(machine: BoundMachine, options: VcpuOptions) {
    const { layout } = machine.blueprint;
    const { buffer } = machine.handle.memory;
    this.index = options.index;
    this.#machine = machine;
    this.#options = options;
    this.#words = machine.control.words;
    this.#initiator = { kind: 'vcpu', index: options.index };
    this.#virtual = machine.time.kind === 'virtual';
    const alone = this.#virtual && options.count === 1;
    this.#locks = !alone;
    this.#turns =
      this.#virtual && options.count > 1 && options.schedule === 'seeded' ? new Turns(machine.control, options.index) : undefined;
    this.#stallMask = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, options.stallLimit / 2)))) - 1;
    this.trace = new TraceRing(machine.control, options.index);
    this.interrupts = new Interrupts(machine, this.trace, options.index, (run) => this.locked(run));
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#dirty = new Uint8Array(buffer, layout.dirty, layout.ramBytes / PAGE_BYTES);
    this.#ramStart = layout.ram;
  }

  /** Before the case's first access. */
  begin(): void {
    this.trace.clear();
    this.#turns?.wait();
    if (!this.#locks) this.#machine.lock.acquire();
    this.#stallNow = this.#machine.time.now();
  }

  /** After its last. Whoever waits looks again: there is one VCPU less. */
  end(): void {
    const { control, lock } = this.#machine;
    if (!lock.held) lock.acquire();
    setStatus(control, this.index, VCPU_STATUS.OFF);
    if (this.#turns !== undefined) this.#turns.pass();
    else readyWaiters(control);
    lock.release();
  }

  inb(port: number): number {
    if ((port & 0xffff) !== port) badPort('inb', port);
    return this.#in(port, 1);
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
    this.#out(port, value, 1);
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
    const at = this.#ramAt(address, 1);
    return at < 0 ? this.#read('readb', address, 1) : (this.#u8[at] ?? 0);
  }

  readw(address: number): number {
    return this.#read('readw', address, 2);
  }

  readl(address: number): number {
    const at = this.#ramAt(address, 4);
    return at < 0 || (at & 3) !== 0 ? this.#read('readl', address, 4) : (this.#u32[at >>> 2] ?? 0);
  }

  readq(address: number): bigint {
    checkAddress('readq', address, 8);
    return BigInt(this.readl(address)) | (BigInt(this.readl(address + 4)) << 32n);
  }

  writeb(address: number, value: number): void {
    if ((value & 0xff) !== value) badValue('writeb', value, 8);
    const at = this.#ramWritable ? this.#ramAt(address, 1) : -1;
    if (at < 0) return this.#write('writeb', address, value, 1);
    this.#u8[at] = value;
    this.#dirty[(at - this.#ramStart) >>> 12] = 1;
  }

  writew(address: number, value: number): void {
    if ((value & 0xffff) !== value) badValue('writew', value, 16);
    this.#write('writew', address, value, 2);
  }

  writel(address: number, value: number): void {
    if (value >>> 0 !== value) badValue('writel', value, 32);
    const at = this.#ramWritable ? this.#ramAt(address, 4) : -1;
    if (at < 0 || (at & 3) !== 0) return this.#write('writel', address, value, 4);
    this.#u32[at >>> 2] = value;
    this.#dirty[(at - this.#ramStart) >>> 12] = 1;
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
    const target = new Uint8Array(size);
    this.locked(() => this.#machine.bus.memoryReadBulk(address, target, this.#initiator));
    return target;
  }

  write(address: number, data: Uint8Array): void {
    checkAddress('write', address, data.length);
    this.locked(() => this.#machine.bus.memoryWriteBulk(address, data, this.#initiator));
  }

  fill(address: number, size: number, value: number): void {
    checkSize('fill', size);
    checkAddress('fill', address, size);
    if ((value & 0xff) !== value) badValue('fill', value, 8);
    this.write(address, new Uint8Array(size).fill(value));
  }

  waitIrq(source: IrqSource, options: WaitOptions = {}): bigint {
    const { lines, blueprint } = this.#machine;
    const line = lineIndex(this.#machine, source);
    const edges = lines.edges(line);
    return this.#wait(
      () => lines.level(line) || lines.edges(line) !== edges,
      options,
      () => `waitIrq(): the line ${blueprint.lines[line]?.name} has not risen`,
    );
  }

  idle(options: WaitOptions = {}): bigint {
    const { handled } = this.interrupts;
    return this.#wait(
      () => this.interrupts.handled !== handled,
      options,
      () => 'idle(): no interrupt and no watched IRQ has been handled',
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
        throw hostError('TIMEOUT', `poll(): the condition has not come true within ${formatNanoseconds(limit)} of machine time`);
      }
      this.step(waited + by > limit ? limit - waited : by);
    }
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

  barrier(options: WaitOptions = {}): void {
    const words = this.#words;
    const { control } = this.#machine;
    const phase = words[WORD.BARRIER_PHASE];
    this.locked(() => {
      const came = (words[WORD.BARRIER_COUNT] ?? 0) + 1;
      const opens = came === this.#options.count;
      words[WORD.BARRIER_COUNT] = opens ? 0 : came;
      if (!opens) return;
      words[WORD.BARRIER_PHASE] = ((phase ?? 0) + 1) | 0;
      readyWaiters(control);
    });
    const open = (): boolean => {
      if (words[WORD.BARRIER_PHASE] !== phase) return true;
      const ended = hasEnded(control);
      if (ended === undefined) return false;
      throw hostError('DEADLOCK', `barrier(): VCPU ${ended} has ended, so that it will never come`);
    };
    this.#wait(open, options, () => `barrier(): only ${words[WORD.BARRIER_COUNT]} of ${this.#options.count} VCPUs have come`);
  }

  /** Machine time, ns. */
  now(): bigint {
    return this.#virtual ? this.#machine.time.now() : this.locked(() => this.#machine.time.now());
  }

  /** The next deadline, ns; −1n for none. */
  get nextDeadline(): bigint {
    return this.#machine.time.next;
  }

  /** `clock.step()`: in virtual time stops at each deadline on the way. */
  step(duration: bigint | undefined): bigint {
    const { time } = this.#machine;
    const start = this.now();
    const end = duration === undefined ? this.nextDeadline : start + duration;
    if (end < 0n) {
      throw hostError('DEADLOCK', 'clock.step() without a duration goes to the next deadline, and no timer is armed; give a duration');
    }
    if (!this.#virtual) {
      this.#wait(() => time.now() >= end, { timeout: end - start + 1n }, () => 'clock.step()');
      return this.now();
    }
    this.#enter();
    while (time.next >= 0n && time.next <= end) {
      this.#moveTo(time.next);
      if (!this.interrupts.pending) continue;
      this.#exit();
      this.interrupts.take();
      this.#enter();
    }
    this.#moveTo(end);
    this.trace.add(OP.STEP, 0, 0, Number((end - start) & 0xffff_ffffn));
    this.#exit();
    return time.now();
  }

  /** Runs what needs the machine's lock, as one access. */
  locked<T>(run: () => T): T {
    this.#enter();
    try {
      return run();
    } finally {
      this.#leave();
    }
  }

  #in(port: number, size: AccessSize): number {
    this.#enter();
    const value = this.#machine.bus.ioRead(port, size, this.#initiator);
    this.trace.add(OP.IN, size, port, value);
    this.#leave();
    return value;
  }

  #out(port: number, value: number, size: AccessSize): void {
    this.#enter();
    this.#machine.bus.ioWrite(port, value, size, this.#initiator);
    this.trace.add(OP.OUT, size, port, value);
    this.#leave();
  }

  #read(call: string, address: number, size: AccessSize): number {
    checkAddress(call, address, size);
    this.#enter();
    const value = this.#machine.bus.memoryRead(address, size, this.#initiator);
    if (!this.#noteRam(address)) this.trace.add(OP.READ, size, address, value);
    this.#leave();
    return value;
  }

  #write(call: string, address: number, value: number, size: AccessSize): void {
    checkAddress(call, address, size);
    this.#enter();
    this.#machine.bus.memoryWrite(address, value, size, this.#initiator);
    if (!this.#noteRam(address)) this.trace.add(OP.WRITE, size, address, value);
    this.#leave();
  }

  /** The byte in the machine's memory of an address in the RAM that was accessed last; −1 for any other, and where the scheduler may switch. */
  #ramAt(address: number, size: number): number {
    if (address < this.#ramLow || address + size > this.#ramHigh) return -1;
    if (this.#words[WORD.ATTENTION] !== this.#attention || this.#turns !== undefined) return -1;
    const at = address + this.#ramDelta;
    return at >>> 0 === at ? at : -1;
  }

  /** Remembers the RAM that an address lies in; false when it lies in none. */
  #noteRam(address: number): boolean {
    const stretch = this.#machine.bus.memory.find(address);
    if (stretch.target !== undefined) return false;
    this.#ramLow = stretch.start;
    this.#ramHigh = stretch.end;
    this.#ramDelta = stretch.delta;
    this.#ramWritable = stretch.writable;
    return true;
  }

  #enter(): void {
    if (this.#locks) {
      this.#turns?.point();
      this.#machine.lock.acquire();
    }
    if (this.#words[WORD.ATTENTION] !== this.#attention) this.#attend();
    if (!this.#virtual && this.#machine.time.maybeDue) this.#machine.fireDue();
  }

  #exit(): void {
    if (this.#locks) this.#machine.lock.release();
  }

  #leave(): void {
    if (this.#machine.time.pastDue) this.#instant();
    if (this.#virtual && (this.trace.head & this.#stallMask) === 0) this.#checkStall();
    this.#exit();
    if (this.interrupts.pending) this.interrupts.take();
  }

  /** Something has changed that this thread must look at before it goes on; lock held. */
  #attend(): void {
    const words = this.#words;
    const attention = Atomics.load(words, WORD.ATTENTION);
    if (Atomics.load(words, WORD.POISONED) !== 0 || Atomics.load(words, WORD.ABANDONED) !== 0) {
      this.#exit();
      throw abandoned();
    }
    if (!this.#locks && Atomics.load(words, WORD.CLAIMS) > 0) this.#machine.lock.yield();
    this.#machine.bus.refresh();
    this.#ramHigh = -1;
    this.#attention = attention;
  }

  /** Fires what is due now; in virtual time the host sees the instant before anybody goes on. Lock held. */
  #instant(): void {
    const fired = this.#machine.fireDue();
    if (!fired || !this.#virtual || !this.#machine.tickTapped) return;
    const words = this.#words;
    const { lock, control } = this.#machine;
    lock.release();
    const mine = Atomics.add(words, WORD.TICKS, 1) + 1;
    this.#options.announceTick();
    for (let seen; (((seen = Atomics.load(words, WORD.TICKS_SEEN)) - mine) | 0) < 0; ) {
      if (Atomics.load(words, WORD.ABANDONED) !== 0 || Atomics.load(words, WORD.POISONED) !== 0) break;
      Atomics.wait(control.words, WORD.TICKS_SEEN, seen, RECHECK);
    }
    lock.acquire();
  }

  #checkStall(): void {
    const now = this.#machine.time.now();
    if (now !== this.#stallNow) {
      this.#stallNow = now;
      this.#stallHead = this.trace.head;
      return;
    }
    const accesses = (this.trace.head - this.#stallHead) | 0;
    if (accesses < this.#options.stallLimit) return;
    this.#exit();
    throw hostError(
      'STALLED',
      `${accesses} device accesses while the virtual clock stood still at ${formatNanoseconds(now)}: virtual time moves only when told. ` +
        `To wait for a register, use vcpu.poll(() => …, { timeout: '1s' }), or move the time with clock.step()`,
    );
  }

  #wait(condition: () => boolean, options: WaitOptions, what: () => string): bigint {
    const { time } = this.#machine;
    const start = this.now();
    const limit = nanoseconds(options.timeout ?? DEFAULT_TIMEOUT);
    const deadline = start + limit;
    for (;;) {
      this.interrupts.take();
      this.#enter();
      let met = false;
      try {
        met = condition();
      } catch (error) {
        this.#exit();
        throw error;
      }
      if (met || time.now() >= deadline) {
        const waited = time.now() - start;
        this.#exit();
        if (met) return waited;
        throw hostError('TIMEOUT', `${what()} within ${formatNanoseconds(limit)} of machine time`);
      }
      if (this.#virtual) this.#blockVirtual(deadline, options.timeout !== undefined, what);
      else this.#blockRealtime(deadline);
    }
  }

  /** Waits for anything to happen; lock held before, not after. */
  #blockRealtime(deadline: bigint): void {
    const words = this.#words;
    const { control, time } = this.#machine;
    const wake = vcpuWord(this.index) + VCPU_WORD.WAKE;
    setStatus(control, this.index, VCPU_STATUS.WAITING);
    const seen = Atomics.load(words, wake);
    const until = time.next >= 0n && time.next < deadline ? time.next : deadline;
    const ms = Number(until - time.now()) / 1e6;
    this.#exit();
    Atomics.wait(words, wake, seen, Math.min(Math.max(ms, 0), RECHECK));
    setStatus(control, this.index, VCPU_STATUS.READY);
  }

  /** Waits for anything to happen, moving the time on when every VCPU waits; lock held before, not after. */
  #blockVirtual(deadline: bigint, explicit: boolean, what: () => string): void {
    if (this.#options.count > 1) {
      this.#blockAmongOthers(deadline, explicit, what);
      return;
    }
    const { time } = this.#machine;
    const { next } = time;
    if (next < 0n && !explicit) this.#deadlock(what);
    this.#moveTo(next >= 0n && next < deadline ? next : deadline);
    this.#exit();
  }

  #blockAmongOthers(deadline: bigint, explicit: boolean, what: () => string): void {
    const { control } = this.#machine;
    const record = vcpuWord(this.index);
    const words = this.#words;
    control.longs[(record + VCPU_WORD.WAIT_DEADLINE) >> 1] = explicit ? deadline : -1n - deadline;
    setStatus(control, this.index, VCPU_STATUS.WAITING);
    for (;;) {
      if (words[WORD.DEADLOCK] !== 0) this.#deadlock(what);
      if (withStatus(control, VCPU_STATUS.READY).length === 0 && !this.#advance()) {
        words[WORD.DEADLOCK] = 1;
        readyWaiters(control);
        this.#deadlock(what);
      }
      if (statusOf(control, this.index) === VCPU_STATUS.READY) break;
      const seen = Atomics.load(words, record + VCPU_WORD.WAKE);
      this.#turns?.pass();
      this.#exit();
      if (this.#turns === undefined) Atomics.wait(words, record + VCPU_WORD.WAKE, seen, RECHECK);
      else this.#turns.wait();
      this.#enterQuietly();
      if (statusOf(control, this.index) === VCPU_STATUS.READY) break;
    }
    this.#exit();
  }

  /** Takes the lock again in the middle of a wait: no switch point. */
  #enterQuietly(): void {
    this.#machine.lock.acquire();
    if (this.#words[WORD.ATTENTION] !== this.#attention) this.#attend();
  }

  /** Every VCPU waits: moves the time to the next instant at which one may go on. False when there is none. */
  #advance(): boolean {
    const { control, time } = this.#machine;
    let target = time.next;
    for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) {
      const word = control.longs[(vcpuWord(vcpu) + VCPU_WORD.WAIT_DEADLINE) >> 1] ?? 0n;
      // A time-out that the test did not ask for (kept as −1 − ns) keeps nobody alive when nothing else can happen.
      if (word < 0n && time.next < 0n) continue;
      const deadline = word < 0n ? -1n - word : word;
      if (target < 0n || deadline < target) target = deadline;
    }
    if (target < 0n) return false;
    this.#moveTo(target);
    return true;
  }

  /** Moves virtual time, fires what is due then, and lets every waiter look again. Lock held. */
  #moveTo(target: bigint): void {
    if (target > this.#machine.time.now()) this.#machine.time.set(target);
    this.#instant();
    if (this.#words[WORD.WAITERS] !== 0) readyWaiters(this.#machine.control);
  }

  #deadlock(what: () => string): never {
    setStatus(this.#machine.control, this.index, VCPU_STATUS.READY);
    this.#exit();
    throw hostError(
      'DEADLOCK',
      `${what()}: every VCPU waits and no timer is armed, so nothing can happen any more. Arm the device's timer or enable its interrupt ` +
        `first, give the wait a timeout, or look at a register with vcpu.poll(() => …)`,
    );
  }
}
