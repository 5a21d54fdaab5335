import { Catalog, dependencyManifest, devicePackage, type DevicePackage } from '@qtest/machine';

import type { LoadedPlugin } from './types.ts';

/** The packages whose devices every machine may have: the host's own. */
export function devicePackages(): readonly DevicePackage[] {
  return [devicePackage(dependencyManifest('@qtest/devices', import.meta.url))];
}

/** The devices that machines may have: those of device packages, and those of every plugin of the run. */
export function devicesOf(plugins: readonly Pick<LoadedPlugin, 'name' | 'url' | 'plugin'>[]): Catalog {
  return new Catalog(
    devicePackages(),
    plugins.map(({ name, url, plugin }) => ({ name, url, devices: plugin.devices ?? [] })),
  );
}
