import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Connection } from './connection.ts';
import { testSession } from './testing.ts';

/** A client that takes nothing that is sent to it, until it is told to. */
function deafClient(): { stream: Duplex; takeAll: () => Promise<number>; isPaused: () => boolean } {
  let taken = 0;
  let pending: (() => void) | undefined;
  let isTaking = false;
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      taken += chunk.length;
      if (isTaking) done();
      else pending = done;
    },
  });
  return {
    stream,
    takeAll: async () => {
      isTaking = true;
      pending?.();
      // The next read of nothing new comes when all has been answered.
      for (let before = -1; before !== taken;) {
        before = taken;
        for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      return taken;
    },
    isPaused: () => stream.isPaused(),
  };
}

describe('Connection', () => {
  it('executes no further request while its client does not take the replies', async () => {
    const { session, machine } = testSession((builder) => builder.isapc());
    const { stream, takeAll, isPaused } = deafClient();
    new Connection(stream, session);
    const SIZE = 2 ** 16;
    const COUNT = 1000;
    stream.push(`read 0 ${SIZE}\n`.repeat(COUNT) + 'clock_set 12345\n');
    await new Promise((resolve) => setImmediate(resolve));
    expect(isPaused()).toBe(true);
    expect(stream.writableLength).toBeLessThan(2 ** 22);
    expect(machine.now).toBe(0n);
    expect(await takeAll()).toBe(COUNT * ('OK 0x\n'.length + 2 * SIZE) + 'OK 12345\n'.length);
    expect(machine.now).toBe(12_345n);
  });

  it('lets others come first while a step takes long, and keeps what comes meanwhile', async () => {
    const { session, machine } = testSession((builder) => builder.isapc());
    const { stream, takeAll } = deafClient();
    new Connection(stream, session);
    stream.push('clock_set 1000000000000\n');
    let turns = 0;
    while (machine.now === 0n) await new Promise((resolve) => setImmediate(resolve));
    stream.push('clock_step 1\n');
    while (machine.now < 1_000_000_000_001n) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    expect(turns).toBeGreaterThan(1);
    expect(await takeAll()).toBe('OK 1000000000000\nOK 1000000000001\n'.length);
  });

  it('ignores the half of a line that a client leaves behind', async () => {
    const { session, ask } = testSession((builder) => builder.isapc());
    const { stream } = deafClient();
    new Connection(stream, session);
    stream.push('outb 0x70 0x40\noutb 0x71 0x5');
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(ask('inb 0x71')).toBe('OK 0x0000');
  });
});
