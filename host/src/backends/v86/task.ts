import type { MachineHandle } from '../../machine/blueprint.ts';
import type { VcpuTask } from '../../vcpu/task.ts';
import type { Content } from '../contents.ts';
import type { V86Mapping } from './mapping.ts';

/** What the emulator's machine is given. */
export interface V86Settings {
  /** Bytes of RAM. */
  readonly ram: number;
  /** Serial ports by their number, from 0, with the modem inputs that are active, as bits of MSR. */
  readonly serial: readonly { readonly port: number; readonly inputs: number }[];
  /** The RTC's time at the case's start, ms since 1970; undefined when there is none. */
  readonly epoch: number | undefined;
}

/** What the emulator's thread is started with. */
export interface V86EmulatorData {
  /** URL of the package's module. */
  readonly entry: string;
  /** Its compiled half. */
  readonly wasm: WebAssembly.Module;
  readonly settings: V86Settings;
  readonly mailbox: SharedArrayBuffer;
}

/** What the emulator's thread tells: that it is ready, or why it is not. */
export type V86Message = { readonly ready: true } | { readonly error: string };

/** What a VCPU's thread is given when it starts. */
export interface V86ThreadData {
  /** Of the machine as our devices would make it: its wiring, and its control area for the trace. */
  readonly handle: MachineHandle;
  readonly mapping: V86Mapping;
  readonly plugin: { readonly name: string; readonly url: string; readonly root: string };
  readonly options: unknown;
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
}

/** One case on one emulator. */
export interface V86Task extends VcpuTask {
  readonly mailbox: SharedArrayBuffer;
  readonly contents: readonly Content[];
}
