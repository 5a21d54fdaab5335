import type { BackendName, ClockKind, Config, TraceMode } from '@qtest/sdk';

import { timeoutNanoseconds } from './duration.ts';
import { scheduleOf, type Schedule } from './schedule.ts';

/** A config with its defaults filled in. */
export interface Settings {
  readonly backend: BackendName;
  /** Name or path of the QEMU, as it was written; undefined when nobody names one. */
  readonly qemu: string | undefined;
  readonly clock: ClockKind;
  /** Wall time a case may take, in nanoseconds. */
  readonly timeout: bigint;
  readonly jobs: number;
  readonly schedule: Schedule;
  readonly trace: TraceMode;
  /** Device accesses a case may make while virtual time stands still. */
  readonly stallLimit: number;
  readonly failOn: readonly string[];
}

/** Fills in the defaults of a checked config. What the command line says goes before it. */
export function settingsOf(config: Config, given: Partial<Settings> = {}): Settings {
  return {
    backend: given.backend ?? config.backend ?? 'native',
    qemu: given.qemu ?? config.qemu,
    clock: given.clock ?? config.clock ?? 'virtual',
    timeout: given.timeout ?? timeoutNanoseconds(config.timeout) ?? 30_000_000_000n,
    jobs: given.jobs ?? config.jobs ?? 1,
    schedule: given.schedule ?? scheduleOf(config.schedule) ?? { kind: 'seeded', seed: 1 },
    trace: given.trace ?? config.trace ?? 'off',
    stallLimit: given.stallLimit ?? config.stallLimit ?? 5_000_000,
    failOn: given.failOn ?? config.failOn ?? [],
  };
}
