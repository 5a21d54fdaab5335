import type { BackendName, Capability, ClockKind, Plugin } from '@qtest/sdk';

/** A case of a plugin, as its definition gives it. */
export interface PluginCase {
  readonly name: string;
  readonly description?: string;
  readonly requires: readonly Capability[];
  /** The clock that it needs. */
  readonly clock?: ClockKind;
  /** Wall time that it may take, in nanoseconds. */
  readonly timeout?: bigint;
  readonly vcpus: number;
  /** Backends on which it is known to fail, and why. */
  readonly expect?: Readonly<Record<BackendName, string>>;
}

/** A plugin, loaded and checked. */
export interface LoadedPlugin {
  readonly name: string;
  readonly description: string;
  /** As the user wrote it: a name or a path. */
  readonly spec: string;
  /** Of its module. */
  readonly url: string;
  readonly packageName?: string;
  readonly version?: string;
  /** The folder of its package, or of its file when it is in none. */
  readonly root: string;
  readonly plugin: Plugin;
  /** Validated; always data that can be cloned into a VCPU's thread. */
  readonly options: unknown;
  /** Empty for a plugin that brings hooks or devices alone. */
  readonly cases: readonly PluginCase[];
}

/** A plugin to be loaded. */
export interface PluginRequest {
  readonly spec: string;
  /** The folder from which `spec` is resolved: the config file's, or the working directory. Absolute. */
  readonly from: string;
  /** As the config gives them. */
  readonly options?: Readonly<Record<string, unknown>>;
}
