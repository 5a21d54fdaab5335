import {
  resolveProperties,
  type AnyDeviceDefinition,
  type DeviceInfo,
  type PropertyValue,
  type RegionSpec,
} from '@qtest/sdk';
import type { Blueprint, DeviceBlueprint } from '../../machine/blueprint.ts';

/**
 * Maps a machine to QEMU's command line, device by device. The machine is always `pc`: on `isapc` there is no I/O APIC, whose pins are
 * the one place where all ISA IRQs can be seen over qtest. What a `pc` cannot leave out is there beside what was asked for.
 */
export interface Mapping {
  /** After those that every QEMU gets. */
  readonly args: readonly string[];
  /** Devices that QEMU has, with the properties that they have there. */
  readonly devices: readonly DeviceInfo[];
  /** Devices that it does not have, by id, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** Where something of ours is that QEMU does not have. */
  readonly holes: readonly Hole[];
  /** Devices with a character backend, in the order of QEMU's `-serial`. */
  readonly chardevs: readonly string[];
}

/** A range in which an access would reach something else than in our machine. */
export interface Hole {
  readonly space: 'io' | 'memory';
  readonly base: number;
  readonly size: number;
  readonly reason: string;
}

type Properties = Readonly<Record<string, PropertyValue>>;

/** How QEMU has a device: words for its command line, and what its properties are there. Or why it has not. */
type Offer = { readonly args?: readonly string[]; readonly properties?: Properties } | { readonly lacks: string };

/** A device that is on QEMU's board whether asked for or not, at one place. `properties` are those in which QEMU's is no other. */
const onBoard =
  (place: Properties, properties: Properties = {}) =>
  (given: Properties): Offer => {
    for (const [name, value] of Object.entries(place)) {
      const wanted = given[name];
      // −1: the machine wires the pin itself.
      if (wanted === undefined || wanted === value || wanted === -1) continue;
      return { lacks: `QEMU's pc has it with ${name} ${show(value)}, not ${show(wanted)}` };
    }
    return { properties };
  };

/** A device that is added by `-device`. */
const added = (type: string, options: Properties): Offer => ({
  args: ['-device', [type, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)].join(',')],
});

/** A PCI function, in its slot. Its bus is added where that is known. */
const pciFunction = (type: string, given: Properties, options: Properties = {}): Offer => {
  const address = `${Number(given['slot'] ?? 0).toString(16)}.${given['function'] ?? 0}`;
  return added(type, { addr: address, multifunction: given['multifunction'] === true ? 'on' : 'off', ...options });
};

/** What QEMU's parts are where our properties have a choice, and what its command line can say of each (QEMU 7.2). */
const OFFERS: Readonly<Record<string, (given: Properties) => Offer>> = {
  'isa-bus': () => ({}),
  i8259: onBoard(
    { masterBase: 0x20, slaveBase: 0xa0, elcrBase: 0x4d0, elcrMask: 0xf8, slaveElcrMask: 0xde },
    { fallenRequest: 'latched' },
  ),
  i8254: onBoard({ ioBase: 0x40, irq: 0 }, { reset: 'running' }),
  pcspk: onBoard({ ioBase: 0x61 }, { refresh: 'read' }),
  i8042: onBoard({ ioBase: 0x60, irq: 1, auxIrq: 12, keyboard: true, mouse: true }, { byteTime: '0' }),
  fw_cfg: onBoard({ ioBase: 0x510, dma: true }),
  'i440fx-pcihost': onBoard({}, { configAddress: 'qemu' }),
  i440fx: onBoard({ slot: 0, function: 0 }, { smram: 'qemu' }),
  piix3: onBoard({ slot: 1, function: 0 }),
  ioapic: onBoard({ base: 0xfec0_0000, lapic: 0xfee0_0000 }, { version: 0x20 }),
  // hw/intc/apic.c, apic_mem_read(): it asks which CPU it is that reads.
  apic: () => ({ lacks: 'its local APICs answer their own CPUs, and not what comes over qtest' }),
  // hw/rtc/mc146818rtc.c: it answers at both indices of the century.
  mc146818rtc: (given) => {
    const offer = onBoard(
      { ioBase: 0x70, irq: 8 },
      { calendar: 'gregorian', updateCycle: '0', centuryByte: 0x32, periodicFlag: 'enabled', modeChange: 'convert' },
    )(given);
    if ('lacks' in offer) return offer;
    return { ...offer, args: ['-rtc', `base=${String(given['epoch']).replace(/Z$/, '')},clock=vm`] };
  },
  hpet: (given) => {
    const offer = onBoard({ base: 0xfed0_0000 })(given);
    if ('lacks' in offer) return offer;
    const globals = { timers: given['timers'] ?? 3, 'hpet-intcap': given['intcap'] ?? 4 };
    return {
      args: ['-machine', 'hpet=on', ...Object.entries(globals).flatMap(([k, v]) => ['-global', `hpet.${k}=${v}`])],
    };
  },
  ib700: (given) => {
    const offer = onBoard({ ioBase: 0x441 })(given);
    if ('lacks' in offer) return offer;
    return { args: ['-device', 'ib700', '-action', `watchdog=${given['action'] ?? 'reset'}`] };
  },
  pvpanic: (given) => added('pvpanic', { ioport: given['ioBase'] ?? 0x505, events: given['events'] ?? 7 }),
  'pc-testdev': (given) => {
    const offer = onBoard({ ioBase: 0xe0, irqBase: 0x2000, memoryBase: 0xff00_0000 })(given);
    return 'lacks' in offer ? offer : added('pc-testdev', {});
  },
  // hw/misc/edu.c computes a factorial on a thread of its own: how long that takes cannot be told.
  edu: (given) => ({
    ...pciFunction('edu', given, { dma_mask: given['dmaMask'] ?? 0x0fff_ffff }),
    properties: { factorialTime: '0' },
  }),
  'pci-bridge': (given) => pciFunction('pci-bridge', given),
  'pci-testdev': (given) => pciFunction('pci-testdev', given),
  'pvpanic-pci': (given) => pciFunction('pvpanic-pci', given, { events: given['events'] ?? 7 }),
};

/** Ports of COM1 to COM4, which `-serial` counts. */
const SERIAL = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const SERIAL_IRQS = [4, 3, 4, 3];

const MIB = 2 ** 20;
/** On a PC there is no RAM between them. */
const LOW_RAM = 0xa_0000;
const EXTENDED = 0x10_0000;
/** Where QEMU's i440FX machine ends its RAM below 4 GiB. */
const TOP_OF_RAM = 0xc000_0000;

export function mapMachine(blueprint: Blueprint, registry: ReadonlyMap<string, AnyDeviceDefinition>): Mapping {
  const args: string[] = [];
  const devices: DeviceInfo[] = [];
  const missing: Record<string, string> = {};
  const holes: Hole[] = [];
  const taken = new Set<string>();
  const serials = new Map<number, string>();
  for (const [index, device] of blueprint.devices.entries()) {
    const offer = blueprint.qemu.provides.includes(index)
      ? {}
      : offerOf(device, { blueprint, missing, taken, serials });
    if ('lacks' in offer) {
      const reason = `QEMU cannot offer '${device.id}' (${device.type}): ${offer.lacks}`;
      missing[device.id] = reason;
      holes.push(...rangesOf(device, registry).map((range) => ({ ...range, reason })));
      continue;
    }
    args.push(...(offer.args ?? []));
    const { id, type } = device;
    devices.push({ id, type, properties: { ...device.properties, ...offer.properties } });
  }
  const chardevs: string[] = [];
  for (let com = 0; com <= Math.max(-1, ...serials.keys()); com++) {
    const id = serials.get(com);
    args.push('-serial', id === undefined ? 'none' : `chardev:serial${chardevs.length}`);
    if (id !== undefined) chardevs.push(id);
  }
  const memory = mapMemory(blueprint);
  return {
    args: [...memory.args, ...args, ...blueprint.qemu.args],
    devices,
    missing,
    holes: [...holes, ...memory.holes],
    chardevs,
  };
}

/** What has been mapped so far. */
interface Mapped {
  readonly blueprint: Blueprint;
  readonly missing: Readonly<Record<string, string>>;
  /** Types of which QEMU has one, and it is taken. */
  readonly taken: Set<string>;
  /** Serial ports by their number. */
  readonly serials: Map<number, string>;
}

function offerOf(device: DeviceBlueprint, mapped: Mapped): Offer {
  const { type, properties, bus } = device;
  const parent = mapped.blueprint.devices[bus];
  if (parent !== undefined && mapped.missing[parent.id] !== undefined)
    return { lacks: `it is on '${parent.id}', which QEMU does not have either` };
  if (type === 'ns16550a') return serialPort(device, mapped);
  const offer = OFFERS[type]?.(properties) ?? { lacks: 'it knows no such device' };
  if ('lacks' in offer) return offer;
  if (parent?.busName === 'pci' && offer.args !== undefined)
    return { ...offer, args: onBus(offer.args, device, parent) };
  if (!SINGLE.has(type)) return offer;
  if (mapped.taken.has(type)) return { lacks: 'its pc has one of them' };
  mapped.taken.add(type);
  return offer;
}

/** The arguments of a function, with its bus. A bridge's bus goes by the bridge's id; each has a chassis number of its own. */
function onBus(args: readonly string[], { id, type }: DeviceBlueprint, parent: DeviceBlueprint): string[] {
  const bus = parent.type === 'pci-bridge' ? parent.id : 'pci.0';
  const bridge = type === 'pci-bridge' ? `,id=${id},chassis_nr=${Number(/\d+$/.exec(id)?.[0] ?? 0) + 1}` : '';
  return args.map((word, index) => (index === 1 ? `${word},bus=${bus}${bridge}` : word));
}

function serialPort(device: DeviceBlueprint, { blueprint, serials }: Mapped): Offer {
  const com = SERIAL.indexOf(Number(device.properties['ioBase'] ?? 0x3f8));
  if (com < 0 || irqOf(device, blueprint) !== SERIAL_IRQS[com] || serials.has(com))
    return { lacks: 'its serial ports are COM1 to COM4, at 0x3f8 (IRQ 4), 0x2f8 (3), 0x3e8 (4) and 0x2e8 (3)' };
  serials.set(com, device.id);
  return { properties: { irqGate: 'none' } };
}

/** The ISA IRQ that a device drives, whether by its property or wired by the machine. */
function irqOf({ outputs }: DeviceBlueprint, { devices, lines }: Blueprint): number | undefined {
  const isa = devices.find(({ busName }) => busName === 'isa');
  const line = lines[outputs['irq']?.line ?? -1]?.feeds[0];
  return isa === undefined || line === undefined ? undefined : line - isa.busLine;
}

/** Devices of which a pc has one. */
const SINGLE = new Set([
  'isa-bus',
  'i8259',
  'i8254',
  'pcspk',
  'i8042',
  'fw_cfg',
  'mc146818rtc',
  'hpet',
  'ib700',
  'piix3',
  'ioapic',
]);

/** `-m` for RAM that begins at 0; what cannot be had so is a hole. */
function mapMemory({ ram, devices }: Blueprint): { args: string[]; holes: Hole[] } {
  const end = Math.max(0, ...ram.filter(({ kind }) => kind === 'ram').map(({ base, size }) => base + size));
  const size = Math.min(Math.max(Math.ceil(end / MIB), 1) * MIB, TOP_OF_RAM);
  const holes: Hole[] = [];
  const hole = (from: number, to: number, reason: string): void => {
    if (to > from) holes.push({ space: 'memory', base: from, size: to - from, reason });
  };
  for (const { kind, base, size: bytes } of ram) {
    const top = base + bytes;
    if (kind === 'rom') {
      hole(base, top, `QEMU's pc cannot be given a ROM at ${show(base)}`);
      continue;
    }
    // With a 440FX, it is as hidden here as it is there.
    if (!devices.some(({ type }) => type === 'i440fx'))
      hole(Math.max(base, LOW_RAM), Math.min(top, EXTENDED), "QEMU's pc hides its RAM from 0xa0000 to 0xfffff");
    hole(Math.max(base, size), top, `QEMU's pc has RAM below ${show(size)} alone`);
  }
  return { args: ['-m', `${size / MIB}M`], holes };
}

/** Where a device's regions are, as far as that does not depend on its state. */
function rangesOf(
  { type, properties }: DeviceBlueprint,
  registry: ReadonlyMap<string, AnyDeviceDefinition>,
): Omit<Hole, 'reason'>[] {
  const { schema } = registry.get(type) ?? {};
  const regions: Readonly<Record<string, RegionSpec>> =
    schema?.regions?.(resolveProperties(schema.properties ?? {}, properties)) ?? {};
  return Object.values(regions).flatMap(({ space, base, size }) =>
    base === undefined || space === 'config' ? [] : [{ space, base, size }],
  );
}

function show(value: PropertyValue): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : String(value);
}
