import type { Duration } from './duration.ts';

/** An IRQ line as a test sees it: an output of any device, or a line of a bus. */
export interface IrqLine {
  /** `isa0.irq[8]`, `rtc0.irq`. */
  readonly name: string;
  readonly level: boolean;
  /** How often the level has gone from low to high since the machine's reset. */
  readonly edges: number;
}

/**
 * An IRQ line. A number `n` is line `n` of the machine's ISA bus; if there is no ISA bus, line `n` of the only bus with IRQ lines. It is an
 * error if several buses could be meant: use `machine.irq(id, n)`.
 */
export type IrqSource = IrqLine | number;

/** How a machine's time moves: `virtual` only when told, `realtime` as the host's time. */
export type ClockKind = 'virtual' | 'realtime';

/** What a VCPU's accesses reach: `native`, this host's own devices, or an emulator's, by the name of its backend (`qemu`, `v86` …). */
export type BackendName = string;

/** The machine's time. */
export interface Clock {
  readonly kind: ClockKind;
  /** Nanoseconds since the machine's start. */
  readonly now: bigint;
  /** The next time at which a timer is due, in nanoseconds; undefined when none is armed. */
  readonly deadline: bigint | undefined;
  /**
   * Moves the time on by `duration`; without it, to the next deadline. It stops at each deadline on the way: the timers fire, and this
   * VCPU takes its interrupts. In real time it waits that long.
   * @returns the new time, in nanoseconds.
   * @throws an error when it is called without a duration and no timer is armed.
   */
  step(duration?: Duration): bigint;
}

/** How long a VCPU may wait. */
export interface WaitOptions {
  /** Machine time after which the wait fails. Default 10 s. */
  readonly timeout?: Duration;
}

/** Options of `vcpu.poll()`. */
export interface PollOptions extends WaitOptions {
  /** How far the time moves between two looks at the condition. Default 1 us of machine time. */
  readonly step?: Duration;
}

/**
 * A VCPU: the thread that runs a case. Every call is synchronous. Values are unsigned and little-endian. A value out of its range throws a
 * `RangeError` in the test that made the call.
 */
export interface Vcpu {
  /** 0 for the first. */
  readonly index: number;
  /** Reads 1 byte from a port, 0 to 0xffff. A port where nothing answers gives all ones. */
  inb(port: number): number;
  /** Reads 2 bytes from a port. */
  inw(port: number): number;
  /** Reads 4 bytes from a port. */
  inl(port: number): number;
  /** Writes 1 byte to a port. Where nothing answers, the write is ignored. */
  outb(port: number, value: number): void;
  /** Writes 2 bytes to a port. */
  outw(port: number, value: number): void;
  /** Writes 4 bytes to a port. */
  outl(port: number, value: number): void;
  /** Reads 1 byte of physical memory; `address` is from 0 to 2⁵³ − 1. An address where nothing answers gives all ones. */
  readb(address: number): number;
  /** Reads 2 bytes of physical memory. */
  readw(address: number): number;
  /** Reads 4 bytes of physical memory. */
  readl(address: number): number;
  /** Reads 8 bytes of physical memory. */
  readq(address: number): bigint;
  /** Writes 1 byte of physical memory. */
  writeb(address: number, value: number): void;
  /** Writes 2 bytes of physical memory. */
  writew(address: number, value: number): void;
  /** Writes 4 bytes of physical memory. */
  writel(address: number, value: number): void;
  /** Writes 8 bytes of physical memory. */
  writeq(address: number, value: bigint): void;
  /** Reads `size` bytes of physical memory. */
  read(address: number, size: number): Uint8Array;
  /** Fills `target` from physical memory, without an allocation. */
  read<T extends Uint8Array>(address: number, target: T): T;
  /** Writes bytes to physical memory. */
  write(address: number, data: Uint8Array): void;
  /** Sets `size` bytes of physical memory to `value`. */
  fill(address: number, size: number, value: number): void;

  /**
   * Waits until the line is high, or has risen since the call. A number is a line of the ISA bus: see `IrqSource`. In virtual time the
   * clock moves while every VCPU waits.
   * @returns the machine time waited, in nanoseconds.
   */
  waitIrq(line: IrqSource, options?: WaitOptions): bigint;
  /** Waits as `hlt` does, until a handler of this VCPU has run. Gives the machine time waited, in nanoseconds. */
  idle(options?: WaitOptions): bigint;
  /** Waits until `condition` gives true, and moves the time on in steps. Gives the machine time waited, in nanoseconds. */
  poll(condition: () => boolean, options?: PollOptions): bigint;
  /** Calls `handler` on this VCPU, between two accesses, each time the line has risen. Gives a function that removes the handler. */
  onIrq(line: IrqSource, handler: () => void): () => void;
  /**
   * Sets the handler of an interrupt vector. The interrupt controller gives the vector in its acknowledge cycle. The VCPU takes interrupts
   * between two accesses, once a handler is set. It takes none after `cli()`, and none while a handler runs. Gives a function that removes
   * the handler.
   */
  onInterrupt(vector: number, handler: () => void): () => void;
  /** Stops taking interrupts. */
  cli(): void;
  /** Takes interrupts again. */
  sti(): void;
  /** Waits until every VCPU of the case has come to the barrier. */
  barrier(options?: WaitOptions): void;
  /**
   * Lets the other VCPUs of the case go on. No time passes. Call it in a loop that waits for a word of `shared`: such a loop makes no
   * access, so without this call it would keep the turn for ever.
   */
  pause(): void;
}

/** A device as a case sees it. */
export interface DeviceInfo {
  readonly id: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, number | boolean | string>>;
}

declare const snapshotBrand: unique symbol;
/** The machine's whole state. It can be restored only on the same machine. */
export interface Snapshot {
  readonly [snapshotBrand]: true;
  /** Bytes that it holds. */
  readonly size: number;
}

/**
 * The test's end of a device's character backend, like the other end of a serial cable. Each direction is a ring of 4096 bytes in the
 * machine's state.
 */
export interface Chardev {
  /** Sends bytes, or a text as UTF-8, to the device. Gives the number of bytes for which the ring had room; the rest is not sent. */
  write(data: Uint8Array | string): number;
  /** Takes all that the device has sent, at most 4096 bytes. It does not wait. */
  read(): Uint8Array;
}

/** The machine as a case sees it. */
export interface Machine {
  readonly devices: readonly DeviceInfo[];
  /**
   * The device with this id.
   * @throws an error that names the machine's devices, when there is none.
   */
  get(id: string): DeviceInfo;
  /** A pin of the first output of a device, `irq('rtc0')`; of a bus, its line `pin`: `irq('isa0', 8)`. */
  irq(id: string, pin?: number): IrqLine;
  /** A pin of a named output: `irq('pit0', 'out', 2)`. */
  irq(id: string, output: string, pin?: number): IrqLine;
  /**
   * The other end of a device's character backend, such as that of a serial port: `chardev('uart0')`.
   * @throws an error when the device has none.
   */
  chardev(id: string): Chardev;
  /** Resets every device. `warm` (the default) is the reset line: it keeps what hardware keeps, such as the CMOS. `cold` is power-on. */
  reset(kind?: 'cold' | 'warm'): void;
  /** Saves the whole state, time included. */
  snapshot(): Snapshot;
  /** Puts back a state that this machine has saved. */
  restore(snapshot: Snapshot): void;
}
