import type { Differences } from '@qtest/sdk';

// Each says what is done there, in parentheses what the MC146818A's data sheet has instead, and where in the emulator's source it is done.

const CENTURY_37 =
  'index 37h is the century byte at 32h, as on a PS/2 (memory map: RAM); hw/rtc/mc146818rtc.c, cmos_ioport_write';
const SET_UF =
  'UF is set with SET = 1 as well (register C, UF: after each update cycle, and SET stops those); hw/rtc/mc146818rtc.c, rtc_update_timer';
const KEEPS_UIE = 'RESET leaves UIE (register B, UIE: cleared); hw/rtc/mc146818rtc.c, rtc_reset_enter';
const NO_DSE = 'DSE does nothing (register B, DSE: two special updates a year); hw/rtc/mc146818rtc.c, rtc_update_time';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'ram/walking': CENTURY_37,
  'ram/left-alone': CENTURY_37,
  'registers/random': CENTURY_37,
  'century/at': CENTURY_37,
  'calendar/gregorian/random':
    'from 11 April 2262 on the time is wrong: it counts nanoseconds since 1970 in 63 bits (time and calendar: two digits of the year, and the century byte); hw/rtc/mc146818rtc.c, rtc_update_time',
  'set/freezes': SET_UF,
  'set/just-before': SET_UF,
  'periodic/phase-from-enable':
    'where a period ends with a whole nanosecond the interrupt comes 1 ns later (table of periods); hw/rtc/mc146818rtc.c, periodic_timer_update',
  'reset/clears': KEEPS_UIE,
  'reset/keeps': KEEPS_UIE,
  'reset/interrupts-stay-off': KEEPS_UIE,
  'dse/april': NO_DSE,
  'dse/october': NO_DSE,
  'dse/october-once': NO_DSE,
  'dse/12h': NO_DSE,
};

const HOST_TIME =
  'the time cannot be set, nor stopped: it is that of the host (time, calendar and alarm locations: written by the program); src/rtc.js, cmos_port_write()';
const NO_RAM = 'RAM cannot be written (memory map: general-purpose RAM); src/rtc.js, cmos_port_write()';
const HOST_ALARM =
  "the alarm is one on the host's clock, and AF is set with AIE alone (register C, AF: when the time matches); src/rtc.js, cmos_port_write()";
const UF_UIE =
  'UF is set with UIE alone, and not while RS is 0 (register C, UF: after each update cycle); src/rtc.js, timer()';
const NO_RESET =
  'a reset does not reach it (RESET clears PIE, AIE, UIE, SQWE and the flags); src/cpu.js, reboot_internal()';

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'ports/word-access':
    'a word to port 70h does nothing: it is known for bytes alone (ISA bus: a byte to each of two ports); src/rtc.js, RTC()',
  'registers/c-read-only': UF_UIE,
  'registers/time-bytes': HOST_TIME,
  'ram/walking': NO_RAM,
  'ram/left-alone': NO_RAM,
  'time/runs': HOST_TIME,
  'time/12h-borders': HOST_TIME,
  'time/midnight': HOST_TIME,
  'time/format-converts': HOST_TIME,
  'calendar/gregorian/leap/2000': HOST_TIME,
  'calendar/gregorian/leap/2023': HOST_TIME,
  'calendar/gregorian/leap/2024': HOST_TIME,
  'calendar/gregorian/leap/2100': HOST_TIME,
  'calendar/gregorian/impossible-dates': HOST_TIME,
  'calendar/gregorian/impossible-times': HOST_TIME,
  'calendar/gregorian/byte-by-byte': HOST_TIME,
  'calendar/gregorian/weekday': HOST_TIME,
  'century/at': HOST_TIME,
  'century/binary': HOST_TIME,
  'set/freezes': HOST_TIME,
  'divider/held': HOST_TIME,
  'uip/reading': HOST_TIME,
  'alarm/interrupt': HOST_ALARM,
  'alarm/once': HOST_ALARM,
  'alarm/format/12h': HOST_ALARM,
  'alarm/format/12h-midnight': HOST_ALARM,
  'alarm/format/binary': HOST_ALARM,
  'flags/update': UF_UIE,
  'flags/alarm': HOST_ALARM,
  'irq/until-c-is-read': UF_UIE,
  'irq/enabling-a-set-flag': UF_UIE,
  'irq/disabling': UF_UIE,
  'irq/update': UF_UIE,
  'reset/clears': NO_RESET,
  'reset/keeps': NO_RESET,
  'reset/interrupts-stay-off': NO_RESET,
  'dse/april': HOST_TIME,
  'dse/october': HOST_TIME,
  'dse/12h': HOST_TIME,
  'drift/realtime/1024hz':
    'it counts whole milliseconds, and two periods in one are one interrupt (table of periods: 976.5625 us); src/rtc.js, timer()',
};
