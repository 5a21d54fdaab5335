import type { Chardev, DeviceInfo } from '../hardware.ts';
import type { Batch } from './batch.ts';
import type { Lack } from './offers.ts';

/** Bytes of one access. */
export type AccessSize = 1 | 2 | 4;

/** Takes in the levels of the ISA bus's IRQs: 0 to 15, and up to 23 where an I/O APIC has more pins. */
export interface IrqListener {
  /** A level, as it is told of when it changes; each change counts. */
  change(irq: number, level: boolean): void;
  /** For an emulator that counts the rises itself: the level, and how often it has risen. */
  update(irq: number, level: boolean, rises: number): void;
}

/** The emulator's virtual time, in nanoseconds since the machine's start. */
export interface ConnectionClock {
  /** Moves it on by `ns` (above 0), and tells of the IRQs that change on the way. @returns the time then. */
  step(ns: bigint): bigint;
  /** Moves it on to the next time at which one of its timers is due. @returns the time then; undefined when none is armed, and nothing moved. */
  stepToDeadline(): bigint | undefined;
}

/**
 * An emulator as one thread drives it. Every call is synchronous: it comes back when the emulator has answered. What is passed has been
 * checked; what comes back is checked. A call throws an `emulatorError` when the emulator has gone or answers what is no answer.
 */
export interface Connection {
  /** A port access. @param port from 0 to 0xffff. @returns the value, unsigned, of `size` bytes. */
  in(port: number, size: AccessSize): number;
  out(port: number, value: number, size: AccessSize): void;
  /** An access to physical memory. @param address from 0 to 2^53. @returns the value, unsigned, of `size` bytes; little-endian. */
  read(address: number, size: AccessSize): number;
  write(address: number, value: number, size: AccessSize): void;
  /** Bulk accesses to memory, of any length above 0. Without them the host makes single ones. */
  readBlock?(address: number, target: Uint8Array): void;
  writeBlock?(address: number, data: Uint8Array): void;
  fill?(address: number, size: number, value: number): void;
  /** Tells of the IRQs that have changed meanwhile, without waiting. What an access changes is told of before the access comes back. */
  look(): void;
  /** The case begins: RAM holds what it is to hold. */
  begin?(): void;
  /** Its virtual time. Without it, it runs in real time. */
  readonly clock?: ConnectionClock;
  /** An interrupt acknowledge cycle: the vector, or undefined for none. Without it, cases that take vectors are skipped. */
  acknowledge?(): number | undefined;
  /** Resets the machine; comes back when it is reset, and has told of the lines that fell. Or tells why it cannot. */
  reset(kind: 'cold' | 'warm'): Lack | undefined;
  /** A device's character backend; undefined when it has none, or why that cannot be had. */
  chardev?(device: DeviceInfo): Chardev | Lack | undefined;
}

/** Batches of operations, made on a thread that has other things to do: nothing here blocks it for long. */
export interface Pipeline {
  /**
   * Makes the operations, many at a time; `answers` are theirs, 0 for what has none.
   * @throws an `emulatorError`, with the operation, when the emulator refuses one or answers what is no answer; a `noAnswer` error when
   * it has not answered within the bound.
   */
  run(batch: Batch, answers: Uint32Array): Promise<void>;
  /** Asks for something that changes nothing: comes back when all that was asked has been done. Throws as `run` does. */
  sync(): Promise<void>;
}

/** How a thread is connected. */
export interface ConnectOptions {
  readonly irqs: IrqListener;
  /** How long one request may take, ms, where nobody else would end the wait. Without it, the host kills the emulator. */
  readonly bound?: number;
}

/** The half of a backend that is loaded in the thread of a VCPU: the default export of the module that `BackendSpec.connector` names. */
export interface Connector<H = unknown> {
  /** Connects this thread to an emulator that the other half has started. */
  connect(handle: H, options: ConnectOptions): Connection;
  /**
   * Where it can have many requests on the way: what `qtest diff` makes its accesses by.
   * @param options.bound ms without an answer after which it is taken to hang.
   */
  pipeline?(handle: H, options: { readonly bound: number }): Pipeline;
}

const BRAND = Symbol.for('@qtest/connector');

/** Defines the half of a backend that is loaded in the thread of a VCPU. */
export function defineConnector<H>(connector: Connector<H>): Connector<H> {
  return Object.freeze({ ...connector, [BRAND]: true });
}

/** Whether `value` came from `defineConnector`, of any copy of this SDK. */
export function isConnector(value: unknown): value is Connector {
  return typeof value === 'object' && value !== null && BRAND in value;
}
