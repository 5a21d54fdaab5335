import { statSync, watch, type FSWatcher, type WatchListener } from 'node:fs';
import { dirname, join } from 'node:path';

import { hostError } from '../errors.ts';
import { messageOf } from '../thrown.ts';

/** How long nothing else may change before changes are told, ms: an editor, or a compiler, writes more than once. */
const QUIET = 25;

/**
 * Watches files by their folders, so that one which is replaced, as editors do it, or not there yet is seen as well.
 */
export class WatchedFiles {
  readonly #files = new Set<string>();
  readonly #folders = new Map<string, FSWatcher>();
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
    if (this.#folders.has(folder) || statSync(folder, { throwIfNoEntry: false }) === undefined) return;
    const watcher = watched(folder, (_event, name) => {
      if (name !== null) this.#note(join(folder, name));
      // A folder that is gone is watched anew when its files are read again.
      if (statSync(folder, { throwIfNoEntry: false }) === undefined) forget();
    });
    const forget = (): void => {
      watcher.close();
      this.#folders.delete(folder);
    };
    watcher.on('error', forget);
    this.#folders.set(folder, watcher);
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
