import { settingsOf } from '../config/settings.ts';
import { applyPlugin, createHooks } from '../hooks.ts';
import { styleFor, type Style } from '../report/style.ts';
import type { Io } from './io.ts';
import { viewMachine, type MachineView } from './machine-view.ts';
import { listModules } from './modules.ts';
import type { CliOptions } from './options.ts';
import { prepare } from './prepare.ts';

/** `qtest machine`: the machine that each plugin's cases run on. */
export async function machine(options: CliOptions, io: Io): Promise<number> {
  if (options.plugin.includes('?')) return await listModules(options, io);
  const { plugins, config } = await prepare(options, io);
  const { clock } = settingsOf(config, options);
  const hooks = createHooks();
  for (const plugin of plugins) applyPlugin(hooks, plugin);
  const { build, contextFor, devicesOf, registryOf } = await import('../vcpu/build.ts');
  const known = devicesOf(plugins);
  const views: MachineView[] = [];
  for (const plugin of plugins.filter(({ cases }) => cases.length > 0)) {
    const context = contextFor(plugin, clock);
    const { blueprint } = (await build(plugin, { known, hooks, context })).seal();
    views.push(viewMachine(plugin.name, context.vcpus, { blueprint, registry: registryOf(known) }));
  }
  const style = styleFor(io.stdout);
  io.stdout.write(
    options.json === true
      ? `${JSON.stringify({ version: 1, machines: views }, undefined, 2)}\n`
      : views.map((view) => text(view, style)).join('\n'),
  );
  return 0;
}

function text(view: MachineView, style: Style): string {
  const { plugin, clock, vcpus, devices, memory, regions, lines, stateBytes } = view;
  const title = (words: string): string => style('bold', words);
  return [
    `${title(`machine of ${plugin}`)}  ${style('dim', `${clock} clock, ${vcpus} VCPU${vcpus === 1 ? '' : 's'}, ${stateBytes} bytes of state`)}`,
    ...section(
      title('devices'),
      devices.map(({ id, type, bus = '', properties, description }) => [
        id,
        type,
        bus,
        Object.entries(properties).map(([key, value]) => `${key}=${value}`).join(' ') || '-',
        style('dim', description),
      ]),
    ),
    ...section(
      title('memory'),
      memory.map(({ kind, base, size }) => [range(base, size, 16), kind, bytes(size)]),
    ),
    ...section(
      title('regions'),
      regions.map(({ space, base, size, device, region, priority }) => [
        space,
        base === undefined ? `moves (${bytes(size)})` : range(base, size, space === 'io' ? 4 : 16),
        `${device}.${region}`,
        priority === 0 ? '' : `priority ${priority}`,
      ]),
    ),
    ...section(
      title('IRQ lines'),
      lines.map(({ name, to }) => [name, `→ ${to.join(', ')}`]),
    ),
    '',
  ].join('\n');
}

/** A heading and rows in columns; nothing without rows. */
function section(heading: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return ['', heading, ...lines.map((line) => `  ${line}`.trimEnd())];
}

function range(base: number, size: number, digits: number): string {
  const hex = (value: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(base)}-${hex(base + size - 1)}`;
}

function bytes(size: number): string {
  if (size >= 2 ** 20 && size % 2 ** 20 === 0) return `${size / 2 ** 20} MiB`;
  return size >= 1024 && size % 1024 === 0 ? `${size / 1024} KiB` : `${size} bytes`;
}
