import {
  mapDevices,
  misplaced,
  NO_SERIAL_PORT,
  serialPort,
  show,
  type Hole,
  type Lack,
  type Mapping,
  type Properties,
  type WantedDevice,
  type WantedMachine,
} from '@qtest/sdk/backend';
import { own } from '@qtest/sdk/support';

/**
 * Maps a machine to QEMU's command line, device by device. The machine is always `pc`: on `isapc` there is no I/O APIC, whose pins are
 * the one place where all ISA IRQs can be seen over qtest. What a `pc` cannot leave out is there beside what was asked for.
 */
export interface QemuSettings {
  /** After those that every QEMU gets. */
  readonly args: readonly string[];
  /** Devices with a character backend, in the order of QEMU's `-serial`. */
  readonly chardevs: readonly string[];
}

/** How QEMU has a device: words for its command line, and what its properties are there. Or why it has not. */
type Offer = { readonly args?: readonly string[]; readonly properties?: Properties } | Lack;

/** A device that is on QEMU's board whether asked for or not, at one place. `properties` are those in which QEMU's is no other. */
const onBoard =
  (place: Properties, properties: Properties = {}) =>
  (given: Properties): Offer => {
    const lacks = misplaced('QEMU', place, given);
    return lacks === undefined ? { properties } : { lacks };
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

const MIB = 2 ** 20;
/** On a PC there is no RAM between them. */
const LOW_RAM = 0xa_0000;
const EXTENDED = 0x10_0000;
/** Where QEMU's i440FX machine ends its RAM below 4 GiB. */
const TOP_OF_RAM = 0xc000_0000;

export function mapMachine(machine: WantedMachine): Mapping<QemuSettings> {
  const args: string[] = [];
  const mapped: Mapped = { machine, taken: new Set(), serials: new Map() };
  const { devices, missing, holes } = mapDevices(machine, 'QEMU', (device) => {
    const offer: Offer = machine.qemu.provides.includes(device.id) ? {} : offerOf(device, mapped);
    if (!('lacks' in offer)) args.push(...(offer.args ?? []));
    return offer;
  });
  const { serials } = mapped;
  const chardevs: string[] = [];
  for (let com = 0; com <= Math.max(-1, ...serials.keys()); com++) {
    const id = serials.get(com);
    args.push('-serial', id === undefined ? 'none' : `chardev:serial${chardevs.length}`);
    if (id !== undefined) chardevs.push(id);
  }
  const memory = mapMemory(machine);
  return {
    devices,
    missing,
    holes: [...holes, ...memory.holes],
    settings: { args: [...memory.args, ...args, ...machine.qemu.args], chardevs },
  };
}

/** What has been mapped so far. */
interface Mapped {
  readonly machine: WantedMachine;
  /** Types of which QEMU has one, and it is taken. */
  readonly taken: Set<string>;
  /** Serial ports by their number, which `-serial` counts. */
  readonly serials: Map<number, string>;
}

function offerOf(device: WantedDevice, { machine, taken, serials }: Mapped): Offer {
  const { type, properties, bus } = device;
  const parent = machine.devices.find(({ id }) => id === bus);
  if (type === 'ns16550a') {
    const com = serialPort(device);
    if (com === undefined || serials.has(com)) return { lacks: NO_SERIAL_PORT };
    serials.set(com, device.id);
    return { properties: { irqGate: 'none' } };
  }
  const offer = own(OFFERS, type)?.(properties) ?? { lacks: 'it knows no such device' };
  if ('lacks' in offer) return offer;
  if (parent?.busName === 'pci' && offer.args !== undefined)
    return { ...offer, args: onBus(offer.args, device, parent) };
  if (!SINGLE.has(type)) return offer;
  if (taken.has(type)) return { lacks: 'its pc has one of them' };
  taken.add(type);
  return offer;
}

/** The arguments of a function, with its bus. A bridge's bus goes by the bridge's id; each has a chassis number of its own. */
function onBus(args: readonly string[], { id, type }: WantedDevice, parent: WantedDevice): string[] {
  const bus = parent.type === 'pci-bridge' ? parent.id : 'pci.0';
  const bridge = type === 'pci-bridge' ? `,id=${id},chassis_nr=${Number(/\d+$/.exec(id)?.[0] ?? 0) + 1}` : '';
  return args.map((word, index) => (index === 1 ? `${word},bus=${bus}${bridge}` : word));
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
function mapMemory({ ram, devices }: WantedMachine): { args: string[]; holes: Hole[] } {
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
