import { nanoseconds, type Duration } from './duration.ts';

/** What every property may say of itself. */
interface Documented {
  readonly description?: string;
}

/** An integer. */
export interface NumberProperty extends Documented {
  readonly kind: 'number';
  readonly default?: number;
  readonly min: number;
  readonly max: number;
}

/** A switch. */
export interface BooleanProperty extends Documented {
  readonly kind: 'boolean';
  readonly default?: boolean;
}

/** A text. */
export interface StringProperty extends Documented {
  readonly kind: 'string';
  readonly default?: string;
  /** What a value must match. */
  readonly pattern?: RegExp;
  /** The pattern in words, for an error. */
  readonly expected?: string;
}

/** One of some words. */
export interface EnumProperty extends Documented {
  readonly kind: 'enum';
  readonly default?: string;
  readonly values: readonly string[];
}

/** A length of time. It is given as a `Duration`; the device reads nanoseconds. */
export interface DurationProperty extends Documented {
  readonly kind: 'duration';
  readonly default?: Duration;
}

/** A property that `machine.add()` takes. */
export type Property = NumberProperty | BooleanProperty | StringProperty | EnumProperty | DurationProperty;

/** The properties of a device, by their names. */
export type PropertySchema = Readonly<Record<string, Property>>;

type Given<P extends Property> = P extends EnumProperty
  ? P['values'][number]
  : P extends NumberProperty
    ? number
    : P extends BooleanProperty
      ? boolean
      : P extends DurationProperty
        ? Duration
        : string;

type Resolved<P extends Property> = P extends DurationProperty ? bigint : Given<P>;

/** Properties as `machine.add()` takes them. Those with a default may be left out. */
export type PropertiesIn<P extends PropertySchema> = {
  readonly [K in keyof P as P[K] extends { default: unknown } ? K : never]?: Given<P[K]>;
} & {
  readonly [K in keyof P as P[K] extends { default: unknown } ? never : K]: Given<P[K]>;
};

/** Properties as the device reads them: all present, durations in nanoseconds. */
export type PropertiesOf<P extends PropertySchema> = { readonly [K in keyof P]: Resolved<P[K]> };

interface PropertyKinds {
  /** An integer from `min` (default 0) to `max` (default 2³² − 1). */
  number<const O extends Omit<NumberProperty, 'kind' | 'min' | 'max'> & { min?: number; max?: number }>(
    options: O,
  ): { kind: 'number'; min: number; max: number } & O;
  boolean<const O extends Omit<BooleanProperty, 'kind'>>(options: O): { kind: 'boolean' } & O;
  string<const O extends Omit<StringProperty, 'kind'>>(options: O): { kind: 'string' } & O;
  /** One of `values`. */
  oneOf<const V extends readonly string[], const O extends Documented & { default?: V[number] }>(
    values: V,
    options: O,
  ): { kind: 'enum'; values: V } & O;
  /** A length of time, read by the device in nanoseconds. */
  duration<const O extends Omit<DurationProperty, 'kind'>>(options: O): { kind: 'duration' } & O;
}

/** Constructors of property definitions. A property without a default is required. */
export const property: PropertyKinds = {
  number: (options) => ({ kind: 'number', min: 0, max: 0xffff_ffff, ...options }),
  boolean: (options) => ({ kind: 'boolean', ...options }),
  string: (options) => ({ kind: 'string', ...options }),
  oneOf: (values, options) => ({ kind: 'enum', values, ...options }),
  duration: (options) => ({ kind: 'duration', ...options }),
};

/** A property's value as the blueprint keeps it, which is JSON. A duration is a string of decimal nanoseconds. */
export type PropertyValue = number | boolean | string;

/** A wrong property. `expected` says what would be right. */
export interface PropertyProblem {
  readonly key: string;
  readonly found: unknown;
  readonly expected: string;
}

/** Checks properties and fills in defaults. Gives the values as the blueprint keeps them, and the problems. */
export function checkProperties(
  schema: PropertySchema,
  given: Readonly<Record<string, unknown>>,
): { values: Record<string, PropertyValue>; problems: PropertyProblem[] } {
  const values: Record<string, PropertyValue> = {};
  const problems: PropertyProblem[] = [];
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(schema, key) && given[key] !== undefined) {
      problems.push({
        key,
        found: given[key],
        expected: `one of the properties ${Object.keys(schema).join(', ') || '(none)'}`,
      });
    }
  }
  for (const [key, definition] of Object.entries(schema)) {
    const found = given[key] ?? definition.default;
    const checked =
      found === undefined ? { expected: `${describeProperty(definition)} (it is required)` } : check(definition, found);
    if ('value' in checked) values[key] = checked.value;
    else problems.push({ key, found, expected: checked.expected });
  }
  return { values, problems };
}

function check(definition: Property, found: unknown): { value: PropertyValue } | { expected: string } {
  const wrong = { expected: describeProperty(definition) };
  switch (definition.kind) {
    case 'number':
      return Number.isInteger(found) && typeof found === 'number' && found >= definition.min && found <= definition.max
        ? { value: found }
        : wrong;
    case 'boolean':
      return typeof found === 'boolean' ? { value: found } : wrong;
    case 'string':
      return typeof found === 'string' && (definition.pattern?.test(found) ?? true) ? { value: found } : wrong;
    case 'enum':
      return typeof found === 'string' && definition.values.includes(found) ? { value: found } : wrong;
    case 'duration':
      try {
        return { value: String(nanoseconds(found as Duration)) };
      } catch {
        return wrong;
      }
  }
}

/** What a property accepts, in words. */
export function describeProperty(definition: Property): string {
  switch (definition.kind) {
    case 'number':
      return `an integer from ${definition.min} to ${definition.max}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return (
        definition.expected ??
        (definition.pattern === undefined ? 'a string' : `a string matching ${definition.pattern}`)
      );
    case 'enum':
      return `one of ${definition.values.map((value) => `'${value}'`).join(', ')}`;
    case 'duration':
      return `a duration such as '5s' or 1000n (nanoseconds)`;
  }
}

/** Turns the blueprint's values into what the device reads. */
export function resolveProperties<P extends PropertySchema>(
  schema: P,
  values: Readonly<Record<string, PropertyValue>>,
): PropertiesOf<P> {
  const resolved = Object.entries(schema).map(([key, { kind }]) => [
    key,
    kind === 'duration' ? BigInt(values[key] ?? 0) : values[key],
  ]);
  return Object.freeze(Object.fromEntries(resolved)) as PropertiesOf<P>;
}
