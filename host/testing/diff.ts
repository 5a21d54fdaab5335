import type { AnyDeviceDefinition, MachineBuilder } from '@qtest/sdk';
import { NativeSide } from '../src/diff/native-side.ts';
import { ownPackage } from '../src/plugins/devices.ts';
import type { Access } from '../src/diff/access.ts';
import { type Registry, Builder, Catalog, OP, registryOf } from '@qtest/machine';

/** A machine for a comparison, and its devices. */
export function sideOf(
  init: (machine: MachineBuilder) => void,
  devices: readonly AnyDeviceDefinition[] = [],
): { side: NativeSide; registry: Registry } {
  const known = new Catalog([ownPackage()], [{ name: 'test', url: import.meta.url, devices }]);
  const builder = new Builder('virtual', known);
  init(builder);
  const registry = registryOf(known);
  return { side: new NativeSide(builder, registry), registry };
}

export const outb = (address: number, value: number): Access => ({ op: OP.OUT, size: 1, address, value });
export const outl = (address: number, value: number): Access => ({ op: OP.OUT, size: 4, address, value });
export const inb = (address: number): Access => ({ op: OP.IN, size: 1, address, value: 0 });
export const readl = (address: number): Access => ({ op: OP.READ, size: 4, address, value: 0 });
export const readb = (address: number): Access => ({ op: OP.READ, size: 1, address, value: 0 });
