import { basename } from 'node:path';
import { Writable } from 'node:stream';

import { hostError } from '@qtest/sdk/support';
import { PartialFile } from '../files/partial-file.ts';
import { whyNotWritten } from '../files/why-not-written.ts';

/**
 * The file of a report. What is written is there at once, in `FILE.partial`, until the report is whole. A report that is written as a
 * whole, at its end, has a draft there until then.
 */
export class ReportFile extends Writable {
  readonly #shown: string;
  readonly #onProblem: (message: string) => void;
  readonly #partial: PartialFile;
  /** In place of the draft. */
  #whole: PartialFile | undefined;
  #hasDraft = false;
  #isOver = false;

  /**
   * @param shown what messages call it.
   * @param onProblem told why it could not be written to its end.
   * @throws REPORT when it can't be written at all.
   */
  constructor(file: string, shown: string, onProblem: (message: string) => void) {
    super();
    this.#shown = shown;
    this.#onProblem = onProblem;
    try {
      this.#partial = new PartialFile(file);
    } catch (error) {
      throw hostError('REPORT', `the report ${shown} can't be written: ${whyNotWritten(error)}`, { cause: error });
    }
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#attempt('is not complete', () => {
      const { path } = this.#partial;
      if (this.#hasDraft && path !== undefined) this.#whole ??= new PartialFile(path, '.whole');
      (this.#whole ?? this.#partial).write(chunk);
    });
    done();
  }

  /** Adds to what is there of a report that is yet to be written. */
  draft(text: string): void {
    if (this.#isOver || this.#partial.path === undefined) return;
    this.#hasDraft = true;
    try {
      this.#partial.write(text);
    } catch {
      // The report itself tells when it can't be written.
    }
  }

  /** The report is whole: puts it in its place. */
  complete(): void {
    this.#attempt("can't be put in its place", () => {
      if (this.#whole !== undefined) this.#partial.replaceBy(this.#whole);
      this.#partial.put();
    });
    this.#isOver = true;
  }

  /** The report will not become whole: what there is of it stays beside its place. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#whole?.discard();
    this.#partial.leave();
  }

  /** The cases go on: what is lost is one report, and the command says so at its end. */
  #attempt(what: string, action: () => void): void {
    if (this.#isOver) return;
    try {
      action();
    } catch (error) {
      this.abandon();
      const { path, isThere } = this.#partial;
      const rest = path === undefined || !isThere ? '' : `; what there is of it is in ${basename(path)}`;
      this.#onProblem(`the report ${this.#shown} ${what}: ${whyNotWritten(error)}${rest}`);
    }
  }
}
