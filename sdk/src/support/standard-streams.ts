import { fstatSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

import { codeOf, messageOf } from './thrown.ts';

/** What a stream says whose reader has gone. A terminal that has says `EIO`. */
const GONE = new Set(['EPIPE', 'ECONNRESET', 'ESHUTDOWN', 'ENOTCONN', 'EBADF', 'ERR_STREAM_DESTROYED']);

/**
 * Lets the process outlive its standard output and error: what is written to one that is closed is dropped, and is no error to anyone, be it
 * a plugin or the stream of a worker. When standard output can't take it for another reason, as a full disk, that is told once, and the
 * exit code is 1 at least.
 * @param program what messages begin with.
 */
export function guardStandardStreams(program: string): void {
  const { stdout, stderr } = process;
  outlive(stdout, 1, (error) => {
    const code = codeOf(error) ?? '';
    if (GONE.has(code) || (code === 'EIO' && stdout.isTTY)) return;
    stderr.write(`${program}: standard output is not complete: ${messageOf(error)}\n`);
    process.once('exit', (exitCode) => {
      if (exitCode === 0) process.exitCode = 1;
    });
  });
  // There is nobody left to tell.
  outlive(stderr, 2, () => {});
}

/** @param onLost told once why what is written there from now on is dropped. */
function outlive(stream: NodeJS.WriteStream, fd: number, onLost: (error: Error) => void): void {
  let isLost = false;
  const settle =
    (done: () => void) =>
    (error?: Error | null): void => {
      if (error && !isLost) {
        isLost = true;
        onLost(error);
      }
      done();
    };
  const write = !stream.isTTY && isFile(fd) ? writerOf(fd) : stream._write.bind(stream);
  const writev = stream._writev?.bind(stream);
  stream._write = (chunk, encoding, done) => (isLost ? done() : write(chunk, encoding, settle(done)));
  if (writev) stream._writev = (chunks, done) => (isLost ? done() : writev(chunks, settle(done)));
  stream.on(
    'error',
    settle(() => {}),
  );
}

/** Node writes a chunk to a file once: what a nearly full disk has not taken of it would be lost without an error. */
function writerOf(fd: number): Writable['_write'] {
  return (chunk: Uint8Array, _encoding, done) => {
    try {
      writeFileSync(fd, chunk);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(messageOf(error)));
    }
  };
}

/** Whether it takes what is written at once: neither a pipe nor a socket. */
function isFile(fd: number): boolean {
  try {
    const found = fstatSync(fd);
    return found.isFile() || found.isCharacterDevice();
  } catch {
    return false;
  }
}
