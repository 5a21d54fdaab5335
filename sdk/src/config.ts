import type { Duration } from './duration.ts';
import type { BackendName, ClockKind } from './hardware.ts';

/** A plugin in the config: the name of its package, its short name, or its path. Options are optional. */
export type PluginEntry = string | readonly [name: string, options: Readonly<Record<string, unknown>>];

/**
 * How several VCPUs of a case take turns in virtual time. A number is the seed of the scheduler, 32 bits. `free` lets the VCPUs run truly in
 * parallel. `explore=N` tries the seeds 1 to N, until one fails.
 */
export type Schedule = number | 'free' | `explore=${number}`;

/**
 * Which cases are traced: every case (`on`), those that did not pass, in a second run (`fail`), or none (`off`). With `on`, cases that did
 * not pass run a second time too, to find the lines of their source.
 */
export type TraceMode = 'on' | 'fail' | 'off';

/** The contents of `qtest.config.ts`. Options of the command line replace it. */
export interface Config {
  /** Plugins to run, in this order. Names are resolved from the config file's folder. */
  readonly plugins?: readonly PluginEntry[];
  /** Packages of device models, beside `@qtest/devices`: names, or paths of their folders, from the config file's folder. */
  readonly devices?: readonly string[];
  /** What the machines' devices are: the host's own, those of a QEMU that is started for each case, or those of v86. Default `native`. */
  /**
   * What the machines' devices are: `native`, the host's own, or an emulator's, by the name of the backend's package (`qemu` is
   * `@qtest/backend-qemu`), or its path from the config file's folder. Default `native`.
   */
  readonly backend?: BackendName;
  /** The QEMU of the backend `qemu`: a name on the PATH, or a path from the config file's folder. Default `qemu-system-x86_64`. */
  readonly qemu?: string;
  /** The clock of cases that do not name one. Default `virtual`, and `realtime` on a backend that has no virtual clock. */
  readonly clock?: ClockKind;
  /** The wall time that a case may take. Default 30 s. */
  readonly timeout?: Duration;
  /** The number of machines in parallel. Default 1. */
  readonly jobs?: number;
  /** How several VCPUs take turns. Default: the seed 1. */
  readonly schedule?: Schedule;
  /** How to report: each is a reporter's name, or `name=file`. A file is relative to the config's folder. Default `['spec']`, in GitHub Actions `['spec', 'github']`. */
  readonly reporters?: readonly string[];
  /** Which cases to trace. Default `off`. */
  readonly trace?: TraceMode;
  /** The number of device accesses that a case may make while virtual time stands still. Default 5 million. */
  readonly stallLimit?: number;
  /** Whether to measure register coverage. A text is a file to write it to as well, relative to the config's folder. Default false. */
  readonly coverage?: boolean | string;
  /** The coverage, in per cent, that a run must reach if it measures coverage: of all devices, or by their types. Default none. */
  readonly coverageMin?: number | Readonly<Record<string, number>>;
  /** Events that make a case fail. Default none. */
  readonly failOn?: readonly ('guestError' | 'unimplemented')[];
}

/** Gives the config its type; the default export of `qtest.config.ts`. */
export function defineConfig(config: Config): Config {
  return config;
}
