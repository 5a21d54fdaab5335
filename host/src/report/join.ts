import type { CaseResult, CaseStatus, RunEnd, RunSummary, SelectedCase, TypeCoverage } from '@qtest/sdk';

import { CoverageTotal } from '../coverage/merge.ts';
import { hostError } from '@qtest/sdk/support';
import type { ReportContext, Reporter } from './events.ts';
import { titleOf } from './format.ts';
import { isFlaky, STATUSES } from './marks.ts';
import type { Blob } from './read-blob.ts';

/** Several runs as one. */
export interface JoinedRun {
  /** In the order of the whole selection. */
  readonly cases: readonly SelectedCase[];
  readonly results: readonly CaseResult[];
  /** Titles of the cases that were started. */
  readonly started: ReadonlySet<string>;
  readonly warnings: readonly string[];
  readonly summary: RunSummary;
  readonly interrupted: boolean;
  /** Something beside a case has failed, or a part is missing. */
  readonly failed: boolean;
  /** Where they all have written their traces. */
  readonly traces: RunEnd['traces'];
  /** Undefined when none has any. */
  readonly coverage: readonly TypeCoverage[] | undefined;
  readonly context: Omit<ReportContext, 'cwd'>;
}

/**
 * Joins runs into one.
 * @throws USAGE when a case is in two of them, or they are shards that don't belong together.
 */
export function joinRuns(blobs: readonly Blob[]): JoinedRun {
  const missing = missingShards(blobs);
  const order = [...new Set(blobs.flatMap(({ header }) => header.order))];
  const places = new Map(order.map((title, index) => [title, index]));
  const placeOf = (one: SelectedCase): number => places.get(titleOf(one)) ?? order.length;
  const inOrder = <T extends SelectedCase>(items: readonly T[]): T[] =>
    items.toSorted((a, b) => placeOf(a) - placeOf(b));
  checkTwice(blobs);
  const lines = blobs.flatMap((blob) => blob.lines);
  const ends = lines.flatMap((line) => (line.type === 'caseEnd' ? [line] : []));
  const dones = lines.flatMap((line) => (line.type === 'done' ? [line] : []));
  const reruns = new Map(ends.map(({ result, rerun = '' }) => [titleOf(result), rerun]));
  const results = blobs.map(resultsOf);
  const wrong = blobs.flatMap((blob, n) => contradiction(blob, results[n] ?? []));
  const total = new CoverageTotal();
  for (const { coverage = [] } of dones) total.add(coverage);
  return {
    cases: inOrder(lines.flatMap((line) => (line.type === 'runStart' ? line.cases : []))),
    results: inOrder(results.flat()),
    started: new Set(lines.flatMap((line) => (line.type === 'caseStart' ? [titleOf(line.case)] : []))),
    warnings: [...lines.flatMap((line) => (line.type === 'warning' ? [line.message] : [])), ...missing, ...wrong],
    summary: summaryOf(
      results.flat(),
      dones.reduce((sum, { summary }) => sum + summary.duration, 0),
    ),
    interrupted: dones.some(({ interrupted }) => interrupted),
    failed: missing.length + wrong.length > 0 || dones.some(({ failed }) => failed === true),
    traces: tracesOf(dones.flatMap(({ traces }) => (traces === undefined ? [] : [traces]))),
    coverage: dones.some(({ coverage }) => coverage !== undefined) ? total.types() : undefined,
    context: {
      descriptions: new Map(blobs.flatMap(({ header }) => Object.entries(header.descriptions))),
      part: { order },
      rerun: (result) => reruns.get(titleOf(result)) ?? '',
    },
  };
}

/** Tells a reporter of a joined run, as of one that happens, to its last case. */
export function replay({ cases, results, started, warnings }: JoinedRun, reporter: Reporter): void {
  reporter.runStart?.(cases);
  for (const result of results) {
    const { plugin, name, clock, vcpus } = result;
    if (started.has(titleOf(result))) reporter.caseStart?.({ plugin, name, clock, vcpus });
    reporter.caseEnd(result);
  }
  for (const message of warnings) reporter.warning?.(message);
}

/** A case has one end, in one of them. */
function checkTwice(blobs: readonly Blob[]): void {
  const files = new Map<string, string>();
  for (const { file, lines } of blobs) {
    for (const line of lines) {
      if (line.type !== 'caseEnd') continue;
      const title = titleOf(line.result);
      const other = files.get(title);
      if (other !== undefined) {
        throw hostError('USAGE', `the case '${title}' is in ${other} and in ${file}: give each part of a run once`);
      }
      files.set(title, file);
    }
  }
}

/** Says which shards are not there. */
function missingShards(blobs: readonly Blob[]): string[] {
  const [first, ...others] = blobs.filter(({ header }) => header.shard !== undefined);
  const shard = first?.header.shard;
  if (first === undefined || shard === undefined) return [];
  const { count } = shard;
  const files = new Map([[shard.index, first.file]]);
  for (const { file, header } of others) {
    const { index = 0, count: otherCount = 0 } = header.shard ?? {};
    const twice = files.get(index);
    if (otherCount !== count) {
      const [one, other] = [`${first.file} is shard ${shard.index}/${count}`, `${file} shard ${index}/${otherCount}`];
      throw hostError('USAGE', `${one} and ${other}: give the parts of one run`);
    }
    if (twice !== undefined) {
      throw hostError('USAGE', `shard ${index}/${count} is in ${twice} and in ${file}: give each part of a run once`);
    }
    files.set(index, file);
  }
  const missing = Array.from({ length: count }, (_, n) => n + 1).filter((index) => !files.has(index));
  if (missing.length === 0) return [];
  const names = missing.map((index) => `${index}/${count}`).join(', ');
  return [`${missing.length === 1 ? 'a shard is' : 'shards are'} missing, and the cases in it: ${names}`];
}

/** How the cases of a run ended: one whose end is not there has not passed. */
function resultsOf({ file, lines }: Blob): CaseResult[] {
  const results = lines.flatMap((line) => (line.type === 'caseEnd' ? [line.result] : []));
  const ended = new Set(results.map(titleOf));
  const cases = lines.flatMap((line) => (line.type === 'runStart' ? line.cases : []));
  const lost = cases.filter((one) => !ended.has(titleOf(one)));
  const failures = [{ name: 'Error', message: `${file} does not say how it ended` }];
  const none = { log: [], accesses: [], notes: [] };
  return [...results, ...lost.map((one): CaseResult => ({ ...one, ...none, status: 'crash', duration: 0, failures }))];
}

/** A summary goes by the results alone; one that says something else has been made by nobody's run. */
function contradiction({ file, lines }: Blob, results: readonly CaseResult[]): string[] {
  const counted = summaryOf(results, 0);
  return lines.flatMap((line) => {
    if (line.type !== 'done') return [];
    const [told, found] = [line.summary, counted].map((summary) =>
      [...STATUSES.map((status) => `${summary[status]} ${status}`), `${summary.flaky ?? 0} flaky`].join(', '),
    );
    return told === found ? [] : [`${file} is damaged: its summary has ${told}, its cases ${found}`];
  });
}

function summaryOf(results: readonly CaseResult[], duration: number): RunSummary {
  const counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  for (const { status } of results) counts[status]++;
  const flaky = results.filter(isFlaky).length;
  return { ...counts, ...(flaky > 0 && { flaky }), duration };
}

/** Files in one folder; of several there is no word. */
function tracesOf(all: readonly NonNullable<RunEnd['traces']>[]): RunEnd['traces'] {
  const [first] = all;
  if (first === undefined || all.some(({ folder }) => folder !== first.folder)) return undefined;
  return { folder: first.folder, files: all.reduce((sum, { files }) => sum + files, 0) };
}
