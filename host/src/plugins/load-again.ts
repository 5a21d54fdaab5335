import type { Plugin } from '@qtest/sdk';
import { hostError, isPlugin } from '@qtest/sdk/support';
import { importModule } from '../foreign/import-module.ts';

/** Loads, in a VCPU's thread, a plugin that the host has loaded and checked. */
export async function loadAgain({ name, url }: { readonly name: string; readonly url: string }): Promise<Plugin> {
  const { default: plugin } = await importModule(url, { what: `plugin '${name}'`, exit: 2 });
  if (isPlugin(plugin)) return plugin;
  throw hostError('PLUGIN_INVALID', `plugin '${name}': loaded a second time, it is no plugin any more`);
}
