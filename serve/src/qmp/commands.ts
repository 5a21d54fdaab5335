import type { Emulator } from '../emulator/emulator.ts';
import {
  getProperty,
  listDeviceProperties,
  listProperties,
  listTypeProperties,
  listTypes,
  setProperty,
} from '../emulator/objects.ts';
import { flattened } from '../emulator/key-values.ts';
import { className, pciFunctions, type PciFunction } from '../emulator/pci-view.ts';
import { MACHINES, PANIC_ACTIONS, UserError, WATCHDOG_ACTIONS, type DeviceOption } from '../emulator/settings.ts';
import { runHuman } from './hmp.ts';
import type { Json, JsonObject } from './json.ts';
import { describeSchema, ENUMS, type Signature } from './schema.ts';
import { isSince, PACKAGE } from './version.ts';
import { own } from '@qtest/sdk/support';

/** What a command can do beside what the emulator does. */
export interface CommandContext {
  readonly emulator: Emulator;
  /** Character devices: their ids, and what is at the other end. */
  readonly chardevs: () => readonly { readonly label: string; readonly filename: string; readonly open: boolean }[];
}

interface Command extends Signature {
  /** A promise where it may take any time: other clients, and commands that overtake, come before it is done. */
  readonly run: (context: CommandContext, args: JsonObject) => Json | Promise<Json>;
}

const NONE: JsonObject = {};

/** An argument that has been checked to be a string. */
function text(args: JsonObject, key: string): string {
  const value = args[key];
  return typeof value === 'string' ? value : '';
}

/** Every command that there is. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>(
  Object.entries<Command>({
    'query-version': {
      args: {},
      returns: 'VersionInfo',
      run: ({ emulator: { settings } }) => ({ qemu: settings.version, package: PACKAGE }),
    },
    'query-name': {
      args: {},
      returns: 'NameInfo',
      run: ({ emulator: { settings } }) => (settings.name === undefined ? NONE : { name: settings.name }),
    },
    'query-uuid': {
      args: {},
      returns: 'UuidInfo',
      run: ({ emulator: { settings } }) => ({ UUID: settings.uuid ?? '00000000-0000-0000-0000-000000000000' }),
    },
    'query-target': { args: {}, returns: 'TargetInfo', run: () => ({ arch: 'x86_64' }) },
    'query-status': {
      args: {},
      returns: 'StatusInfo',
      run: ({ emulator: { state, settings } }) => ({
        status: state,
        ...(!isSince(settings.version, 9, 0) && { singlestep: false }),
        running: state === 'running',
      }),
    },
    'query-commands': {
      args: {},
      returns: '[CommandInfo]',
      run: () => ['qmp_capabilities', ...COMMANDS.keys()].map((name) => ({ name })),
    },
    'query-qmp-schema': {
      args: {},
      returns: '[SchemaInfo]',
      run: () => describeSchema(new Map<string, Signature>([['qmp_capabilities', CAPABILITIES], ...COMMANDS])),
    },
    'query-machines': { args: {}, returns: '[MachineInfo]', run: ({ emulator }) => machines(emulator) },
    'query-cpus-fast': { args: {}, returns: '[CpuInfoFast]', run: ({ emulator }) => cpus(emulator) },
    'query-chardev': {
      args: {},
      returns: '[ChardevInfo]',
      run: ({ chardevs }) =>
        chardevs().map(({ label, filename, open }) => ({ label, filename, 'frontend-open': open })),
    },
    'query-pci': { args: {}, returns: '[PciInfo]', run: ({ emulator }) => pciBuses(emulator) },
    'qom-list': {
      args: { path: 'str' },
      returns: '[ObjectPropertyInfo]',
      run: ({ emulator }, args) => listProperties(emulator, text(args, 'path')),
    },
    'qom-get': {
      args: { path: 'str', property: 'str' },
      returns: 'any',
      run: ({ emulator }, args) => getProperty(emulator, text(args, 'path'), text(args, 'property')),
    },
    'qom-set': {
      args: { path: 'str', property: 'str', value: 'any' },
      returns: 'Empty',
      run: ({ emulator }, args) => setProperty(emulator, text(args, 'path'), text(args, 'property')),
    },
    'qom-list-types': {
      args: { 'implements?': 'str', 'abstract?': 'bool' },
      returns: '[ObjectTypeInfo]',
      run: ({ emulator }, args) => {
        const { implements: ancestor, abstract } = args;
        return listTypes(emulator.cpuType, typeof ancestor === 'string' ? ancestor : undefined, abstract === true);
      },
    },
    'qom-list-properties': {
      args: { typename: 'str' },
      returns: '[ObjectPropertyInfo]',
      run: (_, args) => listTypeProperties(text(args, 'typename')),
    },
    'device-list-properties': {
      args: { typename: 'str' },
      returns: '[ObjectPropertyInfo]',
      run: (_, args) => listDeviceProperties(text(args, 'typename')),
    },
    device_add: {
      args: { driver: 'str', 'bus?': 'str', 'id?': 'str' },
      returns: 'Empty',
      open: true,
      run: ({ emulator }, args) => {
        emulator.addDevice(deviceOption(args));
        return NONE;
      },
    },
    device_del: {
      args: { id: 'str' },
      returns: 'Empty',
      run: ({ emulator }, args) => {
        emulator.removeDevice(text(args, 'id'));
        return NONE;
      },
    },
    'query-block': { args: {}, returns: '[BlockInfo]', run: ({ emulator }) => emulator.block.drives() },
    'query-named-block-nodes': {
      args: { 'flat?': 'bool' },
      returns: '[BlockDeviceInfo]',
      run: ({ emulator }) => emulator.block.nodes(),
    },
    'blockdev-add': {
      args: { driver: 'str', 'node-name?': 'str', 'read-only?': 'bool' },
      returns: 'Empty',
      open: true,
      run: ({ emulator: { block } }, args) => {
        const { driver, config } = args;
        if (driver === 'blkdebug' && typeof config === 'string')
          return block.addConfigured(args, config).then(() => NONE);
        return done(block.add(args));
      },
    },
    'blockdev-del': {
      args: { 'node-name': 'str' },
      returns: 'Empty',
      run: ({ emulator }, args) => done(emulator.block.remove(text(args, 'node-name'))),
    },
    'query-memdev': { args: {}, returns: '[Memdev]', run: ({ emulator }) => emulator.objects.memory() },
    'object-add': {
      args: { 'qom-type': 'str', id: 'str' },
      returns: 'Empty',
      open: true,
      run: ({ emulator }, args) => done(emulator.addObject(args)),
    },
    'object-del': {
      args: { id: 'str' },
      returns: 'Empty',
      run: ({ emulator }, args) => done(emulator.removeObject(text(args, 'id'))),
    },
    'x-exit-preconfig': { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.exitPreconfig()) },
    'human-monitor-command': {
      args: { 'command-line': 'str', 'cpu-index?': 'int' },
      returns: 'str',
      run: ({ emulator }, args) => runHuman(emulator, text(args, 'command-line')),
    },
    stop: { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.stop()) },
    cont: { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.cont()) },
    system_reset: { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.systemReset()) },
    system_powerdown: { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.powerdown()) },
    quit: { args: {}, returns: 'Empty', run: ({ emulator }) => done(emulator.quit('host-qmp-quit')) },
    'watchdog-set-action': {
      args: { action: 'WatchdogAction' },
      returns: 'Empty',
      run: ({ emulator }, args) => setActions(emulator, { watchdog: args['action'] ?? '' }),
    },
    'set-action': {
      args: {
        'reboot?': 'RebootAction',
        'shutdown?': 'ShutdownAction',
        'panic?': 'PanicAction',
        'watchdog?': 'WatchdogAction',
      },
      returns: 'Empty',
      run: ({ emulator }, args) => setActions(emulator, args),
    },
  }),
);

/** Those that may come before the machine is there, with `--preconfig`. */
export const EARLY: ReadonlySet<string> = new Set([
  ...[
    'query-version',
    'query-commands',
    'query-qmp-schema',
    'query-status',
    'query-name',
    'query-uuid',
    'query-chardev',
  ],
  ...['qom-list', 'qom-get', 'qom-set', 'qom-list-types', 'qom-list-properties', 'object-add', 'object-del'],
  ...['query-memdev', 'query-block', 'query-named-block-nodes', 'blockdev-add', 'blockdev-del'],
  ...['set-action', 'quit', 'x-exit-preconfig'],
]);

export const CAPABILITIES: Signature = { args: { 'enable?': '[QMPCapability]' }, returns: 'Empty' };

const EXPECTED: Readonly<Record<string, string>> = { str: 'string', int: 'integer', bool: 'boolean' };

/**
 * Checks a command's arguments.
 * @throws UserError in QEMU's words.
 */
export function checkArguments({ args, open = false }: Signature, given: JsonObject): void {
  for (const [key, type] of Object.entries(args)) {
    const name = key.replace('?', '');
    const value = own(given, name);
    if (value === undefined) {
      if (key === name) throw new UserError(`Parameter '${name}' is missing`);
      continue;
    }
    if (type.startsWith('[')) {
      if (!Array.isArray(value)) throw new UserError(`Invalid parameter type for '${name}', expected: array`);
      for (const item of value) checkType(name, type.slice(1, -1), item);
    } else {
      checkType(name, type, value);
    }
  }
  for (const name of Object.keys(given)) {
    if (!open && !Object.hasOwn(args, name) && !Object.hasOwn(args, `${name}?`))
      throw new UserError(`Parameter '${name}' is unexpected`);
  }
}

function checkType(name: string, type: string, value: Json): void {
  const values = ENUMS[type];
  const isRight =
    type === 'any' ||
    (type === 'int' && (Number.isInteger(value) || typeof value === 'bigint')) ||
    (type === 'bool' && typeof value === 'boolean') ||
    ((type === 'str' || values !== undefined) && typeof value === 'string');
  if (!isRight) throw new UserError(`Invalid parameter type for '${name}', expected: ${EXPECTED[type] ?? 'string'}`);
  if (values !== undefined && typeof value === 'string' && !values.includes(value))
    throw new UserError(`Parameter '${name}' does not accept value '${value}'`);
}

function done(_: void): JsonObject {
  return NONE;
}

function machines({ cpuType, settings: { version } }: Emulator): Json {
  return Object.entries(MACHINES).map(([kind, { name, alias, maxCpus, ram }]) => ({
    name,
    ...(alias !== undefined && { alias, 'is-default': true }),
    'cpu-max': maxCpus,
    'hotpluggable-cpus': false,
    'numa-mem-supported': false,
    deprecated: false,
    // Clients take this list apart strictly: a member that their version does not know is as wrong as one that is missing.
    ...(isSince(version, 8, 0) && { acpi: false }),
    ...(kind !== 'none' && { 'default-cpu-type': cpuType }),
    'default-ram-id': ram,
  }));
}

function cpus({ settings }: Emulator): Json {
  const count = settings.machine === 'none' ? 0 : settings.cpus;
  return Array.from({ length: count }, (_, cpu) => ({
    'cpu-index': cpu,
    'qom-path': `/machine/unattached/device[${cpu}]`,
    'thread-id': process.pid,
    props: { 'socket-id': cpu, 'core-id': 0, 'thread-id': 0 },
    target: 'x86_64',
  }));
}

function pciBuses(emulator: Emulator): Json {
  const functions = pciFunctions(emulator);
  const root = emulator.devices.findIndex(({ type }) => type === 'i440fx-pcihost');
  if (root < 0) return [];
  const devicesOn = (parent: number, bus: number): Json[] =>
    functions.filter((fn) => fn.parent === parent).map((fn) => describe(fn, bus));
  const describe = (fn: PciFunction, bus: number): JsonObject => {
    const desc = className(fn.classCode);
    const added = emulator.added.find(({ id }) => id === emulator.devices[fn.device]?.id);
    const { secondary, subordinate } = fn;
    return {
      bus,
      slot: fn.slot,
      function: fn.fn,
      class_info: { class: fn.classCode, ...(desc !== undefined && { desc }) },
      id: {
        vendor: fn.vendor,
        device: fn.id,
        ...(!fn.isBridge && { subsystem: fn.subsystem, 'subsystem-vendor': fn.subsystemVendor }),
      },
      ...(fn.pin !== 0 && { irq: fn.irq }),
      irq_pin: fn.pin,
      qdev_id: added?.option.id ?? '',
      ...(fn.isBridge && {
        pci_bridge: {
          bus: { number: bus, secondary, subordinate },
          ...(secondary !== 0 && { devices: devicesOn(fn.device, secondary) }),
        },
      }),
      regions: fn.regions.map(({ bar, isIo, address, size, prefetch, is64 }) => ({
        bar,
        type: isIo ? 'io' : 'memory',
        address,
        size,
        ...(!isIo && { prefetch, mem_type_64: is64 }),
      })),
    };
  };
  return [{ bus: 0, devices: devicesOn(root, 0) }];
}

/** The arguments of `device_add` as a command line would have them. */
function deviceOption(args: JsonObject): DeviceOption {
  const { driver: _driver, id: _id, ...others } = args;
  const options = flattened(others);
  const id = args['id'] === undefined ? undefined : text(args, 'id');
  if (id !== undefined && !/^[A-Za-z][\w.-]*$/.test(id)) throw new UserError("Parameter 'id' expects an identifier");
  return { driver: text(args, 'driver'), id, options, text: '' };
}

/** The values have been checked against the lists that they are of. */
function setActions(emulator: Emulator, given: JsonObject): JsonObject {
  const { actions } = emulator;
  const chosen = <T extends string>(among: readonly T[], key: string, otherwise: T): T =>
    among.find((value) => value === given[key]) ?? otherwise;
  emulator.actions = {
    reboot: chosen(['reset', 'shutdown'], 'reboot', actions.reboot),
    shutdown: chosen(['poweroff', 'pause'], 'shutdown', actions.shutdown),
    panic: chosen(PANIC_ACTIONS, 'panic', actions.panic),
    watchdog: chosen(WATCHDOG_ACTIONS, 'watchdog', actions.watchdog),
  };
  return NONE;
}
