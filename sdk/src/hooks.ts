import type { BackendName, DeviceInfo, ClockKind } from './hardware.ts';
import type { MachineBuilder } from './machine.ts';
import type { CaseStatus, ReportEvent, RunSummary } from './report.ts';

/** A hook that a plugin taps. Only the host calls it. It has the shape of a tapable hook. */
export interface SyncTap<Args extends readonly unknown[]> {
  tap(name: string, fn: (...args: Args) => void): void;
}

/** A hook whose taps may be asynchronous. The host waits for them in order, within a limit of time. */
export interface AsyncTap<Args extends readonly unknown[]> extends SyncTap<Args> {
  tapPromise(name: string, fn: (...args: Args) => Promise<void>): void;
}

/** The machine of an event: its plugin, and its number when several run in parallel (`--jobs`). */
export interface MachineContext {
  readonly plugin: string;
  /** Counted from 1 over the run. */
  readonly machine: number;
  readonly clock: ClockKind;
  readonly vcpus: number;
  readonly backend: BackendName;
}

/** A machine is sealed and powered on. */
export interface MachineReady extends MachineContext {
  readonly devices: readonly DeviceInfo[];
}

/** A VCPU of a case is about to start. */
export interface VcpuStart extends MachineContext {
  readonly case: string;
  readonly index: number;
  /** Keeps the VCPU from starting; the case fails with the reason. */
  readonly refuse: (reason: string) => void;
}

/** Timers have fired. */
export interface Tick extends MachineContext {
  /** Machine time in nanoseconds. In real time it is the last of the instants that come together. */
  readonly now: bigint;
  /** The number of instants that the event stands for: 1 in virtual time. */
  readonly instants: number;
}

/** A line has changed its level. */
export interface IrqEvent extends MachineContext {
  readonly line: string;
  readonly level: boolean;
  /** Machine time in nanoseconds. */
  readonly now: bigint;
}

/** A device or the bus complains of what the guest did. */
export interface GuestEvent extends MachineContext {
  /** The device, or undefined when no device answered. */
  readonly device: string | undefined;
  readonly message: string;
  /** Machine time in nanoseconds. */
  readonly now: bigint;
}

/** A case is about to start. */
export interface CaseStart extends MachineContext {
  readonly case: string;
  /** The seed of the scheduler, for several VCPUs in virtual time; otherwise undefined. `explore` runs the case with one seed after another. */
  readonly seed: number | undefined;
  /** Keeps the case from running; it is reported as skipped with the reason. */
  readonly skip: (reason: string) => void;
}

/** A case has ended. */
export interface CaseEnd extends MachineContext {
  readonly case: string;
  /** As in `CaseStart`. */
  readonly seed: number | undefined;
  readonly status: CaseStatus;
  /** Wall time in milliseconds. */
  readonly duration: number;
  readonly message: string | undefined;
  /** Fails a case that has passed: a gate. */
  readonly fail: (reason: string) => void;
}

/** The resolved configuration. It cannot be changed any more. */
export interface ResolvedConfig {
  readonly file: string | undefined;
  readonly plugins: readonly string[];
  readonly clock: ClockKind;
  readonly jobs: number;
  /** Wall time a case may take, in nanoseconds. */
  readonly timeout: bigint;
}

/** The hooks that a plugin's `apply(host)` taps. All run on the host's main thread. */
export interface HostHooks {
  /** Called once, when config and plugins are loaded. */
  readonly configResolved: AsyncTap<[config: ResolvedConfig]>;
  /** Called for each machine, after the plugin's `init()`. A tap may add devices, memory and wiring. If it throws, the plugin's cases fail. */
  readonly machineInit: AsyncTap<[machine: MachineBuilder, context: MachineContext]>;
  /** Called for each machine, when it is sealed and reset, before its first VCPU. */
  readonly machineReady: AsyncTap<[machine: MachineReady]>;
  /** Called before each case, and before each seed that the case is tried with. No VCPU runs then. A tap may skip the case. */
  readonly caseStart: AsyncTap<[event: CaseStart]>;
  /** Called before each VCPU of a case starts. A tap may refuse it. */
  readonly vcpuStart: AsyncTap<[event: VcpuStart]>;
  /** Called at each instant at which a timer fired, with the lock released. In virtual time the machine waits for the taps. In real time several instants come together. */
  readonly tick: SyncTap<[event: Tick]>;
  /** Called at each change of a line's level: after the fact, and before `caseEnd`. */
  readonly irq: SyncTap<[event: IrqEvent]>;
  /** Called when the guest did what hardware does not allow: after the fact, as `irq`. */
  readonly guestError: SyncTap<[event: GuestEvent]>;
  /** Called when the guest used what a model lacks: after the fact, as `irq`. */
  readonly unimplemented: SyncTap<[event: GuestEvent]>;
  /** Called after each case, and after each seed that the case is tried with. All its events are delivered. A tap may fail the case. */
  readonly caseEnd: AsyncTap<[event: CaseEnd]>;
  /** Called at each event of the run, as the reporters get it. With it a plugin can be a reporter. */
  readonly report: SyncTap<[event: ReportEvent]>;
  /** Called once, at the end, whatever happened. */
  readonly done: AsyncTap<[summary: RunSummary]>;
}

/** What `apply()` gets. */
export interface Host {
  readonly hooks: HostHooks;
}
