import type { AnyDeviceDefinition, MachineBuilder } from '@qtest/sdk';
import { Catalog, dependencyManifest, devicePackage } from '@qtest/machine';
import { testMachine as create, type TestMachine } from '@qtest/machine/testing';

export type { TestMachine };

/** The package of our own devices. */
export const DEVICES = devicePackage(dependencyManifest('@qtest/devices', import.meta.url));

/** Our own devices, and those of a test. */
export function knownDevices(plugins: ConstructorParameters<typeof Catalog>[1] = []): Catalog {
  return new Catalog([DEVICES], plugins);
}

/** Definitions of all our own devices. */
export function ownDevices(): readonly AnyDeviceDefinition[] {
  return [...knownDevices().values()].map(({ definition }) => definition);
}

/** A machine of our own devices and boards, and those of a test, on the thread of the test. */
export function testMachine(
  init: (machine: MachineBuilder) => void,
  options: Omit<NonNullable<Parameters<typeof create>[1]>, 'packages'> = {},
): TestMachine {
  return create(init, { ...options, packages: [DEVICES] });
}
