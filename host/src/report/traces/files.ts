import { join } from 'node:path';

import { writeWhole } from '../../files/partial-file.ts';
import { whyNotWritten } from '../../files/why-not-written.ts';
import type { CaseResult, Reporter } from '../events.ts';
import { extensionOf, type TraceFormat } from './formats.ts';
import { jsonlTrace } from './jsonl.ts';
import { perfettoTrace } from './perfetto.ts';
import { qtestScript } from './qtest-script.ts';
import type { TracedCase } from './traced-case.ts';
import { vcdTrace } from './vcd.ts';

const WRITERS: Readonly<Record<TraceFormat, (traced: TracedCase) => string>> = {
  vcd: vcdTrace,
  perfetto: perfettoTrace,
  qtest: qtestScript,
  jsonl: jsonlTrace,
};

/** Writes the trace of each case that has one to a file for each format. */
export class TraceFiles implements Reporter {
  readonly #folder: string;
  readonly #formats: readonly TraceFormat[];
  readonly #onProblem: (message: string) => void;
  #written = 0;
  /** As a file system may hold them that knows no capitals. */
  readonly #names = new Set<string>();

  /**
   * @param folder is there already.
   * @param onProblem is told why a file could not be written; the rest is written all the same.
   */
  constructor(folder: string, formats: readonly TraceFormat[], onProblem: (message: string) => void) {
    this.#folder = folder;
    this.#formats = formats;
    this.#onProblem = onProblem;
  }

  /** Files so far. */
  get written(): number {
    return this.#written;
  }

  caseEnd(result: CaseResult): void {
    const { trace } = result;
    if (trace === undefined) return;
    const name = this.#nameOf(result);
    for (const format of this.#formats) {
      const file = join(this.#folder, `${name}.${extensionOf(format)}`);
      try {
        writeWhole(file, WRITERS[format]({ ...result, trace }));
        this.#written++;
      } catch (error) {
        this.#onProblem(`the trace ${file} could not be written: ${whyNotWritten(error)}`);
      }
    }
  }

  done(): void {}

  /** `rtc.periodic-drift`: what every file system takes, and no other case has. */
  #nameOf({ plugin, name }: CaseResult): string {
    const safe = [plugin, name].map((part) => part.replaceAll(/[^\w-]+/g, '-').slice(0, 100)).join('.');
    let free = safe;
    for (let n = 2; this.#names.has(free.toLowerCase()); n++) free = `${safe}-${n}`;
    this.#names.add(free.toLowerCase());
    return free;
  }
}
