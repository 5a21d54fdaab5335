import type { ClockKind, DeviceInfo } from '../hardware.ts';
import type { PropertyValue } from '../properties.ts';

export type Properties = Readonly<Record<string, PropertyValue>>;

/** A plugin's machine as plain data: what an emulator is asked for. */
export interface WantedMachine {
  readonly clock: ClockKind;
  /** In the order in which they were added: a bus comes before what is on it. */
  readonly devices: readonly WantedDevice[];
  readonly ram: readonly WantedMemory[];
  /** What the plugin has told of QEMU's command line: words of it, and ids of the devices that they stand for. */
  readonly qemu: { readonly args: readonly string[]; readonly provides: readonly string[] };
}

export interface WantedDevice {
  readonly id: string;
  readonly type: string;
  readonly properties: Properties;
  /** Id of the device whose bus it is on; undefined for none. */
  readonly bus: string | undefined;
  /** Kind of the bus that it provides (`isa`, `pci`); empty for none. */
  readonly busName: string;
  /** The IRQ of the ISA bus that its output `irq` drives, by a property of its own or as the machine wires it; undefined for none. */
  readonly irq: number | undefined;
  /** Where it answers, as far as that does not depend on its state. */
  readonly ranges: readonly Range[];
}

/** Ports, or bytes of memory. */
export interface Range {
  readonly space: 'io' | 'memory';
  readonly base: number;
  readonly size: number;
}

export interface WantedMemory {
  readonly kind: 'ram' | 'rom';
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** What an emulator has of a machine. */
export interface Mapping<S = unknown> {
  /** Devices that it has, with the properties that they have there. */
  readonly devices: readonly DeviceInfo[];
  /** Devices that it does not have, by id, and why: a case that asks for one is skipped with the reason. */
  readonly missing: Readonly<Record<string, string>>;
  /** Where something of the plugin's machine is that the emulator does not have: a case that makes an access there is skipped. */
  readonly holes: readonly Hole[];
  /** What `start` makes this machine of: the backend's own. */
  readonly settings: S;
}

/** A range in which an access would reach something else than in the plugin's machine. */
export interface Hole extends Range {
  readonly reason: string;
}
