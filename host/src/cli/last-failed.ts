import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { hostError, codeOf } from '@qtest/sdk/support';
import { EventReporter } from '../report/broadcast.ts';
import type { SelectedCase } from '../report/events.ts';
import { titleOf } from '../report/format.ts';
import { isBad } from '../report/marks.ts';
import type { Selection } from '../plugins/select.ts';

/** Names of the cases, with their plugins', that did not pass when they were last run. */
export class LastFailed {
  readonly #file: string | undefined;

  /** @param dir the config's folder, or the working directory: each has a memory of its own, in the nearest `node_modules/.cache`. */
  constructor(dir: string) {
    const root = nodeModulesAbove(dir);
    const own = root === undefined ? '' : encodeURIComponent(relative(dirname(root), dir));
    this.#file = root && join(root, '.cache/qtest', `last-failed${own === '' ? '' : `.${own}`}.json`);
  }

  /**
   * Of a selection, what did not pass.
   * @throws NO_CASES when that is nothing.
   */
  only(selection: Selection): Selection {
    const failed = new Set(this.#read());
    const keep = (selected: SelectedCase): boolean => failed.has(titleOf(selected));
    const cases = selection.cases.filter(keep);
    if (cases.length > 0) {
      const skipped = selection.skipped.filter((one) => keep(one.case));
      return { ...selection, cases, selected: selection.selected.filter(keep), skipped };
    }
    throw hostError('NO_CASES', `no cases: none of those selected did not pass when it was last run (--last-failed)`);
  }

  /** Notes down how cases end, at the end of the run. Those that were not run stay as they were. */
  reporter(): EventReporter {
    const failed = new Set(this.#read());
    return new EventReporter((event) => {
      if (event.type === 'caseEnd' && event.result.status !== 'skip') {
        if (isBad(event.result)) failed.add(titleOf(event.result));
        else failed.delete(titleOf(event.result));
      }
      if (event.type === 'done') this.#write([...failed]);
    });
  }

  #read(): readonly string[] {
    if (this.#file === undefined || !existsSync(this.#file)) return [];
    const text = readFileSync(this.#file, 'utf8');
    const found: unknown = text.startsWith('[') && text.endsWith(']\n') ? JSON.parse(text) : [];
    return Array.isArray(found) ? found.filter((item) => typeof item === 'string') : [];
  }

  #write(failed: readonly string[]): void {
    if (this.#file === undefined) return;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      // At once, as another command may be reading it.
      const part = `${this.#file}.${process.pid}`;
      writeFileSync(part, `${JSON.stringify(failed)}\n`);
      renameSync(part, this.#file);
    } catch (error) {
      // Where nothing can be written, nothing is remembered.
      if (codeOf(error) === undefined) throw error;
    }
  }
}

function nodeModulesAbove(dir: string): string | undefined {
  const candidate = join(dir, 'node_modules');
  if (existsSync(candidate)) return candidate;
  const parent = dirname(dir);
  return parent === dir ? undefined : nodeModulesAbove(parent);
}
