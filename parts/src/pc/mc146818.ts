import { rc, register, ro, rw, wo, type Register } from '@qtest/sdk';

/**
 * Registers of the MC146818A real-time clock (Motorola, MC146818A data sheet, "Address map" and "Registers"), by index.
 */

/** The seconds of the time. */
export const SECONDS = register('SECONDS', { offset: 0x00 });
export const SECONDS_ALARM = register('SECONDS_ALARM', { offset: 0x01 });
export const MINUTES = register('MINUTES', { offset: 0x02 });
export const MINUTES_ALARM = register('MINUTES_ALARM', { offset: 0x03 });
export const HOURS = register('HOURS', { offset: 0x04 });
export const HOURS_ALARM = register('HOURS_ALARM', { offset: 0x05 });
export const DAY_OF_WEEK = register('DAY_OF_WEEK', { offset: 0x06 });
export const DAY_OF_MONTH = register('DAY_OF_MONTH', { offset: 0x07 });
export const MONTH = register('MONTH', { offset: 0x08 });
export const YEAR = register('YEAR', { offset: 0x09 });

/** Update in progress, divider, rate selection. */
export const A = register('A', { offset: 0x0a, reset: 0x26, fields: { UIP: ro(7), DV: rw(6, 4), RS: rw(3, 0) } });

/** Set, interrupt enables, square wave, data mode, hour format, daylight saving. */
export const B = register('B', {
  offset: 0x0b,
  reset: 0x02,
  fields: { SET: rw(7), PIE: rw(6), AIE: rw(5), UIE: rw(4), SQWE: rw(3), DM: rw(2), '24H': rw(1), DSE: rw(0) },
  effect: 'SET stops the updates and clears UIE',
  volatile: ['UIE'],
});

/** Interrupt flags. */
export const C = register('C', {
  offset: 0x0c,
  reset: 0,
  effect: 'reading clears all flags and lowers the line',
  fields: { IRQF: rc(7), PF: rc(6), AF: rc(5), UF: rc(4), ZERO: ro(3, 0) },
});

/** Valid RAM and time. */
export const D = register('D', { offset: 0x0d, reset: 0x80, fields: { VRT: ro(7), ZERO: ro(6, 0) } });

/** The port that selects a register. Bit 7 masks the PC's NMI. Reading it gives all ones on a PC. */
export const INDEX = register('INDEX', { offset: 0, fields: { NMI_MASK: wo(7), INDEX: wo(6, 0) } });
export const DATA = register('DATA', { offset: 1 });

/** The first byte of general-purpose RAM. */
export const FIRST_RAM = 0x0e;
/** The number of bytes behind the index port, with the registers. */
export const SIZE = 0x80;

/** All registers behind the index port, in order: the clock's registers and the RAM (`RAM_0E` to `RAM_7F`). */
export const REGISTERS: readonly Register[] = [
  SECONDS,
  SECONDS_ALARM,
  MINUTES,
  MINUTES_ALARM,
  HOURS,
  HOURS_ALARM,
  DAY_OF_WEEK,
  DAY_OF_MONTH,
  MONTH,
  YEAR,
  A,
  B,
  C,
  D,
  ...Array.from({ length: SIZE - FIRST_RAM }, (_, i) => {
    const offset = FIRST_RAM + i;
    return register(`RAM_${offset.toString(16).toUpperCase().padStart(2, '0')}`, { offset });
  }),
];

/**
 * The device's property `cmos`, from the bytes by their indices.
 * @example machine.add('mc146818rtc', { cmos: mc146818.cmos({ 0x14: 0x06 }) });
 */
export function cmos(bytes: Readonly<Record<number, number>>): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return JSON.stringify(Object.fromEntries(Object.entries(bytes).map(([at, byte]) => [hex(Number(at)), hex(byte)])));
}

/** An alarm byte of this value or above matches any time. */
export const ALARM_ANY = 0xc0;

/** The oscillator, in Hz. */
export const OSCILLATOR = 32_768;

/** DV that lets the 32.768 kHz divider run. */
export const DV_32768HZ = 0b010;
/** DV that holds the divider in reset. */
export const DV_RESET = 0b110;

/**
 * Ticks of the 32.768 kHz oscillator in one period of rate selection `rs` (0 to 15); 0 when there is none.
 * RS 1 and 2 give the rates of RS 8 and 9.
 */
export function periodTicks(rs: number): number {
  if (rs === 0) return 0;
  return 1 << ((rs <= 2 ? rs + 7 : rs) - 1);
}
