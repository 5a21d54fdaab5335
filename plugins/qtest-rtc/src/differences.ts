import type { Differences } from '@qtest/sdk';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'ram/walking': 'index 0x37 is the century byte at 0x32, as on a PS/2; hw/rtc/mc146818rtc.c, cmos_ioport_write',
  'ram/left-alone': 'index 0x37 is the century byte at 0x32, as on a PS/2; hw/rtc/mc146818rtc.c, cmos_ioport_write',
  'century/at': 'index 0x37 is the century byte at 0x32, as on a PS/2; hw/rtc/mc146818rtc.c, cmos_ioport_write',
  'set/freezes': 'UF is set with SET = 1 as well; hw/rtc/mc146818rtc.c, check_update_timer',
  'reset/clears': 'RESET leaves UIE; hw/rtc/mc146818rtc.c, rtc_reset',
  'reset/keeps': 'RESET leaves UIE; hw/rtc/mc146818rtc.c, rtc_reset',
  'reset/interrupts-stay-off': 'RESET leaves UIE; hw/rtc/mc146818rtc.c, rtc_reset',
  'dse/april': 'DSE does nothing; hw/rtc/mc146818rtc.c',
  'dse/october': 'DSE does nothing; hw/rtc/mc146818rtc.c',
  'dse/12h': 'DSE does nothing; hw/rtc/mc146818rtc.c',
};

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'ports/word-access': 'a word to port 0x70 does nothing: it is known for bytes alone; src/rtc.js, RTC()',
  'registers/c-read-only': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'registers/time-bytes': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'ram/walking': 'RAM cannot be written; src/rtc.js, cmos_port_write()',
  'ram/left-alone': 'RAM cannot be written; src/rtc.js, cmos_port_write()',
  'time/runs': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'time/12h-borders': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'time/midnight': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'time/format-converts': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/leap/2000':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/leap/2023':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/leap/2024':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/leap/2100':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/impossible-dates':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/impossible-times':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/byte-by-byte':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'calendar/gregorian/weekday':
    'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'century/at': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'century/binary': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'set/freezes': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'divider/held': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'uip/reading': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'alarm/interrupt':
    "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'alarm/once': "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'alarm/format/12h':
    "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'alarm/format/12h-midnight':
    "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'alarm/format/binary':
    "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'flags/update': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'flags/alarm': "the alarm is one on the host's clock, and AF is set with AIE alone; src/rtc.js, cmos_port_write()",
  'irq/until-c-is-read': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'irq/enabling-a-set-flag': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'irq/disabling': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'irq/update': 'UF is set with UIE alone, and not while RS is 0; src/rtc.js, timer()',
  'reset/clears': 'a reset does not reach it; src/cpu.js, reboot_internal()',
  'reset/keeps': 'a reset does not reach it; src/cpu.js, reboot_internal()',
  'reset/interrupts-stay-off': 'a reset does not reach it; src/cpu.js, reboot_internal()',
  'dse/april': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'dse/october': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'dse/12h': 'the time cannot be set, nor stopped: it is that of the host; src/rtc.js, cmos_port_write()',
  'drift/realtime/1024hz':
    'it counts whole milliseconds, and two periods in one are one interrupt; src/rtc.js, timer()',
};
