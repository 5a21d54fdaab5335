/** A place in a plugin's own source. `file` is absolute. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Lines of a source, as they were when it ran. */
export interface SourceExcerpt {
  /** The number of the first. */
  readonly first: number;
  readonly lines: readonly string[];
}

/** What every event of a trace has. */
interface TraceEventBase {
  /** Its number in the case, from 0. It gives the order of events across VCPUs. Lost events leave a gap. */
  readonly seq: number;
  /** The machine's time, ns since its start. */
  readonly time: bigint;
  /** The VCPU on whose thread it happened. It is left out for the I/O thread. */
  readonly vcpu?: number;
  /** The plugin's line that led to it. */
  readonly source?: SourceLocation;
}

/** One access of a VCPU to a port or to memory, or of a device by DMA. */
export interface TraceAccess extends TraceEventBase {
  readonly type: 'access';
  readonly op: 'in' | 'out' | 'read' | 'write';
  /** Bytes. */
  readonly size: number;
  readonly address: number;
  /** What was read or written. For more than four bytes it is their CRC-32. */
  readonly value: number;
  /** What was transferred, in hexadecimal, if it is more than four bytes and at most 4096. */
  readonly data?: string;
  /** The device that made it, by DMA. */
  readonly by?: string;
  /** Id of the device that answered. */
  readonly device?: string;
  /** The register of its table, by the datasheet's name: `B`. */
  readonly register?: string;
  /** `outb 0x71 ← 0x42         rtc0.B {PIE, 24H}`. */
  readonly text: string;
}

/** An IRQ line has changed its level. */
export interface TraceIrq extends TraceEventBase {
  readonly type: 'irq';
  /** `rtc0.irq`. */
  readonly line: string;
  readonly level: 0 | 1;
}

/** A device's timer has fired. */
export interface TraceTimer extends TraceEventBase {
  readonly type: 'timer';
  readonly device: string;
  readonly timer: string;
}

/** A device has been reset; without `device`, the machine. */
export interface TraceReset extends TraceEventBase {
  readonly type: 'reset';
  readonly device?: string;
}

/** The machine's state has been saved or restored. */
export interface TraceSnapshot extends TraceEventBase {
  readonly type: 'snapshot';
  readonly action: 'save' | 'restore';
}

/** A VCPU has moved the clock. `time` is the new time. */
export interface TraceClock extends TraceEventBase {
  readonly type: 'clock';
  /** ns. */
  readonly by: bigint;
}

/** A VCPU has run the test's own handler of a line, or of an interrupt vector. */
export interface TraceHandler extends TraceEventBase {
  readonly type: 'handler';
  readonly line?: string;
  readonly vector?: number;
}

/** A line of the case's `log()`. */
export interface TraceLog extends TraceEventBase {
  readonly type: 'log';
  readonly text: string;
}

/** Something that happened in a case, in the order in which it happened. */
export type TraceEvent =
  | TraceAccess
  | TraceIrq
  | TraceTimer
  | TraceReset
  | TraceSnapshot
  | TraceClock
  | TraceHandler
  | TraceLog;

/** What was traced of a case (`--trace`). */
export interface CaseTrace {
  readonly events: readonly TraceEvent[];
  /** Events before these that the bounded ring did not keep. */
  readonly lost: number;
  /** For a case that failed: `seq` of the last access before the failure. */
  readonly failed?: number;
}

/** How a field was used. The bits are in place in the register: a bit is set in `seenSet` when a read has shown it set. */
export interface FieldCoverage {
  readonly name: string;
  readonly access: string;
  readonly mask: number;
  /** Bits that a read has shown set, and clear. */
  readonly seenSet: number;
  readonly seenClear: number;
  /** Bits that have been written with one, and with zero. */
  readonly wroteSet: number;
  readonly wroteClear: number;
  /** For a field of two to eight bits: the values that reads have shown, moved to bit 0, ascending. */
  readonly values?: readonly number[];
  /** For a field that reads or writes clear or set: whether that has happened. Example: a bit that was seen set was written with one (`w1c`). */
  readonly effect?: boolean;
}

/** How a register was used. */
export interface RegisterCoverage {
  readonly name: string;
  /** Byte offset in its region, or index in its bank. */
  readonly offset: number;
  readonly reads: number;
  readonly writes: number;
  readonly fields: readonly FieldCoverage[];
}

/** How the registers of a bank were used. */
export interface BankCoverage {
  /** The region that they answer in; behind an index/data pair, with the register that holds the index: `ports[INDEX]`. */
  readonly name: string;
  readonly registers: readonly RegisterCoverage[];
}

/** How a case used a device's registers (`--coverage`); only those that it touched. */
export interface DeviceCoverage {
  /** `rtc0`. */
  readonly device: string;
  /** `mc146818rtc`. */
  readonly type: string;
  readonly banks: readonly BankCoverage[];
}

/** How a run used the registers of all devices of a type (`--coverage`), with those that were never touched. */
export interface TypeCoverage {
  /** `mc146818rtc`. */
  readonly type: string;
  /** How many of the `items`, the things to do with its registers, were done. */
  readonly used: number;
  readonly items: number;
  readonly banks: readonly BankCoverage[];
}
