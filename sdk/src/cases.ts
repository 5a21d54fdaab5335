import type { BackendName, DeviceInfo } from './hardware.ts';
import type { CaseContext, CaseFunction, CaseSpec, Run } from './plugin.ts';

/**
 * What packages of cases have in common: a case that says which statement of a datasheet it checks, a table of them in the
 * package's README that is kept true by a test, and small things that cases need.
 */

/** A case, and the statement of the datasheet that it checks: its description. */
export function states<O>(
  statement: string,
  run: CaseFunction<O>,
  more: Omit<CaseSpec<O>, 'run' | 'description'> = {},
): CaseSpec<O> {
  return { description: statement, run, ...more };
}

/**
 * The cases of several files as those of one plugin.
 * @throws RangeError for two cases of one name, of which `{ ...one, ...other }` would lose the first.
 */
export function allCases<O>(
  ...files: readonly Readonly<Record<string, CaseSpec<O>>>[]
): Readonly<Record<string, CaseSpec<O>>> {
  const all: Record<string, CaseSpec<O>> = {};
  for (const [name, spec] of files.flatMap((cases) => Object.entries(cases))) {
    if (Object.hasOwn(all, name)) throw new RangeError(`two cases have the name '${name}'`);
    all[name] = spec;
  }
  return all;
}

/** What is known to differ, by case: what it is, and its source. */
export type Differences = Readonly<Record<string, string>>;

/**
 * Cases of which some are known to fail on other backends: they say so in their `expect`.
 * @throws RangeError for a difference of a case that is not there.
 */
export function withDifferences<O>(
  cases: Readonly<Record<string, CaseSpec<O>>>,
  known: Readonly<Record<BackendName, Differences>>,
): Readonly<Record<string, CaseSpec<O>>> {
  const changed: Record<string, CaseSpec<O>> = { ...cases };
  for (const [backend, differences] of Object.entries(known)) {
    for (const [name, difference] of Object.entries(differences)) {
      const spec = changed[name];
      if (spec === undefined) throw new RangeError(`a difference is known of the case '${name}', which is not there`);
      changed[name] = { ...spec, expect: { ...spec.expect, [backend]: difference } };
    }
  }
  return changed;
}

/** For a case that speaks of exact instants, or that would take long in real time. */
export const VIRTUAL = { requires: ['virtual-clock'] } as const;

/**
 * All devices of a type whose properties are as a case needs them, in the machine's order. A property that a machine does not tell, as an
 * emulator's may not, is as `otherwise` has it. Values are compared as texts.
 */
export function findDevices(
  { machine }: Pick<CaseContext, 'machine'>,
  type: string,
  needs: DeviceInfo['properties'] = {},
  otherwise: DeviceInfo['properties'] = {},
): DeviceInfo[] {
  return machine.devices.filter(
    (device) =>
      device.type === type &&
      Object.entries(needs).every(
        ([name, value]) => String(device.properties[name] ?? otherwise[name]) === String(value),
      ),
  );
}

/** The first of them. Skips the case where there is none, as on a machine that is built otherwise. */
export function findDevice(
  context: Pick<CaseContext, 'machine' | 'skip'>,
  type: string,
  needs: DeviceInfo['properties'] = {},
  otherwise: DeviceInfo['properties'] = {},
): DeviceInfo {
  const [found] = findDevices(context, type, needs, otherwise);
  if (found !== undefined) return found;
  const wanted = Object.entries(needs).map(([name, value]) => `${name} ${value}`);
  return context.skip(`this machine has no ${type}${wanted.length > 0 ? ` with ${wanted.join(' and ')}` : ''}`);
}

/** A case's name and its description. */
export type Statement = readonly [name: string, description: string];

/** The named cases of a plugin, in their order. */
export function statementsOf<O>(plugin: { readonly run?: Run<O> }): readonly Statement[] {
  const { run = {} } = plugin;
  return Object.entries(run).map(([name, spec]) => [name, 'description' in spec ? (spec.description ?? '') : '']);
}

/**
 * The cases in the tables of a README: rows whose first cell is a path in backquotes, and whose second says what it checks.
 * @example expect(statementsIn(readme)).toEqual(statementsOf(plugin));
 */
export function statementsIn(markdown: string): readonly Statement[] {
  return [...markdown.matchAll(/^\| `(\S+\/\S+)` \| (.+?) \|/gm)].map(([, name = '', text = '']) => [name, text]);
}

/** The first of a list that is known to have one. */
export function first<T>(list: readonly T[]): T {
  const [item] = list;
  if (item === undefined) throw new RangeError('first(): the list is empty');
  return item;
}

/** `0x0a`, for messages. */
export function hex(value: number, digits = 2): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** A deterministic stream of 32-bit numbers (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
