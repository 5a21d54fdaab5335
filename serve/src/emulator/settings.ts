import type { QemuVersion } from '../qmp/version.ts';

/** What a machine is made of, as the command line says: plain data, read before any device is loaded. */

export const MACHINES = {
  pc: { description: 'Standard PC (i440FX + PIIX, 1996)', maxCpus: 8, alias: 'pc', name: 'pc-i440fx', ram: 'pc.ram' },
  isapc: { description: 'ISA-only PC', maxCpus: 1, alias: undefined, name: 'isapc', ram: 'pc.ram' },
  none: { description: 'empty machine', maxCpus: 1, alias: undefined, name: 'none', ram: 'ram' },
} as const;
export type MachineKind = keyof typeof MACHINES;

/** A `-device`, or a `device_add`: keys and values as they were given. */
export interface DeviceOption {
  readonly driver: string;
  readonly id: string | undefined;
  readonly options: ReadonlyMap<string, string>;
  /** How it was given, for an error: `-device edu,addr=1`; empty for `device_add`. */
  readonly text: string;
}

/** An option that makes what devices would have at their back. */
export interface BackendOption {
  readonly option: 'drive' | 'blockdev' | 'netdev' | 'object';
  readonly value: string;
}

export const WATCHDOG_ACTIONS = ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none', 'inject-nmi'] as const;
export const PANIC_ACTIONS = ['pause', 'shutdown', 'exit-failure', 'none'] as const;

export interface Actions {
  readonly watchdog: (typeof WATCHDOG_ACTIONS)[number];
  readonly panic: (typeof PANIC_ACTIONS)[number];
  readonly reboot: 'reset' | 'shutdown';
  readonly shutdown: 'poweroff' | 'pause';
}

export interface Settings {
  /** Of QEMU: whose part the emulator takes. */
  readonly version: QemuVersion;
  readonly machine: MachineKind;
  readonly ram: number;
  readonly cpus: number;
  readonly cpuModel: string;
  /** ISO 8601, whole seconds. */
  readonly epoch: string;
  readonly hpet: boolean;
  /** Whether PCI devices can be plugged while the machine runs. */
  readonly acpi: boolean;
  readonly graphics: boolean;
  readonly name: string | undefined;
  readonly uuid: string | undefined;
  readonly bootOrder: string;
  /** For the first boot alone. */
  readonly bootOnce: string | undefined;
  readonly bootMenu: boolean;
  readonly bootFiles: Readonly<Record<string, Uint8Array>>;
  readonly floppyCheck: boolean;
  readonly fwCfgFiles: Readonly<Record<string, Uint8Array>>;
  readonly bios: Uint8Array | undefined;
  /** Of `-kernel` and its kind: kept, and told by the monitor. */
  readonly kernel: Readonly<Record<'kernel' | 'initrd' | 'append', string | undefined>>;
  readonly firmware: string | undefined;
  readonly devices: readonly DeviceOption[];
  /** Serial ports: the id of a character device each; undefined for one that nothing is at the other end of. */
  readonly serial: readonly (string | undefined)[];
  readonly globals: readonly { readonly driver: string; readonly property: string; readonly value: string }[];
  readonly actions: Actions;
  readonly backends: readonly BackendOption[];
  /** Whether it waits for `x-exit-preconfig` before anything else. */
  readonly preconfig: boolean;
  readonly startStopped: boolean;
}

/** An error that ends the emulator, or is a monitor command's reply: the message is QEMU's. */
export class UserError extends Error {
  /** As QMP's. */
  readonly kind: 'GenericError' | 'DeviceNotFound' | 'CommandNotFound';

  constructor(message: string, kind: 'GenericError' | 'DeviceNotFound' | 'CommandNotFound' = 'GenericError') {
    super(message);
    this.kind = kind;
  }
}

/** An error that is told without the option that it is about, or has been told with it. */
export class Unprefixed extends UserError {}
