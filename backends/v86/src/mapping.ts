import {
  mapDevices,
  misplaced,
  NO_SERIAL_PORT,
  serialPort,
  show,
  type Hole,
  type Mapping,
  type Offer,
  type Properties,
  type WantedDevice,
  type WantedMachine,
} from '@qtest/sdk/backend';
import { own } from '@qtest/sdk/support';

/** What the emulator's machine is given. */
export interface V86Settings {
  /** Bytes of RAM. */
  readonly ram: number;
  /** Serial ports by their number, from 0, with the modem inputs that are active, as bits of MSR. */
  readonly serial: readonly { readonly port: number; readonly inputs: number }[];
  /** The RTC's time at the case's start, ms since 1970; undefined when there is none. */
  readonly epoch: number | undefined;
  /** Numbers of the serial ports, from 0, by the ids of their devices. */
  readonly serials: Readonly<Record<string, number>>;
}

const onBoard =
  (place: Properties, properties: Properties = {}) =>
  (given: Properties): Offer => {
    const lacks = misplaced('v86', place, given);
    return lacks === undefined ? { properties } : { lacks };
  };

/** What v86's parts are where our properties have a choice (v86 0.5.462). */
const OFFERS: Readonly<Record<string, (given: Properties) => Offer>> = {
  'isa-bus': () => ({}),
  // src/rust/cpu/pic.rs: a line that falls takes its request back.
  i8259: onBoard({ masterBase: 0x20, slaveBase: 0xa0, elcrBase: 0x4d0 }, { fallenRequest: 'datasheet' }),
  // src/pit.js: no counter counts before it is programmed.
  i8254: onBoard({ ioBase: 0x40, irq: 0 }, { reset: 'none' }),
  pcspk: onBoard({ ioBase: 0x61 }, { refresh: 'time' }),
  i8042: onBoard({ ioBase: 0x60, irq: 1, auxIrq: 12, keyboard: true, mouse: true }, { byteTime: '0' }),
  fw_cfg: onBoard({ ioBase: 0x510 }, { dma: false }),
  // src/pci.js: bits 1:0 of CONFIG_ADDRESS are zero.
  'i440fx-pcihost': onBoard({}, { configAddress: 'strict' }),
  i440fx: onBoard({ slot: 0, function: 0 }, { smram: 'datasheet' }),
  piix3: onBoard({ slot: 1, function: 0 }),
  // src/rtc.js: the time is a JavaScript date; it answers at both indices of the century.
  mc146818rtc: onBoard(
    { ioBase: 0x70, irq: 8 },
    { calendar: 'gregorian', updateCycle: '0', centuryByte: 0x32, periodicFlag: 'enabled', modeChange: 'convert' },
  ),
};

const MAP_UNIT = 0x2_0000;
const LEAST_RAM = 2 ** 20;
/** More cannot be asked of v86, with the page behind it that it is driven from. */
const MOST_RAM = 2 ** 31 - 4 * MAP_UNIT;
/** The window of its VGA, which it always has. */
const VGA = { base: 0xa_0000, end: 0xc_0000 };
const END_OF_SPACE = 2 ** 32;
const NO_END = 2 ** 53;

/** What v86 has of a machine: its PC is always the same, but for RAM and serial ports. */
export function mapMachine(machine: WantedMachine): Mapping<V86Settings> {
  const taken = new Set<string>();
  const serials = new Map<string, number>();
  const serial: V86Settings['serial'][number][] = [];
  const offerOf = (device: WantedDevice): Offer => {
    const { id, type, properties } = device;
    if (type === 'ns16550a') {
      const com = serialPort(device);
      if (com === undefined || [...serials.values()].includes(com)) return { lacks: NO_SERIAL_PORT };
      serials.set(id, com);
      serial.push({ port: com, inputs: Number(properties['tiedInputs'] ?? 0) });
      return { properties: { irqGate: 'none' } };
    }
    const offer = own(OFFERS, type)?.(properties) ?? { lacks: 'it has no such device' };
    if ('lacks' in offer) return offer;
    if (taken.has(type)) return { lacks: 'it has one of them' };
    taken.add(type);
    return offer;
  };
  const mapping = mapDevices(machine, 'v86', offerOf);
  const { ram, holes } = mapMemory(machine);
  const rtc = mapping.devices.find(({ type }) => type === 'mc146818rtc');
  const epoch = rtc === undefined ? undefined : Date.parse(String(rtc.properties['epoch']));
  return {
    ...mapping,
    holes: [...mapping.holes, ...holes],
    settings: { ram, serial, epoch, serials: Object.fromEntries(serials) },
  };
}

/** RAM begins at 0 in v86, and is in one piece but for the VGA's window. What cannot be had so is a hole. */
function mapMemory({ ram, devices }: WantedMachine): { ram: number; holes: Hole[] } {
  const end = Math.max(LEAST_RAM, ...ram.filter(({ kind }) => kind === 'ram').map(({ base, size }) => base + size));
  const size = Math.min(Math.ceil(end / MAP_UNIT) * MAP_UNIT, MOST_RAM);
  const holes: Hole[] = [];
  const hole = (from: number, to: number, reason: string): void => {
    if (to > from) holes.push({ space: 'memory', base: from, size: to - from, reason });
  };
  for (const { kind, base, size: bytes } of ram) {
    const top = base + bytes;
    if (kind === 'rom') {
      hole(base, top, `v86 cannot be given a ROM at ${show(base)}`);
      continue;
    }
    // With a 440FX, it is as hidden here as it is there.
    if (!devices.some(({ type }) => type === 'i440fx'))
      hole(Math.max(base, VGA.base), Math.min(top, VGA.end), "v86's VGA is where this RAM is");
    hole(Math.max(base, size), top, `v86 has RAM below ${show(size)} alone`);
  }
  hole(END_OF_SPACE, NO_END, 'v86 has 32 bits of address');
  return { ram: size, holes };
}
