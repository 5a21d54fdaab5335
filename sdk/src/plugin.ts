import type { AnyDeviceDefinition } from './device.ts';
import type { Duration } from './duration.ts';
import type { BackendName, ClockKind, Machine, Vcpu, Clock } from './hardware.ts';
import type { Host } from './hooks.ts';
import type { MachineBuilder } from './machine.ts';
import type { StandardSchema } from './standard-schema.ts';

/** The version of this API. The host checks a plugin's range against it. */
export const API_VERSION = '0.1.0';

/** Strict assertions. The report shows the difference, and numbers also in hexadecimal. */
export interface Assert {
  /** Fails unless `value` is truthy. */
  (value: unknown, message?: string): void;
  /** Compares by `Object.is`. */
  equal(actual: unknown, expected: unknown, message?: string): void;
  /** Compares by `Object.is`. */
  notEqual(actual: unknown, expected: unknown, message?: string): void;
  /** Compares the contents of objects and arrays. */
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  /** Fails unless `fn` throws. `expected` matches the message, or is the class of the error. */
  throws(fn: () => unknown, expected?: RegExp | (new (...args: never[]) => Error), message?: string): void;
  /** Fails unless the text matches. */
  match(actual: string, expected: RegExp, message?: string): void;
  /** Fails the case. */
  fail(message: string): never;
}

/** What a case gets. */
export interface CaseContext<O = unknown> {
  readonly vcpu: Vcpu;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly assert: Assert;
  /** Adds a line to the report, prefixed with the caller as `src/drift.ts:testDrift():L94: `. */
  readonly log: (message: string) => void;
  /** The plugin's options, as its schema gives them. */
  readonly options: O;
  /** 64 KiB of memory that the VCPUs of the case share. It is zero at the case's start. It is not the machine's memory. */
  readonly shared: SharedArrayBuffer;
  /** Ends the case as skipped. */
  readonly skip: (reason: string) => never;
}

/** What a backend or a run may lack. Where it is missing, a case that requires it is skipped, with the reason. */
export type Capability = 'virtual-clock' | 'realtime-clock' | 'interrupt-acknowledge' | 'snapshot' | 'multi-vcpu';

/** A case. It passes when it returns. The report keeps what it returns, as its measurements; that must be cloneable. */
export type CaseFunction<O = unknown> = (context: CaseContext<O>) => unknown;

/** A case with more settings. */
export interface CaseSpec<O = unknown> {
  readonly run: CaseFunction<O>;
  readonly description?: string;
  readonly requires?: readonly Capability[];
  /** The clock that this case needs, whatever the run's default is. The case is skipped when `--clock` names the other clock. */
  readonly clock?: ClockKind;
  /** The wall time that the case may take. */
  readonly timeout?: Duration;
  /** The number of VCPUs that execute the case, 1 to 8. Default: the plugin's. */
  readonly vcpus?: number;
  /**
   * Known differences: the backends on which the case fails, each with what is different there and the source of that. On such a backend the
   * case is expected to fail, and is reported as `known`. It counts as a failure there when it passes.
   */
  readonly expect?: Readonly<Record<BackendName, string>>;
}

/** One case, or cases by name. A name is a path (`alarm/wildcard/hour`). */
export type Run<O = unknown> = CaseFunction<O> | Readonly<Record<string, CaseFunction<O> | CaseSpec<O>>>;

/** A plugin, as `definePlugin()` gives it. */
export interface Plugin<O = unknown> {
  /** The short name by which reports call it: lower case, digits and hyphens. */
  readonly name: string;
  readonly description: string;
  /** The range of the API that the plugin was written for. Default: `^` and the version of the SDK that it was made with. */
  readonly api?: string;
  /** Builds the machine, in the host, in place of the normal machine init. Without it the machine is the full default machine. */
  readonly init?: (machine: MachineBuilder, context: { readonly options: O }) => void | Promise<void>;
  /** The cases. Each runs as a VCPU, in a worker, on a machine as `init()` left it. */
  readonly run?: Run<O>;
  /** The number of VCPUs that execute each case, 1 to 8. Each has its own `vcpu.index`. Default 1. */
  readonly vcpus?: number;
  /** The devices that the plugin brings. */
  readonly devices?: readonly AnyDeviceDefinition[];
  /** Taps the host's hooks. The host calls it once. */
  readonly apply?: (host: Host, context: { readonly options: O }) => void;
  /** Validates the options that the config gives to the plugin. It is any Standard Schema (zod, valibot, arktype …). */
  readonly options?: StandardSchema<O>;
}

const BRAND = Symbol.for('@qtest/plugin');

/** A plugin as `definePlugin` made it. */
export type DefinedPlugin = Plugin<never> & { readonly api: string };

/** Defines a plugin. It must be the module's default export. */
export function definePlugin<O = Readonly<Record<string, unknown>>>(
  plugin: Plugin<O>,
): Plugin<O> & { readonly api: string } {
  return Object.freeze({ api: `^${API_VERSION}`, ...plugin, [BRAND]: true });
}

/** Whether `value` came from `definePlugin`, in any copy of this SDK. */
export function isPlugin(value: unknown): value is Plugin & { readonly api: string } {
  return typeof value === 'object' && value !== null && BRAND in value;
}
