import type { EmulatedTask, EmulatedThreadData } from '../emulated-lane.ts';
import type { V86Mapping, V86Settings } from './mapping.ts';

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
export type V86ThreadData = EmulatedThreadData<V86Mapping>;

/** One case on one emulator. */
export interface V86Task extends EmulatedTask {
  readonly mailbox: SharedArrayBuffer;
}
