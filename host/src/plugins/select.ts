import type { Capability, ClockKind } from '@qtest/sdk';

import { hostError, nearest } from '@qtest/sdk/support';
import type { LoadedPlugin, PluginCase } from './types.ts';
import type { SelectedCase, SkippedCase } from '../report/events.ts';

/** What a backend can do. */
interface Abilities {
  readonly clocks: readonly ClockKind[];
  lacks(capability: Capability): string | undefined;
}

export interface SelectOptions {
  /** As `-t` gives them; empty for all cases. */
  readonly patterns: readonly string[];
  /** The clock that the command line asks for. */
  readonly clock?: ClockKind | undefined;
  /** The clock of cases that name none, when the command line doesn't either. */
  readonly defaultClock: ClockKind;
  /** What the cases are to run on; without it, on what can do everything. */
  readonly backend?: Abilities;
}

export interface Selection {
  /** All that were selected, in the order of the plugins and of their cases. */
  readonly cases: readonly SelectedCase[];
  /** Those of them to be run. */
  readonly selected: readonly SelectedCase[];
  /** Those of them that can't be run this way. */
  readonly skipped: readonly SkippedCase[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
}

const EVERYTHING = { test: () => true, unmatched: [] };

/**
 * Selects cases and gives each its clock.
 * @throws NO_CASES when there is none.
 */
export async function selectCases(plugins: readonly LoadedPlugin[], options: SelectOptions): Promise<Selection> {
  const { patterns, clock, backend } = options;
  const { defaultClock } = options;
  // On a backend without the default clock, a case that names none runs on the one that there is.
  const [instead = defaultClock] = backend?.clocks ?? [];
  const usual = backend?.clocks.includes(defaultClock) === false ? instead : defaultClock;
  const all = plugins.flatMap((plugin) => plugin.cases.map((found) => ({ plugin: plugin.name, found })));
  const names = all.map(({ found }) => found.name);
  const match = patterns.length === 0 ? EVERYTHING : await (await import('./patterns.ts')).matcher(patterns, names);
  const chosen = all
    .filter(({ found }) => match.test(found.name))
    .map(({ plugin, found }) => {
      const { name, vcpus } = found;
      const selected: SelectedCase = { plugin, name, clock: clock ?? found.clock ?? usual, vcpus };
      return { selected, reason: reasonOf(backend, found, selected) ?? reasonToSkip(found, selected.clock) };
    });
  if (chosen.length === 0) throw noCases(plugins, patterns, names);
  return {
    cases: chosen.map(({ selected }) => selected),
    selected: chosen.flatMap(({ selected, reason }) => (reason === undefined ? [selected] : [])),
    skipped: chosen.flatMap(({ selected, reason }) => (reason === undefined ? [] : [{ case: selected, reason }])),
    unmatched: match.unmatched,
  };
}

/** Why a case can't be run on a clock; undefined when it can. */
function reasonToSkip({ clock: pinned, requires }: PluginCase, clock: ClockKind): string | undefined {
  const lacking: Capability = clock === 'virtual' ? 'realtime-clock' : 'virtual-clock';
  const needed = clock === 'virtual' ? 'realtime' : 'virtual';
  return pinned === needed || requires.includes(lacking) ? `needs the ${needed} clock (--clock ${needed})` : undefined;
}

/** Why a case can't be run on a backend; undefined when it can. */
function reasonOf(
  backend: SelectOptions['backend'],
  { requires }: PluginCase,
  { clock, vcpus }: SelectedCase,
): string | undefined {
  const needs: readonly Capability[] = [
    clock === 'virtual' ? 'virtual-clock' : 'realtime-clock',
    ...requires,
    ...(vcpus > 1 ? (['multi-vcpu'] as const) : []),
  ];
  return needs.map((capability) => backend?.lacks(capability)).find((reason) => reason !== undefined);
}

function noCases(plugins: readonly LoadedPlugin[], patterns: readonly string[], names: readonly string[]): Error {
  const loaded = plugins.map(({ name }) => name).join(', ');
  if (names.length === 0) return hostError('NO_CASES', `no cases: the plugins that were loaded (${loaded}) have none`);
  const given = patterns.map((pattern) => `-t '${pattern}'`).join(' ');
  const near = nearestNames(patterns, names);
  const hint = near.length === 0 ? '' : ` Nearest: ${near.join(', ')}.`;
  return hostError('NO_CASES', `no cases matched ${given} in ${loaded}.${hint} 'qtest list' shows all ${names.length}`);
}

/** Names that a pattern may have been meant to match: those that contain it, or are near it as a whole or by a segment. */
function nearestNames(patterns: readonly string[], names: readonly string[]): readonly string[] {
  const segmentsOf = (text: string): string[] => text.split('/').filter((segment) => segment !== '');
  const words = [...new Set(names.flatMap(segmentsOf))];
  const found = patterns
    .map((pattern) => pattern.replace(/^!/, '').replace(/[*?]+/g, ''))
    .filter((text) => text !== '')
    .flatMap((text) => {
      const near = segmentsOf(text).flatMap((segment) => nearest(segment, words));
      return [
        ...names.filter((name) => name.includes(text)),
        ...nearest(text, [...new Set(names)]),
        ...names.filter((name) => segmentsOf(name).some((segment) => near.includes(segment))),
      ];
    });
  return [...new Set(found)].slice(0, 5);
}
