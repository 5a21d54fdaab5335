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
