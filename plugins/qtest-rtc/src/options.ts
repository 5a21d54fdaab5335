import { optionsSchema, property, type PropertiesOf } from '@qtest/sdk';

const schema = {
  epoch: property.string({
    default: '2011-11-11T00:00:00Z',
    pattern: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
    expected: `a time in UTC as '2011-11-11T00:00:00Z'`,
    description: 'the time at which the PC’s RTC starts',
  }),
  seed: property.number({ default: 0x14_6818, description: 'of the random cases' }),
};

/** What the config may give this plugin. */
export type RtcOptions = PropertiesOf<typeof schema>;

export const options = optionsSchema(schema);
