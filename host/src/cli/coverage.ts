import { relative, resolve } from 'node:path';

import type { TypeCoverage } from '@qtest/sdk';

import { minimaOf, type Minimum } from '../config/coverage.ts';
import type { LoadedConfig } from '../config/load.ts';
import { CoverageTotal } from '../coverage/merge.ts';
import { percentOf } from '../coverage/items.ts';
import { coverageLines, gapLines, percentText, totalOf } from '../coverage/text.ts';
import { hostError } from '@qtest/sdk/support';
import { writeWhole } from '../files/partial-file.ts';
import { whyNotWritten } from '../files/why-not-written.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { print } from '../report/style.ts';
import { jsonText } from '../report/json-text.ts';

/** What `qtest --coverage` writes to its file. Version 1 gains keys and loses none. */
export interface CoverageFile {
  readonly version: 1;
  readonly coverage: readonly TypeCoverage[];
}

/** Sums up coverage, and tells of it at the end. */
export interface CoverageGate {
  readonly total: CoverageTotal;
  /** Prints it, writes its file, and gives whether it is as much as it must be. */
  check(types: readonly TypeCoverage[]): boolean;
}

/**
 * What the command line and the config ask of coverage; undefined when they don't ask for it. A shard's is but a part, which
 * no minimum is for.
 * @param output where the table goes.
 * @throws USAGE when a minimum is given for a shard.
 */
export function coverageFor(
  options: Pick<CliOptions, 'coverage' | 'coverageMin' | 'shard'>,
  { config, dir }: Pick<LoadedConfig, 'config' | 'dir'>,
  { io, output }: { readonly io: Io; readonly output: Io['stdout'] },
): CoverageGate | undefined {
  if (options.shard !== undefined && options.coverageMin !== undefined) {
    throw hostError(
      'USAGE',
      `--coverage-min is for a whole run: give it to 'qtest merge-reports', with the blobs of all shards`,
    );
  }
  const asked = options.coverage ?? config.coverage ?? false;
  if (asked === false && options.coverageMin === undefined) return undefined;
  const from = options.coverage === undefined ? dir : io.cwd;
  const file = typeof asked === 'string' ? resolve(from, asked) : undefined;
  const minima = options.shard === undefined ? (options.coverageMin ?? minimaOf(config.coverageMin)) : [];
  return {
    total: new CoverageTotal(),
    check: (types) => {
      print(output, `${coverageLines(types).join('\n')}\n`);
      const problems = [
        ...(file === undefined ? [] : writeCoverage(file, types, io)),
        ...minimumProblems(minima, types),
      ];
      for (const problem of problems) print(io.stderr, `qtest: ${problem}\n`);
      return problems.length === 0;
    },
  };
}

function writeCoverage(file: string, coverage: readonly TypeCoverage[], { cwd }: Io): string[] {
  const content: CoverageFile = { version: 1, coverage };
  try {
    writeWhole(file, `${jsonText(content)}\n`);
    return [];
  } catch (error) {
    return [`the coverage ${relative(cwd, file)} can't be written: ${whyNotWritten(error)}`];
  }
}

function minimumProblems(minima: readonly Minimum[], types: readonly TypeCoverage[]): string[] {
  return minima.flatMap(({ type, percent }) => {
    const meant = type === undefined ? types : types.filter((one) => one.type === type);
    if (meant.length === 0) {
      const there = types.map((one) => one.type).join(', ') || 'none';
      return [
        `coverage of ${type ?? 'all devices'}: no machine of this run has one with registers; there are ${there}`,
      ];
    }
    const reached = totalOf(meant);
    if (percentOf(reached) >= percent) return [];
    const gaps = meant.flatMap((one) => gapLines(one)).filter((line) => line !== '');
    const what = `coverage of ${type ?? 'all devices'} is ${percentText(reached)}, less than ${percent} %`;
    return [[what, ...gaps].join('\n')];
  });
}
