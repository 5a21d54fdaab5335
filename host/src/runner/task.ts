import type { InspectRequest } from '../config/inspect.ts';
import type { Failure } from '../report/events.ts';
import type { MachineHandle } from '@qtest/machine';

/** What a VCPU's thread is given when it starts: it serves one machine. */
export interface VcpuThreadData {
  readonly handle: MachineHandle;
  /** The plugin whose cases it runs. */
  readonly plugin: { readonly name: string; readonly url: string; readonly root: string };
  /** Cloned from what the host has validated. */
  readonly options: unknown;
  readonly stallLimit: number;
  readonly schedule: 'seeded' | 'free';
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
}

/** One VCPU's part in one case. */
export interface VcpuTask {
  readonly case: string;
  readonly index: number;
  /** VCPUs of the case. */
  readonly count: number;
  /** What the VCPUs of the case share. */
  readonly shared: SharedArrayBuffer;
  /** Of a `Recording`, when all its accesses are to be kept. */
  readonly record?: SharedArrayBuffer;
  /** Where it is to be debugged. */
  readonly inspect?: InspectRequest;
  /** Of `Counters`, when its use of registers is to be counted. */
  readonly coverage?: SharedArrayBuffer;
}

/** How it ended, as plain data: errors lose their class and fields on the way between threads. */
export interface VcpuOutcome {
  /** `abandoned`: the host ended it, and its failure is only that. */
  readonly status: 'pass' | 'fail' | 'skip' | 'abandoned';
  readonly failures: readonly Failure[];
  readonly log: readonly string[];
  /** What a reader should know of: what was left out. */
  readonly notes: readonly string[];
  /** Why it skipped itself. */
  readonly reason?: string;
  readonly value?: unknown;
  /** Resources that were still active when the bound for draining had passed. */
  readonly leftRunning: readonly string[];
  /** A device that threw on this thread. */
  readonly fault?: Failure;
}

/** That of a VCPU whose thread has nothing else to tell. */
export function failedOutcome(failure: Failure): VcpuOutcome {
  return { status: 'fail', failures: [failure], log: [], notes: [], leftRunning: [] };
}
