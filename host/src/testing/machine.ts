import type { AnyDeviceDefinition, Clock, ClockKind, Machine, MachineBuilder, Vcpu } from '@qtest/sdk';
import type { WantedMachine } from '@qtest/sdk/backend';

import { testMachine as create } from '@qtest/machine/testing';

import { ownPackage } from '../plugins/devices.ts';
import { wantedOf } from '../emulated/wanted.ts';
import { Builder, Catalog, registryOf } from '@qtest/machine';

/** A machine and its VCPUs, on the thread of the test. */
export interface TestMachine {
  /** The first VCPU. */
  readonly vcpu: Vcpu;
  /** All VCPUs. Each takes its interrupts in its own accesses. */
  readonly vcpus: readonly Vcpu[];
  readonly clock: Clock;
  readonly machine: Machine;
  /** What devices and the bus have reported since the last call. */
  readonly events: () => {
    kind: 'guestError' | 'unimplemented';
    device: string | undefined;
    message: string;
  }[];
  /** Sets the level of line `n` of the bus with the id `bus`. */
  readonly setLine: (bus: string, n: number, level: boolean) => void;
}

/** Options of `testMachine()`. */
export interface TestMachineOptions {
  /** The machine's clock. Default `'virtual'`. */
  readonly clock?: ClockKind;
  /** Definitions of the devices that the host does not have. */
  readonly devices?: readonly AnyDeviceDefinition[];
  /** How many device accesses a test may make while virtual time stands still. Default 5 000 000. */
  readonly stallLimit?: number;
  /** Number of VCPUs. All are on this thread: each takes its interrupts in its own accesses. Default 1. */
  readonly vcpus?: number;
}

/**
 * Builds a machine inside a test. The test has nothing to dispose of.
 * @example
 * const { vcpu, clock } = testMachine((machine) => machine.pc());
 */
export function testMachine(init: (machine: MachineBuilder) => void, options: TestMachineOptions = {}): TestMachine {
  return create(init, { ...options, packages: [ownPackage()] });
}

/**
 * A machine as a backend is asked for it, for a test of what the backend makes of it.
 * @example
 * const { missing } = map(wantedMachine((machine) => machine.pc()));
 */
export function wantedMachine(
  init: (machine: MachineBuilder) => void,
  { clock = 'realtime', devices = [] }: Pick<TestMachineOptions, 'clock' | 'devices'> = {},
): WantedMachine {
  const known = new Catalog([ownPackage()], [{ name: 'test', url: import.meta.url, devices }]);
  const builder = new Builder(clock, known);
  init(builder);
  return wantedOf(builder.seal().blueprint, registryOf(known));
}
