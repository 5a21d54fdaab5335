import type { DeviceRef, PropertyValue } from '@qtest/sdk';
import { fwCfg, ioapic } from '@qtest/parts/pc';
import { type BoundMachine, Builder, createMachine, registryOf } from '@qtest/machine';
import { CATALOG } from './catalog.ts';
import { messageOf, own } from '@qtest/sdk/support';
import { QEMU_DEVICES, type QemuDevice } from './device-types.ts';
import { ownValue } from './property-values.ts';
import { UserError, type DeviceOption, type Settings } from './settings.ts';

/** A device that the user has added. */
export interface Added {
  readonly option: DeviceOption;
  /** Its id in the machine, which has to differ from the board's. */
  readonly id: string;
  /** Among those without an id. */
  readonly number: number;
  readonly device: QemuDevice;
  /** Of a PCI device: its bus as QEMU calls it. */
  readonly bus: string | undefined;
  readonly slot: number;
}

/** A machine, and what of it the user has asked for. */
export interface BuiltMachine {
  readonly bound: BoundMachine;
  readonly added: readonly Added[];
  /** Ids of devices with a line, and the character device at the other end of each. */
  readonly chardevs: ReadonlyMap<string, string>;
}

const ISA_IRQS = 16;
const SLOTS = 32;
const ROOT_BUS = 'pci.0';
/** Who is in the first slots of the root bus. */
const BOARD_SLOTS = ['i440FX', 'PIIX3'];
/** COM1 to COM4. */
const SERIAL = [
  { iobase: 0x3f8, irq: 4 },
  { iobase: 0x2f8, irq: 3 },
  { iobase: 0x3e8, irq: 4 },
  { iobase: 0x2e8, irq: 3 },
] as const;
const UNWIRED = -1;

const FOUR_GIB = 2 ** 32;
const MIB = 2 ** 20;
/** Of the firmware, how much shows below 1 MiB too. */
const ISA_BIOS = 128 * 1024;
const PAGE = 4096;

/** Indices of the CMOS that tell the firmware where to boot from. */
export const CMOS_BOOT = { LOW: 0x38, HIGH: 0x3d } as const;
/** Letters of boot devices, in the order of their numbers from 1 on. */
const BOOT_DEVICES = 'acdn';

/** What the CMOS has for a boot order. QEMU, hw/i386/pc.c, `set_boot_dev`; bit 0 keeps the firmware from looking for a floppy. */
export function bootBytes(order: string, floppyCheck: boolean): Record<number, number> {
  const [first = 0, second = 0, third = 0] = Array.from(order, (letter) => BOOT_DEVICES.indexOf(letter) + 1);
  return { [CMOS_BOOT.LOW]: (third << 4) | (floppyCheck ? 0 : 1), [CMOS_BOOT.HIGH]: (second << 4) | first };
}

/**
 * Builds the machine that settings and devices ask for, and powers it on.
 * @param flashes chips with the firmware: the first ends at 4 GiB, the next below it. With them, no other firmware is there.
 * @throws UserError in QEMU's words.
 */
export function buildMachine(
  settings: Settings,
  devices: readonly DeviceOption[],
  flashes: readonly Uint8Array[],
): BuiltMachine {
  const assembly = new Assembly(new Builder('virtual', CATALOG), settings);
  assembly.addBoard(devices, flashes);
  for (const option of devices) {
    try {
      assembly.add(option);
    } catch (error) {
      const message = `${option.text === '' ? '' : `${option.text}: `}${messageOf(error)}`;
      throw new UserError(message, error instanceof UserError ? error.kind : 'GenericError');
    }
  }
  const { builder, added, chardevs } = assembly;
  return { bound: createMachine(builder, registryOf(CATALOG)), added, chardevs };
}

class Assembly {
  readonly builder: Builder;
  readonly added: Added[] = [];
  readonly chardevs = new Map<string, string>();
  readonly #settings: Settings;
  #isa: DeviceRef | undefined;
  /** PCI buses, as QEMU calls them. */
  readonly #pci = new Map<string, DeviceRef>();
  /** Who is in a slot of a bus, by `bus/slot`, then by function. */
  readonly #slots = new Map<string, Map<number, string>>();
  #ports = 0;
  #anonymous = 0;

  constructor(builder: Builder, settings: Settings) {
    this.builder = builder;
    this.#settings = settings;
  }

  addBoard(devices: readonly DeviceOption[], flashes: readonly Uint8Array[]): void {
    const settings = this.#settings;
    this.builder.emptyMemory = 0;
    if (settings.machine === 'none') {
      if (settings.ram > 0) this.builder.ram(0, settings.ram);
      return;
    }
    const { ram, cpus, epoch, bootOrder, bootOnce, floppyCheck, serial } = settings;
    const options = {
      ram,
      cpus,
      serial: serial.length,
      rtc: { epoch },
      cmos: bootBytes(bootOnce ?? bootOrder, floppyCheck),
      fwCfg: firmwareConfig(settings, devices),
    };
    const isPc = settings.machine === 'pc';
    const parts = isPc ? this.builder.pc({ ...options, hpet: settings.hpet }) : this.builder.isapc(options);
    this.#isa = parts.isa;
    if (isPc) {
      this.#pci.set(ROOT_BUS, this.builder.get('pci0'));
      for (const [slot, name] of BOARD_SLOTS.entries()) this.#slots.set(`${ROOT_BUS}/${slot}`, new Map([[0, name]]));
    }
    if (isPc && settings.acpi) this.builder.add('acpi-pci-hotplug', { fixed: 2 ** BOARD_SLOTS.length - 1 });
    this.#ports = serial.length;
    for (const [n, chardev] of serial.entries()) {
      const uart = parts.uarts[n];
      if (chardev !== undefined && uart !== undefined) this.chardevs.set(uart.id, chardev);
    }
    if (flashes.length > 0) this.#addFlashes(flashes);
    else if (settings.bios !== undefined) this.#addBios(settings.bios);
  }

  add(option: DeviceOption): void {
    const { driver, id: given, options } = option;
    const device = QEMU_DEVICES.get(driver);
    if (device === undefined) throw new UserError(`'${driver}' is not a valid device model name`);
    if (!device.pluggable) throw new UserError(`Parameter 'driver' expects a pluggable device type`);
    if (given !== undefined && this.added.some((other) => other.option.id === given))
      throw new UserError(option.text === '' ? `Duplicate device ID '${given}'` : `Duplicate ID '${given}' for device`);
    const bus = this.#busFor(device, options.get('bus'));
    const properties = this.#properties(device, options);
    const place = device.bus === 'PCI' ? this.#place(device, bus.name, options.get('addr'), given) : undefined;
    const id = given === undefined ? {} : { id: this.builder.has(given) ? `${given}.added` : given };
    const values = { ...properties, ...id, bus: bus.ref, ...(place !== undefined && { ...place }) };
    const ref = device.type === 'ns16550a' ? this.#addSerial(values, options) : this.builder.add(device.type, values);
    if (device.type === 'pc-testdev') this.#wireTestdev(ref);
    if (device.type === 'pci-bridge') this.#pci.set(given ?? ref.id, ref);
    this.added.push({
      option,
      id: ref.id,
      number: given === undefined ? this.#anonymous++ : -1,
      device,
      bus: device.bus === 'PCI' ? bus.name : undefined,
      slot: place?.slot ?? -1,
    });
  }

  #busFor(device: QemuDevice, given: string | undefined): { readonly ref: DeviceRef; readonly name: string } {
    const buses = new Map(this.#pci);
    if (this.#isa !== undefined) buses.set('isa.0', this.#isa);
    const name = given ?? (device.bus === 'PCI' ? ROOT_BUS : 'isa.0');
    const ref = buses.get(name);
    if (ref === undefined && given === undefined)
      throw new UserError(`No '${device.bus}' bus found for device '${device.name}'`);
    if (ref === undefined) throw new UserError(`Bus '${name}' not found`);
    const kind = ref === this.#isa && name === 'isa.0' ? 'ISA' : 'PCI';
    if (kind !== device.bus) throw new UserError(`Device '${device.name}' can't go on ${kind} bus`);
    return { ref, name };
  }

  /** The host's properties: those of `-global`, and then the device's own. */
  #properties(device: QemuDevice, options: ReadonlyMap<string, string>): Record<string, PropertyValue> {
    const given = new Map<string, string>();
    for (const { driver, property, value } of this.#settings.globals)
      if (driver === device.name) given.set(property, value);
    for (const [key, value] of options) if (key !== 'bus') given.set(key, value);
    const values: Record<string, PropertyValue> = {};
    for (const { own, default: value } of Object.values(device.properties))
      if (own !== undefined && value !== undefined) values[own] = value;
    for (const [key, value] of given) {
      const property = own(device.properties, key);
      if (property === undefined) throw new UserError(`Property '${device.name}.${key}' not found`);
      const checked = ownValue(key, property, value);
      if (property.own !== undefined) values[property.own] = checked;
    }
    return values;
  }

  /** The address that was given, or the first slot that is free. */
  #place(
    device: QemuDevice,
    bus: string,
    addr: string | undefined,
    id: string | undefined,
  ): { readonly slot: number; readonly function: number } {
    const taken = (slot: number): Map<number, string> => this.#slots.get(`${bus}/${slot}`) ?? new Map<number, string>();
    let slot = 0;
    let fn = 0;
    if (addr === undefined) {
      while (slot < SLOTS && taken(slot).size > 0) slot++;
      if (slot === SLOTS)
        throw new UserError(`PCI: no slot/function available for ${device.name}, all in use or reserved`);
    } else {
      const [, slotText = '', fnText = '0'] = /^([\da-fA-F]{1,2})(?:\.([0-7]))?$/.exec(addr) ?? [];
      slot = slotText === '' ? SLOTS : Number.parseInt(slotText, 16);
      fn = Number(fnText);
      if (slot >= SLOTS) throw new UserError(`Property '${device.name}.addr' doesn't take value '${addr}'`);
      const other = taken(slot).get(fn);
      if (other !== undefined)
        throw new UserError(
          `PCI: slot ${slot} function ${fn} not available for ${device.name}, in use by ${other},id=${id ?? ''}`,
        );
    }
    const functions = taken(slot);
    functions.set(fn, device.name);
    this.#slots.set(`${bus}/${slot}`, functions);
    return { slot, function: fn };
  }

  /** A serial port: the next of COM1 to COM4, or where it is told to be; two may share an IRQ. */
  #addSerial(values: Readonly<Record<string, unknown>>, options: ReadonlyMap<string, string>): DeviceRef {
    const number = (key: string): number | undefined => {
      const text = options.get(key);
      return text === undefined ? undefined : Number(text);
    };
    const index = number('index') ?? this.#ports;
    const port = SERIAL[index];
    if (port === undefined) throw new UserError(`Max. supported number of ISA serial ports is ${SERIAL.length}.`);
    this.#ports = index + 1;
    const irq = number('irq') ?? port.irq;
    if (irq >= ISA_IRQS) throw new UserError(`Maximum value for "irq" is: ${ISA_IRQS - 1}`);
    const ioBase = number('iobase') ?? port.iobase;
    const uart = this.builder.add('ns16550a', { ...values, ioBase, irq: UNWIRED, irqGate: 'none' });
    if (this.#isa !== undefined)
      this.builder.connect(this.builder.output(uart, 'irq'), this.builder.line(this.#isa, irq), { shared: true });
    const chardev = options.get('chardev');
    if (chardev !== undefined) this.chardevs.set(uart.id, chardev);
    return uart;
  }

  /** Its lines drive those of the ISA bus, and beyond them the I/O APIC's inputs. */
  #wireTestdev(testdev: DeviceRef): void {
    const { builder } = this;
    if (this.#isa === undefined) return;
    const pins = builder.has('ioapic0') ? ioapic.PINS : ISA_IRQS;
    for (let pin = 0; pin < pins; pin++) {
      const to = pin < ISA_IRQS ? builder.line(this.#isa, pin) : builder.input(builder.get('ioapic0'), 'intin', pin);
      builder.connect(builder.output(testdev, 'irq', pin), to, { shared: true });
    }
  }

  #addBios(image: Uint8Array): void {
    if (image.length === 0 || image.length % PAGE !== 0 || image.length > 2 ** 24)
      throw new UserError(
        `could not load PC BIOS: its size, ${image.length} bytes, is no multiple of ${PAGE} up to 16 MiB`,
      );
    this.builder.rom(FOUR_GIB - image.length, image);
    this.#showBelowMib(image);
  }

  /** What the flash holds can be read; there is nothing to take its commands, so that writes are lost. */
  #addFlashes(images: readonly Uint8Array[]): void {
    let end = FOUR_GIB;
    for (const image of images) {
      end -= image.length;
      this.builder.rom(end, image);
    }
    this.#showBelowMib(images[0] ?? new Uint8Array(0));
  }

  #showBelowMib(image: Uint8Array): void {
    const shown = image.subarray(Math.max(0, image.length - ISA_BIOS));
    this.builder.rom(MIB - shown.length, shown);
  }
}

/** What the firmware is told by way of fw_cfg. */
function firmwareConfig(settings: Settings, devices: readonly DeviceOption[]): Record<string, PropertyValue> {
  const { uuid, bootMenu, bootFiles, fwCfgFiles, graphics } = settings;
  const items: [number, Uint8Array][] = [];
  if (uuid !== undefined) items.push([fwCfg.KEY.UUID, Buffer.from(uuid.replaceAll('-', ''), 'hex')]);
  if (!graphics) items.push([fwCfg.KEY.NOGRAPHIC, Uint8Array.of(1, 0)]);
  if (settings.hpet && settings.machine === 'pc') items.push([fwCfg.KEY.HPET, fwCfg.hpetItem([{ base: 0xfed0_0000 }])]);
  const panic = devices.find(({ driver }) => driver === 'pvpanic');
  const panicPort = Number(panic?.options.get('ioport') ?? 0x505);
  const files = {
    ...bootFiles,
    ...(panic !== undefined && { 'etc/pvpanic-port': Uint8Array.of(panicPort & 0xff, panicPort >> 8) }),
    ...fwCfgFiles,
  };
  return { bootMenu, files: fwCfg.files(files), items: fwCfg.items(items) };
}
