import { settingsOf } from '../config/settings.ts';
import { applyPlugin, createHooks } from '../hooks.ts';
import { jsonText } from '../report/json-text.ts';
import { print, styleFor } from '../report/style.ts';
import type { Io } from './io.ts';
import { machineText } from './machine-text.ts';
import { viewMachine, type MachineView } from './machine-view.ts';
import type { CliOptions, MachineName } from './options.ts';
import { prepare } from './prepare.ts';

/** What `qtest machine --json` writes. Version 1 gains keys and loses none. */
export interface MachineList {
  readonly version: 1;
  readonly machines: readonly MachineView[];
}

/** `qtest machine`: the machine that each plugin's cases run on, or one of the host's own. */
export async function machine(options: CliOptions, io: Io): Promise<number> {
  const views =
    options.machine === undefined ? await machinesOfPlugins(options, io) : [await ownMachine(options.machine, options)];
  if (options.json === true) {
    io.stdout.write(`${jsonText({ version: 1, machines: views } satisfies MachineList)}\n`);
    return 0;
  }
  const style = styleFor(io.stdout);
  print(io.stdout, views.map((view) => machineText(view, style)).join('\n'));
  return 0;
}

async function machinesOfPlugins(options: CliOptions, io: Io): Promise<MachineView[]> {
  const { plugins, config, catalog: known } = await prepare(options, io);
  const { clock } = settingsOf(config, options);
  const hooks = createHooks();
  for (const plugin of plugins) applyPlugin(hooks, plugin);
  const { build, contextFor } = await import('../runner/build.ts');
  const { registryOf } = await import('@qtest/machine');
  const views: MachineView[] = [];
  for (const plugin of plugins.filter(({ cases }) => cases.length > 0)) {
    const context = contextFor(plugin, clock);
    const { blueprint } = (await build(plugin, { known, hooks, context })).seal();
    views.push(viewMachine(plugin.name, context.vcpus, { blueprint, registry: registryOf(known) }));
  }
  return views;
}

/** A machine as the host builds it, with its defaults and no hook's addition. */
async function ownMachine(name: MachineName, { clock = 'virtual' }: CliOptions): Promise<MachineView> {
  const { catalogOf } = await import('../plugins/devices.ts');
  const { Builder, registryOf } = await import('@qtest/machine');
  const known = catalogOf([]);
  const builder = new Builder(clock, known);
  if (name === 'pc') builder.pc();
  if (name === 'isapc') builder.isapc();
  return viewMachine(name, 1, { blueprint: builder.seal().blueprint, registry: registryOf(known) });
}
