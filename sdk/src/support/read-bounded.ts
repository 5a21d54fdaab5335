import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes that are read at once. */
const CHUNK = 2 ** 16;

/**
 * The contents of a file that somebody else has named: a regular file of bounded size. A device has no end, and a FIFO may never have any
 * beginning.
 * @throws where it is none, or too large.
 */
export function readBounded(path: string, limit: number): Buffer {
  // Not waited for, as a FIFO's other end would be.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile())
      throw new Error(`it is ${stats.isDirectory() ? 'a folder' : 'a device or a FIFO'}, and not a regular file`);
    const chunks: Buffer[] = [];
    let total = 0;
    // To its end, and not by its size: it may grow, and those of /proc have none.
    for (;;) {
      if (total > limit || stats.size > limit) throw new Error(`it has more than ${limit} bytes`);
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readSync(fd, chunk);
      if (length === 0) return Buffer.concat(chunks, total);
      chunks.push(chunk.subarray(0, length));
      total += length;
    }
  } finally {
    closeSync(fd);
  }
}
