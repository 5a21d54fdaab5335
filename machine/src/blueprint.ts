import type { ClockKind, PropertyValue } from '@qtest/sdk';

/**
 * A machine's structure as plain data: what every thread needs to bind its own device objects to the shared bytes.
 */
export interface Blueprint {
  readonly clock: ClockKind;
  readonly devices: readonly DeviceBlueprint[];
  readonly lines: readonly LineBlueprint[];
  /** Timers in the order in which equal deadlines fire. */
  readonly timers: readonly { readonly device: number; readonly name: string }[];
  readonly ram: readonly MemoryBlueprint[];
  /** What each byte of memory reads as where nothing is. */
  readonly emptyMemory: number;
  readonly layout: Layout;
  /** For each VCPU whose INTR is driven the line that it is. */
  readonly intr: readonly number[];
  /** Interrupt controllers, in the order in which they are asked at an acknowledge cycle: each when the one before gives no vector. */
  readonly controllers: readonly number[];
  /** Indices of the lines that reset the machine when they rise. */
  readonly resets: readonly number[];
  /** For QEMU: arguments, and indices of the devices that they stand for. */
  readonly qemu: { readonly args: readonly string[]; readonly provides: readonly number[] };
}

export interface DeviceBlueprint {
  readonly id: string;
  readonly type: string;
  readonly module: ModuleRef;
  readonly version: number;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** Index of the bus that it is on; −1 for none. */
  readonly bus: number;
  /** First byte of its state in the machine's memory. */
  readonly stateOffset: number;
  /** First line of each output's pins. */
  readonly outputs: Readonly<Record<string, { readonly line: number; readonly count: number }>>;
  /** Kind of the bus that it provides, `isa`; empty for none. */
  readonly busName: string;
  /** First of the lines it provides as a bus, and how many; −1, 0 for none. */
  readonly busLine: number;
  readonly busLines: number;
  /** Index of its first timer. */
  readonly firstTimer: number;
}

/** Where a device's definition comes from: a module of a device package, or the plugin whose module this is. */
export type ModuleRef =
  | {
      readonly kind: 'package';
      readonly package: string;
      /** Its package.json. */
      readonly manifest: string;
      /** As its manifest has it: `./pc/i8254`. */
      readonly subpath: string;
    }
  | { readonly kind: 'plugin'; readonly plugin: string; readonly url: string };

/** A node of the IRQ wiring: an output pin, or a line that several outputs drive. */
export interface LineBlueprint {
  readonly name: string;
  /** Lines that this one drives (wired OR). */
  readonly feeds: readonly number[];
  /** Input pins at its end. */
  readonly sinks: readonly { readonly device: number; readonly input: string; readonly pin: number }[];
}

export interface MemoryBlueprint {
  readonly kind: 'ram' | 'rom';
  readonly base: number;
  readonly size: number;
  /** First byte in the machine's memory. */
  readonly offset: number;
}

/** Byte offsets in the machine's memory. */
export interface Layout {
  /** The state that a snapshot holds. */
  readonly state: number;
  readonly stateBytes: number;
  /** In the state: the clock (now, next deadline), deadlines, lines. */
  readonly clock: number;
  readonly deadlines: number;
  readonly lines: number;
  /** A word for each IRQ line: how often it has risen, ever; no restore or reset turns it back. */
  readonly rises: number;
  /** The state as `init()` left it. */
  readonly pristine: number;
  /** A byte for each page of RAM: written since the machine was sealed. */
  readonly dirty: number;
  readonly ram: number;
  readonly ramBytes: number;
  readonly totalBytes: number;
}

/** Bytes of a RAM page, the unit of dirty tracking. */
export const PAGE_BYTES = 4096;

/** Words of an IRQ line's state: level, edges, drivers that are high. */
export const LINE_WORDS = 4;

/** What a thread is given to attach to a machine. */
export interface MachineHandle {
  /** Distinguishes machines of one process. */
  readonly serial: number;
  readonly blueprint: Blueprint;
  readonly memory: WebAssembly.Memory;
  /** RAM pages that were not zero when the machine was sealed, and their content. */
  readonly image: RamImage;
  /** Of a `Tracer`, where what happens in the machine is traced. */
  readonly trace?: SharedArrayBuffer;
}

export interface RamImage {
  readonly pages: Uint32Array;
  readonly bytes: Uint8Array;
}
