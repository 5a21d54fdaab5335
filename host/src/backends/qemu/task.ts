import type { MachineHandle } from '../../machine/blueprint.ts';
import type { VcpuTask } from '../../vcpu/task.ts';
import type { Content } from '../contents.ts';
import type { Channel } from './channel.ts';
import type { QemuMapping } from './command-line.ts';

/** What a VCPU's thread is given when it starts. */
export interface QemuThreadData {
  /** Of the machine as our devices would make it: its wiring, and its control area for the trace. */
  readonly handle: MachineHandle;
  readonly mapping: QemuMapping;
  readonly plugin: { readonly name: string; readonly url: string; readonly root: string };
  readonly options: unknown;
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
  /** Of `Pending`. */
  readonly pending: SharedArrayBuffer;
}

/** One case on one QEMU. */
export interface QemuTask extends VcpuTask {
  readonly qtest: Channel;
  readonly qmp: Channel;
  readonly chardevs: readonly Channel[];
  /** What RAM holds at first. */
  readonly contents: readonly Content[];
}
