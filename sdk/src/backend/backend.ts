import type { ClockKind } from '../hardware.ts';
import type { Capability } from '../plugin.ts';
import type { Operation } from './batch.ts';
import type { Mapping, WantedMachine } from './machine.ts';

/** Where, and with what, an emulator is looked for. */
export interface DetectOptions {
  /** The project's folder: the config's, or the working directory. Absolute. */
  readonly folder: string;
  /** The emulator's command as the user names it (`--qemu`), a name on the PATH or an absolute path; undefined when nobody does. */
  readonly command?: string | undefined;
}

/** An emulator that can be used here. */
export interface Emulator<S = unknown, H = unknown> {
  readonly version: string;
  /** What else `qtest doctor` tells of it: the file that it is, the package that it came in, what it can do. */
  readonly about?: {
    readonly path?: string;
    readonly build?: string;
    readonly features?: Readonly<Record<string, readonly string[]>>;
  };
  /** The clocks that its machines can have; the first is that of cases that name none. */
  readonly clocks: readonly [ClockKind, ...ClockKind[]];
  /** Whether a reset of the machine resets every device of it: without, `qtest diff` makes none. Default true. */
  readonly resetsAll?: boolean;
  /** Why a case that needs this cannot run on it; undefined when it can. */
  lacks(capability: Capability): string | undefined;
  /** What it has of a plugin's machine. */
  map(machine: WantedMachine): Mapping<S>;
  /**
   * Starts an emulator; each case has one of its own.
   * @throws an `emulatorError` when it does not answer within a bound.
   */
  start(settings: S, options: { readonly clock: ClockKind }): Promise<RunningEmulator<H>>;
  /** A shell script that makes the operations on the emulator alone, for whoever is to mend it. */
  script?(settings: S, options: { readonly clock: ClockKind }, operations: readonly Operation[]): string;
}

/** An emulator that runs, as the host's thread has it. */
export interface RunningEmulator<H = unknown> {
  /** What the VCPU's thread connects by: data that can be cloned into another thread. */
  readonly handle: H;
  /**
   * Has it killed, whatever it does; may be called twice. A thread that waits for its answer must hear of it by that: a thread in a
   * blocking read does not die by `terminate`.
   */
  kill(): void;
  /** Ends it, and waits, within a bound, until it is gone with all that was made for it. No thread uses the handle any more. */
  end(): Promise<void>;
  /**
   * What it has died of; undefined when it runs, or when the host has killed it.
   * @param expected the VCPU has told that it is gone: what takes a moment to be known may be waited for.
   */
  death(expected: boolean): Promise<string | undefined>;
  /** A message of an `emulatorError`, with what helps to see what was wrong: command line, status, what it has written. */
  explain(message: string): string;
  /** The request that a VCPU's thread waits for, as shown when a case has not ended in time; undefined or empty for none. */
  pending?(): string | undefined;
}

/** A backend as its author writes it. */
export interface BackendSpec<S = unknown, H = unknown> {
  /** As `--backend`, `expect` and reports name it: lower case letters, digits and single hyphens. */
  readonly name: string;
  /** As messages name the emulator: `QEMU`. */
  readonly title: string;
  /** URL of the module whose default export is `defineConnector({ … })`. */
  readonly connector: URL;
  /**
   * Finds the emulator.
   * @throws an error made by `unusable`: why it cannot be used, and what to install.
   */
  detect(options: DetectOptions): Promise<Emulator<S, H>>;
}

/** A backend as `defineBackend` made it, whatever its settings and handles are. */
export type AnyBackend = BackendSpec;

const BRAND = Symbol.for('@qtest/backend');

/**
 * Defines a backend: the half that is loaded in the host. The module's default export. Settings and handles are the backend's own: the
 * host hands on what `map` and `start` gave.
 */
export function defineBackend<S, H>(spec: BackendSpec<S, H>): BackendSpec<S, H> {
  return Object.freeze({ ...spec, [BRAND]: true });
}

/** Whether `value` came from `defineBackend`, of any copy of this SDK. */
export function isBackend(value: unknown): value is AnyBackend {
  return typeof value === 'object' && value !== null && BRAND in value;
}
