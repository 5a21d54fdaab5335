import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  type BigIntStats,
  type Stats,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { codeOf } from '@qtest/sdk/support';
import { whyNotWritten } from './why-not-written.ts';

/** Links that are followed, as Linux does. */
const MOST_LINKS = 40;

/** How often a file that stands in the way is removed before it is given up: others may be making it at the same time. */
const TRIES = 5;

/**
 * A file that is written beside its place, and put there when it is whole: until then what was there before stays, and what has been
 * written is there however the process ends. What is no regular file, such as a FIFO or a device, is written directly.
 *
 * One of the same name that another run has left is taken over. If that run still writes, it finds at its end that the file is not its own
 * any more, and says so: of two runs with one file, the one that began last has it.
 */
export class PartialFile {
  /** Where it is until it is whole; undefined when it is written directly. */
  readonly path: string | undefined;
  readonly #place: string;
  readonly #fd: number;
  /** Of the process, not opened here; or closed. */
  #isClosed = false;
  #isEmpty = true;
  /** Which file it is. */
  #id: Id;

  /**
   * @param suffix what its name has more than that of its place.
   * @throws what the file system does, and an error that says what is in the way.
   */
  constructor(file: string, suffix = '.partial') {
    const found = statSync(file, { throwIfNoEntry: false });
    this.#place = placeOf(file);
    const folder = dirname(this.#place);
    if (isDirect(folder, found)) {
      const own = found?.isFile() === true ? ownDescriptor(folder, this.#place) : undefined;
      this.#isClosed = own !== undefined;
      this.#fd = own ?? openSync(file, 'w');
      this.#id = idOf(this.#fd);
      return;
    }
    // One that may not be written is not replaced either.
    if (found !== undefined) accessSync(this.#place, constants.W_OK);
    this.path = `${this.#place}${suffix}`;
    this.#fd = create(this.path);
    this.#id = idOf(this.#fd);
    if (found !== undefined) makeAlike(this.#fd, found);
  }

  write(chunk: string | Uint8Array): void {
    writeFileSync(this.#fd, chunk);
    this.#isEmpty = false;
  }

  /**
   * Puts it in its place, in which it is whole.
   * @throws what the file system does, and when it is not there any more: it has been removed, or another run has taken its name.
   */
  put(): void {
    this.#checkOwn();
    this.#close();
    if (this.path !== undefined) renameSync(this.path, this.#place);
  }

  /** Another takes its place beside the place, as `put` does. @param other whose place is the path of this one. */
  replaceBy(other: PartialFile): void {
    this.#checkOwn();
    other.put();
    this.#id = other.#id;
  }

  /** Leaves it where it is, as it is not whole; when nothing was written, it goes. */
  leave(): void {
    if (this.#isEmpty) this.discard();
    else this.#close();
  }

  /** Removes it. */
  discard(): void {
    this.#close();
    if (this.path !== undefined && this.isThere) unlinkSync(this.path);
  }

  /** Whether what was written is there. */
  get isThere(): boolean {
    if (this.path === undefined) return true;
    const found = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    return found?.ino === this.#id.ino && found.dev === this.#id.dev;
  }

  #checkOwn(): void {
    if (this.path === undefined || this.isThere) return;
    if (!existsSync(dirname(this.path))) throw new Error('its folder is there no more');
    throw new Error(
      `${basename(this.path)} is not this run's any more: another run that writes the same file has begun, or it was removed`,
    );
  }

  #close(): void {
    if (!this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }
}

type Id = Pick<BigIntStats, 'dev' | 'ino'>;

function idOf(fd: number): Id {
  return fstatSync(fd, { bigint: true });
}

/** Writes a file at once: who reads it finds the one that was there before, or this one. */
export function writeWhole(file: string, content: string | Uint8Array): void {
  const partial = new PartialFile(file);
  try {
    partial.write(content);
  } catch (error) {
    partial.discard();
    throw error;
  }
  partial.put();
}

/** Where a path leads to, whether or not anything is there yet. What /proc has links to need not have a path. */
function placeOf(file: string): string {
  let place = file;
  for (let links = 0; links < MOST_LINKS; links++) {
    place = join(realpathSync(dirname(place)), basename(place));
    const isLink = lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (!isLink || isProc(dirname(place))) return place;
    place = resolve(dirname(place), readlinkSync(place));
  }
  throw new Error('too many symbolic links');
}

function isProc(folder: string): boolean {
  return folder === '/proc' || folder.startsWith('/proc/');
}

/** /dev/stdout may lead to a regular file, which is not to be replaced: others hold it open. */
function isDirect(folder: string, found: Stats | undefined): boolean {
  return (found !== undefined && !found.isFile()) || isProc(folder) || folder === '/dev' || folder === '/dev/fd';
}

/** Which of the process's own files it is, `/proc/self/fd/3`: opened anew it would be overwritten from its start. */
function ownDescriptor(folder: string, place: string): number | undefined {
  return folder === `/proc/${process.pid}/fd` ? Number(basename(place)) : undefined;
}

function create(path: string): number {
  for (let tries = 1; ; tries++) {
    try {
      return openSync(path, 'wx');
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || tries === TRIES) throw error;
    }
    try {
      unlinkSync(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') continue;
      throw new Error(`${basename(path)} is in the way: ${whyNotWritten(error)}`, { cause: error });
    }
  }
}

/** Gives it owner and mode of the file that it is to replace. */
function makeAlike(fd: number, { mode, uid, gid }: Stats): void {
  const own = fstatSync(fd);
  try {
    if (own.uid !== uid || own.gid !== gid) fchownSync(fd, uid, gid);
    fchmodSync(fd, mode & 0o777);
  } catch (error) {
    // Who may not, and on a file system that has none, writes it all the same.
    if (codeOf(error) === undefined) throw error;
  }
}
