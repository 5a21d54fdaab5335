import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { hostError } from '@qtest/sdk/support';
import { recall, remember, type Recalled } from '../files/memory.ts';
import { EventReporter } from '../report/broadcast.ts';
import type { SelectedCase } from '../report/events.ts';
import { titleOf } from '../report/format.ts';
import { isBad } from '../report/marks.ts';
import type { Selection } from '../plugins/select.ts';

/** Names of the cases, with their plugins', that did not pass when they were last run. */
export class LastFailed {
  readonly #file: string | undefined;
  #problem: string | undefined;

  /** @param dir the config's folder, or the working directory: each has a memory of its own, in the nearest `node_modules/.cache`. */
  constructor(dir: string) {
    const root = nodeModulesAbove(dir);
    const own = root === undefined ? '' : encodeURIComponent(relative(dirname(root), dir));
    this.#file = root && join(root, '.cache/qtest', `last-failed${own === '' ? '' : `.${own}`}.json`);
  }

  /** Why what it remembers could not be read, when it was asked for. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Of a selection, what did not pass; all of it when that can't be read.
   * @throws NO_CASES when that is nothing.
   */
  only(selection: Selection): Selection {
    const { names, problem } = this.#recall();
    if (problem !== undefined) {
      this.#problem = `--last-failed: every case is run, as ${this.#file} can't be read: ${problem}`;
      return selection;
    }
    const failed = new Set(names);
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
    const failed = new Set(this.#recall().names);
    return new EventReporter((event) => {
      if (event.type === 'caseEnd' && event.result.status !== 'skip') {
        if (isBad(event.result)) failed.add(titleOf(event.result));
        else failed.delete(titleOf(event.result));
      }
      if (event.type === 'done' && this.#file !== undefined) remember(this.#file, [...failed]);
    });
  }

  #recall(): Recalled {
    return this.#file === undefined ? { names: [] } : recall(this.#file);
  }
}

function nodeModulesAbove(dir: string): string | undefined {
  const candidate = join(dir, 'node_modules');
  if (existsSync(candidate)) return candidate;
  const parent = dirname(dir);
  return parent === dir ? undefined : nodeModulesAbove(parent);
}
