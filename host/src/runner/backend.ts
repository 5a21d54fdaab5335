import type { BackendName, Capability, ClockKind, MachineContext } from '@qtest/sdk';
import type { Piscina } from 'piscina';
import type { HookSet } from '../hooks.ts';
import type { BoundMachine, Registry, Catalog, TraceEntry } from '@qtest/machine';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { Failure, SelectedCase } from '../report/events.ts';
import type { VcpuOutcome, VcpuTask } from './task.ts';

/** What lanes are made from. */
export interface LaneOptions {
  readonly plugin: LoadedPlugin;
  readonly clock: ClockKind;
  readonly hooks: HookSet;
  readonly known: Catalog;
  readonly stallLimit: number;
  /** Several VCPUs in virtual time: one at a time by the seeded scheduler, which is the default, or all at once. */
  readonly schedule?: 'seeded' | 'free';
  /** Whether what its machine does is traced in full, with places in the plugin's source or without. */
  readonly trace?: 'plain' | 'sources' | undefined;
}

/** What a VCPU's accesses reach: it makes the lane and the VCPUs for a plugin's machine. */
export interface Backend {
  readonly name: BackendName;
  /** The emulator's version; undefined for this host itself. */
  readonly version?: string;
  /** The clocks that its machines can have; the first is that of cases that name none. */
  readonly clocks: readonly ClockKind[];
  /** Why a case that needs this cannot run on it; undefined when it can. */
  lacks(capability: Capability): string | undefined;
  /** Builds the plugin's machine, the hooks `machineInit` and `machineReady` included. */
  createLane(options: LaneOptions): Promise<CaseLane>;
}

/**
 * A machine of a plugin, and the threads of its VCPUs, for one case after another. A case is: `prepare`, `observe`, a task for each VCPU
 * in the pool, `kill` if they have to be ended, the end of the observation, and `failures`.
 */
export interface CaseLane {
  readonly context: MachineContext;
  /** The machine as our devices make it, on whatever backend, and their definitions. */
  readonly machine: BoundMachine;
  readonly registry: Registry;
  /** It must not be used for another case. */
  readonly spent: boolean;
  /** The VCPUs' threads, as many as VCPUs. */
  readonly pool: Piscina;
  /** When the first VCPU of the case began, ns of the host's monotonic clock; 0 before. */
  readonly began: bigint;
  /** Puts the machine into its pristine state. */
  prepare(selected: SelectedCase, seed: number): Promise<void> | void;
  /**
   * Listens to the machine from now on.
   * @param damaged is called when a case has written to what only the host and its threads write to.
   */
  observe(hooks: HookSet, damaged: () => void): Observation;
  /** What a VCPU's thread is handed. */
  taskOf(task: VcpuTask): VcpuTask;
  /** Tells the other VCPUs that one has failed. */
  abandon(): void;
  /**
   * Kills the VCPUs wherever they are. `abort` takes their tasks from the pool.
   * @returns the VCPU that has kept the turn from all others to its end, if there is one.
   */
  kill(abort: () => void, why: EndKind): Promise<number | undefined>;
  /** What the VCPUs have told, and what they could not tell of themselves: a device that threw, an emulator that died. The VCPUs are gone. */
  failures(
    told: readonly Failure[],
    outcomes: readonly VcpuOutcome[],
    root: string,
  ): Promise<readonly Failure[]> | readonly Failure[];
  /** The last things a VCPU did, decoded, oldest first. */
  accesses(vcpu: number): string[];
  /** What has been traced of the case; undefined when it is not traced. */
  trace(): Traced | undefined;
  /** Accesses as a reader wants them, by the register tables of the machine's devices. */
  decode(entries: readonly TraceEntry[]): string[];
  /** Ends the VCPUs' threads; the machine remains. */
  retireThreads(): Promise<void>;
  dispose(): Promise<void>;
}

/** A full trace, of a `Tracer`, and what it is decoded by. */
export interface Traced {
  readonly buffer: SharedArrayBuffer;
  readonly machine: BoundMachine;
  readonly registry: Registry;
}

/** Why a case's VCPUs ended: by themselves or because one has failed, because the time was up, by Ctrl-C. */
export type EndKind = 'done' | 'timeout' | 'interrupted';

/** What the host saw of a case, beside its outcome. */
export interface Observed {
  /** Errors of taps. */
  readonly errors: unknown[];
  /** Guest errors and the like, with how often each came. */
  readonly messages: ReadonlyMap<string, number>;
  readonly counts: { readonly guestError: number; readonly unimplemented: number };
  /** Events that nobody has been told of. */
  readonly lost: number;
  /** A tap has kept the host's thread, and with it the case, until it was broken off. */
  readonly hung?: boolean;
  /** What of the memory that the machine's threads share has been damaged. */
  readonly damage?: string | undefined;
}

/** What listens to a machine while a case runs. */
export interface Observation {
  /** Takes in what is left to be seen, within a bound. */
  end(): Promise<Observed>;
}
