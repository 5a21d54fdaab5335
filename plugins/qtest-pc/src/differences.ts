import type { Differences } from '@qtest/sdk';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'ioapic/table/entries': 'bits 31:17 of an entry keep what is written; hw/intc/ioapic.c, ioapic_mem_write',
  'pit/read-back/status': 'NULL COUNT is always 0; hw/timer/i8254.c, pit_ioport_write',
  'port61/read-write': 'bits 3:2 are not kept; hw/audio/pcspk.c, pcspk_io_read',
  'uart/reset': 'OUT2 is 1 after a reset; hw/char/serial.c, serial_reset',
  'uart/loopback/data': 'all eight bits come back, however long a character is; hw/char/serial.c, serial_xmit',
  'uart/loopback/modem-deltas': 'MCR changes no delta of MSR; hw/char/serial.c, serial_ioport_read',
  'kbc/command-byte':
    'bit 2 of the command byte is not the system flag of the status; hw/input/pckbd.c, kbd_write_data',
  'kbc/status/command-data': 'bit 3 of the status is always 1; hw/input/pckbd.c, kbd_reset',
  'keyboard/parameters': 'ED takes a parameter of 80h or more; hw/input/ps2.c, ps2_write_keyboard',
  'keyboard/resend': 'FE is no command that it knows; hw/input/ps2.c, ps2_write_keyboard',
  'keyboard/invalid': '00 is acknowledged; hw/input/ps2.c, ps2_write_keyboard',
  'mouse/wrap': 'what is no command is not answered; hw/input/ps2.c, ps2_write_mouse',
  'fw_cfg/ram': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
};
