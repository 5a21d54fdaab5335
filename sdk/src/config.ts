import type { Duration } from './duration.ts';
import type { BackendName, ClockKind } from './hardware.ts';

/** A plugin in the config: its package's name, its short name or its path, with its options if it takes any. */
export type PluginEntry = string | readonly [name: string, options: Readonly<Record<string, unknown>>];

/**
 * How several VCPUs of a case take turns in virtual time: the seed of the scheduler, a 32-bit number; `free`, truly in parallel; or the
 * seeds from 1 to N, `explore=N`, until one fails.
 */
export type Schedule = number | 'free' | `explore=${number}`;

/**
 * Of which cases all that happens is traced: of every case (`on`), of those that did not pass, in a second run of theirs (`fail`), or of none
 * (`off`). With `on`, too, those that did not pass are run a second time, for the lines of their source.
 */
export type TraceMode = 'on' | 'fail' | 'off';

/** `qtest.config.ts`. What a command-line option says goes before it. */
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
  /** Wall time a case may take. Default 30 s. */
  readonly timeout?: Duration;
  /** Machines in parallel. Default 1. */
  readonly jobs?: number;
  /** How several VCPUs take turns. Default the seed 1. */
  readonly schedule?: Schedule;
  /** How to report: each a reporter's name, or name=file; a file is relative to the config's folder. Default `['spec']`, in GitHub Actions `['spec', 'github']`. */
  readonly reporters?: readonly string[];
  /** Which cases to trace. Default `off`. */
  readonly trace?: TraceMode;
  /** Device accesses a case may make while virtual time stands still. Default 5 million. */
  readonly stallLimit?: number;
  /** Whether to measure how the registers of the machines' devices are used; or the file to write that to as well, relative to the config's folder. Default no. */
  readonly coverage?: boolean | string;
  /** The coverage, in per cent, that a run which measures it must reach: of all devices, or by their types. Default none. */
  readonly coverageMin?: number | Readonly<Record<string, number>>;
  /** Events that make a case fail. Default none. */
  readonly failOn?: readonly ('guestError' | 'unimplemented')[];
}

/** Gives the config its type; the default export of `qtest.config.ts`. */
export function defineConfig(config: Config): Config {
  return config;
}
