import type { ClockKind } from '@qtest/sdk';
import type { Channel } from './channel.ts';

/** What a thread is connected to a QEMU by. */
export interface QemuHandle {
  readonly qtest: Channel;
  readonly qmp: Channel;
  /** Character backends by the ids of their devices. */
  readonly chardevs: Readonly<Record<string, Channel>>;
  /** Of `Pending`. */
  readonly pending: SharedArrayBuffer;
  readonly clock: ClockKind;
}
