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

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'pic/elcr': 'every bit of ELCR can be set; src/rust/cpu/pic.rs',
  'pit/read-back/status': 'there is no read-back of the status; src/pit.js, port43_write()',
  'port61/read-write': 'bits 3:0 read as 0; src/pit.js',
  'uart/reset': 'a reset does not reach it; src/cpu.js, reboot_internal()',
  'uart/reserved-bits': 'bits 7:5 of MCR keep what is written; src/uart.js',
  'uart/loopback/data': 'all eight bits come back, however long a character is; src/uart.js, write_data()',
  'uart/loopback/off-line': 'with LOOP it goes on receiving; src/uart.js, data_received()',
  'uart/loopback/modem-lines': 'LOOP does nothing for the modem lines; src/uart.js',
  'uart/loopback/modem-deltas': 'LOOP does nothing for the modem lines; src/uart.js',
  'kbc/self-test': 'the status has no system flag; src/ps2.js, port64_read()',
  'kbc/command-byte': 'the status has no system flag; src/ps2.js, port64_read()',
  'kbc/status/command-data': 'the status does not tell a command from data; src/ps2.js, port64_read()',
  'kbc/output-buffer': 'there is no command D2: the byte goes to the keyboard; src/ps2.js, port64_write()',
  'kbc/output-port': 'the output port reads as what was written, at first 0; src/ps2.js, port64_write()',
  'kbc/reset-pulse': 'the reset leaves most devices as they are; src/cpu.js, reboot_internal()',
  'keyboard/echo': 'EE is acknowledged, and not echoed; src/ps2.js, port60_write()',
  'keyboard/parameters': 'EE is acknowledged, and not echoed; src/ps2.js, port60_write()',
  'keyboard/scan-code-set': 'the set is told as 1, whatever was chosen; src/ps2.js, port60_write()',
  'keyboard/resend': 'FE is acknowledged, and nothing sent again; src/ps2.js, port60_write()',
  'keyboard/invalid': 'what is no command is acknowledged; src/ps2.js, port60_write()',
  'mouse/status': 'E9 is answered by a packet; src/ps2.js, port60_write()',
  'mouse/wrap': 'there is no wrap mode; src/ps2.js, port60_write()',
  'fw_cfg/signature': 'key 1, the revision, reads as 0; src/cpu.js, init()',
  'fw_cfg/directory': 'there are no files but option ROMs; src/cpu.js, init()',
  'fw_cfg/file-size': 'there are no files but option ROMs; src/cpu.js, init()',
  'fw_cfg/ram': 'there are no files but option ROMs; src/cpu.js, init()',
  'cmos/equipment': 'bytes 10h and 14h are always 44h and 2Fh; src/cpu.js, fill_cmos()',
  'cmos/boot-order': 'the order is one of its own; src/cpu.js, fill_cmos()',
};
