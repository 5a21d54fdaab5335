import { resolve } from 'node:path';

import { hostError, codeOf, messageOf, readBounded } from '@qtest/sdk/support';
import type { SelectedCase } from '../report/events.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import type { Selection } from '../plugins/select.ts';

/** Milliseconds that cases took in an earlier run, by `plugin/name`. */
type Durations = ReadonlyMap<string, number>;

/**
 * The part of a selection that `--shard` asks for. Each case is in exactly one, whichever process asks.
 * @throws USAGE when the durations can't be read.
 */
export function shardOf(
  selection: Selection,
  { shard, durations }: Pick<CliOptions, 'shard' | 'durations'>,
  { cwd }: Pick<Io, 'cwd'>,
): Selection {
  if (shard === undefined) return selection;
  const known = durations === undefined ? undefined : readDurations(resolve(cwd, durations), durations);
  const shards =
    known === undefined ? byHash(selection.cases, shard.count) : byDuration(selection.cases, shard.count, known);
  const keep = (selected: SelectedCase): boolean => shards.get(keyOf(selected)) === shard.index;
  return {
    ...selection,
    cases: selection.cases.filter(keep),
    selected: selection.selected.filter(keep),
    skipped: selection.skipped.filter((one) => keep(one.case)),
  };
}

function keyOf({ plugin, name }: SelectedCase): string {
  return `${plugin}/${name}`;
}

/** By the case's name alone: a case stays in its shard whatever others there are. */
function byHash(cases: readonly SelectedCase[], count: number): ReadonlyMap<string, number> {
  return new Map(cases.map((selected) => [keyOf(selected), 1 + (fnv1a(keyOf(selected)) % count)]));
}

/** The longest first, each to the shard that has least to do; a case that is not known is taken to be a usual one. */
function byDuration(cases: readonly SelectedCase[], count: number, known: Durations): ReadonlyMap<string, number> {
  const sorted = [...known.values()].toSorted((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length / 2)] ?? 1;
  const timed = cases.map((selected) => ({ key: keyOf(selected), ms: known.get(keyOf(selected)) ?? usual }));
  const loads = Array.from({ length: count }, () => 0);
  const shards = new Map<string, number>();
  for (const { key, ms } of timed.toSorted((a, b) => b.ms - a.ms || (a.key < b.key ? -1 : 1))) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least] = (loads[least] ?? 0) + ms;
    shards.set(key, least + 1);
  }
  return shards;
}

/** FNV-1a, 32 bits, of the text's UTF-16 units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Durations from the report of an earlier run, as the reporter `json` writes it. */
function readDurations(file: string, shown: string): Durations {
  const { cases } = parse(file, shown);
  if (!Array.isArray(cases)) throw hostError('USAGE', `--durations ${shown}: ${EXPECTED}, but it has no list 'cases'`);
  return new Map(
    cases.flatMap((item: unknown): [string, number][] => (isTimed(item) ? [[keyOf(item), item.duration]] : [])),
  );
}

const EXPECTED = 'expected a report that --reporter json=FILE has written';

/** Bytes of a report, which may have traces: all that one string holds. */
const MAX_REPORT = 2 ** 29 - 24;

function parse(file: string, shown: string): { readonly cases?: unknown } {
  try {
    const report: unknown = JSON.parse(readBounded(file, MAX_REPORT).toString());
    return typeof report === 'object' && report !== null ? report : {};
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw hostError('USAGE', `--durations ${shown}: ${EXPECTED}: ${why}`, { cause: error });
  }
}

/** A case that was run; one that was skipped tells nothing of how long it takes. */
function isTimed(item: unknown): item is SelectedCase & { readonly duration: number } {
  return (
    typeof item === 'object' &&
    item !== null &&
    'plugin' in item &&
    'name' in item &&
    'status' in item &&
    item.status !== 'skip' &&
    'duration' in item &&
    typeof item.duration === 'number'
  );
}
