import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';

/**
 * Reads a file whose name comes from elsewhere: a regular one alone, as a FIFO or a device may have no end, and to be opened may be enough
 * for it to do something.
 * @param most bytes that it may have.
 * @throws what the file system says, or an error that says in words what it is instead.
 */
export function readRegular(path: string, most: number): Buffer {
  check(statSync(path), most);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    check(stats, most);
    const bytes = Buffer.alloc(stats.size);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) got = readSync(fd, bytes, { offset: length });
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** A folder is told of by whoever reads it. */
function check(stats: Stats, most: number): void {
  if (!stats.isFile() && !stats.isDirectory()) throw new Error('it is no regular file');
  if (stats.size > most) throw new Error(`it has ${stats.size} bytes, and at most ${most} are read`);
}
