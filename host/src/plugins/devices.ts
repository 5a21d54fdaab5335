import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { Catalog, dependencyManifest, devicePackage, type DevicePackage } from '@qtest/machine';
import { findPackage, hostError } from '@qtest/sdk/support';

import type { LoadedConfig } from '../config/load.ts';
import { listsDevices } from './packages.ts';
import { isPath } from './resolve.ts';
import type { LoadedPlugin } from './types.ts';

/** Our own device models and boards, which every machine may have. */
export function ownPackage(): DevicePackage {
  return devicePackage(dependencyManifest('@qtest/devices', import.meta.url));
}

/** What of a plugin tells which devices it brings. */
type Brings = Pick<LoadedPlugin, 'name' | 'url' | 'plugin' | 'root'>;

/**
 * The devices and boards that machines may have: our own, those of the config's device packages, and what the plugins bring: definitions,
 * and what their own package lists in its manifest.
 * @throws DEVICE_DUPLICATE where two bring one type, and DEVICE_PACKAGE where a package of the config is not there or lists nothing.
 */
export function catalogOf(
  plugins: readonly Brings[],
  { config, dir }: Pick<LoadedConfig, 'config' | 'dir'> = { config: {}, dir: '' },
): Catalog {
  const manifests = [
    ...(config.devices ?? []).map((spec) => manifestOf(spec, dir)),
    ...plugins.map(({ root }) => join(root, 'package.json')).filter(listsDevices),
  ];
  const packages = [ownPackage(), ...[...new Set(manifests)].map((manifest) => devicePackage(manifest))];
  for (const plugin of plugins) checkTypes(plugin, packages);
  return new Catalog(
    packages,
    plugins.map(({ name, url, plugin }) => ({ name, url, devices: plugin.devices ?? [] })),
  );
}

/** A plugin may define what its own package lists, and no type of another's. */
function checkTypes({ name, plugin, root }: Brings, packages: readonly DevicePackage[]): void {
  for (const { schema } of plugin.devices ?? []) {
    const owner = packages.find(({ devices }) => Object.hasOwn(devices, schema.type));
    if (owner === undefined || owner.manifest === join(root, 'package.json')) continue;
    throw hostError(
      'DEVICE_DUPLICATE',
      `plugin '${name}' defines a device of type '${schema.type}', which is in the package ${owner.name} (${owner.manifest}) already: give it another type, such as '${name}-${schema.type}'`,
    );
  }
}

/** The package.json of a device package: `sensors` is that, or `qtest-devices-sensors`. */
function manifestOf(spec: string, from: string): string {
  const names = [spec, spec.replace(/^(@[^/]*\/)?/, '$1qtest-devices-')];
  const folder = isPath(spec)
    ? resolve(from, spec)
    : names.map((name) => findPackage(name, from)).find((found) => found !== undefined);
  const manifest = folder === undefined ? undefined : join(folder, 'package.json');
  if (manifest !== undefined && statSync(manifest, { throwIfNoEntry: false })?.isFile() === true) return manifest;
  const tried = isPath(spec) ? `there is no ${join(resolve(from, spec), 'package.json')}` : `tried ${names.join(', ')}`;
  throw hostError(
    'DEVICE_PACKAGE',
    `devices: the device package '${spec}' was not found from ${from}: ${tried}; install it, or give the path of its folder`,
  );
}
