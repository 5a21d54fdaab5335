import { openSync, writeSync } from 'node:fs';
import { hostError } from '../errors.ts';
import { messageOf } from '../thrown.ts';
import type { RequestLog } from './connection.ts';

/** Bytes of a line that a log keeps. */
const MAX_LOGGED = 512;

/** A log of requests and replies, as QEMU's: `[R +0.001234] inb 0x71` and `[S +0.001240] OK 0x0026`, in seconds since its start. */
export function openLog(file: string): RequestLog {
  const fd = open(file);
  const start = performance.now();
  const write = (kind: 'R' | 'S', line: string): void => {
    const text = line.length > MAX_LOGGED ? `${line.slice(0, MAX_LOGGED)}...` : line.trimEnd();
    writeSync(fd, `[${kind} +${((performance.now() - start) / 1000).toFixed(6)}] ${text}\n`, undefined, 'latin1');
  };
  return { request: (line) => write('R', line), reply: (line) => write('S', line) };
}

function open(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw hostError('USAGE', `cannot write the log ${file}: ${messageOf(error)}`);
  }
}
