import { inspect } from 'node:util';

import { isRecord } from '@qtest/sdk/support';

/** What is not as it should be in data from elsewhere. */
export interface Problem {
  /** `result.failures[2].location.line`; empty for the whole. */
  readonly at: string;
  readonly expected: string;
  readonly found: unknown;
}

/** Gives the first thing that is wrong with a value. */
export type Check = (value: unknown) => Problem | undefined;

/** `result.status: expected pass, fail …, but found 'good'`. */
export function problemText(problem: Problem | undefined, of = ''): string {
  if (problem === undefined) return 'expected something else';
  const { at, expected, found } = of === '' ? problem : within(of, problem);
  const shown = inspect(found, { depth: 0, breakLength: Infinity, maxArrayLength: 4, maxStringLength: 60 });
  return `${at === '' ? '' : `${at}: `}expected ${expected}, but found ${shown.length > 100 ? `${shown.slice(0, 99)}…` : shown}`;
}

export const is =
  (expected: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : { at: '', expected, found: value };

export const text = (most: number, least = 0): Check =>
  is(
    `a string of ${least === 0 ? 'at most' : `${least} to`} ${most} characters`,
    (value) => typeof value === 'string' && value.length >= least && value.length <= most,
  );

export const whole = (least: number, most: number): Check =>
  is(
    `a whole number from ${least} to ${most}`,
    (value) => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most,
  );

export const isTrue: Check = is('true', (value) => value === true);
export const isBoolean: Check = is('true or false', (value) => typeof value === 'boolean');
export const anything: Check = () => undefined;

export const oneOf = (values: readonly unknown[]): Check => is(values.join(', '), (value) => values.includes(value));

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

/** What either of two allows. */
export const either =
  (one: Check, other: Check): Check =>
  (value) => {
    const [first, second] = [one(value), other(value)];
    return first && second && { ...second, expected: `${first.expected}, or ${second.expected}` };
  };

export const list =
  (check: Check, most: number): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length > most)
      return {
        at: '',
        expected: `a list of at most ${most}`,
        found: Array.isArray(value) ? `one of ${value.length}` : value,
      };
    for (const [index, item] of value.entries()) {
      const problem = check(item);
      if (problem !== undefined) return within(`[${index}]`, problem);
    }
    return undefined;
  };

/** An object by names that are not known before. */
export const entries =
  (check: Check, most: number): Check =>
  (value) => {
    if (!isRecord(value)) return { at: '', expected: 'an object', found: value };
    const all = Object.entries(value);
    if (all.length > most)
      return { at: '', expected: `an object of at most ${most} keys`, found: `one of ${all.length}` };
    for (const [key, item] of all) {
      const problem = check(item);
      if (problem !== undefined) return within(`[${inspect(key)}]`, problem);
    }
    return undefined;
  };

/** An object that has these fields and no other. */
export const object = <T extends object>(fields: { readonly [Key in keyof Required<T>]: Check }): Check => {
  const checks = new Map<string, Check>(Object.entries(fields));
  return (value) => {
    if (!isRecord(value)) return { at: '', expected: 'an object', found: value };
    for (const [key, check] of checks) {
      const problem = check(value[key]);
      if (problem !== undefined) return within(key, problem);
    }
    const unknown = Object.keys(value).find((key) => !checks.has(key));
    return unknown === undefined ? undefined : { at: '', expected: 'no other key', found: unknown };
  };
};

/** One of several kinds of objects, by the field `type`. */
export const byType = (kinds: Readonly<Record<string, Check>>): Check => {
  const known = new Map(Object.entries(kinds));
  return (value) => {
    if (!isRecord(value)) return { at: '', expected: 'an object', found: value };
    const { type } = value;
    const check = typeof type === 'string' ? known.get(type) : undefined;
    return check === undefined ? { at: 'type', expected: [...known.keys()].join(', '), found: type } : check(value);
  };
};

function within(key: string, problem: Problem): Problem {
  const { at } = problem;
  return { ...problem, at: at === '' || at.startsWith('[') ? key + at : `${key}.${at}` };
}
