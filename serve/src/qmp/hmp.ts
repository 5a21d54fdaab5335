import type { Emulator } from '../emulator/emulator.ts';
import { parseKeyValues } from '../emulator/key-values.ts';
import { busName } from '../emulator/objects.ts';
import { className, pciFunctions, type PciFunction } from '../emulator/pci-view.ts';
import { UserError } from '../emulator/settings.ts';
import { CATALOG } from '../emulator/catalog.ts';
import { qemuType } from '../server/paths.ts';
import { versionText } from './version.ts';
import { own } from '@qtest/sdk/support';

/** The monitor for humans: a command line in, text out. It has what there is something to show of. */

interface HumanCommand {
  readonly help: string;
  readonly run: (emulator: Emulator, args: string) => string | void;
}

const INFO: Readonly<Record<string, HumanCommand>> = {
  irq: { help: 'show the interrupts statistics', run: showIrqs },
  mtree: { help: 'show memory tree', run: showMemory },
  name: { help: 'show the current VM name', run: ({ settings }) => settings.name ?? '' },
  pci: { help: 'show PCI info', run: showPci },
  pic: { help: 'show PIC state', run: showPics },
  qtree: { help: 'show device tree', run: showTree },
  registers: { help: 'show the cpu registers', run: showRegisters },
  status: {
    help: 'show the current VM status',
    run: ({ state }) =>
      `VM status: ${state === 'running' ? 'running' : `paused${state === 'paused' ? '' : ` (${state})`}`}`,
  },
  uuid: {
    help: 'show the current VM UUID',
    run: ({ settings }) => settings.uuid ?? '00000000-0000-0000-0000-000000000000',
  },
  version: { help: 'show the version of QEMU', run: ({ settings }) => versionText(settings.version) },
};

const COMMANDS: Readonly<Record<string, HumanCommand>> = {
  cont: { help: 'resume emulation', run: (emulator) => emulator.cont() },
  drive_add: {
    help: 'add drive to PCI storage controller',
    run: ({ block }, args) => {
      const [, options = ''] = args.split(' ');
      const pairs = parseKeyValues(options);
      const kind = pairs.get('if') ?? 'ide';
      if (kind !== 'none') return `Can't hot-add drive to type ${kind}`;
      block.addDrive(pairs.get('id') ?? 'none0', pairs);
      return 'OK';
    },
  },
  drive_del: {
    help: 'remove host block device',
    run: ({ block }, args) => (block.removeDrive(args) ? '' : `Device '${args}' not found`),
  },
  help: { help: 'show the help', run: showHelp },
  quit: { help: 'quit the emulator', run: (emulator) => emulator.quit('host-qmp-quit') },
  stop: { help: 'stop emulation', run: (emulator) => emulator.stop() },
  system_powerdown: { help: 'send system power down event', run: (emulator) => emulator.powerdown() },
  system_reset: { help: 'reset the system', run: (emulator) => emulator.systemReset() },
};

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['c', 'cont'],
  ['q', 'quit'],
  ['s', 'stop'],
  ['?', 'help'],
]);

/** Runs a command line; gives what it prints, with the monitor's line ends. */
export function runHuman(emulator: Emulator, line: string): string {
  const words = line.trim().split(/\s+/);
  const [name = '', topic] = words;
  if (name === '') return '';
  const isInfo = name === 'info';
  if ((isInfo && topic === undefined) || (name === 'help' && topic === 'info')) return printed(showInfoHelp());
  const table = isInfo ? INFO : COMMANDS;
  const key = isInfo ? (topic ?? '') : (ALIASES.get(name) ?? name);
  const command = own(table, key);
  if (command === undefined) return printed(`unknown command: '${isInfo ? `info ${key}` : name}'`);
  try {
    return printed(command.run(emulator, words.slice(1).join(' ')) ?? '');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return printed(`Error: ${error.message}`);
  }
}

function printed(text: string): string {
  return text === '' ? '' : `${text.replaceAll('\n', '\r\n')}\r\n`;
}

function showHelp(): string {
  const lines = Object.entries(COMMANDS).map(([name, { help }]) => `${name}  -- ${help}`);
  return [...lines, showInfoHelp()].join('\n');
}

function showInfoHelp(): string {
  return Object.entries(INFO)
    .map(([name, { help }]) => `info ${name}  -- ${help}`)
    .join('\n');
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Devices by the buses that they are on. */
function showTree(emulator: Emulator): string {
  const { devices } = emulator.bound.blueprint;
  const lines = ['bus: main-system-bus', '  type System'];
  const show = (index: number, depth: number): void => {
    const device = devices[index];
    if (device === undefined) return;
    const indent = ' '.repeat(depth);
    const added = emulator.added.find(({ id }) => id === device.id)?.option.id;
    lines.push(`${indent}dev: ${qemuType(device.type)}, id "${added ?? ''}"`);
    for (const [name, value] of Object.entries(device.properties))
      if (String(value).length <= 64) lines.push(`${indent}  ${name} = ${JSON.stringify(value)}`);
    if (device.busName === '') return;
    lines.push(`${indent}  bus: ${busName(emulator, index)}`, `${indent}    type ${device.busName.toUpperCase()}`);
    for (const [child, { bus }] of devices.entries()) if (bus === index) show(child, depth + 4);
  };
  for (const [index, { bus }] of devices.entries()) if (bus < 0) show(index, 2);
  return lines.join('\n');
}

/** What answers where, now: the address spaces' regions in the order of their addresses. */
function showMemory({ bound }: Emulator): string {
  const { blueprint, bus } = bound;
  const spaces = new Map<string, { base: number; end: number; text: string }[]>([
    ['memory', []],
    ['I/O', []],
  ]);
  for (const { kind, base, size } of blueprint.ram)
    spaces.get('memory')?.push({ base, end: base + size, text: `(prio 0, ${kind}): ${kind}` });
  for (const index of blueprint.devices.keys()) {
    for (const { space, target } of bus.targetsOf(index)) {
      if (space === 'config') continue;
      const place = target.locate();
      for (const { base, end } of place?.seen ?? [])
        spaces
          .get(space === 'io' ? 'I/O' : 'memory')
          ?.push({ base, end, text: `(prio ${target.priority}, i/o): ${target.region}` });
    }
  }
  return [...spaces]
    .map(([name, regions]) => {
      const lines = regions
        .toSorted((a, b) => a.base - b.base || a.end - b.end)
        .map(({ base, end, text }) => `  ${hex(base, 16)}-${hex(end - 1, 16)} ${text}`);
      return [`address-space: ${name}`, ...lines].join('\n');
    })
    .join('\n\n');
}

/** How often each line of the ISA bus has risen, and its level. */
function showIrqs({ bound: { blueprint, lines } }: Emulator): string {
  const isa = blueprint.devices.find(({ busName: name }) => name === 'isa');
  if (isa === undefined) return 'IRQ statistics: there is no interrupt controller';
  const counts = Array.from({ length: isa.busLines }, (_, irq) => ({ irq, rises: lines.edges(isa.busLine + irq) }))
    .filter(({ rises }) => rises > 0)
    .map(({ irq, rises }) => `${String(irq).padStart(2)}: ${rises}`);
  return ['IRQ statistics for isa-i8259:', ...counts].join('\n');
}

/** The controllers' registers, as their states have them. */
function showPics({ bound }: Emulator): string {
  const shown: string[] = [];
  for (const { id, type } of bound.blueprint.devices) {
    if (type !== 'i8259' && type !== 'ioapic') continue;
    const context = bound.context(id);
    if (context === undefined) continue;
    const fields = Object.keys(CATALOG.get(type)?.definition.schema.state ?? {}).map((name) => {
      const value = context.state[name];
      if (typeof value === 'object')
        return `${name}=${Array.from({ length: value.length }, (_, i) => hex(value.get(i), 2)).join(' ')}`;
      return `${name}=${typeof value === 'boolean' ? Number(value) : value?.toString(16)}`;
    });
    shown.push(`${qemuType(type)} '${id}': ${fields.join(' ')}`);
  }
  return shown.length === 0 ? 'there is no interrupt controller' : shown.join('\n');
}

function showPci(emulator: Emulator): string {
  const functions = pciFunctions(emulator);
  const root = emulator.devices.findIndex(({ type }) => type === 'i440fx-pcihost');
  if (root < 0) return 'PCI not supported';
  const lines: string[] = [];
  const show = (fn: PciFunction, bus: number): void => {
    lines.push(
      `  Bus ${String(bus).padStart(2)}, device ${String(fn.slot).padStart(3)}, function ${fn.fn}:`,
      `    ${className(fn.classCode) ?? `Class ${hex(fn.classCode, 4)}`}: PCI device ${hex(fn.vendor, 4)}:${hex(fn.id, 4)}`,
    );
    if (!fn.isBridge) lines.push(`      PCI subsystem ${hex(fn.subsystemVendor, 4)}:${hex(fn.subsystem, 4)}`);
    if (fn.pin !== 0) lines.push(`      IRQ ${fn.irq}, pin ${'ABCD'.charAt(fn.pin - 1)}`);
    for (const { bar, isIo, address, size, prefetch, is64 } of fn.regions) {
      const at = address < 0 ? 'ffffffffffffffff' : hex(address, isIo ? 4 : 8);
      const end = address < 0 ? 'fffffffffffffffe' : hex(address + size - 1, isIo ? 4 : 8);
      const kind = isIo ? 'I/O' : `${is64 ? '64' : '32'} bit${prefetch ? ' prefetchable' : ''} memory`;
      lines.push(`      BAR${bar}: ${kind} at 0x${at} [0x${end}].`);
    }
    const added = emulator.added.find(({ id }) => id === emulator.devices[fn.device]?.id);
    lines.push(`      id "${added?.option.id ?? ''}"`);
    if (fn.isBridge && fn.secondary !== 0)
      for (const child of functions) if (child.parent === fn.device) show(child, fn.secondary);
  };
  for (const fn of functions) if (fn.parent === root) show(fn, 0);
  return lines.join('\n');
}

/** There is nothing to show but whether there are CPUs: their code is the client. */
function showRegisters({ settings }: Emulator): string {
  if (settings.machine === 'none') return 'No CPU available';
  return Array.from(
    { length: settings.cpus },
    (_, cpu) => `CPU#${cpu}: no registers, as it executes nothing: accesses come by the qtest protocol`,
  ).join('\n');
}
