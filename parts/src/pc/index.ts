/**
 * The parts of a PC: their registers, the properties of their models, and drivers as an operating system would have them.
 * @module @qtest/parts/pc
 */
export type { IsaPcMachine, IsaPcOptions, PciPlacement, PcMachine, PcOptions } from './device-types.ts';
export * as mc146818 from './mc146818.ts';
export * as i8042 from './i8042.ts';
export * as i8254 from './i8254.ts';
export * as i8259 from './i8259.ts';
export { rtc, type Rtc, type RtcAlarm, type RtcDriver, type RtcInterrupt, type RtcTime } from './rtc.ts';
export * as fwCfg from './fw-cfg.ts';
export * as guestMemory from './guest-memory.ts';
export * as hpet from './hpet.ts';
export * as ioapic from './ioapic.ts';
export * as lapic from './lapic.ts';
export * as ns16550 from './ns16550.ts';
export * as pci from './pci.ts';
