import type { BackendName, DeviceInfo, ClockKind } from './hardware.ts';
import type { MachineBuilder } from './machine.ts';
import type { CaseStatus, ReportEvent, RunSummary } from './report.ts';

/** A hook that a plugin taps. The host calls it; a plugin cannot. Structurally a tapable hook. */
export interface SyncTap<Args extends readonly unknown[]> {
  tap(name: string, fn: (...args: Args) => void): void;
}

/** A hook whose taps may be asynchronous; the host waits for them in order, within a bound. */
export interface AsyncTap<Args extends readonly unknown[]> extends SyncTap<Args> {
  tapPromise(name: string, fn: (...args: Args) => Promise<void>): void;
}

/** Which plugin's machine, and which one of several in parallel (`--jobs`). */
export interface MachineContext {
  readonly plugin: string;
  /** Counted from 1 over the run. */
  readonly machine: number;
  readonly clock: ClockKind;
  readonly vcpus: number;
  readonly backend: BackendName;
}

export interface MachineReady extends MachineContext {
  readonly devices: readonly DeviceInfo[];
}

export interface VcpuStart extends MachineContext {
  readonly case: string;
  readonly index: number;
  /** Keeps the VCPU from starting; the case fails with the reason. */
  readonly refuse: (reason: string) => void;
}

export interface Tick extends MachineContext {
  /** Machine time in nanoseconds. In real time the last of the instants that have been put together. */
  readonly now: bigint;
  /** Instants that it stands for: 1 in virtual time. */
  readonly instants: number;
}

export interface IrqEvent extends MachineContext {
  readonly line: string;
  readonly level: boolean;
  /** Machine time in nanoseconds. */
  readonly now: bigint;
}

export interface GuestEvent extends MachineContext {
  /** The device, or undefined when no device answered. */
  readonly device: string | undefined;
  readonly message: string;
  /** Machine time in nanoseconds. */
  readonly now: bigint;
}

export interface CaseStart extends MachineContext {
  readonly case: string;
  /** Of the scheduler, with several VCPUs in virtual time; `explore` runs the case with one after another. */
  readonly seed: number | undefined;
  /** Keeps the case from running; it is reported as skipped with the reason. */
  readonly skip: (reason: string) => void;
}

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

/** The resolved configuration, for a look; it cannot be changed any more. */
export interface ResolvedConfig {
  readonly file: string | undefined;
  readonly plugins: readonly string[];
  readonly clock: ClockKind;
  readonly jobs: number;
  /** Wall time a case may take, in nanoseconds. */
  readonly timeout: bigint;
}

/** The host's life, as a plugin's `apply(host)` taps it. Every hook runs on the host's main thread. */
export interface HostHooks {
  /** Once, when config and plugins are loaded. */
  readonly configResolved: AsyncTap<[config: ResolvedConfig]>;
  /** For each machine, after the plugin's `init()`: may add devices, memory and wiring; a throw fails the plugin's cases. */
  readonly machineInit: AsyncTap<[machine: MachineBuilder, context: MachineContext]>;
  /** For each machine, when it is sealed and reset, before its first VCPU. */
  readonly machineReady: AsyncTap<[machine: MachineReady]>;
  /** Before each case, and each seed that it is tried with, while no VCPU runs; may skip it. */
  readonly caseStart: AsyncTap<[event: CaseStart]>;
  /** Before each VCPU of a case starts; may refuse it. */
  readonly vcpuStart: AsyncTap<[event: VcpuStart]>;
  /** Each distinct instant at which a timer fired, lock released. In virtual time the machine waits for it; in real time instants are put together. */
  readonly tick: SyncTap<[event: Tick]>;
  /** Each change of a line's level. Observes: it comes after the fact, and before `caseEnd`. */
  readonly irq: SyncTap<[event: IrqEvent]>;
  /** The guest did what hardware does not allow. Observes, as `irq`. */
  readonly guestError: SyncTap<[event: GuestEvent]>;
  /** The guest used what a model lacks. Observes, as `irq`. */
  readonly unimplemented: SyncTap<[event: GuestEvent]>;
  /** After each case, and each seed that it is tried with, its events all delivered; may fail it. */
  readonly caseEnd: AsyncTap<[event: CaseEnd]>;
  /** Each event of the run, as the reporters are told it: with it a plugin is a reporter of its own. Observes. */
  readonly report: SyncTap<[event: ReportEvent]>;
  /** Once, at the end, whatever happened. */
  readonly done: AsyncTap<[summary: RunSummary]>;
}

/** What `apply()` gets. */
export interface Host {
  readonly hooks: HostHooks;
}
