import type { AnyDeviceDefinition, ClockKind, MachineBuilder } from '@qtest/sdk';
import type { WantedMachine } from '@qtest/sdk/backend';

import { testMachine as create, type TestMachine as Created } from '@qtest/machine/testing';
import { ownPackage } from '../plugins/devices.ts';
import { wantedOf } from '../emulated/wanted.ts';
import { Builder, Catalog, registryOf } from '@qtest/machine';

/** A machine and its VCPU, on the thread of the test. */
export type TestMachine = Omit<Created, 'bound'>;

/** What a machine of a test is to have. */
export interface TestMachineOptions {
  /** Default `'virtual'`. */
  readonly clock?: ClockKind;
  /** Definitions of the devices that are none of the host's. */
  readonly devices?: readonly AnyDeviceDefinition[];
  /** Device accesses that may be made while virtual time stands still. Default 5 000 000. */
  readonly stallLimit?: number;
  /** All on this thread: each takes its interrupts in an access of its own. Default 1. */
  readonly vcpus?: number;
}

/**
 * Builds a machine inside a test. Nothing has to be disposed of.
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
