import type { MachineBuilder, PcMachine, PcOptions } from '@qtest/sdk';

const DEFAULT_RAM = 128 * 2 ** 20;
/** End of conventional memory, and start of extended memory. */
const LOW_RAM = 0xa_0000;
const EXTENDED = 0x10_0000;

const AS_QEMU = { calendar: 'gregorian', periodicFlag: 'enabled', modeChange: 'convert' } as const;

/**
 * The normal machine init: the PC as far as the host has its devices. RAM below 640 KiB and from 1 MiB, the ISA bus, both
 * interrupt controllers and the RTC, which behave as QEMU's where that differs from the data sheet.
 */
export function buildPc(machine: MachineBuilder, { ram = DEFAULT_RAM, rtc = {} }: PcOptions): PcMachine {
  machine.ram(0, Math.min(ram, LOW_RAM));
  if (ram > EXTENDED) machine.ram(EXTENDED, ram - EXTENDED);
  const isa = machine.add('isa-bus');
  const pic = machine.add('i8259', { bus: isa, fallenRequest: 'latched' });
  return { isa, pic, rtc: machine.add('mc146818rtc', { bus: isa, ...AS_QEMU, ...rtc }) };
}
