import type { BackendName, DeviceInfo } from './hardware.ts';
import type { CaseContext, CaseFunction, CaseSpec, Run } from './plugin.ts';

/**
 * What packages of cases have in common: a case says which statement of a datasheet it checks, and a test keeps the table of them in the
 * package's README true. There are also small functions that cases need.
 */

/**
 * A case whose description is the statement of the datasheet that it checks.
 * @param more the other settings of the case, such as `vcpus`, `requires` and `timeout`.
 * @example states('The alarm wakes both CPUs.', wakes, { vcpus: 2 })
 */
export function states<O>(
  statement: string,
  run: CaseFunction<O>,
  more: Omit<CaseSpec<O>, 'run' | 'description'> = {},
): CaseSpec<O> {
  return { description: statement, run, ...more };
}

/**
 * Joins the cases of several files.
 * @throws RangeError when two cases have one name: `{ ...one, ...other }` would lose the first.
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

/** Known differences by the names of cases: what is different, and the source of that. */
export type Differences = Readonly<Record<string, string>>;

/**
 * Gives the cases, with the known differences in the `expect` of those that have one.
 * @throws RangeError when a difference names a case that is not there.
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

/** Settings for a case that checks exact instants, or that would take long in real time. */
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
 * The cases in the tables of a README. The first cell of a row is a path in backquotes, and the second says what the case checks.
 * @example expect(statementsIn(readme)).toEqual(statementsOf(plugin));
 */
export function statementsIn(markdown: string): readonly Statement[] {
  return [...markdown.matchAll(/^\| `(\S+\/\S+)` \| (.+?) \|/gm)].map(([, name = '', text = '']) => [name, text]);
}

/** The first item of a list that must not be empty. */
export function first<T>(list: readonly T[]): T {
  const [item] = list;
  if (item === undefined) throw new RangeError('first(): the list is empty');
  return item;
}

/** A number for a message: `0x0a`. */
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
