import type { AnyDeviceDefinition, DeviceRef, PropertyValue, RegionSpec } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { ModuleRef } from './blueprint.ts';

/** A device of a machine under construction. */
export interface Added extends DeviceRef {
  readonly definition: AnyDeviceDefinition;
  readonly module: ModuleRef;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  readonly bus: Added | undefined;
  readonly regions: Readonly<Record<string, RegionSpec>>;
  /** Line of each output's first pin. */
  readonly outputs: Readonly<Record<string, { readonly line: number; readonly count: number }>>;
  readonly busLine: number;
}

export const hex = (value: number): string => `0x${value.toString(16)}`;
export const range = (base: number, size: number): string => `${hex(base)}-${hex(base + size - 1)}`;
/** What is wrong with a machine that is being built. */
export const fail = (message: string): never => {
  throw hostError('MACHINE', message);
};
