import type { Chardev, IrqLine } from '@qtest/sdk';
import { i8042, ns16550 } from '@qtest/parts/pc';
import { device, devices, isaIrq, number, otherEnd, serveIrq, states, type Cases, type Context } from './support.ts';

const { COMMAND, COMMAND_BYTE, KEYBOARD, P2, STATUS } = i8042;

export interface KbcBench {
  readonly dev: i8042.Kbc;
  /** Gives a case's command byte: what is not named is 0. */
  setCommandByte(
    ...fields: readonly (keyof typeof COMMAND_BYTE &
      ('XLAT' | 'KBD_INT' | 'AUX_INT' | 'KBD_DISABLE' | 'AUX_DISABLE' | 'SYS'))[]
  ): void;
  /** The keys. Each byte is one of scan code set 2. */
  keys(): Chardev;
  readonly irq: IrqLine;
  readonly auxIrq: IrqLine;
}

/** The controller, with both devices on, no translation and no interrupts, and nothing in its output buffer. */
export function kbcBench(context: Context): KbcBench {
  const { vcpu } = context;
  const part = device(context, 'i8042');
  const dev = i8042.kbc(vcpu, number(part, 'ioBase', i8042.DATA_PORT));
  const setCommandByte: KbcBench['setCommandByte'] = (...fields) =>
    dev.command(
      COMMAND.WRITE_RAM,
      fields.reduce((byte, field) => byte | COMMAND_BYTE[field].mask, 0),
    );
  setCommandByte();
  dev.drain();
  return {
    dev,
    setCommandByte,
    keys: () => otherEnd(context, part),
    irq: isaIrq(context, number(part, 'irq', i8042.IRQ)),
    auxIrq: isaIrq(context, number(part, 'auxIrq', i8042.AUX_IRQ)),
  };
}

/** A of scan code set 2, and of set 1. */
const A = 0x1c;
const A_SET_1 = 0x1e;

export const kbc: Cases = {
  'kbc/self-test': states('Command AA answers 55h, and sets SYS of the status.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.equal(dev.ask(COMMAND.SELF_TEST), 0x55, 'PS/2, command AA: no error');
    assert(STATUS.SYS.test(dev.status()), 'PS/2, status bit 2: 1 after a successful self-test');
  }),

  'kbc/interface-tests': states(
    'Commands AB and A9 test the lines of keyboard and mouse: 00h is no error.',
    (context) => {
      const { assert } = context;
      const { dev } = kbcBench(context);
      assert.equal(dev.ask(COMMAND.KBD_TEST), 0, 'PS/2, command AB: no error');
      assert.equal(dev.ask(COMMAND.AUX_TEST), 0, 'PS/2, command A9: no error');
    },
  ),

  'kbc/command-byte': states(
    'Commands 20 and 60 read and write the command byte, whose SYS is that of the status.',
    (context) => {
      const { assert } = context;
      const { dev } = kbcBench(context);
      for (const byte of [0x00, 0x47, 0x30, 0x65, 0x03]) {
        dev.command(COMMAND.WRITE_RAM, byte);
        assert.equal(dev.ask(COMMAND.READ_RAM), byte, 'PS/2, commands 20 and 60');
        assert.equal(
          STATUS.SYS.test(dev.status()),
          COMMAND_BYTE.SYS.test(byte),
          'PS/2, command byte bit 2: system flag',
        );
      }
    },
  ),

  'kbc/status/output-full': states('OBF is 1 from the time that a byte is there until it has been read.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = kbcBench(context);
    assert(!STATUS.OBF.test(dev.status()), 'PS/2, status bit 0: the output buffer is empty');
    dev.command(COMMAND.READ_RAM);
    vcpu.poll(() => STATUS.OBF.test(dev.status()), { timeout: '100ms' });
    assert(STATUS.OBF.test(dev.status()), 'PS/2, status bit 0: reading the status changes nothing');
    vcpu.inb(dev.base);
    assert(!STATUS.OBF.test(dev.status()), 'PS/2, status bit 0: set to 0 when port 60h is read');
  }),

  'kbc/status/command-data': states(
    'Bit 3 of the status tells a command from data: the port that was written last.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev } = kbcBench(context);
      dev.command(COMMAND.WRITE_RAM);
      assert(STATUS.A2.test(dev.status()), 'PS/2, status bit 3: port 64h');
      vcpu.outb(dev.base, 0);
      assert(!STATUS.A2.test(dev.status()), 'PS/2, status bit 3: port 60h');
    },
  ),

  'kbc/output-buffer': states('Commands D2 and D3 put a byte there as if keyboard or mouse had sent it.', (context) => {
    const { assert } = context;
    const { dev, irq, auxIrq, setCommandByte } = kbcBench(context);
    setCommandByte('KBD_INT', 'AUX_INT');
    for (const [command, byte, aux] of [
      [COMMAND.WRITE_KBD_OUTPUT, 0x5a, false],
      [COMMAND.WRITE_AUX_OUTPUT, 0xa5, true],
    ] as const) {
      dev.command(command, byte);
      assert.deepEqual([irq.level, auxIrq.level], [!aux, aux], 'PS/2, commands D2 and D3: the interrupt of its device');
      assert.deepEqual(dev.drain(), [{ byte, aux }], 'PS/2, status bit 5: 1 for the auxiliary device');
      assert.deepEqual([irq.level, auxIrq.level], [false, false], 'PS/2: until the byte has been read');
    }
  }),

  'kbc/output-port': states('Commands D0 and D1 read and write the output port, whose bit 1 gates A20.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    const port = (): number => dev.ask(COMMAND.READ_OUTPUT_PORT);
    const before = port();
    assert(P2.RESET_N.test(before), 'PS/2, output port bit 0: the processor runs');
    for (const a20 of [0, 1, 0, 1]) {
      dev.command(COMMAND.WRITE_OUTPUT_PORT, P2.A20.set(before, a20));
      assert.equal(P2.A20.get(port()), a20, 'PS/2, output port bit 1: gate A20');
    }
  }),

  'kbc/interrupts': states(
    'Bits 0 and 1 of the command byte enable IRQ 1 and IRQ 12, while a byte is there.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, irq, auxIrq, setCommandByte } = kbcBench(context);
      const levels = (): boolean[] => [irq.level, auxIrq.level];
      dev.write(KEYBOARD.ECHO);
      vcpu.poll(() => STATUS.OBF.test(dev.status()), { timeout: '100ms' });
      assert.deepEqual(levels(), [false, false], 'PS/2, command byte: no interrupt is enabled');
      dev.drain();
      setCommandByte('KBD_INT');
      dev.write(KEYBOARD.ECHO);
      vcpu.poll(() => irq.level, { timeout: '100ms' });
      assert.deepEqual(levels(), [true, false], 'PS/2, command byte bit 0');
      vcpu.inb(dev.base);
      assert.deepEqual(levels(), [false, false], 'PS/2: the byte has been read');
      dev.command(COMMAND.WRITE_AUX, i8042.MOUSE.IDENTIFY);
      vcpu.poll(() => STATUS.OBF.test(dev.status()), { timeout: '100ms' });
      assert.deepEqual(levels(), [false, false], 'PS/2, command byte bit 1 is 0');
      dev.read();
      dev.read();
      setCommandByte('AUX_INT');
      dev.command(COMMAND.WRITE_AUX, i8042.MOUSE.IDENTIFY);
      vcpu.poll(() => auxIrq.level, { timeout: '100ms' });
      assert.deepEqual(levels(), [false, true], 'PS/2, command byte bit 1');
    },
  ),

  'kbc/interrupts/vector': states(
    'Each key interrupts the VCPU once, by the 8259A.',
    (context) => {
      const { assert, clock, vcpu } = context;
      const { dev, keys, setCommandByte } = kbcBench(context);
      device(context, 'i8259');
      const keyboard = keys();
      const received: number[] = [];
      serveIrq(context, i8042.IRQ, () => received.push(vcpu.inb(dev.base)));
      setCommandByte('KBD_INT');
      const typed = [0x15, 0xf0, 0x15, 0x2c];
      for (const code of typed) {
        keyboard.write(Uint8Array.of(code));
        clock.step('5ms');
      }
      assert.deepEqual(received, typed, 'PS/2: one interrupt for each byte');
    },
    { requires: ['interrupt-acknowledge'] },
  ),

  'kbc/disable/keyboard': states(
    'Command AD holds the keyboard’s clock: its keys wait for AE. Both show in the command byte.',
    (context) => {
      const { assert, clock } = context;
      const { dev, keys } = kbcBench(context);
      const keyboard = keys();
      dev.command(COMMAND.KBD_DISABLE);
      assert(COMMAND_BYTE.KBD_DISABLE.test(dev.ask(COMMAND.READ_RAM)), 'PS/2, command AD: sets bit 4');
      keyboard.write(Uint8Array.of(A));
      clock.step('20ms');
      assert.deepEqual(dev.drain(), [], 'PS/2, command AD: the keyboard cannot send');
      dev.command(COMMAND.KBD_ENABLE);
      assert.equal(dev.read(), A, 'PS/2, command AE: it sends what it has kept');
      assert(!COMMAND_BYTE.KBD_DISABLE.test(dev.ask(COMMAND.READ_RAM)), 'PS/2, command AE: clears bit 4');
    },
  ),

  'kbc/disable/mouse': states(
    'Commands A7 and A8 set and clear bit 5 of the command byte; D4 still reaches the mouse.',
    (context) => {
      const { assert } = context;
      const { dev } = kbcBench(context);
      dev.command(COMMAND.AUX_DISABLE);
      assert(COMMAND_BYTE.AUX_DISABLE.test(dev.ask(COMMAND.READ_RAM)), 'PS/2, command A7: sets bit 5');
      dev.command(COMMAND.AUX_ENABLE);
      assert(!COMMAND_BYTE.AUX_DISABLE.test(dev.ask(COMMAND.READ_RAM)), 'PS/2, command A8: clears bit 5');
      assert.deepEqual(dev.mouse(i8042.MOUSE.SET_DEFAULTS), [i8042.ACK], 'PS/2, command D4: to the mouse');
    },
  ),

  'kbc/translation': states(
    'With XLAT set 2 becomes set 1: a code by the table, and F0 the next one’s bit 7.',
    (context) => {
      const { assert, clock } = context;
      const { dev, keys, setCommandByte } = kbcBench(context);
      const keyboard = keys();
      const type = (...codes: readonly number[]): number[] => {
        keyboard.write(Uint8Array.from(codes));
        clock.step('50ms');
        return dev.drain().map(({ byte }) => byte);
      };
      const typed = [A, i8042.RELEASE, A, 0xe0, 0x75, 0xe0, i8042.RELEASE, 0x75, 0x83];
      assert.deepEqual(type(...typed), typed, 'PS/2, command byte bit 6 = 0: as they come');
      setCommandByte('XLAT');
      assert.deepEqual(
        type(...typed),
        [A_SET_1, A_SET_1 | 0x80, 0xe0, 0x48, 0xe0, 0xc8, 0x41],
        'PS/2, scan code translation: A, up, F7',
      );
      // Escape, 1, Q, Enter, space, Caps Lock, F1.
      assert.deepEqual(type(0x76, 0x16, 0x15, 0x5a, 0x29, 0x58, 0x05), [0x01, 0x02, 0x10, 0x1c, 0x39, 0x3a, 0x3b]);
    },
  ),

  'kbc/order': states(
    'The output buffer holds one byte; the next one comes when it has been read, and none is lost.',
    (context) => {
      const { assert, clock, vcpu } = context;
      const { dev, keys } = kbcBench(context);
      const codes = [0x16, 0x1e, 0x26, 0x25];
      keys().write(Uint8Array.from(codes));
      clock.step('20ms');
      for (const code of codes) {
        vcpu.poll(() => STATUS.OBF.test(dev.status()), { timeout: '100ms' });
        assert.equal(vcpu.inb(dev.base), code, 'PS/2: in their order');
      }
      assert(!STATUS.OBF.test(dev.status()));
    },
  ),

  'kbc/reset-pulse': states(
    'Command FE pulses bit 0 of the output port, which resets the PC; another pulse does not.',
    (context) => {
      const { assert, clock, skip, vcpu } = context;
      const { dev } = kbcBench(context);
      const [serial] = devices(context, 'ns16550a');
      if (serial === undefined) return skip('this machine has no ns16550a, whose LCR would tell of a reset');
      const uart = ns16550.uart(vcpu, number(serial, 'ioBase', ns16550.BASE));
      uart.write(ns16550.LCR, 0x1b);
      dev.command(COMMAND.PULSE | 0x0f);
      clock.step('20us');
      assert.equal(uart.read(ns16550.LCR), 0x1b, 'PS/2, commands F0 to FF: a 1 is a bit that is not pulsed');
      dev.command(COMMAND.RESET);
      clock.step('20us');
      assert.equal(uart.read(ns16550.LCR), 0, 'PS/2, command FE: bit 0 resets the microprocessor');
    },
  ),
};
