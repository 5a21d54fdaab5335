import type { V86Settings } from './mapping.ts';
import '@qtest/sdk/support';

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

/** What a thread is connected to a v86 by. */
export interface V86Handle {
  readonly mailbox: SharedArrayBuffer;
  /** Numbers of the serial ports, from 0, by the ids of their devices. */
  readonly serials: Readonly<Record<string, number>>;
}
