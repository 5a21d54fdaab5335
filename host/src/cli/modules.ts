import { loadPlugins } from '../plugins/load.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { pluginRequests, readConfig } from './prepare.ts';
import { onOneLine } from '@qtest/sdk/support';
import { print } from '../report/style.ts';

/** `qtest --plugin '?'`: the plugins of the config, as QEMU's `-test ?` listed its test modules. */
export async function listModules(options: CliOptions, io: Io): Promise<number> {
  const named = options.plugin.filter((spec) => spec !== '?');
  const requests = pluginRequests({ ...options, plugin: named }, io, await readConfig(options, io));
  const plugins = await loadPlugins(requests);
  const width = Math.max(0, ...plugins.map(({ name }) => name.length));
  const lines = plugins.map(({ name, description }) => `  ${name.padEnd(width)}  ${onOneLine(description)}`.trimEnd());
  if (lines.length === 0) lines.push("  (none: list them under 'plugins' in qtest.config.ts)");
  print(io.stdout, `Available test modules:\n${lines.join('\n')}\n`);
  return 0;
}
