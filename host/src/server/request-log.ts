import { openSync, writeSync } from 'node:fs';
import type { RequestLog } from './connection.ts';
import { onOneLine } from '../report/printable.ts';

/** Bytes of a line that a log keeps. */
const MAX_LOGGED = 512;

/** The standard error output, as libqtest names it. */
export const STDERR = '/dev/fd/2';

/** A log of requests and replies, as QEMU's: `[R +0.001234] inb 0x71` and `[S +0.001240] OK 0x0026`, in seconds since its start. Throws as `openSync` does. */
export function openLog(file: string): RequestLog {
  // To open it again would begin it anew where it is a file.
  const fd = file === STDERR || file === '/dev/stderr' ? 2 : openSync(file, 'w');
  const start = performance.now();
  const write = (kind: 'R' | 'S', line: string): void => {
    const text = onOneLine(line.length > MAX_LOGGED ? `${line.slice(0, MAX_LOGGED)}...` : line.trimEnd());
    writeSync(fd, `[${kind} +${((performance.now() - start) / 1000).toFixed(6)}] ${text}\n`, undefined, 'latin1');
  };
  return { request: (line) => write('R', line), reply: (line) => write('S', line) };
}
