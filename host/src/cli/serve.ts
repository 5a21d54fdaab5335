import type { AnyDeviceDefinition, Property } from '@qtest/sdk';

import type { LoadedConfig } from '../config/load.ts';
import { settingsOf } from '../config/settings.ts';
import { hostError, messageOf, own } from '@qtest/sdk/support';
import { applyPlugin, createHooks } from '../hooks.ts';
import { type Registry, type Builder, type Catalog, registryOf } from '@qtest/machine';
import { loadPlugins } from '../plugins/load.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { Paths, RequestLog, ServedMachine } from '@qtest/serve';
import { build, contextFor, poweredOn } from '../runner/build.ts';
import { catalogOf } from '../plugins/devices.ts';
import { INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { pluginRequests, readConfig } from './prepare.ts';
import { loadServe, type ServePackage } from './serve-package.ts';
import { print } from '../report/style.ts';

/** `qtest serve`: a machine for other clients of the qtest protocol, until a signal or the end of standard input. */
export async function serve(options: CliOptions, io: Io): Promise<number> {
  const { qtest = 'stdio', qtestLog, allowRemote = false } = options;
  const config = await readConfig(options, io);
  const served = await loadServe(config.dir);
  const address = served.parseAddress(qtest, { remote: allowRemote });
  const { machine, paths, name } = await servedMachine(served, config, options, io);
  const server = new served.Server(machine, paths, qtestLog === undefined ? undefined : logTo(served, qtestLog, io));
  const signal = Promise.withResolvers<number>();
  process.once('SIGINT', () => signal.resolve(INTERRUPTED));
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.once(name, () => signal.resolve(0));
  const listener = await server.listen(address);
  if (address.kind !== 'stdio')
    print(io.stderr, `qtest: the machine ${name} is at ${served.addressText(listener.address)}\n`);
  const code = await Promise.race([signal.promise, listener.ended.then(() => 0)]);
  listener.close();
  server.close();
  return code;
}

function logTo({ openLog }: ServePackage, file: string, { stderr }: Io): RequestLog {
  const onLost = (why: string): void =>
    print(stderr, `qtest: --qtest-log ${file}: ${why}. It ends here; the machine is served on\n`);
  try {
    return openLog(file, onLost);
  } catch (error) {
    throw hostError('USAGE', `--qtest-log ${file}: ${messageOf(error)}`);
  }
}

interface Served {
  readonly machine: ServedMachine;
  readonly paths: Paths;
  readonly registry: Registry;
  readonly name: string;
}

/** The machine that the options name, for requests of the qtest protocol. */
export async function servedMachine(
  { ServedMachine: Machine, Paths: PathsOf, buildTree }: ServePackage,
  config: LoadedConfig,
  options: CliOptions,
  io: Io,
): Promise<Served> {
  const { builder, known, name } = await machineFor(config, options, io);
  const registry = registryOf(known);
  const machine = new Machine(poweredOn(`the machine ${name}`, builder, registry));
  const tree = buildTree(machine.bound.blueprint, {
    machineType: `${name}-machine`,
    cpuType: 'vcpu',
    cpus: 0,
    added: new Map(),
  });
  const paths = new PathsOf(
    () => tree,
    () => machine.bound.blueprint,
  );
  return { machine, paths, registry, name };
}

interface Built {
  readonly builder: Builder;
  readonly known: Catalog;
  readonly name: string;
}

/** The machine that the options name; else the one of the only plugin. Hooks of plugins apply to either. */
async function machineFor(config: LoadedConfig, options: CliOptions, io: Io): Promise<Built> {
  const { machine: name, device: devices = [] } = options;
  const { clock, backend } = settingsOf(config.config, options);
  if (backend !== 'native')
    throw hostError('USAGE', `the protocol is put before the host's own devices: leave out --backend ${backend}`);
  if (clock === 'realtime')
    throw hostError('USAGE', 'the protocol moves the virtual clock: leave out --clock realtime');
  const plugins = await loadPlugins(pluginRequests(options, io, config));
  const known = catalogOf(plugins, config);
  const hooks = createHooks();
  for (const plugin of plugins) applyPlugin(hooks, plugin);
  let builder: Builder;
  let owner: LoadedPlugin | undefined;
  if (name === undefined) {
    owner = plugins.length === 1 ? plugins[0] : undefined;
    if (owner === undefined)
      throw hostError(
        'USAGE',
        `which machine? ${plugins.length === 0 ? 'No plugin is named' : `${plugins.length} plugins are named`}: give --machine pc, or one plugin whose machine it is`,
      );
    builder = await build(owner, { known, hooks, context: contextFor(owner, 'virtual') });
  } else {
    const { Builder: Class } = await import('@qtest/machine');
    builder = new Class('virtual', known);
    if (name === 'pc') builder.pc();
    if (name === 'isapc') builder.isapc();
    await hooks.machineInit.promise(builder, {
      plugin: 'qtest',
      machine: 1,
      clock: 'virtual',
      vcpus: 1,
      backend,
    });
  }
  for (const text of devices) addDevice(builder, known, text);
  return { builder, known, name: name ?? owner?.name ?? '' };
}

/** Adds what `--device type,id=…,bus=…,property=value` says. */
function addDevice(builder: Builder, known: Catalog, text: string): void {
  const [type = '', ...words] = text.split(',');
  const definition = known.get(type)?.definition;
  const given = new Map<string, unknown>();
  for (const entry of words) {
    const equals = entry.indexOf('=');
    if (equals <= 0) throw hostError('USAGE', `--device '${text}': '${entry}' is no property=value`);
    const key = entry.slice(0, equals);
    const value = entry.slice(equals + 1);
    given.set(key, key === 'bus' ? builder.get(value) : propertyValue(definition, key, value));
  }
  builder.add(type, Object.fromEntries(given));
}

/** A property as its kind reads it; what it cannot be stays text, for the builder to refuse. */
function propertyValue(definition: AnyDeviceDefinition | undefined, key: string, text: string): unknown {
  const schema: Readonly<Record<string, Property>> = definition?.schema.properties ?? {};
  const kind = own(schema, key)?.kind;
  if (kind === 'number' && text.trim() !== '' && !Number.isNaN(Number(text))) return Number(text);
  if (kind === 'boolean' && /^(?:true|false|on|off)$/.test(text)) return text === 'true' || text === 'on';
  return text;
}
