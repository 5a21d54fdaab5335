import type { CaseResult } from '@qtest/host';
import type { RunSummary } from '@qtest/sdk';

import type { Ended } from './run.ts';

/** What `qtest --json` promises. */
export interface Report {
  readonly version: number;
  readonly summary: RunSummary;
  readonly interrupted: boolean;
  readonly cases: readonly CaseResult[];
  readonly warnings: readonly string[];
}

/** Standard output as `--json` writes it: one document and nothing else. */
export function jsonReport({ stdout }: Ended): Report {
  const report: Report = JSON.parse(stdout);
  return report;
}

/** The result of a case; there must be exactly one. */
export function resultOf({ cases }: Report, name: string): CaseResult {
  const [found, ...others] = cases.filter((result) => result.name === name);
  if (found === undefined || others.length > 0) {
    throw new Error(`${others.length + Number(found !== undefined)} results of '${name}'`);
  }
  return found;
}

/** How each case ended, in the order of the report. */
export function statuses({ cases }: Report): readonly string[] {
  return cases.map(({ plugin, name, status }) => `${plugin} ${name}: ${status}`);
}

/** A failure in the text that a user reads: what is between its heading and the command that runs the case again. */
export function failureText({ stdout }: Ended, plugin: string, name: string): { text: string; rerun: string } {
  const blocks = [...stdout.matchAll(/^\d+\) (\S+ › .+)\n([^]*?)^ {4}run it again: (.*)$/gm)];
  const [, , text, rerun] = blocks.find(([, title]) => title === `${plugin} › ${name}`) ?? [];
  if (text !== undefined && rerun !== undefined) return { text, rerun };
  throw new Error(`no failure of '${plugin} › ${name}' among ${blocks.map(([, title]) => title).join(', ') || stdout}`);
}
