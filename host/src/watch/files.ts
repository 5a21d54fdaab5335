import { statSync, watch, type FSWatcher, type WatchListener } from 'node:fs';
import { dirname, join } from 'node:path';

import { hostError, messageOf } from '@qtest/sdk/support';

/** How long nothing else may change before changes are told, ms: an editor, or a compiler, writes more than once. */
const QUIET = 25;

/**
 * Watches files by their folders, so that one which is replaced, as editors do it, or not there yet is seen as well; where
 * there is no such folder, by the nearest one above it.
 */
export class WatchedFiles {
  readonly #files = new Set<string>();
  readonly #folders = new Map<string, FSWatcher>();
  /** Folders of files that are not there. */
  readonly #missing = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #onChange: (files: readonly string[]) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange told of files that have changed, those of one moment together. */
  constructor(onChange: (files: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#files.size;
  }

  /**
   * Watches these as well. What has changed since `since`, ms, when they were read, is told at once.
   * @throws USAGE when the system has no more to watch with.
   */
  add(files: readonly string[], since: number): void {
    for (const file of files) {
      const isNew = !this.#files.has(file);
      this.#files.add(file);
      this.#watchFolder(dirname(file));
      const { mtimeMs = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
      if (isNew && mtimeMs > since) this.#note(file);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#folders.values()) watcher.close();
  }

  #watchFolder(folder: string): void {
    if (this.#folders.has(folder)) return;
    if (!isThere(folder)) return this.#await(folder);
    const watcher = watched(folder, (_event, name) => {
      if (name !== null) this.#note(join(folder, name));
      if (!isThere(folder)) forget();
      for (const missing of this.#missing) if (isThere(missing)) this.#found(missing);
    });
    const forget = (): void => {
      watcher.close();
      this.#folders.delete(folder);
      this.#await(folder);
    };
    watcher.on('error', forget);
    this.#folders.set(folder, watcher);
  }

  /** Waits for a folder: when it comes to be, the one above it tells. */
  #await(folder: string): void {
    this.#missing.add(folder);
    this.#watchFolder(dirname(folder));
    // It may have come before that was watched.
    if (isThere(folder)) this.#found(folder);
  }

  /** What is in it by now has come without being seen. */
  #found(folder: string): void {
    this.#missing.delete(folder);
    this.#watchFolder(folder);
    for (const file of this.#files) if (dirname(file) === folder && isThere(file)) this.#note(file);
  }

  #note(file: string): void {
    if (!this.#files.has(file)) return;
    this.#changed.add(file);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const files = [...this.#changed];
      this.#changed.clear();
      this.#onChange(files);
    }, QUIET);
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function watched(folder: string, onEvent: WatchListener<string>): FSWatcher {
  try {
    return watch(folder, onEvent);
  } catch (error) {
    const limits = 'on Linux, sysctl has fs.inotify.max_user_watches and fs.inotify.max_user_instances';
    throw hostError(
      'USAGE',
      `the folder ${folder} can't be watched: ${messageOf(error)}. Raise the limit (${limits}), or run without --watch`,
      { cause: error },
    );
  }
}
