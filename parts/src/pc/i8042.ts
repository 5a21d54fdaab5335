import { type Duration, type Vcpu, register, reserved, ro, rw, type Register } from '@qtest/sdk';

/**
 * Registers, commands and a small driver of the PC's keyboard controller (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller") and of the keyboard and the mouse behind it ("Keyboard", "Mouse").
 */

/** The output buffer. Written it takes a parameter of the last command, or a byte for the keyboard. */
export const DATA = register('DATA', {
  offset: 0,
  access: 'ro',
  effect: 'reading empties the output buffer; writing is a parameter, or a byte for the keyboard',
  volatile: true,
});
/** Read at the command port. */
export const STATUS = register('STATUS', {
  offset: 0,
  reset: 0x18,
  fields: { PE: ro(7), TO: ro(6), AUXB: ro(5), UNLOCKED: ro(4), A2: ro(3), SYS: ro(2), IBF: ro(1), OBF: ro(0) },
  effect: 'writing gives a command',
  volatile: ['AUXB', 'A2', 'SYS', 'OBF'],
});
/** The controller's RAM at 0. KBD_DISABLE and AUX_DISABLE hold a device's clock low. */
export const COMMAND_BYTE = register('COMMAND_BYTE', {
  offset: 0,
  reset: 0x03,
  fields: {
    ZERO_7: reserved(7),
    XLAT: rw(6),
    AUX_DISABLE: rw(5),
    KBD_DISABLE: rw(4),
    ZERO_3: reserved(3),
    SYS: rw(2),
    AUX_INT: rw(1),
    KBD_INT: rw(0),
  },
});
/** The output port, P2. */
export const P2 = register('P2', {
  offset: 0,
  reset: 0xcf,
  fields: {
    KBD_DATA: rw(7),
    KBD_CLOCK: rw(6),
    AUX_OBF: ro(5),
    OBF: ro(4),
    AUX_CLOCK: rw(3),
    AUX_DATA: rw(2),
    A20: rw(1),
    RESET_N: rw(0),
  },
});

/** Commands of the controller. `READ_RAM` to `READ_RAM + 0x1f` read its RAM, `WRITE_RAM` likewise write it. */
export const COMMAND = {
  READ_RAM: 0x20,
  WRITE_RAM: 0x60,
  AUX_DISABLE: 0xa7,
  AUX_ENABLE: 0xa8,
  AUX_TEST: 0xa9,
  SELF_TEST: 0xaa,
  KBD_TEST: 0xab,
  KBD_DISABLE: 0xad,
  KBD_ENABLE: 0xae,
  READ_INPUT_PORT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  WRITE_KBD_OUTPUT: 0xd2,
  WRITE_AUX_OUTPUT: 0xd3,
  WRITE_AUX: 0xd4,
  A20_OFF: 0xdd,
  A20_ON: 0xdf,
  /** Pulses the bits of P2 that are 0 in its low four bits. */
  PULSE: 0xf0,
  RESET: 0xfe,
} as const;

export const KEYBOARD = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_CODE_SET: 0xf0,
  IDENTIFY: 0xf2,
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  SET_DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

export const MOUSE = {
  SCALE_1_1: 0xe6,
  SCALE_2_1: 0xe7,
  SET_RESOLUTION: 0xe8,
  STATUS: 0xe9,
  STREAM: 0xea,
  READ_DATA: 0xeb,
  WRAP_END: 0xec,
  WRAP: 0xee,
  REMOTE: 0xf0,
  IDENTIFY: 0xf2,
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  SET_DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

/** What keyboard and mouse answer. */
export const ACK = 0xfa;
export const RESEND = 0xfe;
/** The basic assurance test is passed. */
export const BAT_OK = 0xaa;
export const SELF_TEST_OK = 0x55;
/** Prefix of a key's release in scan code set 2. */
export const RELEASE = 0xf0;

export const DATA_PORT = 0x60;
/** From the data port to that of status and commands. */
export const COMMAND_OFFSET = 4;
export const IRQ = 1;
export const AUX_IRQ = 12;
/** Bytes that the keyboard keeps while it cannot send them. */
export const BUFFER_SIZE = 16;

export const REGISTERS: readonly Register[] = [DATA, STATUS, COMMAND_BYTE, P2];

/** How long the driver waits for the controller. */
export interface KbcWait {
  /** Machine time to wait. Default 1 s. */
  readonly timeout?: Duration;
  /** How far the time moves between two looks. Default 10 us. */
  readonly step?: Duration;
}

/** A byte from the output buffer, and whose it is. */
export interface KbcByte {
  readonly byte: number;
  readonly aux: boolean;
}

/** The controller as a driver sees it, polling; on every backend. */
export interface Kbc {
  readonly base: number;
  status(): number;
  /** Writes a command and its parameters. It waits for an empty input buffer before each. */
  command(command: number, ...parameters: readonly number[]): void;
  /** Writes bytes for the keyboard to the data port. It waits for an empty input buffer before each. */
  write(...data: readonly number[]): void;
  /** Waits for a byte. */
  read(options?: KbcWait): number;
  /** Takes the bytes that are there, and those that follow at once, at most 64. It does not wait. */
  drain(): KbcByte[];
  /** Writes a command and gives its answer. */
  ask(command: number, ...parameters: readonly number[]): number;
  /** Sends bytes to the keyboard, and takes one answer for each, normally ACK. */
  keyboard(...data: readonly number[]): number[];
  /** The same for the mouse. */
  mouse(...data: readonly number[]): number[];
}

/** A driver of the 8042 on a VCPU. It does nothing to the part by itself. */
export function kbc(vcpu: Vcpu, base = DATA_PORT): Kbc {
  const port = base + COMMAND_OFFSET;
  const status = (): number => vcpu.inb(port);
  const until = (ready: (status: number) => boolean, { timeout = '1s', step = '10us' }: KbcWait = {}): void => {
    if (!ready(status())) vcpu.poll(() => ready(status()), { timeout, step });
  };
  const put = (at: number, value: number): void => {
    until((now) => !STATUS.IBF.test(now));
    vcpu.outb(at, value);
  };
  const read = (options?: KbcWait): number => {
    until((now) => STATUS.OBF.test(now), options);
    return vcpu.inb(base);
  };
  const command = (code: number, ...parameters: readonly number[]): void => {
    put(port, code);
    for (const parameter of parameters) put(base, parameter);
  };
  return {
    base,
    status,
    command,
    write: (...data) => data.forEach((byte) => put(base, byte)),
    read,
    drain() {
      const found: KbcByte[] = [];
      for (let now = status(); STATUS.OBF.test(now) && found.length < 64; now = status()) {
        found.push({ byte: vcpu.inb(base), aux: STATUS.AUXB.test(now) });
      }
      return found;
    },
    ask(code, ...parameters) {
      command(code, ...parameters);
      return read();
    },
    keyboard: (...data) =>
      data.map((byte) => {
        put(base, byte);
        return read();
      }),
    mouse: (...data) =>
      data.map((byte) => {
        command(COMMAND.WRITE_AUX, byte);
        return read();
      }),
  };
}
