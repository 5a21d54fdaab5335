import type { EmulatedTask, EmulatedThreadData } from '../emulated-lane.ts';
import type { Channel } from './channel.ts';
import type { QemuMapping } from './command-line.ts';

/** What a VCPU's thread is given when it starts. */
export interface QemuThreadData extends EmulatedThreadData<QemuMapping> {
  /** Of `Pending`. */
  readonly pending: SharedArrayBuffer;
}

/** One case on one QEMU. */
export interface QemuTask extends EmulatedTask {
  readonly qtest: Channel;
  readonly qmp: Channel;
  readonly chardevs: readonly Channel[];
}
