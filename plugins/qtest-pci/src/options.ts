import { optionsSchema, property, type PropertiesOf } from '@qtest/sdk';

const schema = {
  configAddress: property.oneOf(['qemu', 'strict'], {
    default: 'qemu',
    description: 'what bits 1:0 of CONFIG_ADDRESS are: `qemu` keeps them, `strict` has them 0 as the specification',
  }),
  seed: property.number({ default: 0x8086, description: 'of the random cases' }),
};

/** What the config may give this plugin. */
export type PciOptions = PropertiesOf<typeof schema>;

export const options = optionsSchema(schema);
