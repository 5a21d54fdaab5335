import type { StandardSchema } from '@qtest/sdk';

/** What the config may give this plugin. */
export interface RtcOptions {
  /** The time at which the PC's RTC starts, ISO 8601 in UTC. Default `2011-11-11T00:00:00Z`. */
  readonly epoch: string;
  /** Seed of the random cases, a 32-bit number. */
  readonly seed: number;
}

const DEFAULTS: RtcOptions = { epoch: '2011-11-11T00:00:00Z', seed: 0x146818 };

/** `RtcOptions` as a Standard Schema, written by hand so that the plugin depends on the SDK alone. */
export const options: StandardSchema<RtcOptions> = {
  '~standard': {
    version: 1,
    vendor: 'qtest-rtc',
    validate(value) {
      if (typeof (value ?? {}) !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'expected an object' }] };
      const { epoch, seed, ...unknown } = { ...DEFAULTS, ...(value as object) };
      const issues = Object.keys(unknown).map((key) => ({ message: `expected one of epoch, seed`, path: [key] }));
      if (
        typeof epoch !== 'string' ||
        !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(epoch) ||
        Number.isNaN(Date.parse(epoch))
      ) {
        issues.push({ message: `expected a time in UTC as '${DEFAULTS.epoch}'`, path: ['epoch'] });
      }
      if (typeof seed !== 'number' || !Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
        issues.push({ message: 'expected an integer from 0 to 4294967295', path: ['seed'] });
      }
      return issues.length > 0 ? { issues } : { value: { epoch, seed } };
    },
  },
};
