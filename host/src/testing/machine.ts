import type { AnyDeviceDefinition, Clock, ClockKind, Machine, MachineBuilder, Vcpu } from '@qtest/sdk';

import { testMachine as create } from '@qtest/machine/testing';

import { ownPackage } from '../plugins/devices.ts';

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
