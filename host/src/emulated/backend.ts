import type { ClockKind } from '@qtest/sdk';
import type { Connector, Emulator, Mapping, RunningEmulator, WantedMachine } from '@qtest/sdk/backend';
import type { Backend } from '../runner/backend.ts';

/** An emulator that can be used, and both halves of the package that brings it. What these give has been checked. */
export interface UsableBackend extends Backend, Pick<Emulator, 'about' | 'script'> {
  readonly version: string;
  /** As messages name the emulator. */
  readonly title: string;
  /** Its half for the thread of a VCPU, and the URL of that. */
  readonly connector: Connector;
  readonly connectorUrl: string;
  /** Whether a reset of its machine resets every device. */
  readonly resetsAll: boolean;
  map(machine: WantedMachine): Mapping;
  start(settings: unknown, options: { readonly clock: ClockKind }): Promise<RunningEmulator>;
}
