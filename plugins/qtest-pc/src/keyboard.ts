import { i8042 } from '@qtest/parts/pc';
import { states, type Cases } from './support.ts';
import { kbcBench } from './kbc.ts';

const { ACK, BAT_OK, COMMAND, KEYBOARD, MOUSE, RESEND } = i8042;

export const keyboard: Cases = {
  'keyboard/reset': states('FF is acknowledged, and then the self-test answers AA.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.deepEqual(dev.keyboard(KEYBOARD.RESET), [ACK], 'PS/2 keyboard, FF: ACK');
    assert.equal(dev.read(), BAT_OK, 'PS/2 keyboard, BAT: AA when it is passed');
  }),

  'keyboard/identify': states('F2 answers with the ID, AB 83.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.deepEqual(dev.keyboard(KEYBOARD.IDENTIFY), [ACK], 'PS/2 keyboard, F2: ACK');
    assert.deepEqual([dev.read(), dev.read()], [0xab, 0x83], 'PS/2 keyboard, F2: two ID bytes');
  }),

  'keyboard/echo': states('EE answers EE, and no ACK.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.deepEqual(dev.keyboard(KEYBOARD.ECHO), [KEYBOARD.ECHO], 'PS/2 keyboard, EE: diagnostic echo');
    assert.deepEqual(dev.drain(), [], 'PS/2 keyboard, EE: no ACK');
  }),

  'keyboard/parameters': states('ED and F3 take a parameter; each of the two bytes is acknowledged.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    for (const [command, values] of [
      [KEYBOARD.SET_LEDS, [0x00, 0x05, 0x07]],
      [KEYBOARD.SET_RATE, [0x00, 0x2b, 0x7f]],
    ] as const) {
      for (const value of values) {
        assert.deepEqual(dev.keyboard(command, value), [ACK, ACK], 'PS/2 keyboard, ED and F3: ACK to both');
      }
    }
    // Above 80h it is no parameter but the next command.
    assert.deepEqual(
      dev.keyboard(KEYBOARD.SET_LEDS, KEYBOARD.ECHO),
      [ACK, KEYBOARD.ECHO],
      'PS/2 keyboard, ED: a command',
    );
  }),

  'keyboard/scan-code-set': states(
    'F0 chooses one of three scan code sets, and with 0 tells which it is.',
    (context) => {
      const { assert } = context;
      const { dev } = kbcBench(context);
      const set = (): number => {
        assert.deepEqual(dev.keyboard(KEYBOARD.SCAN_CODE_SET, 0), [ACK, ACK], 'PS/2 keyboard, F0: ACK');
        return dev.read();
      };
      dev.keyboard(KEYBOARD.SET_DEFAULTS);
      assert.equal(set(), 2, 'PS/2 keyboard, F6: scan code set 2');
      for (const n of [1, 3, 2]) {
        assert.deepEqual(dev.keyboard(KEYBOARD.SCAN_CODE_SET, n), [ACK, ACK], 'PS/2 keyboard, F0: ACK');
        assert.equal(set(), n, 'PS/2 keyboard, F0: the set that is in use');
      }
    },
  ),

  'keyboard/scanning': states('F5 stops the keys and F4 starts them again.', (context) => {
    const { assert, clock } = context;
    const { dev, keys } = kbcBench(context);
    const press = (code: number): number[] => {
      keys().write(Uint8Array.of(code));
      clock.step('20ms');
      return dev.drain().map(({ byte }) => byte);
    };
    assert.deepEqual(dev.keyboard(KEYBOARD.DISABLE), [ACK], 'PS/2 keyboard, F5: ACK');
    assert.deepEqual(press(0x1c), [], 'PS/2 keyboard, F5: scanning is disabled');
    assert.deepEqual(dev.keyboard(KEYBOARD.ENABLE), [ACK], 'PS/2 keyboard, F4: ACK');
    assert.deepEqual(press(0x1b), [0x1b], 'PS/2 keyboard, F4: scanning');
  }),

  'keyboard/resend': states('FE has the last byte sent again.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    dev.keyboard(KEYBOARD.IDENTIFY);
    assert.deepEqual([dev.read(), dev.read()], [0xab, 0x83]);
    assert.deepEqual(dev.keyboard(KEYBOARD.RESEND), [0x83], 'PS/2 keyboard, FE: the previous output');
    assert.deepEqual(dev.keyboard(KEYBOARD.RESEND), [0x83], 'PS/2 keyboard, FE: and again');
  }),

  'keyboard/invalid': states('What is no command is answered with FE.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    for (const byte of [0x00, 0x55, 0xec]) {
      assert.deepEqual(dev.keyboard(byte), [RESEND], 'PS/2 keyboard, resend: an invalid input');
    }
  }),

  'keyboard/overrun': states(
    'Sixteen bytes are kept while none can be sent; in the place of more comes the overrun code 00.',
    (context) => {
      const { assert, clock } = context;
      const { dev, keys } = kbcBench(context);
      const pressed = Array.from({ length: 24 }, (_, n) => 0x10 + n);
      dev.command(COMMAND.KBD_DISABLE);
      keys().write(Uint8Array.from(pressed));
      clock.step('100ms');
      dev.command(COMMAND.KBD_ENABLE);
      const got: number[] = [];
      for (let n = 0; n < 40; n++) {
        clock.step('5ms');
        got.push(...dev.drain().map(({ byte }) => byte));
      }
      assert.deepEqual(got, [...pressed.slice(0, 16), 0x00], 'PS/2 keyboard, FIFO: 16 bytes, then overrun');
    },
  ),

  'mouse/reset': states('FF is acknowledged, the self-test answers AA, and then the ID is sent: 00.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.deepEqual(dev.mouse(MOUSE.RESET), [ACK], 'PS/2 mouse, FF: ACK');
    assert.deepEqual([dev.read(), dev.read()], [BAT_OK, 0x00], 'PS/2 mouse, FF: completion code and device ID');
  }),

  'mouse/identify': states('F2 answers with the ID 00, all of it marked as the mouse’s.', (context) => {
    const { assert, clock } = context;
    const { dev } = kbcBench(context);
    dev.command(COMMAND.WRITE_AUX, MOUSE.IDENTIFY);
    clock.step('20ms');
    assert.deepEqual(
      dev.drain(),
      [ACK, 0x00].map((byte) => ({ byte, aux: true })),
      'PS/2 mouse, F2; PS/2 controller, status bit 5',
    );
  }),

  'mouse/status': states('E9 tells mode, scaling, resolution and sample rate: after a reset 00 02 64.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    const status = (): number[] => {
      assert.deepEqual(dev.mouse(MOUSE.STATUS), [ACK], 'PS/2 mouse, E9: ACK');
      return [dev.read(), dev.read(), dev.read()];
    };
    dev.mouse(MOUSE.RESET);
    dev.read();
    dev.read();
    assert.deepEqual(status(), [0x00, 0x02, 100], 'PS/2 mouse, FF: stream mode, 1:1, disabled, 4 counts/mm, 100/s');
    dev.mouse(MOUSE.ENABLE);
    assert.deepEqual(status(), [0x20, 0x02, 100], 'PS/2 mouse, E9: enabled');
    dev.mouse(MOUSE.SCALE_2_1);
    dev.mouse(MOUSE.REMOTE);
    assert.equal(status()[0], 0x70, 'PS/2 mouse, E9: remote mode, enabled, scaling 2:1');
    assert.deepEqual(dev.mouse(MOUSE.SET_RESOLUTION, 3, MOUSE.SET_RATE, 40), [ACK, ACK, ACK, ACK]);
    assert.deepEqual(status().slice(1), [3, 40], 'PS/2 mouse, E8 and F3');
    dev.mouse(MOUSE.SET_DEFAULTS);
    assert.deepEqual(status(), [0x00, 0x02, 100], 'PS/2 mouse, F6: as after a reset');
  }),

  'mouse/read-data': states(
    'In remote mode EB answers with a packet: no buttons, no movement, bit 3 set.',
    (context) => {
      const { assert } = context;
      const { dev } = kbcBench(context);
      dev.mouse(MOUSE.REMOTE);
      assert.deepEqual(dev.mouse(MOUSE.READ_DATA), [ACK], 'PS/2 mouse, EB: ACK');
      assert.deepEqual([dev.read(), dev.read(), dev.read()], [0x08, 0, 0], 'PS/2 mouse, data report');
      assert.deepEqual(dev.drain(), [], 'PS/2 mouse, data report: three bytes');
    },
  ),

  'mouse/wrap': states('In wrap mode every byte but FF and EC comes back.', (context) => {
    const { assert } = context;
    const { dev } = kbcBench(context);
    assert.deepEqual(dev.mouse(MOUSE.WRAP), [ACK], 'PS/2 mouse, EE: ACK');
    const sent = [0x00, 0x12, MOUSE.IDENTIFY, MOUSE.WRAP, 0xfe];
    assert.deepEqual(dev.mouse(...sent), sent, 'PS/2 mouse, EE: returned as they are');
    assert.deepEqual(dev.mouse(MOUSE.WRAP_END), [ACK], 'PS/2 mouse, EC: ACK');
    assert.deepEqual(dev.mouse(0x12), [RESEND], 'PS/2 mouse: back in its mode, and 12 is no command');
  }),

  'mouse/with-keyboard': states('Answers of keyboard and mouse do not mix: each byte tells whose it is.', (context) => {
    const { assert, clock } = context;
    const { dev, keys } = kbcBench(context);
    const keyboard = keys();
    keyboard.write(Uint8Array.of(0x1c));
    dev.command(COMMAND.WRITE_AUX, MOUSE.STATUS);
    keyboard.write(Uint8Array.of(0x1b));
    const got: i8042.KbcByte[] = [];
    for (let n = 0; n < 10; n++) {
      clock.step('5ms');
      got.push(...dev.drain());
    }
    const of = (aux: boolean): number[] => got.filter((one) => one.aux === aux).map(({ byte }) => byte);
    assert.deepEqual(of(false), [0x1c, 0x1b], 'PS/2 controller, status bit 5 = 0: the keyboard');
    assert.deepEqual(of(true), [ACK, 0x00, 0x02, 100], 'PS/2 controller, status bit 5 = 1: the mouse');
  }),
};
