import type { AnyDeviceDefinition } from './device.ts';
import type { Duration } from './duration.ts';
import type { BackendName, ClockKind, Machine, Vcpu, Clock } from './hardware.ts';
import type { Host } from './hooks.ts';
import type { MachineBuilder } from './machine.ts';
import type { StandardSchema } from './standard-schema.ts';

/** The version of this API. A plugin's range is checked against it. */
export const API_VERSION = '0.1.0';

/** Assertions, strict, with the difference shown by the report. Numbers are shown in hexadecimal too. */
export interface Assert {
  (value: unknown, message?: string): void;
  equal(actual: unknown, expected: unknown, message?: string): void;
  notEqual(actual: unknown, expected: unknown, message?: string): void;
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  throws(fn: () => unknown, expected?: RegExp | (new (...args: never[]) => Error), message?: string): void;
  match(actual: string, expected: RegExp, message?: string): void;
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
  /** The plugin's options, validated. */
  readonly options: O;
  /** Memory that the VCPUs of the case share, 64 KiB, zero at its start. It is not the machine's. */
  readonly shared: SharedArrayBuffer;
  /** Ends the case as skipped. */
  readonly skip: (reason: string) => never;
}

/** What a backend or a run may lack. A case that requires it is skipped there, with the reason. */
export type Capability = 'virtual-clock' | 'realtime-clock' | 'interrupt-acknowledge' | 'snapshot' | 'multi-vcpu';

/** A case: it passes when it returns. What it returns, if anything, is kept in the report as its measurements; it must be cloneable. */
export type CaseFunction<O = unknown> = (context: CaseContext<O>) => unknown;

/** A case that says more of itself. */
export interface CaseSpec<O = unknown> {
  readonly run: CaseFunction<O>;
  readonly description?: string;
  readonly requires?: readonly Capability[];
  /** The clock that this case needs, whatever the run's default is. With `--clock` naming the other one it is skipped. */
  readonly clock?: ClockKind;
  /** Wall time it may take. */
  readonly timeout?: Duration;
  /** VCPUs that execute it, from 1 to 8; by default as many as the plugin says. */
  readonly vcpus?: number;
  /**
   * Known differences: the backends on which it fails, each with what is different there and its source. It is expected to fail there,
   * is reported as `known`, and fails when it passes.
   */
  readonly expect?: Readonly<Record<BackendName, string>>;
}

/** One case, or cases by name; a name is a path (`alarm/wildcard/hour`). */
export type Run<O = unknown> = CaseFunction<O> | Readonly<Record<string, CaseFunction<O> | CaseSpec<O>>>;

/** A plugin, as `definePlugin()` gives it. */
export interface Plugin<O = unknown> {
  /** The short name by which reports call it: lower case, digits and hyphens. */
  readonly name: string;
  readonly description: string;
  /** The API range it was written for; by default `^` and the version of the SDK that it was made with. */
  readonly api?: string;
  /** Builds the machine, in the host, in place of the normal machine init. Without it: the full default machine. */
  readonly init?: (machine: MachineBuilder, context: { readonly options: O }) => void | Promise<void>;
  /** The cases. Each runs as a VCPU, in a worker, on a machine as `init()` left it. */
  readonly run?: Run<O>;
  /** VCPUs that execute each case, every one with its own `vcpu.index`, from 1 to 8. Default 1. */
  readonly vcpus?: number;
  /** Devices of its own. */
  readonly devices?: readonly AnyDeviceDefinition[];
  /** Taps the host's hooks; called once, in the host. */
  readonly apply?: (host: Host, context: { readonly options: O }) => void;
  /** Validates the options that the config gives it: any Standard Schema (zod, valibot, arktype …). */
  readonly options?: StandardSchema<O>;
}

const BRAND = Symbol.for('@qtest/plugin');

/** A plugin as `definePlugin` made it. */
export type DefinedPlugin = Plugin<never> & { readonly api: string };

/** Defines a plugin; the module's default export. */
export function definePlugin<O = Readonly<Record<string, unknown>>>(
  plugin: Plugin<O>,
): Plugin<O> & { readonly api: string } {
  return Object.freeze({ api: `^${API_VERSION}`, ...plugin, [BRAND]: true });
}

/** Whether `value` came from `definePlugin`, of any copy of this SDK. */
export function isPlugin(value: unknown): value is Plugin & { readonly api: string } {
  return typeof value === 'object' && value !== null && BRAND in value;
}
