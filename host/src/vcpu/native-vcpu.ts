import type { AccessSize, Initiator, IrqSource, PollOptions, Vcpu, WaitOptions } from '@qtest/sdk';
import { formatNanoseconds, nanoseconds } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import { PAGE_BYTES } from '../machine/blueprint.ts';
import type { BoundMachine } from '../machine/bound-machine.ts';
import type { Bus } from '../machine/bus.ts';
import { LONG, VCPU_STATUS, VCPU_WORD, vcpuWord, WORD } from '../machine/control.ts';
import type { Stretch, Target } from '../machine/map.ts';
import type { Notice } from '../machine/notice.ts';
import { LAST_INSTANT } from '../machine/timekeeper.ts';
import {
  readyWaiters,
  rouseAll,
  rouseForTimer,
  runnable,
  setStatus,
  statusOf,
  withStatus,
} from '../machine/waiters.ts';
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

/** A stall, and what other threads want of a VCPU that keeps the lock, are looked for at one access in so many. */
const STALL_MASK = 0x3ff;

// Constants of this module are folded into its code; an imported one is loaded and checked at every access.
const { ATTENTION } = WORD;
const { IN_BYTE, OUT_BYTE, READ_LOW, WRITE_LOW } = OP;

/** No stretch of memory: nothing lies in it. */
const NOWHERE: Stretch = { start: 0, end: 0, target: undefined, delta: 0, writable: false };

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
  readonly #bus: Bus;
  readonly #notice: Notice;
  readonly #options: VcpuOptions;
  readonly #words: Int32Array;
  readonly #initiator: Initiator;
  readonly #virtual: boolean;
  /** The machine has this VCPU, virtual time and no other client: the lock is kept, and nobody else's turn comes. */
  readonly #alone: boolean;
  /** The lock is taken and released around each access; otherwise it is kept. */
  readonly #locks: boolean;
  readonly #turns: Turns | undefined;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #dirty: Uint8Array;
  readonly #ramStart: number;
  #attention = -1;
  #stallHead = 0;
  #stallNow = 0n;
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
    this.#options = options;
    this.#words = machine.control.words;
    this.#initiator = { kind: 'vcpu', index: options.index };
    this.#virtual = machine.time.kind === 'virtual';
    this.#alone = this.#virtual && options.count === 1;
    this.#turns =
      this.#virtual && options.count > 1 && options.schedule === 'seeded'
        ? new Turns(machine.control, machine.lock, options.index)
        : undefined;
    this.#locks = !this.#alone && this.#turns === undefined;
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
    if (this.#alone) this.#machine.lock.acquire();
    if (!this.#locks) this.#attend();
    this.#start();
    this.#stallNow = this.#machine.time.now();
  }

  /** The first VCPU's beginning is the case's: real time has gone on while the host's hooks ran and threads started. */
  #start(): void {
    const { control, lock, time } = this.#machine;
    lock.acquire();
    if (Atomics.add(this.#words, WORD.STARTED, 1) === 0) {
      control.longs[LONG.BEGAN] = process.hrtime.bigint();
      if (!this.#virtual) {
        time.rebase();
        rouseForTimer(control);
      }
    }
    lock.release();
  }

  /** After its last. Whoever waits looks again: there is one VCPU less. */
  end(): void {
    const { control, lock } = this.#machine;
    if (!lock.held) lock.acquire();
    setStatus(control, this.index, VCPU_STATUS.OFF);
    if (this.#turns !== undefined) this.#turns.pass();
    else readyWaiters(control);
    lock.releaseAll();
  }

  /** Ends the case for the other VCPUs too, before they come to see that this one is gone: a failure is told once, and as its own. */
  abandon(): void {
    if (this.#options.count === 1) return;
    Atomics.store(this.#words, WORD.ABANDONED, 1);
    rouseAll(this.#machine.control);
  }

  inb(port: number): number {
    if ((port & 0xffff) !== port) badPort('inb', port);
    if (!this.#alone) return this.#inAmongOthers(port);
    const value = this.#bus.inb(port, this.#initiator);
    if ((this.trace.addByte(IN_BYTE, port, value) & STALL_MASK) === 0 || this.#notice.raised === true) this.#leave();
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
    if ((this.trace.addByte(OUT_BYTE, port, value) & STALL_MASK) === 0 || this.#notice.raised === true) this.#leave();
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
    this.locked(() => this.#bus.memoryReadBulk(address, target, this.#initiator));
    return target;
  }

  write(address: number, data: Uint8Array): void {
    checkAddress('write', address, data.length);
    this.locked(() => this.#bus.memoryWriteBulk(address, data, this.#initiator));
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
    const rises = lines.rises(line);
    return this.#wait(
      () => lines.level(line) || lines.rises(line) !== rises,
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
        throw hostError(
          'TIMEOUT',
          `poll(): the condition has not come true within ${formatNanoseconds(limit)} of machine time`,
        );
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
    try {
      this.#wait(
        open,
        options,
        () => `barrier(): only ${words[WORD.BARRIER_COUNT]} of ${this.#options.count} VCPUs have come`,
      );
    } catch (error) {
      // It has not come after all: who catches this and comes again is not to be counted twice.
      const { lock } = this.#machine;
      lock.acquire();
      if (words[WORD.BARRIER_PHASE] === phase) words[WORD.BARRIER_COUNT] = (words[WORD.BARRIER_COUNT] ?? 1) - 1;
      lock.release();
      throw error;
    }
  }

  pause(): void {
    this.#turns?.yield();
    this.locked(() => {});
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
      throw hostError(
        'DEADLOCK',
        'clock.step() without a duration goes to the next deadline, and no timer is armed; give a duration',
      );
    }
    if (end > LAST_INSTANT) {
      throw new RangeError(
        `clock.step(${formatNanoseconds(end - start)}): the machine's time ends ${formatNanoseconds(LAST_INSTANT)} after its start`,
      );
    }
    if (!this.#virtual) {
      this.#sleepUntil(end);
      return this.now();
    }
    this.#enter();
    for (;;) {
      this.#letOthersLook();
      const stop = this.#nextStop(false);
      this.#moveTo(stop >= 0n && stop < end ? stop : end);
      if (time.now() >= end) break;
      this.#betweenStops();
    }
    if (this.#words[ATTENTION] !== this.#attention) this.#attend();
    const moved = end > start ? end - start : 0n;
    this.trace.add(OP.STEP, 0, Number(moved >> 32n), Number(moved & 0xffff_ffffn));
    this.#exit();
    if (this.interrupts.pending) this.interrupts.take();
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

  #inAmongOthers(port: number): number {
    this.#enter();
    const value = this.#bus.inb(port, this.#initiator);
    this.trace.addByte(IN_BYTE, port, value);
    this.#leave();
    return value;
  }

  #outAmongOthers(port: number, value: number): void {
    this.#enter();
    this.#bus.outb(port, value, this.#initiator);
    this.trace.addByte(OUT_BYTE, port, value);
    this.#leave();
  }

  #in(port: number, size: AccessSize): number {
    this.#enter();
    const value = this.#bus.ioRead(port, size, this.#initiator);
    this.trace.add(OP.IN, size, port, value);
    this.#leave();
    return value;
  }

  #out(port: number, value: number, size: AccessSize): void {
    this.#enter();
    this.#bus.ioWrite(port, value, size, this.#initiator);
    this.trace.add(OP.OUT, size, port, value);
    this.#leave();
  }

  #read(call: string, address: number, size: AccessSize): number {
    checkAddress(call, address, size);
    this.#enter();
    const value = this.#bus.memoryRead(address, size, this.#initiator);
    this.#reads = this.#bus.memory.find(address);
    if (this.#reads.target !== undefined) this.trace.add(OP.READ, size, address, value);
    this.#leave();
    return value;
  }

  #write(call: string, address: number, value: number, size: AccessSize): void {
    checkAddress(call, address, size);
    this.#enter();
    this.#bus.memoryWrite(address, value, size, this.#initiator);
    this.#writes = this.#bus.writes.find(address);
    if (this.#writes.target !== undefined) this.trace.add(OP.WRITE, size, address, value);
    this.#leave();
  }

  /** Alone, an access to the region that was accessed last: nobody else can have moved it. */
  #readTarget(target: Target, address: number, size: AccessSize): number {
    const value = this.#bus.readTarget(target, address, size, this.#initiator);
    const head = this.trace.addLow(READ_LOW, size, address, value);
    if ((head & STALL_MASK) === 0 || this.#notice.raised === true) this.#leave();
    return value;
  }

  #writeTarget(target: Target, address: number, value: number, size: AccessSize): void {
    this.#bus.writeTarget(target, address, value, size, this.#initiator);
    const head = this.trace.addLow(WRITE_LOW, size, address, value);
    if ((head & STALL_MASK) === 0 || this.#notice.raised === true) this.#leave();
  }

  /** Whether RAM may be accessed at once: the map is as this thread knows it, and neither scheduler nor interrupt come first. */
  #mayTouchRam(): boolean {
    if (this.#words[ATTENTION] !== this.#attention || this.#turns !== undefined) return false;
    // Another thread may have raised a line that a handler of this one waits for.
    return !(this.#locks && this.interrupts.pending);
  }

  #enter(): void {
    if (this.#locks) this.#machine.lock.acquire();
    else this.#turns?.point();
    if (this.#words[ATTENTION] !== this.#attention) this.#attend();
    if (!this.#virtual && this.#machine.time.maybeDue && !this.interrupts.inHandler) this.#machine.fireDue();
  }

  #exit(): void {
    if (this.#locks) this.#machine.lock.release();
  }

  #leave(): void {
    this.#notice.raised = false;
    if (this.#words[ATTENTION] !== this.#attention) this.#attend();
    if (this.#machine.time.pastDue) this.#instant();
    if (this.#virtual && (this.trace.head & STALL_MASK) === 0) this.#checkStall();
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
    this.#machine.resetIfAsked();
    this.#bus.refresh();
    this.#reads = NOWHERE;
    this.#writes = NOWHERE;
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
    for (let seen; (((seen = Atomics.load(words, WORD.TICKS_SEEN)) - mine) | 0) < 0;) {
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
    const start = this.now();
    const limit = nanoseconds(options.timeout ?? DEFAULT_TIMEOUT);
    // From here on it waits: no other VCPU moves the time before it has looked.
    if (this.#turns !== undefined) setStatus(this.#machine.control, this.index, VCPU_STATUS.WOKEN);
    try {
      return this.#waitFrom(start, limit, condition, options.timeout !== undefined, what);
    } finally {
      // However it ends, with an error of a handler's too, it waits no more.
      if (this.#turns !== undefined) this.#awake();
    }
  }

  #waitFrom(start: bigint, limit: bigint, condition: () => boolean, explicit: boolean, what: () => string): bigint {
    const { time } = this.#machine;
    const deadline = start + limit < LAST_INSTANT ? start + limit : LAST_INSTANT;
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
      if (this.#turns !== undefined) this.#awake();
      if (met || (time.now() >= deadline && !time.isDue(deadline))) {
        const waited = time.now() - start;
        this.#exit();
        if (met && this.interrupts.pending) this.interrupts.take();
        if (met) return waited;
        throw hostError('TIMEOUT', `${what()} within ${formatNanoseconds(limit)} of machine time`);
      }
      // What has just fired may concern a handler, which comes before sleep.
      if (this.interrupts.pending) this.#exit();
      else if (this.#virtual) this.#blockVirtual(deadline, explicit, what);
      else this.#blockRealtime(deadline);
    }
  }

  /** Real time: waits until `end`, taking interrupts. */
  #sleepUntil(end: bigint): void {
    for (;;) {
      this.interrupts.take();
      this.#enter();
      if (this.#machine.time.now() >= end && !this.#machine.time.isDue(end)) {
        this.#exit();
        return;
      }
      if (this.interrupts.pending) this.#exit();
      else this.#blockRealtime(end);
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
    words[record + VCPU_WORD.DEADLOCKED] = 0;
    control.longs[(record + VCPU_WORD.WAIT_DEADLINE) >> 1] = explicit ? deadline : -1n - deadline;
    setStatus(control, this.index, VCPU_STATUS.WAITING);
    for (;;) {
      if (runnable(control).length === 0 && !this.#advance()) {
        for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) words[vcpuWord(vcpu) + VCPU_WORD.DEADLOCKED] = 1;
        readyWaiters(control);
      }
      if (words[record + VCPU_WORD.DEADLOCKED] !== 0) this.#deadlock(what);
      if (statusOf(control, this.index) !== VCPU_STATUS.WAITING) break;
      const seen = Atomics.load(words, record + VCPU_WORD.WAKE);
      this.#turns?.pass();
      this.#exit();
      if (this.#turns === undefined) Atomics.wait(words, record + VCPU_WORD.WAKE, seen, RECHECK);
      else this.#turns.wait();
      this.#enterQuietly();
      if (words[record + VCPU_WORD.DEADLOCKED] !== 0) this.#deadlock(what);
      if (statusOf(control, this.index) !== VCPU_STATUS.WAITING) break;
    }
    this.#exit();
  }

  /** Takes the lock again in the middle of a wait: no switch point. */
  #enterQuietly(): void {
    if (this.#locks) this.#machine.lock.acquire();
    if (this.#words[ATTENTION] !== this.#attention) this.#attend();
  }

  /** The next instant that concerns anybody: a timer's deadline, or the end of a VCPU's wait; −1n when there is none. `idle`: every VCPU waits. */
  #nextStop(idle: boolean): bigint {
    const { control, time } = this.#machine;
    let target = time.next;
    if (this.#words[WORD.WAITERS] === 0) return target;
    for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) {
      const word = control.longs[(vcpuWord(vcpu) + VCPU_WORD.WAIT_DEADLINE) >> 1] ?? 0n;
      // A time-out that the test did not ask for (kept as −1 − ns) keeps nobody alive when nothing else can happen.
      if (idle && word < 0n && time.next < 0n) continue;
      const deadline = word < 0n ? -1n - word : word;
      if (target < 0n || deadline < target) target = deadline;
    }
    return target;
  }

  /** Every VCPU waits: moves the time to the next instant at which one may go on. False when there is none. */
  #advance(): boolean {
    const target = this.#nextStop(true);
    if (target < 0n) return false;
    // Somebody moves the time: nobody else does while the host looks at the instant and the lock is free.
    setStatus(this.#machine.control, this.index, VCPU_STATUS.WOKEN);
    this.#moveTo(target);
    return true;
  }

  /** This VCPU runs, and has looked at what it waits for. */
  #awake(): void {
    setStatus(this.#machine.control, this.index, VCPU_STATUS.READY);
  }

  /** Seeded: before a step moves the time, those who have been woken look at what has come of this instant. Lock held. */
  #letOthersLook(): void {
    const turns = this.#turns;
    if (turns === undefined) return;
    this.#awake();
    for (let vcpu; (vcpu = withStatus(this.#machine.control, VCPU_STATUS.WOKEN)[0]) !== undefined;) {
      turns.give(vcpu);
      this.#exit();
      turns.wait();
      this.#enterQuietly();
    }
  }

  /** Between two stops of a step this VCPU takes its interrupts, and others come to their turn. Lock held before and after. */
  #betweenStops(): void {
    if (this.#turns !== undefined || this.interrupts.pending) {
      this.#exit();
      this.interrupts.take();
      this.#enter();
      return;
    }
    if (this.#words[ATTENTION] !== this.#attention) this.#attend();
    if ((this.#words[WORD.CLAIMS] ?? 0) > 0) this.#machine.lock.yield();
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

/** Bytes to read into. Every one will be written: to zero them first would be half of the work. */
function bytesFor(size: number): Uint8Array {
  checkSize('read', size);
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}
