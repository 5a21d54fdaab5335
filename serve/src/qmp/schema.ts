import type { JsonObject } from './json.ts';

/** Types of arguments and results, by QMP's names: `str`, `int`, `bool`, `any`, `[x]` for lists, and the structures below. `?` makes a member optional. */
export type Members = Readonly<Record<string, string>>;

export const ENUMS: Readonly<Record<string, readonly string[]>> = {
  RunState: ['running', 'prelaunch', 'paused', 'shutdown', 'guest-panicked', 'watchdog'],
  QMPCapability: ['oob'],
  WatchdogAction: ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none', 'inject-nmi'],
  PanicAction: ['pause', 'shutdown', 'exit-failure', 'none'],
  RebootAction: ['reset', 'shutdown'],
  ShutdownAction: ['poweroff', 'pause'],
};

export const STRUCTS: Readonly<Record<string, Members>> = {
  Empty: {},
  VersionTriple: { major: 'int', minor: 'int', micro: 'int' },
  VersionInfo: { qemu: 'VersionTriple', package: 'str' },
  StatusInfo: { running: 'bool', 'singlestep?': 'bool', status: 'RunState' },
  CommandInfo: { name: 'str' },
  MachineInfo: {
    name: 'str',
    'alias?': 'str',
    'is-default?': 'bool',
    'cpu-max': 'int',
    'hotpluggable-cpus': 'bool',
    'numa-mem-supported': 'bool',
    deprecated: 'bool',
    'acpi?': 'bool',
    'default-cpu-type?': 'str',
    'default-ram-id?': 'str',
  },
  CpuInstanceProperties: { 'socket-id?': 'int', 'core-id?': 'int', 'thread-id?': 'int' },
  CpuInfoFast: {
    'cpu-index': 'int',
    'qom-path': 'str',
    'thread-id': 'int',
    'props?': 'CpuInstanceProperties',
    target: 'str',
  },
  ObjectPropertyInfo: { name: 'str', type: 'str', 'description?': 'str', 'default-value?': 'any' },
  ObjectTypeInfo: { name: 'str', 'abstract?': 'bool', 'parent?': 'str' },
  NameInfo: { 'name?': 'str' },
  UuidInfo: { UUID: 'str' },
  TargetInfo: { arch: 'str' },
  ChardevInfo: { label: 'str', filename: 'str', 'frontend-open': 'bool' },
  PciDeviceClass: { 'desc?': 'str', class: 'int' },
  PciDeviceId: { device: 'int', vendor: 'int', 'subsystem?': 'int', 'subsystem-vendor?': 'int' },
  PciMemoryRegion: {
    bar: 'int',
    type: 'str',
    address: 'int',
    size: 'int',
    'prefetch?': 'bool',
    'mem_type_64?': 'bool',
  },
  PciBusInfo: { number: 'int', secondary: 'int', subordinate: 'int' },
  PciBridgeInfo: { bus: 'PciBusInfo', 'devices?': '[PciDeviceInfo]' },
  PciDeviceInfo: {
    bus: 'int',
    slot: 'int',
    function: 'int',
    class_info: 'PciDeviceClass',
    id: 'PciDeviceId',
    'irq?': 'int',
    irq_pin: 'int',
    qdev_id: 'str',
    'pci_bridge?': 'PciBridgeInfo',
    regions: '[PciMemoryRegion]',
  },
  PciInfo: { bus: 'int', devices: '[PciDeviceInfo]' },
  BlockInfo: {
    device: 'str',
    type: 'str',
    removable: 'bool',
    locked: 'bool',
    'inserted?': 'BlockDeviceInfo',
  },
  BlockDeviceInfo: {
    file: 'str',
    'node-name?': 'str',
    ro: 'bool',
    drv: 'str',
    encrypted: 'bool',
    detect_zeroes: 'str',
    bps: 'int',
    bps_rd: 'int',
    bps_wr: 'int',
    iops: 'int',
    iops_rd: 'int',
    iops_wr: 'int',
    image: 'ImageInfo',
    cache: 'BlockdevCacheInfo',
    write_threshold: 'int',
  },
  Memdev: {
    'id?': 'str',
    size: 'int',
    merge: 'bool',
    dump: 'bool',
    prealloc: 'bool',
    share: 'bool',
    'reserve?': 'bool',
    'host-nodes': '[int]',
    policy: 'str',
  },
  ImageInfo: { filename: 'str', format: 'str', 'virtual-size': 'int' },
  BlockdevCacheInfo: { writeback: 'bool', direct: 'bool', 'no-flush': 'bool' },
  SchemaInfo: { name: 'str', 'meta-type': 'str' },
};

/** Events, with what they tell. */
export const EVENTS: Readonly<Record<string, Members>> = {
  RESET: { guest: 'bool', reason: 'str' },
  STOP: {},
  RESUME: {},
  SHUTDOWN: { guest: 'bool', reason: 'str' },
  POWERDOWN: {},
  DEVICE_DELETED: { 'device?': 'str', path: 'str' },
  GUEST_PANICKED: { action: 'str' },
  GUEST_CRASHLOADED: { action: 'str' },
  GUEST_PVSHUTDOWN: {},
  WATCHDOG: { action: 'WatchdogAction' },
  RTC_CHANGE: { offset: 'int', 'qom-path': 'str' },
};

/** What a command takes and gives. */
export interface Signature {
  readonly args: Members;
  readonly returns: string;
  /** Members beside those of `args` are taken as they are. */
  readonly open?: boolean;
}

const BUILTINS: Readonly<Record<string, string>> = { str: 'string', int: 'int', bool: 'boolean', any: 'value' };

/** What `query-qmp-schema` gives: commands, events, and every type that they need. */
export function describeSchema(commands: ReadonlyMap<string, Signature>): JsonObject[] {
  const found = new Map<string, JsonObject>();
  const members = (of: Members): JsonObject[] =>
    Object.entries(of).map(([key, type]) => {
      need(type);
      const isOptional = key.endsWith('?');
      return { name: isOptional ? key.slice(0, -1) : key, type, ...(isOptional && { default: null }) };
    });
  const need = (type: string): void => {
    if (found.has(type)) return;
    found.set(type, {});
    found.set(type, describe(type));
  };
  const describe = (type: string): JsonObject => {
    const builtin = BUILTINS[type];
    if (builtin !== undefined) return { name: type, 'meta-type': 'builtin', 'json-type': builtin };
    const values = ENUMS[type];
    if (values !== undefined)
      return { name: type, 'meta-type': 'enum', members: values.map((name) => ({ name })), values };
    if (type.startsWith('[')) {
      const element = type.slice(1, -1);
      need(element);
      return { name: type, 'meta-type': 'array', 'element-type': element };
    }
    return { name: type, 'meta-type': 'object', members: members(STRUCTS[type] ?? {}) };
  };
  const entries: JsonObject[] = [];
  const object = (name: string, of: Members): string => {
    if (Object.keys(of).length === 0) {
      need('Empty');
      return 'Empty';
    }
    found.set(name, { name, 'meta-type': 'object', members: members(of) });
    return name;
  };
  for (const [name, { args, returns }] of commands) {
    need(returns);
    entries.push({
      name,
      'meta-type': 'command',
      'arg-type': object(`${name}-arg`, args),
      'ret-type': returns,
    });
  }
  for (const [name, data] of Object.entries(EVENTS))
    entries.push({ name, 'meta-type': 'event', 'arg-type': object(`${name}-arg`, data) });
  return [...entries, ...found.values()];
}
