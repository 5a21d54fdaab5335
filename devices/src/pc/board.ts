import type { DeviceRef, DeviceType, MachineBuilder, PinRef } from '@qtest/sdk';
import {
  ioapic,
  mc146818,
  type IsaPcMachine,
  type IsaPcOptions,
  type PcMachine,
  type PcOptions,
} from '@qtest/parts/pc';
import { hostError } from '@qtest/sdk/support';

const KIB = 2 ** 10;
const DEFAULT_RAM = 128 * 2 ** 20;
/** End of conventional memory, and start of extended memory. */
const LOW_RAM = 0xa_0000;
const EXTENDED = 0x10_0000;
/** Where the CMOS begins to count in units of 64 KiB. */
const EXTENDED_16M = 0x100_0000;

const RTC_AS_QEMU = { calendar: 'gregorian', periodicFlag: 'enabled', modeChange: 'convert' } as const;

/** COM1 to COM4. The second two share the IRQs of the first. */
const SERIAL = [
  { ioBase: 0x3f8, irq: 4 },
  { ioBase: 0x2f8, irq: 3 },
  { ioBase: 0x3e8, irq: 4 },
  { ioBase: 0x2e8, irq: 3 },
] as const;
/** Of a device's property `irq`: the machine wires it. */
const UNWIRED = -1;

/** Pins of the HPET that stand for the PIT and the RTC, and are their IRQs. */
const HPET_PIT = 0;
const HPET_RTC = 8;
/** What the HPET's other timers can be routed to: QEMU's, interrupt 2, which is a pin of the I/O APIC alone. */
const HPET_INTCAP = 0x4;
const ISA_IRQS = 16;

/** Every pin of a device, a bit each. */
const ALL_PINS = -1;

/** The I/O APIC that QEMU's pc has, with an EOI register. */
const IOAPIC_VERSION = 0x20;

/**
 * The normal machine init: a PC of 440FX and PIIX3, whose parts behave as QEMU's where those differ from their data sheets. RAM from 0
 * on, of which the 440FX shows what lies between 640 KiB and 1 MiB when its registers SMRAM and PAM say so; PCI bus 0 with the 440FX in
 * slot 0 and the PIIX3 in slot 1; behind that what `isapc` has; a local APIC for each CPU, and an I/O APIC. Functions that are asked
 * for take the slots 2 to 5.
 */
export function pc(machine: MachineBuilder, options: PcOptions): PcMachine {
  const pci = machine.add('i440fx-pcihost');
  const pmc = machine.add('i440fx', { bus: pci, smram: 'qemu' });
  machine.ram(0, options.ram ?? DEFAULT_RAM);
  const { board, parts } = addBoard(machine, machine.add('piix3', { bus: pci }), options);
  addApics(machine, board.isa, parts, options);
  for (const [n, type] of (['edu', 'pci-testdev', 'pvpanic-pci', 'pci-bridge'] as const).entries())
    addPart(machine, type, options[type], { bus: pci, slot: 2 + n });
  return { pci, pmc, ...board };
}

/** A PC without PCI: the same ISA devices at the same places, no RAM from 640 KiB to 1 MiB, no port 0xCF9 to reset it by, and no APIC, as the 486 of QEMU's has none. */
export function isapc(machine: MachineBuilder, options: IsaPcOptions): IsaPcMachine {
  const { ram = DEFAULT_RAM } = options;
  machine.ram(0, Math.min(ram, LOW_RAM));
  if (ram > EXTENDED) machine.ram(EXTENDED, ram - EXTENDED);
  return addBoard(machine, machine.add('isa-bus'), options).board;
}

/** What of the board the APICs are wired to, beside the ISA bus. */
interface Wide {
  readonly watchdog: DeviceRef | undefined;
  /** Have more interrupt lines than the ISA bus: those that are wired, a bit each. */
  readonly sources: readonly { readonly device: DeviceRef; readonly pins: number }[];
}

/** No firmware runs to set up the APICs: CPU 0's passes on what the 8259A and an NMI give, as a BIOS would have it. */
function addApics(machine: MachineBuilder, isa: DeviceRef, { watchdog, sources }: Wide, options: PcOptions): void {
  const { apic = true, ioapic: io = true, cpus = 1 } = options;
  const local = addPart(machine, 'apic', apic, { cpus, virtualWire: true, ...(io === false && { ioapic: 0 }) });
  if (local !== undefined && watchdog !== undefined)
    machine.connect(machine.output(watchdog, 'nmi'), machine.input(local, 'lint1'));
  const redirector = addPart(machine, 'ioapic', io, { version: IOAPIC_VERSION });
  if (redirector === undefined) return;
  const input = (pin: number): PinRef => machine.input(redirector, 'intin', pin);
  for (let irq = 0; irq < ISA_IRQS; irq++)
    machine.connect(machine.line(isa, irq), input(irq === 0 ? ioapic.IRQ0_PIN : irq), { shared: true });
  for (const { device, pins } of sources) {
    for (let pin = ISA_IRQS; pin < ioapic.PINS; pin++)
      if (((pins >> pin) & 1) === 1) machine.connect(machine.output(device, 'irq', pin), input(pin), { shared: true });
  }
}

/** The devices on ISA. */
function addBoard(
  machine: MachineBuilder,
  isa: DeviceRef,
  options: IsaPcOptions,
): { board: IsaPcMachine; parts: Wide } {
  const { ram = DEFAULT_RAM, cpus = 1, rtc: clock = {}, serial = 1, cmos: bytes = {} } = options;
  const onIsa = { bus: isa };
  const hpet = options.hpet === undefined || options.hpet === false ? undefined : given(options.hpet);
  const irqs = hpet === undefined ? {} : { irq: UNWIRED };
  const sources: { device: DeviceRef; pins: number }[] = [];

  const pic = machine.add('i8259', { ...onIsa, fallenRequest: 'latched' });
  const pit = machine.add('i8254', { ...onIsa, ...irqs, reset: 'running' });
  const speaker = machine.add('pcspk', { ...onIsa, refresh: 'read' });
  machine.connect(machine.output(speaker, 'gate'), machine.input(pit, 'gate', 2));
  machine.connect(machine.output(pit, 'out', 2), machine.input(speaker, 'out'));
  const rtc = machine.add('mc146818rtc', {
    ...onIsa,
    ...RTC_AS_QEMU,
    cmos: cmosOf(ram, cpus, bytes),
    ...clock,
    ...irqs,
  });
  if (hpet !== undefined) {
    const { intcap = HPET_INTCAP } = hpet;
    const timers = machine.add('hpet', { ...hpet, intcap });
    sources.push({ device: timers, pins: intcap });
    machine.connect(machine.output(pit, 'irq'), machine.input(timers, 'pit'));
    machine.connect(machine.output(rtc, 'irq'), machine.input(timers, 'rtc'));
    for (let pin = 0; pin < ISA_IRQS; pin++) {
      const routed = ((intcap >> pin) & 1) === 1;
      if (pin !== HPET_PIT && pin !== HPET_RTC && !routed) continue;
      const irq = pin === HPET_RTC ? (clock.irq ?? pin) : pin;
      machine.connect(machine.output(timers, 'irq', pin), machine.line(isa, irq), { shared: true });
    }
  }

  const kbc = machine.add('i8042', onIsa);
  machine.resetOn(machine.output(kbc, 'reset'));
  const uarts = addSerial(machine, isa, serial);
  const fwCfg = machine.add('fw_cfg', { ramSize: ram, cpus, maxCpus: cpus, ...options.fwCfg });
  addPart(machine, 'pvpanic', options.pvpanic, onIsa);
  const watchdog = addPart(machine, 'ib700', options.ib700, onIsa);
  if (watchdog !== undefined) machine.resetOn(machine.output(watchdog, 'reset'));
  const testdev = addPart(machine, 'pc-testdev', options['pc-testdev'], onIsa);
  if (testdev !== undefined) sources.push({ device: testdev, pins: ALL_PINS });
  for (let irq = 0; testdev !== undefined && irq < ISA_IRQS; irq++)
    machine.connect(machine.output(testdev, 'irq', irq), machine.line(isa, irq), { shared: true });
  return { board: { isa, pic, pit, speaker, rtc, kbc, uarts, fwCfg }, parts: { watchdog, sources } };
}

function addSerial(machine: MachineBuilder, isa: DeviceRef, count: number): DeviceRef[] {
  if (!(Number.isInteger(count) && count >= 0 && count <= SERIAL.length))
    throw hostError('MACHINE', `pc(): 'serial' is ${count}; expected a number of ports from 0 to ${SERIAL.length}`);
  return SERIAL.slice(0, count).map(({ ioBase, irq }, n) => {
    const shares = SERIAL.findIndex((other) => other.irq === irq) < n;
    const uart = machine.add('ns16550a', { bus: isa, ioBase, irq: shares ? UNWIRED : irq, irqGate: 'none' });
    if (shares) machine.connect(machine.output(uart, 'irq'), machine.line(isa, irq), { shared: true });
    return uart;
  });
}

/** A part that may be left out. */
function addPart(
  machine: { add(type: DeviceType, properties: object): DeviceRef },
  type: DeviceType,
  option: boolean | object | undefined,
  place: object,
): DeviceRef | undefined {
  return option === undefined || option === false ? undefined : machine.add(type, { ...place, ...given(option) });
}

function given<T extends object>(option: true | T): Partial<T> {
  return option === true ? {} : option;
}

/**
 * What the firmware finds in the CMOS. QEMU, hw/i386/pc.c, `pc_cmos_init`: sizes of memory in KiB, and above 16 MiB in 64 KiB; no
 * floppies; equipment: a coprocessor and a PS/2 mouse; boot order `cad`, hard disk, floppy, CD-ROM.
 */
function cmosOf(ram: number, cpus: number, others: Readonly<Record<number, number>>): string {
  const counted = (from: number, unit: number): number =>
    Math.min(Math.max(Math.floor((ram - from) / unit), 0), 0xffff);
  const word = (at: number, value: number): Record<number, number> => ({ [at]: value & 0xff, [at + 1]: value >> 8 });
  const extended = counted(EXTENDED, KIB);
  return mc146818.cmos({
    0x10: 0,
    0x14: 0x06,
    ...word(0x15, Math.min(counted(0, KIB), LOW_RAM / KIB)),
    ...word(0x17, extended),
    ...word(0x30, extended),
    ...word(0x34, counted(EXTENDED_16M, 64 * KIB)),
    0x38: 0x30,
    0x3d: 0x12,
    ...word(0x5b, 0),
    0x5d: 0,
    0x5f: cpus - 1,
    ...others,
  });
}
