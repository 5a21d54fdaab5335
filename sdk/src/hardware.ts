import type { Duration } from './duration.ts';

/** An IRQ line as a test sees it: any device's output, or a bus's line. */
export interface IrqLine {
  /** `isa0.irq[8]`, `rtc0.irq`. */
  readonly name: string;
  readonly level: boolean;
  /** How often the level has gone from low to high since the machine's reset. */
  readonly edges: number;
}

/** An IRQ line by itself, or by its number on the machine's ISA bus. */
export type IrqSource = IrqLine | number;

/** A machine's time: it moves when told, or as the host's does. */
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
   * Moves the time on by `duration`, or to the next deadline when left out, stopping at each deadline on the way: the timers fire and this
   * VCPU takes its interrupts. In real time it waits that long.
   * @returns the time then, in nanoseconds.
   * @throws an error when called without a duration and no timer is armed.
   */
  step(duration?: Duration): bigint;
}

/** How long a wait of a VCPU may be. */
export interface WaitOptions {
  /** Machine time after which the wait fails. Default 10 s. */
  readonly timeout?: Duration;
}

/** How a VCPU polls. */
export interface PollOptions extends WaitOptions {
  /** How far the time moves between two looks at the condition. Default 1 us of machine time. */
  readonly step?: Duration;
}

/**
 * A VCPU: the thread that runs a case. Every call is synchronous; a value out of its range is a `RangeError` in the
 * test that made the call.
 */
export interface Vcpu {
  /** 0 for the first. */
  readonly index: number;
  /** Port input of one byte; `port` from 0 to 0xffff. Unmapped ports give all ones. */
  inb(port: number): number;
  inw(port: number): number;
  inl(port: number): number;
  outb(port: number, value: number): void;
  outw(port: number, value: number): void;
  outl(port: number, value: number): void;
  /** Physical memory, one byte; `address` from 0 to 2⁵³ − 1. Unmapped addresses give all ones. */
  readb(address: number): number;
  readw(address: number): number;
  readl(address: number): number;
  readq(address: number): bigint;
  writeb(address: number, value: number): void;
  writew(address: number, value: number): void;
  writel(address: number, value: number): void;
  writeq(address: number, value: bigint): void;
  /** Reads `size` bytes of physical memory, or as many as `target` has, which spares an allocation. */
  read(address: number, size: number): Uint8Array;
  read<T extends Uint8Array>(address: number, target: T): T;
  write(address: number, data: Uint8Array): void;
  /** Sets `size` bytes of physical memory to `value`. */
  fill(address: number, size: number, value: number): void;

  /**
   * Waits until the line is high, or has risen since the call. In virtual time the clock moves while every VCPU waits.
   * @returns the machine time waited, in nanoseconds.
   */
  waitIrq(line: IrqSource, options?: WaitOptions): bigint;
  /** Waits as `hlt` does: until an interrupt or a watched IRQ has been handled. */
  idle(options?: WaitOptions): bigint;
  /** Waits until `condition` gives true, moving the time on in steps. Returns the machine time waited, in nanoseconds. */
  poll(condition: () => boolean, options?: PollOptions): bigint;
  /** Calls `handler` on this VCPU, between two accesses, each time the line has risen. Gives a function that ends it. */
  onIrq(line: IrqSource, handler: () => void): () => void;
  /**
   * Sets the handler of an interrupt vector: what the interrupt controller delivers on its acknowledge cycle. Interrupts
   * are taken between two accesses, as soon as a handler is set and `cli()` is not in force, and not while one is being handled.
   */
  onInterrupt(vector: number, handler: () => void): () => void;
  /** Stops taking interrupts. */
  cli(): void;
  /** Takes interrupts again. */
  sti(): void;
  /** Waits until every VCPU of the case has come to the barrier. */
  barrier(options?: WaitOptions): void;
  /**
   * Lets the other VCPUs of the case go on, as the instruction of this name in a loop that waits for one of them. No time passes. Without it a
   * loop that waits for a word of `shared`, and makes no access, would keep the turn for ever.
   */
  pause(): void;
}

/** What the machine's devices look like from a case. */
export interface DeviceInfo {
  readonly id: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, number | boolean | string>>;
}

declare const snapshotBrand: unique symbol;
/** The machine's whole state. It can be given back to the same machine only. */
export interface Snapshot {
  readonly [snapshotBrand]: true;
  /** Bytes that it holds. */
  readonly size: number;
}

/** The test's end of a device's character backend, as a serial line's other side. */
export interface Chardev {
  /** Sends bytes, or a text's UTF-8, to the device. Gives how many it took: its ring holds 4 KiB. */
  write(data: Uint8Array | string): number;
  /** Takes what the device has sent. */
  read(): Uint8Array;
}

/** The machine as a case sees it. */
export interface Machine {
  readonly devices: readonly DeviceInfo[];
  /** @throws an error that names the machine's devices when there is none of this id. */
  get(id: string): DeviceInfo;
  /** Output or line `pin` of a device or a bus: `irq('rtc0')`, `irq('isa0', 8)`, `irq('pit0', 'out', 2)`. */
  irq(id: string, pin?: number): IrqLine;
  irq(id: string, output: string, pin?: number): IrqLine;
  /** @throws an error when the device has no character backend. */
  chardev(id: string): Chardev;
  /** Resets every device. `warm` (the reset line) keeps what hardware keeps, as the CMOS; default `warm`. */
  reset(kind?: 'cold' | 'warm'): void;
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
}
