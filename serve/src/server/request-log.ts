import { openSync, writeSync } from 'node:fs';
import { codeOf, messageOf, onOneLine } from '@qtest/sdk/support';
import type { RequestLog } from './connection.ts';

/** Bytes of a line that a log keeps. */
const MAX_LOGGED = 512;

/** The standard error output, as libqtest names it. */
export const STDERR = '/dev/fd/2';

/** Milliseconds that a reader of the log may keep it from being written. */
const PATIENCE = 1000;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * A log of requests and replies, as QEMU's: `[R +0.001234] inb 0x71` and `[S +0.001240] OK 0x0026`, in seconds since its start. Throws as
 * `openSync` does.
 * @param onLost is told why nothing more can be written. Requests are answered as before.
 */
export function openLog(file: string, onLost: (why: string) => void): RequestLog {
  // To open it again would begin it anew where it is a file.
  const fd = file === STDERR || file === '/dev/stderr' ? 2 : openSync(file, 'w');
  const start = performance.now();
  let isLost = false;
  const write = (kind: 'R' | 'S', line: string): void => {
    if (isLost) return;
    const text = onOneLine(line.length > MAX_LOGGED ? `${line.slice(0, MAX_LOGGED)}...` : line.trimEnd());
    try {
      writeWhole(fd, `[${kind} +${((performance.now() - start) / 1000).toFixed(6)}] ${text}\n`);
    } catch (error) {
      isLost = true;
      onLost(messageOf(error));
    }
  };
  return { request: (line) => write('R', line), reply: (line) => write('S', line) };
}

/** Writes all of it; waits where a pipe is full. */
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  const end = performance.now() + PATIENCE;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN' || performance.now() > end) throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}
