import {
  checkProperties,
  resolveProperties,
  type PropertiesOf,
  type Property,
  type PropertySchema,
} from './properties.ts';
import type { StandardSchema } from './standard-schema.ts';

/** Options may be left out. */
type OptionSchema = Readonly<Record<string, Property & { readonly default: unknown }>>;

/**
 * Options of a plugin, declared as the properties of a device are: what is not given has its default, and a key that is not there is refused.
 * @example
 * export const options = optionsSchema({ seed: property.number({ default: 1, description: 'of the random cases' }) });
 */
export function optionsSchema<const P extends PropertySchema & OptionSchema>(
  schema: P,
): StandardSchema<PropertiesOf<P>> {
  return {
    '~standard': {
      version: 1,
      vendor: 'qtest',
      validate(given = {}) {
        if (typeof given !== 'object' || given === null || Array.isArray(given))
          return { issues: [{ message: 'expected an object' }] };
        const { values, problems } = checkProperties(schema, { ...given });
        if (problems.length > 0)
          return { issues: problems.map(({ key, expected }) => ({ message: `expected ${expected}`, path: [key] })) };
        return { value: resolveProperties(schema, values) };
      },
    },
  };
}
