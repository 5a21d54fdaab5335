import type { Differences } from '@qtest/sdk';

// Each says what is done there, in parentheses what the specification has instead, and where in the emulator's source it is done.

const LOADED_AT_ONCE =
  'a count is loaded by its write, and not by the next pulse, so that all comes a pulse early (8254, mode definitions); hw/timer/i8254.c, pit_load_count';
const NULL_COUNT =
  'NULL COUNT is always 0 (8254, read-back command: 1 until the count is loaded); hw/timer/i8254.c, pit_ioport_write';
const MODE_2_OUT =
  'in mode 2 OUT is high for one pulse and low for the others (8254, mode 2: low for one); hw/timer/i8254_common.c, pit_get_out';
const STROBE_OUT =
  'in modes 4 and 5 OUT is low but for a strobe that is high (8254, modes 4 and 5: high, and the strobe is low); hw/timer/i8254_common.c, pit_get_out';
const GATE =
  'GATE low neither stops the count nor takes OUT high (8254, gate pin operations); hw/timer/i8254.c, pit_set_channel_gate';
const UNTRIGGERED =
  'a count runs from its write on (8254, modes 1 and 5: from a trigger on); hw/timer/i8254.c, pit_load_count';
const SENT_AT_ONCE =
  'a character is sent by its write, in no time (16550D, 8.3: at the baud rate); hw/char/serial.c, serial_ioport_write';
const COMPARATOR =
  'at the instant of a match the comparator is not increased, and the match is found again (HPET 1.0a, 2.3.9.2.2); hw/timer/hpet.c, hpet_timer';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'ioapic/table/entries':
    'bits 31:17 of an entry keep what is written (82093AA, 3.2.4: reserved); hw/intc/ioapic.c, ioapic_mem_write',
  'pit/counter-latch': LOADED_AT_ONCE,
  'pit/counter-latch/others': MODE_2_OUT,
  'pit/read-back/status': NULL_COUNT,
  'pit/read-back/status-once': NULL_COUNT,
  'pit/read-back/several': MODE_2_OUT,
  'pit/null-count': NULL_COUNT,
  'pit/access/one-byte': MODE_2_OUT,
  'pit/access/word': LOADED_AT_ONCE,
  'pit/mode0/terminal-count': LOADED_AT_ONCE,
  'pit/mode0/gate': GATE,
  'pit/mode0/first-byte':
    'the first byte of a count does nothing (8254, mode 0: it stops the count and takes OUT low); hw/timer/i8254.c, pit_ioport_write',
  'pit/mode1/one-shot': UNTRIGGERED,
  'pit/mode2/rate-generator': MODE_2_OUT,
  'pit/mode2/counts-down': LOADED_AT_ONCE,
  'pit/mode2/new-count': MODE_2_OUT,
  'pit/mode2/gate': GATE,
  'pit/mode3/even-count': LOADED_AT_ONCE,
  'pit/mode3/odd-count': LOADED_AT_ONCE,
  'pit/mode3/gate': GATE,
  'pit/mode4/strobe': STROBE_OUT,
  'pit/mode5/strobe': UNTRIGGERED,
  'pit/modes-6-and-7':
    'the modes 6 and 7 are as mode 0 (8254, control word: M2 is don’t care with M1); hw/timer/i8254_common.c, pit_get_out',
  'pit/bcd': 'a count is binary, whatever BCD says (8254, control word: four decades); hw/timer/i8254.c, pit_get_count',
  'pit/count-0': LOADED_AT_ONCE,
  'pit/irq0': LOADED_AT_ONCE,
  'port61/read-write': 'bits 3:2 read as 0 (82371SB, NMISC: read/write); hw/audio/pcspk.c, pcspk_io_read',
  'port61/out2': LOADED_AT_ONCE,
  'uart/reset':
    'a reset sets OUT2 and clears SCR (16550D, table I: low, and no effect); hw/char/serial.c, serial_reset',
  'uart/transmit/empty': SENT_AT_ONCE,
  'uart/transmit/frame': SENT_AT_ONCE,
  'uart/fifo/transmit': SENT_AT_ONCE,
  'uart/fifo/reset': SENT_AT_ONCE,
  'uart/fifo/timeout': SENT_AT_ONCE,
  'uart/interrupt/thr-empty': SENT_AT_ONCE,
  'uart/loopback/data':
    'all eight bits come back, however long a character is (16550D, 8.1: as many as WLS says); hw/char/serial.c, serial_xmit',
  'uart/loopback/off-line':
    'with LOOP it goes on receiving (16550D, 8.6: SIN is disconnected); hw/char/serial.c, serial_can_receive',
  'uart/loopback/modem-deltas':
    'in loopback MSR has no deltas (16550D, 8.6: MCR drives the inputs); hw/char/serial.c, serial_ioport_read',
  'uart/interrupt/priority':
    'in loopback MSR has no deltas (16550D, 8.6: modem interrupts work by MCR); hw/char/serial.c, serial_ioport_write',
  'kbc/command-byte':
    'bit 2 of the command byte is not the system flag of the status (PS/2, command byte: it is); hw/input/pckbd.c, kbd_write_data',
  'kbc/status/command-data':
    'bit 3 of the status is always 1 (PS/2, status: 0 after port 60h was written); hw/input/pckbd.c, kbd_reset',
  'keyboard/parameters':
    'ED takes a parameter of 80h or more (PS/2 keyboard, ED: that is a command); hw/input/ps2.c, ps2_write_keyboard',
  'keyboard/resend':
    'FE is no command that it knows (PS/2 keyboard, FE: the last byte again); hw/input/ps2.c, ps2_write_keyboard',
  'keyboard/invalid': '00 is acknowledged (PS/2 keyboard, FE: no valid command); hw/input/ps2.c, ps2_write_keyboard',
  'mouse/wrap': 'what is no command is not answered (PS/2 mouse, FE: it is); hw/input/ps2.c, ps2_write_mouse',
  'fw_cfg/ram':
    'memory where nobody answers reads as 0 (PCI 3.3.3.1: all ones after a master abort); softmmu/memory.c, unassigned_mem_read',
  'hpet/periodic': COMPARATOR,
  'hpet/periodic/new-period': COMPARATOR,
  'hpet/periodic/carry': COMPARATOR,
  'hpet/legacy-replacement': COMPARATOR,
  'hpet/interrupt-enable':
    'without INT_ENB_CNF there is no status (HPET 1.0a, 2.3.8: there is); hw/timer/hpet.c, update_irq',
};

const NO_LOOP = 'LOOP does nothing for the modem lines (16550D, 8.6: the outputs are the inputs); src/uart.js, UART()';
const NO_SYS = 'the status has no system flag (PS/2, status bit 2); src/ps2.js, port64_read()';
const NO_FILES = 'there are no files but option ROMs (fw_cfg.rst, File Directory); src/cpu.js, init()';

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'pic/elcr':
    'every bit of ELCR can be set (82371SB, ELCR1 and ELCR2: not those of IRQ 0, 1, 2, 8, 13); src/rust/cpu/pic.rs, port4D0_write()',
  'pit/read-back/status': 'there is no read-back (8254, read-back command); src/pit.js, port43_write()',
  'port61/read-write': 'bits 3:0 read as 0 (82371SB, NMISC: read/write); src/pit.js, PIT()',
  'uart/reset': 'a reset does not reach it (16550D, table I); src/cpu.js, reboot_internal()',
  'uart/reserved-bits': 'bits 7:5 of MCR keep what is written (16550D, 8.6: always 0); src/uart.js, UART()',
  'uart/loopback/data':
    'all eight bits come back, however long a character is (16550D, 8.1: as many as WLS says); src/uart.js, write_data()',
  'uart/loopback/off-line':
    'with LOOP it goes on receiving (16550D, 8.6: SIN is disconnected); src/uart.js, data_received()',
  'uart/loopback/modem-lines': NO_LOOP,
  'uart/loopback/modem-deltas': NO_LOOP,
  'kbc/self-test': NO_SYS,
  'kbc/command-byte': NO_SYS,
  'kbc/status/command-data':
    'the status does not tell a command from data (PS/2, status bit 3); src/ps2.js, port64_read()',
  'kbc/output-buffer':
    'there is no command D2: the byte goes to the keyboard (PS/2, command D2); src/ps2.js, port64_write()',
  'kbc/output-port':
    'the output port reads as what was written, at first 0 (PS/2, output port bit 0: 1); src/ps2.js, port64_write()',
  'kbc/reset-pulse': 'the reset leaves most devices as they are (PS/2, command FE); src/cpu.js, reboot_internal()',
  'keyboard/echo': 'EE is acknowledged, and not echoed (PS/2 keyboard, EE); src/ps2.js, port60_write()',
  'keyboard/parameters':
    'ED takes any byte as its parameter (PS/2 keyboard, ED: 80h and more are commands); src/ps2.js, port60_write()',
  'keyboard/scan-code-set': 'the set is told as 1, whatever was chosen (PS/2 keyboard, F0); src/ps2.js, port60_write()',
  'keyboard/resend': 'FE is acknowledged, and nothing sent again (PS/2 keyboard, FE); src/ps2.js, port60_write()',
  'keyboard/invalid': 'what is no command is acknowledged (PS/2 keyboard, FE: resend); src/ps2.js, port60_write()',
  'mouse/status': 'E9 is answered by a packet (PS/2 mouse, E9: by the status); src/ps2.js, port60_write()',
  'mouse/wrap': 'there is no wrap mode (PS/2 mouse, EE); src/ps2.js, port60_write()',
  'fw_cfg/signature': 'item 1 reads as 0 (fw_cfg.rst, Revision: bit 0 is 1); src/cpu.js, init()',
  'fw_cfg/directory': NO_FILES,
  'fw_cfg/file-size': NO_FILES,
  'fw_cfg/ram': NO_FILES,
  'cmos/equipment':
    '10h tells of two floppy drives, 14h of one (PC/AT, CMOS 14h: as many); src/floppy.js, FloppyController(), and src/cpu.js, fill_cmos()',
};
