import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { closeChannel, openChannel, type Channel } from '../src/channel.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** QEMU's end of a channel. What it writes before it is asked is the answer. */
export interface Peer {
  readonly channel: Channel;
  answer(text: string): void;
  /** What it has been asked since the last time. */
  asked(): string;
  hangUp(): void;
}

/** A channel over a pair of FIFOs, until the end of the test. */
export function peer(): Peer {
  const dir = mkdtempSync(join(tmpdir(), 'qtest-channel-'));
  const path = join(dir, 'pipe');
  expect(openChannel(path), 'there is none yet').toBeUndefined();
  spawnSync('mkfifo', [`${path}.in`, `${path}.out`]);
  expect(openChannel(path), 'QEMU has not opened its end').toBeUndefined();
  // As QEMU does: both for reading and writing.
  const [input, output] = ['in', 'out'].map((name) => openSync(`${path}.${name}`, constants.O_RDWR));
  if (input === undefined || output === undefined) throw new Error('no descriptors');
  const channel = openChannel(path);
  if (channel === undefined) throw new Error('the channel has not been opened');
  let open = [input, output];
  const hangUp = (): void => {
    open.forEach((descriptor) => closeSync(descriptor));
    open = [];
  };
  ends.push(() => {
    hangUp();
    closeChannel(channel);
    rmSync(dir, { recursive: true });
  });
  return {
    channel,
    answer: (text) => void writeSync(output, text),
    asked: () => {
      const bytes = Buffer.alloc(65_536);
      return bytes.toString('latin1', 0, readSync(input, bytes));
    },
    hangUp,
  };
}
