import { isRecord } from '@qtest/sdk/support';

/**
 * Whether a key below `qtest` of a package.json is the package's own list of device models, and none of a config's:
 * `"qtest": { "devices": { "lamp": "./lamp" } }`.
 */
export function isListing([key, value]: readonly [string, unknown]): boolean {
  return (key === 'devices' || key === 'boards') && isRecord(value);
}
