import type { StandardSchema } from '@qtest/sdk';

/** What the config may give this plugin. */
export interface PciOptions {
  /** What bits 1:0 of CONFIG_ADDRESS are: `qemu` keeps them, `strict` has them 0 as the specification. Default `qemu`. */
  readonly configAddress: 'qemu' | 'strict';
  /** Seed of the random cases, a 32-bit number. */
  readonly seed: number;
}

const DEFAULTS: PciOptions = { configAddress: 'qemu', seed: 0x8086 };

/** `PciOptions` as a Standard Schema, written by hand so that the plugin depends on the SDK alone. */
export const options: StandardSchema<PciOptions> = {
  '~standard': {
    version: 1,
    vendor: 'qtest-pci',
    validate(value) {
      if (typeof (value ?? {}) !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'expected an object' }] };
      const { configAddress, seed, ...unknown } = { ...DEFAULTS, ...(value as object) };
      const issues = Object.keys(unknown).map((key) => ({
        message: 'expected one of configAddress, seed',
        path: [key],
      }));
      if (configAddress !== 'qemu' && configAddress !== 'strict') {
        issues.push({ message: `expected 'qemu' or 'strict'`, path: ['configAddress'] });
      }
      if (typeof seed !== 'number' || !Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
        issues.push({ message: 'expected an integer from 0 to 4294967295', path: ['seed'] });
      }
      return issues.length > 0 ? { issues } : { value: { configAddress, seed } };
    },
  },
};
