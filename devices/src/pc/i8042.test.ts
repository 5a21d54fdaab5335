import fc from 'fast-check';
import { defineDevice, type DeviceTypes } from '@qtest/sdk';
import { i8042 as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { ACK, BAT_OK, COMMAND, COMMAND_BYTE, KEYBOARD, MOUSE, P2, RESEND, STATUS } = part;
const { KBD_INT, AUX_INT, XLAT, SYS } = COMMAND_BYTE;

const DATA_PORT = 0x60;
const COMMAND_PORT = 0x64;
/** Bits of the status that say where a byte in the output buffer comes from. */
const OUTPUT = STATUS.OBF.mask | STATUS.AUXB.mask | STATUS.TO.mask;
const FROM_KEYBOARD = STATUS.OBF.mask;
const FROM_MOUSE = STATUS.OBF.mask | STATUS.AUXB.mask;

/** Three outputs, which a test sets by the bits of a port. */
const fingers = defineDevice(
  {
    type: 'fingers',
    description: 'Three outputs, by the bits of a port',
    state: { levels: 'u8' },
    regions: () => ({ port: { space: 'io', base: 0x10, size: 1 } }),
    outputs: { out: { count: 3 } },
  },
  {
    regions: {
      port: {
        read: ({ state }) => state.levels,
        write(device, _offset, value) {
          device.state.levels = value;
          for (let pin = 0; pin < 3; pin++) device.out.out.set((value & (1 << pin)) !== 0, pin);
        },
      },
    },
  },
);
const LEFT = 1;
const RIGHT = 2;
const MIDDLE = 4;

type Options = DeviceTypes['i8042'];

function bench(properties: Options = {}) {
  const harness = testMachine(
    (m) => {
      m.add('isa-bus');
      const controller = m.add('i8042', properties);
      const source = m.add(fingers);
      for (let pin = 0; pin < 3; pin++) m.connect(m.output(source, 'out', pin), m.input(controller, 'button', pin));
    },
    { devices: [fingers] },
  );
  const { vcpu, machine, clock } = harness;
  const dev = part.kbc(vcpu, properties.ioBase);
  const mode = (...fields: { readonly mask: number }[]): void =>
    dev.command(
      COMMAND.WRITE_RAM,
      fields.reduce((bits, { mask }) => bits | mask, 0),
    );
  return {
    ...harness,
    events: () => harness.events().map(({ message }) => message),
    dev,
    mode,
    kbdIrq: machine.irq('kbc0', 'irq'),
    auxIrq: machine.irq('kbc0', 'auxIrq'),
    pin: (name: 'reset' | 'a20'): boolean => machine.irq('kbc0', name).level,
    /** Presses keys: bytes of scan code set 2. */
    keys: (...codes: number[]): number => machine.chardev('kbc0').write(Uint8Array.from(codes)),
    buttons: (levels: number): void => vcpu.outb(0x10, levels),
    output: (): number => dev.status() & OUTPUT,
    bytes: (): number[] => dev.drain().map(({ byte }) => byte),
    to: (at: bigint): bigint => clock.step(at - clock.now),
  };
}

describe('controller', () => {
  test('reset/values', () => {
    const { dev, vcpu, machine, keys, pin } = bench();
    for (const kind of ['cold', 'warm'] as const) {
      expect([dev.status(), dev.ask(COMMAND.READ_RAM), dev.ask(COMMAND.READ_OUTPUT_PORT)]).toEqual([0x18, 0x03, 0xcf]);
      expect([pin('reset'), pin('a20')]).toEqual([false, true]);
      keys(0x1c);
      dev.command(COMMAND.WRITE_RAM, 0x74);
      dev.command(COMMAND.WRITE_OUTPUT_PORT, 0xdd);
      vcpu.outb(COMMAND_PORT, COMMAND.WRITE_AUX);
      machine.reset(kind);
    }
  });

  test('command byte/its reserved bits are 0, SYS is the status register’s', () => {
    const { dev } = bench();
    for (let bit = 1; bit < 0x100; bit <<= 1) {
      dev.command(COMMAND.WRITE_RAM, bit);
      expect(dev.ask(COMMAND.READ_RAM)).toBe(bit & 0x77);
      expect(STATUS.SYS.test(dev.status())).toBe(bit === SYS.mask);
    }
  });

  test('RAM/32 bytes', () => {
    const { dev } = bench();
    for (let at = 1; at < 32; at++) dev.command(COMMAND.WRITE_RAM + at, 0xff - at);
    for (let at = 1; at < 32; at++) expect(dev.ask(COMMAND.READ_RAM + at)).toBe(0xff - at);
    expect(dev.ask(COMMAND.READ_RAM)).toBe(3);
  });

  test.each([
    ['self test', COMMAND.SELF_TEST, 0x55],
    ['keyboard interface', COMMAND.KBD_TEST, 0],
    ['mouse interface', COMMAND.AUX_TEST, 0],
    ['input port', COMMAND.READ_INPUT_PORT, 0x80],
  ])('test/%s', (_what, command, expected) => {
    const { dev, output, kbdIrq } = bench();
    dev.command(command);
    expect([output(), kbdIrq.level]).toEqual([FROM_KEYBOARD, true]);
    expect([dev.read(), output(), kbdIrq.level]).toEqual([expected, 0, false]);
    expect(STATUS.SYS.test(dev.status())).toBe(command === COMMAND.SELF_TEST);
  });

  test.each([
    ['keyboard', COMMAND.KBD_DISABLE, COMMAND.KBD_ENABLE, COMMAND_BYTE.KBD_DISABLE],
    ['mouse', COMMAND.AUX_DISABLE, COMMAND.AUX_ENABLE, COMMAND_BYTE.AUX_DISABLE],
  ])('enable/%s: its bytes wait meanwhile', (what, disable, enable, field) => {
    const { dev, keys, output, buttons } = bench();
    dev.mouse(MOUSE.ENABLE);
    dev.command(disable);
    expect(dev.ask(COMMAND.READ_RAM)).toBe(0x03 | field.mask);
    if (what === 'keyboard') keys(0x1c);
    else buttons(LEFT);
    expect(output()).toBe(0);
    dev.command(enable);
    expect(output()).toBe(what === 'keyboard' ? FROM_KEYBOARD : FROM_MOUSE);
    expect(dev.read()).toBe(what === 'keyboard' ? 0x1c : 0x09);
    dev.drain();
    expect(dev.ask(COMMAND.READ_RAM)).toBe(0x03);
  });

  test('enable/a byte for a device enables it', () => {
    const { dev } = bench();
    dev.command(COMMAND.WRITE_RAM, 0x30);
    expect(dev.keyboard(KEYBOARD.ECHO)).toEqual([KEYBOARD.ECHO]);
    expect(dev.ask(COMMAND.READ_RAM)).toBe(0x20);
    expect(dev.mouse(MOUSE.ENABLE)).toEqual([ACK]);
    expect(dev.ask(COMMAND.READ_RAM)).toBe(0);
  });

  test('status/A2 says whether a command or data came last', () => {
    const { dev, vcpu } = bench();
    vcpu.outb(DATA_PORT, KEYBOARD.ECHO);
    expect(STATUS.A2.test(dev.status())).toBe(false);
    vcpu.outb(COMMAND_PORT, COMMAND.KBD_ENABLE);
    expect(STATUS.A2.test(dev.status())).toBe(true);
  });

  test('output buffer/read while it is empty gives the last byte again', () => {
    const { vcpu, dev, kbdIrq } = bench();
    dev.ask(COMMAND.SELF_TEST);
    expect([vcpu.inb(DATA_PORT), kbdIrq.edges]).toEqual([0x55, 1]);
  });

  test('output buffer/an answer goes before keys, keys before the mouse', () => {
    const { dev, keys, buttons } = bench();
    dev.mouse(MOUSE.ENABLE);
    keys(1);
    buttons(LEFT);
    keys(2, 3);
    dev.command(COMMAND.READ_INPUT_PORT);
    expect(dev.drain()).toEqual([
      { byte: 1, aux: false },
      { byte: 0x80, aux: false },
      { byte: 2, aux: false },
      { byte: 3, aux: false },
      { byte: 0x09, aux: true },
      { byte: 0, aux: true },
      { byte: 0, aux: true },
    ]);
  });

  test('IRQ/an edge for each byte, by source and enable', () => {
    const { dev, keys, mode, kbdIrq, auxIrq, machine } = bench();
    keys(1, 2, 3);
    expect([kbdIrq.edges, machine.irq('isa0', 1).level]).toEqual([1, true]);
    dev.drain();
    expect([kbdIrq.edges, kbdIrq.level, auxIrq.edges]).toEqual([3, false, 0]);
    dev.command(COMMAND.WRITE_AUX_OUTPUT, 0x99);
    expect([auxIrq.edges, kbdIrq.edges, machine.irq('isa0', 12).level]).toEqual([1, 3, true]);
    mode(KBD_INT);
    expect(auxIrq.level).toBe(false);
    mode(KBD_INT, AUX_INT);
    expect(auxIrq.level).toBe(true);
    dev.drain();
    mode(AUX_INT);
    keys(1);
    expect([kbdIrq.level, auxIrq.level]).toEqual([false, false]);
  });

  test('inject/D2 and D3 put a byte there, untranslated', () => {
    const { dev, mode, output } = bench();
    mode(XLAT);
    dev.command(COMMAND.WRITE_KBD_OUTPUT, 0x1c);
    expect([output(), dev.read()]).toEqual([FROM_KEYBOARD, 0x1c]);
    dev.command(COMMAND.WRITE_AUX_OUTPUT, 0x1c);
    expect([output(), dev.read()]).toEqual([FROM_MOUSE, 0x1c]);
  });

  test('a command in place of a parameter is a command', () => {
    const { dev, vcpu } = bench();
    vcpu.outb(COMMAND_PORT, COMMAND.WRITE_RAM);
    expect(dev.ask(COMMAND.SELF_TEST)).toBe(0x55);
    expect(dev.keyboard(KEYBOARD.ECHO)).toEqual([KEYBOARD.ECHO]);
  });

  test('unknown commands do nothing, and are reported', () => {
    const { dev, events, output } = bench();
    dev.command(0x00);
    dev.command(0xe0);
    expect([events(), output()]).toEqual([['command 0x0: there is none', 'command 0xe0'], 0]);
  });
});

describe('output port', () => {
  test('A20/by D1, DD and DF', () => {
    const { dev, pin } = bench();
    dev.command(COMMAND.WRITE_OUTPUT_PORT, 0xcd);
    expect([pin('a20'), dev.ask(COMMAND.READ_OUTPUT_PORT)]).toEqual([false, 0xcd]);
    dev.command(COMMAND.WRITE_OUTPUT_PORT, 0xff);
    expect([pin('a20'), dev.ask(COMMAND.READ_OUTPUT_PORT)]).toEqual([true, 0xcf]);
    dev.command(COMMAND.A20_OFF);
    expect(pin('a20')).toBe(false);
    dev.command(COMMAND.A20_ON);
    expect(pin('a20')).toBe(true);
  });

  test('OBF and AUX_OBF are those of the byte that is there', () => {
    const { dev, keys } = bench();
    keys(1);
    dev.command(COMMAND.READ_OUTPUT_PORT);
    expect([dev.read(), dev.read()]).toEqual([1, 0xcf | P2.OBF.mask]);
    dev.command(COMMAND.WRITE_AUX_OUTPUT, 2);
    dev.command(COMMAND.READ_OUTPUT_PORT);
    expect([dev.read(), dev.read()]).toEqual([2, 0xcf | P2.AUX_OBF.mask]);
  });

  test('reset/a pulse of 6 us, and its level by D1', () => {
    const { dev, pin, to, machine, clock } = bench();
    dev.command(COMMAND.RESET);
    to(5999n);
    expect(pin('reset')).toBe(true);
    to(6000n);
    expect([pin('reset'), machine.irq('kbc0', 'reset').edges]).toEqual([false, 1]);
    dev.command(COMMAND.WRITE_OUTPUT_PORT, 0xce);
    clock.step('1s');
    expect(pin('reset')).toBe(true);
    dev.command(COMMAND.WRITE_OUTPUT_PORT, 0xcf);
    expect(pin('reset')).toBe(false);
  });

  test.each(Array.from({ length: 16 }, (_, n) => 0xf0 + n))('pulse/0x%x: the bits that are 0', (command) => {
    const { dev, pin, clock } = bench();
    dev.command(command);
    expect([pin('reset'), pin('a20')]).toEqual([(command & 1) === 0, (command & 2) !== 0]);
    clock.step('6us');
    expect([pin('reset'), pin('a20'), dev.ask(COMMAND.READ_OUTPUT_PORT)]).toEqual([false, true, 0xcf]);
  });
});

describe('keyboard', () => {
  test.each([
    ['reset', [KEYBOARD.RESET], [ACK, BAT_OK]],
    ['identify', [KEYBOARD.IDENTIFY], [ACK, 0xab, 0x83]],
    ['echo', [KEYBOARD.ECHO], [KEYBOARD.ECHO]],
    ['enable', [KEYBOARD.ENABLE], [ACK]],
    ['disable', [KEYBOARD.DISABLE], [ACK]],
    ['defaults', [KEYBOARD.SET_DEFAULTS], [ACK]],
    ['invalid', [0xef], [RESEND]],
    ['a parameter without its command', [0x07], [RESEND]],
  ])('command/%s', (_what, command, answer) => {
    const { dev, bytes } = bench();
    dev.write(...command);
    expect(bytes()).toEqual(answer);
  });

  test('command/LEDs and rate take a parameter, or a command in its place', () => {
    const { dev } = bench();
    expect(dev.keyboard(KEYBOARD.SET_LEDS, 0x07, KEYBOARD.SET_RATE, 0x00)).toEqual([ACK, ACK, ACK, ACK]);
    expect(dev.keyboard(KEYBOARD.SET_LEDS, KEYBOARD.ECHO, 0x07)).toEqual([ACK, KEYBOARD.ECHO, RESEND]);
  });

  test('command/scan code set: read, chosen, refused', () => {
    const { dev, bytes, events } = bench();
    const asked = (): number[] => {
      dev.keyboard(KEYBOARD.SCAN_CODE_SET);
      dev.write(0);
      return bytes();
    };
    expect(asked()).toEqual([ACK, 2]);
    expect(dev.keyboard(KEYBOARD.SCAN_CODE_SET, 1)).toEqual([ACK, ACK]);
    expect(asked()).toEqual([ACK, 1]);
    expect(dev.keyboard(KEYBOARD.SCAN_CODE_SET, 4)).toEqual([ACK, RESEND]);
    expect(asked()).toEqual([ACK, 1]);
    dev.keyboard(KEYBOARD.SET_DEFAULTS);
    expect(asked()).toEqual([ACK, 2]);
    expect(events()).toEqual(["keyboard: scan code set 1; the host's bytes go out as they are"]);
  });

  test('command/resend gives the last byte again', () => {
    const { dev, keys } = bench();
    keys(0x1c);
    dev.read();
    expect(dev.keyboard(KEYBOARD.RESEND)).toEqual([0x1c]);
  });

  test('command/an answer that nobody has fetched gives way to the next', () => {
    const { dev, bytes } = bench();
    dev.write(KEYBOARD.IDENTIFY);
    dev.write(KEYBOARD.ECHO);
    expect(bytes()).toEqual([ACK, KEYBOARD.ECHO]);
  });

  test('scanning/off, keys are lost', () => {
    const { dev, keys, bytes } = bench();
    dev.keyboard(KEYBOARD.DISABLE);
    keys(0x1c);
    expect(bytes()).toEqual([]);
    dev.keyboard(KEYBOARD.ENABLE);
    keys(0x1d);
    expect(bytes()).toEqual([0x1d]);
  });

  test('buffer/sixteen, then the overrun code (CVE-2017-16845 class: bounded)', () => {
    const { dev, keys, bytes } = bench();
    // One is in the output buffer.
    const codes = Array.from({ length: 19 }, (_, i) => i + 1);
    expect(keys(...codes)).toBe(19);
    keys(...codes);
    expect(bytes()).toEqual([...codes.slice(0, 17), 0]);
    keys(...codes.slice(0, 17));
    expect(bytes()).toEqual(codes.slice(0, 17));
    keys(1, 2, 3);
    dev.write(KEYBOARD.RESET);
    expect(bytes()).toEqual([1, ACK, BAT_OK]);
  });

  test('buffer/it wraps', () => {
    const { keys, bytes } = bench();
    for (let i = 0; i < 40; i++) {
      keys(i, i + 1, i + 2, i + 3, i + 4);
      expect(bytes()).toEqual([i, i + 1, i + 2, i + 3, i + 4]);
    }
  });

  test.each([
    ['A', [0x1c, 0xf0, 0x1c], [0x1e, 0x9e]],
    ['Esc', [0x76, 0xf0, 0x76], [0x01, 0x81]],
    ['F7', [0x83, 0xf0, 0x83], [0x41, 0xc1]],
    ['Up', [0xe0, 0x75, 0xe0, 0xf0, 0x75], [0xe0, 0x48, 0xe0, 0xc8]],
    ['Pause', [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77], [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]],
    ['overrun', [0x00], [0xff]],
    ['from 0x84 on', [0x84, 0x85, 0xaa, 0xfe], [0x54, 0x85, 0xaa, 0xfe]],
  ])('translation/%s', (_what, set2, set1) => {
    const { mode, keys, bytes } = bench();
    keys(...set2);
    expect(bytes()).toEqual(set2);
    mode(XLAT);
    keys(...set2);
    expect(bytes()).toEqual(set1);
  });

  test('translation/a prefix alone gives no byte and no interrupt', () => {
    const { mode, keys, output, kbdIrq, bytes } = bench();
    mode(XLAT, KBD_INT);
    keys(0xf0);
    expect([output(), kbdIrq.edges]).toEqual([0, 0]);
    keys(0x1c);
    expect([kbdIrq.edges, bytes()]).toEqual([1, [0x9e]]);
  });

  test('translation/answers too', () => {
    const { mode, dev, bytes } = bench();
    mode(XLAT);
    dev.write(KEYBOARD.IDENTIFY);
    expect(bytes()).toEqual([ACK, 0xab, 0x41]);
  });

  test('absent/TO and 0xfe; keys go nowhere', () => {
    const { dev, output, keys } = bench({ keyboard: false });
    dev.write(KEYBOARD.RESET);
    expect([output(), dev.read(), output()]).toEqual([FROM_KEYBOARD | STATUS.TO.mask, RESEND, 0]);
    keys(0x1c);
    expect(output()).toBe(0);
  });

  test('a warm reset leaves it as it is', () => {
    const { dev, machine, keys, bytes } = bench();
    dev.keyboard(KEYBOARD.DISABLE);
    machine.reset('warm');
    keys(0x1c);
    expect(bytes()).toEqual([]);
    machine.reset('cold');
    keys(0x1c);
    expect(bytes()).toEqual([0x1c]);
  });
});

describe('mouse', () => {
  const ask = (b: ReturnType<typeof bench>, ...command: number[]): number[] => {
    for (const byte of command) b.dev.command(COMMAND.WRITE_AUX, byte);
    const found = b.dev.drain();
    expect(found.every(({ aux }) => aux)).toBe(true);
    return found.map(({ byte }) => byte);
  };

  test.each([
    ['reset', [MOUSE.RESET], [ACK, BAT_OK, 0]],
    ['identify', [MOUSE.IDENTIFY], [ACK, 0]],
    ['status', [MOUSE.STATUS], [ACK, 0, 2, 100]],
    ['read data', [MOUSE.READ_DATA], [ACK, 0x08, 0, 0]],
    ['enable', [MOUSE.ENABLE], [ACK]],
    ['defaults', [MOUSE.SET_DEFAULTS], [ACK]],
    ['invalid', [0xe1], [RESEND]],
  ])('command/%s', (_what, command, answer) => {
    expect(ask(bench(), ...command)).toEqual(answer);
  });

  test('command/status follows modes, resolution, rate and buttons', () => {
    const b = bench();
    for (const command of [MOUSE.SCALE_2_1, MOUSE.REMOTE, MOUSE.ENABLE]) ask(b, command);
    expect(b.dev.mouse(MOUSE.SET_RESOLUTION, 3, MOUSE.SET_RATE, 200)).toEqual([ACK, ACK, ACK, ACK]);
    b.buttons(LEFT | MIDDLE);
    expect(ask(b, MOUSE.STATUS)).toEqual([ACK, 0x76, 3, 200]);
    for (const command of [MOUSE.SCALE_1_1, MOUSE.STREAM, MOUSE.DISABLE]) ask(b, command);
    b.buttons(RIGHT);
    expect(ask(b, MOUSE.STATUS)).toEqual([ACK, 0x01, 3, 200]);
    ask(b, MOUSE.SET_DEFAULTS);
    expect(ask(b, MOUSE.STATUS)).toEqual([ACK, 0x01, 2, 100]);
  });

  test('command/a wrong value is refused, and asked for again', () => {
    const { dev } = bench();
    expect(dev.mouse(MOUSE.SET_RATE, 99, 100)).toEqual([ACK, RESEND, ACK]);
    expect(dev.mouse(MOUSE.SET_RESOLUTION, 4, 0)).toEqual([ACK, RESEND, ACK]);
  });

  test('wrap/echoes all but its end and a reset', () => {
    const b = bench();
    expect(ask(b, MOUSE.WRAP)).toEqual([ACK]);
    for (const byte of [0, MOUSE.STATUS, MOUSE.WRAP, 0xfe]) expect(ask(b, byte)).toEqual([byte]);
    expect(ask(b, MOUSE.WRAP_END)).toEqual([ACK]);
    expect(ask(b, MOUSE.IDENTIFY)).toEqual([ACK, 0]);
    ask(b, MOUSE.WRAP);
    expect(ask(b, MOUSE.RESET)).toEqual([ACK, BAT_OK, 0]);
  });

  test('resend gives the last byte again', () => {
    const b = bench();
    ask(b, MOUSE.STATUS);
    expect(ask(b, MOUSE.RESEND)).toEqual([100]);
  });

  test('stream/a packet for each change of a button, when it is enabled', () => {
    const b = bench();
    b.buttons(LEFT);
    b.buttons(0);
    expect(b.bytes()).toEqual([]);
    ask(b, MOUSE.ENABLE);
    b.buttons(LEFT);
    expect([b.auxIrq.level, b.bytes()]).toEqual([true, [0x09, 0, 0]]);
    b.buttons(LEFT | RIGHT);
    // Two changes at two pins.
    expect(b.bytes()).toEqual([0x0b, 0, 0]);
    b.buttons(0);
    expect(b.bytes()).toEqual([0x0a, 0, 0, 0x08, 0, 0]);
    ask(b, MOUSE.REMOTE);
    b.buttons(LEFT);
    expect(b.bytes()).toEqual([]);
    expect(ask(b, MOUSE.READ_DATA)).toEqual([ACK, 0x09, 0, 0]);
  });

  test('stream/whole packets or none; a command gives up what waits', () => {
    const b = bench();
    ask(b, MOUSE.ENABLE);
    for (let i = 0; i < 20; i++) b.buttons(i & 1 ? 0 : LEFT);
    const found = b.bytes();
    expect(found.length % 3).toBe(0);
    expect(found.length).toBeLessThanOrEqual(18);
    b.buttons(0);
    b.buttons(LEFT);
    b.buttons(0);
    b.dev.command(COMMAND.WRITE_AUX, MOUSE.IDENTIFY);
    expect(b.bytes().slice(-2)).toEqual([ACK, 0]);
    expect(b.bytes()).toEqual([]);
  });

  test('absent/TO and 0xfe, as the mouse’s', () => {
    const { dev, output, buttons } = bench({ mouse: false });
    dev.command(COMMAND.WRITE_AUX, MOUSE.RESET);
    expect([output(), dev.read()]).toEqual([FROM_MOUSE | STATUS.TO.mask, RESEND]);
    buttons(LEFT);
    expect(output()).toBe(0);
  });
});

describe('byteTime', () => {
  test('a byte comes when it is over, the next when the first has been read', () => {
    const { keys, output, to, vcpu, mode } = bench({ byteTime: '1ms' });
    mode(XLAT);
    keys(0x1c, 0xf0, 0x1c);
    to(999_999n);
    expect(output()).toBe(0);
    to(1_000_000n);
    expect(output()).toBe(FROM_KEYBOARD);
    to(5_000_000n);
    expect(vcpu.inb(DATA_PORT)).toBe(0x1e);
    // The prefix takes its time, too.
    to(6_999_999n);
    expect(output()).toBe(0);
    to(7_000_000n);
    expect([output(), vcpu.inb(DATA_PORT)]).toEqual([FROM_KEYBOARD, 0x9e]);
  });

  test('the controller’s answer does not wait, and the byte that comes meanwhile does', () => {
    const { keys, dev, clock, vcpu, output } = bench({ byteTime: '1ms' });
    keys(0x1c);
    dev.command(COMMAND.SELF_TEST);
    clock.step('2ms');
    expect([vcpu.inb(DATA_PORT), output()]).toEqual([0x55, 0]);
    clock.step('1ms');
    expect(vcpu.inb(DATA_PORT)).toBe(0x1c);
  });

  test('a device that is disabled meanwhile keeps it', () => {
    const { keys, dev, clock, output } = bench({ byteTime: '1ms' });
    keys(0x1c);
    dev.command(COMMAND.KBD_DISABLE);
    clock.step('1s');
    expect([output(), clock.deadline]).toEqual([0, undefined]);
    dev.command(COMMAND.KBD_ENABLE);
    clock.step('1ms');
    expect(output()).toBe(FROM_KEYBOARD);
  });
});

describe('contract', () => {
  test('another place', () => {
    const { dev, machine, vcpu } = bench({ ioBase: 0x260, irq: 5, auxIrq: 7 });
    expect(dev.ask(COMMAND.SELF_TEST)).toBe(0x55);
    dev.command(COMMAND.SELF_TEST);
    expect(machine.irq('isa0', 5).level).toBe(true);
    expect(vcpu.inb(COMMAND_PORT)).toBe(0xff);
  });

  test.each([
    ['a port beyond the last', { ioBase: 0xfffc }],
    ['an IRQ that ISA lacks', { auxIrq: 16 }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });

  test('snapshot/queues and parameters are in it', () => {
    const { machine, keys, dev, vcpu, bytes, buttons, mode } = bench();
    dev.mouse(MOUSE.ENABLE);
    mode(XLAT);
    keys(0x1c, 0xf0);
    buttons(LEFT);
    vcpu.outb(COMMAND_PORT, COMMAND.WRITE_RAM + 1);
    const snapshot = machine.snapshot();
    const record = (): unknown[] => {
      vcpu.outb(DATA_PORT, 0x42);
      keys(0x32);
      return [bytes(), dev.ask(COMMAND.READ_RAM + 1)];
    };
    const first = record();
    machine.restore(snapshot);
    expect(record()).toEqual(first);
    expect(first).toEqual([[0x1e, 0xb0, 0x09, 0, 0], 0x42]);
  });

  test('fuzz/whatever is done: bytes come back, nothing throws, the IRQs are what the status says', () => {
    const action = fc.record({
      port: fc.constantFrom(DATA_PORT, COMMAND_PORT),
      value: fc.option(fc.integer({ min: 0, max: 255 })),
      keys: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 }),
      buttons: fc.option(fc.integer({ min: 0, max: 7 })),
      reads: fc.integer({ min: 0, max: 5 }),
      step: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 3_000_000n })),
    });
    const properties = fc.record({
      keyboard: fc.boolean(),
      mouse: fc.boolean(),
      byteTime: fc.constantFrom('0ns', '1ms'),
    });
    fc.assert(
      fc.property(properties, fc.array(action, { maxLength: 60 }), (options, actions) => {
        const { vcpu, dev, keys, buttons, clock, kbdIrq, auxIrq, bound, machine } = bench(options);
        for (const { port, value, keys: codes, buttons: levels, reads, step } of actions) {
          if (value !== null) vcpu.outb(port, value);
          keys(...codes);
          if (levels !== null) buttons(levels);
          for (let i = 0; i < reads; i++) vcpu.inb(DATA_PORT);
          clock.step(step);
          expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
          const output = dev.status() & FROM_MOUSE;
          if (kbdIrq.level) expect(output).toBe(FROM_KEYBOARD);
          if (auxIrq.level) expect(output).toBe(FROM_MOUSE);
        }
        expect(bound.bus.fault).toBeUndefined();
        machine.reset('cold');
        expect([dev.status(), dev.ask(COMMAND.SELF_TEST)]).toEqual([0x18, 0x55]);
      }),
      { numRuns: 80 },
    );
  });
});
