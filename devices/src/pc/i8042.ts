/**
 * The PC's keyboard controller, an 8042 with IBM's program, and the PS/2 keyboard and mouse behind it.
 *
 * IBM Personal System/2 Hardware Interface Technical Reference: "Keyboard and Auxiliary Device Controller" (commands, status, command
 * byte, output port), "Keyboard (101- and 102-Key)" (commands, scan codes), "Mouse" (commands, packets). The scan code translation: the
 * same, "Scan Code Translation".
 *
 * A test's end: each byte written to `machine.chardev(id)` is one that the keyboard has to send, as a key of scan code set 2 does
 * (`0x1c` for A pressed, `0xf0, 0x1c` for A released). The keyboard keeps sixteen; of more, the first becomes its overrun code, 0, and
 * the others are lost, as they are while scanning is off. A mouse's button is the input `button` (0 left, 1 right, 2 middle); a byte that is to
 * come from the mouse otherwise is put there by the command 0xd3.
 *
 * The output buffer holds one byte. A controller's answer goes before the keyboard's bytes, and these go before the mouse's; all wait
 * while it is full, but a second answer replaces the first. A device whose clock is held low keeps its bytes.
 *
 * Pins: `reset` is high while bit 0 of the output port is low, 6 us for a pulse; nothing is wired to it by itself. `a20` is its bit 1.
 *
 * Not modelled: the time that the controller takes (IBF is always 0) and that devices take to answer (BAT is passed at once), bytes take
 * `byteTime` from a device, and none to it; the BAT's 0xaa at power-on; typematic repeat; the mouse's movement and sample rate; scan code
 * sets 1 and 3 (they can be chosen; the host's bytes go out as they are); parity errors; the keyboard lock; the commands A4 to A6
 * (password), AC (dump), C1, C2 (poll of the input port) and E0 (test inputs).
 *
 * Other than QEMU's: all 32 bytes of RAM can be read and written; the command byte's SYS is the status register's; its bits 3 and 7 are 0;
 * in the output port one of OBF and AUX_OBF is set, not both; a reset line leaves keyboard and mouse as they are; both answer an
 * invalid command, 0x00 among them, with 0xfe; A2 says which port was written last, and is not always 1; RESEND works; the mouse has no wheel (its ID stays 0); a device that the machine lacks makes TO and
 * 0xfe. A pulse of the reset line is a pin, not a reset.
 */
import { bytes, defineDevice, deviceSchema, property, type DeviceOf, type StateArray } from '@qtest/sdk';
import { i8042 as part } from '@qtest/parts/pc';

const { ACK, BAT_OK, COMMAND, COMMAND_BYTE, DATA, KEYBOARD, MOUSE, P2, RELEASE, RESEND, STATUS } = part;

const RAM_SIZE = 32;

/** "pulsed low for approximately 6 us". */
const PULSE_NS = 6000n;

/** The input port, P1: the keyboard is not locked. */
const INPUT_PORT = 0x80;

/** Where a byte in the output buffer comes from. An answer of the controller counts as the keyboard's. */
const SOURCE = { KEYBOARD: 0, AUX: 1 } as const;
type Source = (typeof SOURCE)[keyof typeof SOURCE];

/** Bytes of the longest answers: ID of the keyboard, and status or data of the mouse. */
const REPLY_SIZE = 4;

/** What the keyboard sends in place of what its buffer has no room for. */
const OVERRUN = 0x00;

/** Scan code set 2 to set 1, from 0x00 to 0x84. What lies above is the same in both. */
const TRANSLATION = Uint8Array.from(
  `ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59
   65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b
   67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d
   69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f
   6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61
   6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76
   55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f
   52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54
   80 81 82 41 54`.split(/\s+/u),
  (code) => Number.parseInt(code, 16),
);
/** Bit that a released key has in set 1. */
const RELEASED = 0x80;

/** The mouse's sample rates, in Hz. */
const RATES: readonly number[] = [10, 20, 40, 60, 80, 100, 200];
/** The mouse's defaults: 100 Hz, 4 counts/mm. */
const DEFAULT_RATE = 100;
const DEFAULT_RESOLUTION = 2;
/** Bits of the mouse's status byte. */
const MOUSE_REMOTE = 0x40;
const MOUSE_ENABLED = 0x20;
const MOUSE_SCALE_2_1 = 0x10;
/** Bit 3 of a packet's first byte is always 1. */
const PACKET = 0x08;
const PACKET_SIZE = 3;

const schema = deviceSchema({
  type: 'i8042',
  idPrefix: 'kbc',
  description: '8042 keyboard controller with keyboard and mouse',
  bus: 'isa',
  properties: {
    irq: property.number({ max: 15, default: part.IRQ, description: 'ISA IRQ of the keyboard' }),
    auxIrq: property.number({ max: 15, default: part.AUX_IRQ, description: 'ISA IRQ of the mouse' }),
    ioBase: property.number({
      max: 0xffff - part.COMMAND_OFFSET,
      default: part.DATA_PORT,
      description: 'data port; that of status and commands is 4 above it',
    }),
    keyboard: property.boolean({ default: true, description: 'whether there is a keyboard' }),
    mouse: property.boolean({ default: true, description: 'whether there is a mouse' }),
    byteTime: property.duration({
      default: 0n,
      description: 'what a byte takes from a device: 0 as QEMU, 1 ms as the part',
    }),
  },
  chardev: true,
  state: {
    ram: bytes(RAM_SIZE),
    /** P2 as written; the bits OBF and AUX_OBF follow. */
    outputPort: 'u8',
    /** Bits of P2 that are being pulsed. */
    pulsed: 'u8',
    /** The byte in the output buffer, whether there is one, whether it is the mouse's, and whether it tells of a time-out. */
    output: 'u8',
    full: 'bool',
    aux: 'bool',
    timedOut: 'bool',
    /** A byte that the controller has for the output buffer, likewise. */
    answer: 'u8',
    answering: 'bool',
    answerAux: 'bool',
    answerTimedOut: 'bool',
    /** The last write was a command. */
    a2: 'bool',
    /** The command that waits for its parameter; 0 for none. */
    command: 'u8',
    /** The release prefix has been translated away. */
    released: 'bool',

    // The keyboard. Of a queue's two indices the first is its head, the second the bytes in it.
    // The place after the sixteen is the overrun code's.
    keys: bytes(part.BUFFER_SIZE + 1),
    keysAt: bytes(2),
    kbdReply: bytes(REPLY_SIZE),
    kbdReplyAt: bytes(2),
    kbdCommand: 'u8',
    kbdLast: 'u8',
    scanning: 'bool',
    scanSet: 'u8',
    leds: 'u8',
    typematic: 'u8',

    // The mouse.
    packets: bytes(part.BUFFER_SIZE),
    packetsAt: bytes(2),
    auxReply: bytes(REPLY_SIZE),
    auxReplyAt: bytes(2),
    auxCommand: 'u8',
    auxLast: 'u8',
    /** Remote, enabled and scaling, as in its status byte. */
    mouseMode: 'u8',
    wrap: 'bool',
    resolution: 'u8',
    rate: 'u8',
    /** Levels at the input `button`, which a reset leaves, and those that the last packet told of. */
    buttons: 'u8',
    buttonsTold: 'u8',
  },
  regions: ({ ioBase }) => ({
    data: { space: 'io', base: ioBase, size: 1 },
    command: { space: 'io', base: ioBase + part.COMMAND_OFFSET, size: 1 },
  }),
  registers: { data: { registers: [DATA] }, command: { registers: [STATUS] } },
  timers: ['line', 'pulse'],
  outputs: {
    irq: { busIrq: 'irq' },
    auxIrq: { busIrq: 'auxIrq' },
    reset: {},
    a20: {},
  },
  inputs: { button: { count: 3 } },
});

type Kbc = DeviceOf<typeof schema>;
type State = Kbc['state'];

export const i8042 = defineDevice(schema, {
  reset(device, kind) {
    const { state, timers } = device;
    timers.line.cancel();
    timers.pulse.cancel();
    state.ram.fill(0);
    state.ram.set(0, COMMAND_BYTE.reset ?? 0);
    state.outputPort = P2.reset ?? 0;
    for (const flag of ['full', 'aux', 'timedOut', 'answering', 'released'] as const) state[flag] = false;
    state.pulsed = 0;
    state.command = 0;
    state.a2 = true;
    if (kind === 'cold') {
      resetKeyboard(state);
      resetMouse(state);
    }
    refill(device);
  },
  updateIrq,
  received: receiveKeys,
  regions: {
    data: { read: readData, write: writeData },
    command: { read: readStatus, write: writeCommand },
  },
  timers: {
    line(device) {
      deliver(device);
      updateIrq(device);
    },
    pulse(device) {
      device.state.pulsed = 0;
      updateIrq(device);
    },
  },
  inputs: { button: changeButton },
});

// Queues.

/** Puts a byte at a queue's end; false when it is full. */
function push(cells: StateArray, at: StateArray, byte: number): boolean {
  const count = at.get(1);
  if (count >= cells.length) return false;
  cells.set((at.get(0) + count) % cells.length, byte);
  at.set(1, count + 1);
  return true;
}

/** Takes a queue's first byte. */
function shift(cells: StateArray, at: StateArray): number | undefined {
  const count = at.get(1);
  if (count === 0) return undefined;
  const head = at.get(0) % cells.length;
  at.set(0, (head + 1) % cells.length);
  at.set(1, count - 1);
  return cells.get(head);
}

function empty(at: StateArray): void {
  at.fill(0);
}

// The output buffer.

function commandByte(state: State): number {
  return state.ram.get(0);
}

function updateIrq({ state, out }: Kbc): void {
  const mode = commandByte(state);
  out.irq.set(state.full && !state.aux && COMMAND_BYTE.KBD_INT.test(mode));
  out.auxIrq.set(state.full && state.aux && COMMAND_BYTE.AUX_INT.test(mode));
  const port = state.outputPort & ~state.pulsed;
  out.a20.set(P2.A20.test(port));
  out.reset.set(!P2.RESET_N.test(port));
}

/** Fills the output buffer if it is empty: at once from the controller, from a device when its byte has come. */
function refill(device: Kbc): void {
  const { state, timers, properties } = device;
  if (state.full) return;
  if (state.answering) {
    state.answering = false;
    output(state, state.answer, state.answerAux, state.answerTimedOut);
  } else if (!keyboardReady(state) && !mouseReady(state)) {
    timers.line.cancel();
  } else if (properties.byteTime === 0n) {
    deliver(device);
  } else if (timers.line.deadline < 0n) {
    timers.line.arm(device.now() + properties.byteTime);
  }
}

function output(state: State, byte: number, aux: boolean, timedOut: boolean): void {
  state.output = byte;
  state.full = true;
  state.aux = aux;
  state.timedOut = timedOut;
}

function keyboardReady(state: State): boolean {
  if (COMMAND_BYTE.KBD_DISABLE.test(commandByte(state))) return false;
  return state.kbdReplyAt.get(1) > 0 || state.keysAt.get(1) > 0;
}

function mouseReady(state: State): boolean {
  if (COMMAND_BYTE.AUX_DISABLE.test(commandByte(state))) return false;
  return state.auxReplyAt.get(1) > 0 || state.packetsAt.get(1) > 0;
}

/** A byte from a device has come. */
function deliver(device: Kbc): void {
  const { state } = device;
  if (state.full) return;
  if (keyboardReady(state)) deliverKey(device);
  else if (mouseReady(state)) {
    const byte = shift(state.auxReply, state.auxReplyAt) ?? shift(state.packets, state.packetsAt) ?? 0;
    state.auxLast = byte;
    output(state, byte, true, false);
  }
}

function deliverKey(device: Kbc): void {
  const { state } = device;
  const byte = shift(state.kbdReply, state.kbdReplyAt) ?? shift(state.keys, state.keysAt) ?? 0;
  state.kbdLast = byte;
  if (!COMMAND_BYTE.XLAT.test(commandByte(state))) {
    state.released = false;
    output(state, byte, false, false);
  } else if (byte === RELEASE) {
    state.released = true;
    refill(device);
  } else {
    output(state, (TRANSLATION[byte] ?? byte) | (state.released ? RELEASED : 0), false, false);
    state.released = false;
  }
}

/** The controller's byte for the output buffer. */
function answer(device: Kbc, byte: number, source: Source = SOURCE.KEYBOARD, timedOut = false): void {
  const { state } = device;
  state.answer = byte;
  state.answering = true;
  state.answerAux = source === SOURCE.AUX;
  state.answerTimedOut = timedOut;
}

// The ports.

function readData(device: Kbc): number {
  const { state } = device;
  const byte = state.output;
  state.full = false;
  state.aux = false;
  state.timedOut = false;
  // The IRQ falls between two bytes, as the interrupt controller needs an edge for each.
  updateIrq(device);
  refill(device);
  updateIrq(device);
  return byte;
}

function readStatus({ state }: Kbc): number {
  let status = STATUS.UNLOCKED.mask;
  if (state.full) status |= STATUS.OBF.mask;
  if (COMMAND_BYTE.SYS.test(commandByte(state))) status |= STATUS.SYS.mask;
  if (state.a2) status |= STATUS.A2.mask;
  if (state.aux) status |= STATUS.AUXB.mask;
  if (state.timedOut) status |= STATUS.TO.mask;
  return status;
}

function writeData(device: Kbc, _offset: number, value: number): void {
  const { state } = device;
  const { command } = state;
  state.a2 = false;
  state.command = 0;
  if (command === 0) toKeyboard(device, value);
  else writeParameter(device, command, value);
  refill(device);
  updateIrq(device);
}

function writeParameter(device: Kbc, command: number, value: number): void {
  const { state } = device;
  switch (command) {
    case COMMAND.WRITE_OUTPUT_PORT:
      state.outputPort = P2.write(0, value);
      break;
    case COMMAND.WRITE_KBD_OUTPUT:
      answer(device, value);
      break;
    case COMMAND.WRITE_AUX_OUTPUT:
      answer(device, value, SOURCE.AUX);
      break;
    case COMMAND.WRITE_AUX:
      toMouse(device, value);
      break;
    default:
      writeRam(state, command - COMMAND.WRITE_RAM, value);
  }
}

function writeRam(state: State, at: number, value: number): void {
  state.ram.set(at % RAM_SIZE, at === 0 ? COMMAND_BYTE.write(0, value) : value);
}

function writeCommand(device: Kbc, _offset: number, value: number): void {
  const { state } = device;
  state.a2 = true;
  state.command = 0;
  if (value >= COMMAND.PULSE) pulse(device, value);
  else if (value >= COMMAND.READ_RAM && value < COMMAND.READ_RAM + RAM_SIZE) {
    answer(device, state.ram.get(value - COMMAND.READ_RAM));
  } else if (value >= COMMAND.WRITE_RAM && value < COMMAND.WRITE_RAM + RAM_SIZE) state.command = value;
  else runCommand(device, value);
  refill(device);
  updateIrq(device);
}

function runCommand(device: Kbc, command: number): void {
  const { state } = device;
  const { KBD_DISABLE, AUX_DISABLE, SYS } = COMMAND_BYTE;
  const mode = commandByte(state);
  switch (command) {
    case COMMAND.AUX_DISABLE:
    case COMMAND.AUX_ENABLE:
      state.ram.set(0, AUX_DISABLE.set(mode, Number(command === COMMAND.AUX_DISABLE)));
      break;
    case COMMAND.KBD_DISABLE:
    case COMMAND.KBD_ENABLE:
      state.ram.set(0, KBD_DISABLE.set(mode, Number(command === COMMAND.KBD_DISABLE)));
      break;
    case COMMAND.AUX_TEST:
    case COMMAND.KBD_TEST:
      answer(device, 0);
      break;
    case COMMAND.SELF_TEST:
      state.ram.set(0, mode | SYS.mask);
      answer(device, part.SELF_TEST_OK);
      break;
    case COMMAND.READ_INPUT_PORT:
      answer(device, INPUT_PORT);
      break;
    case COMMAND.READ_OUTPUT_PORT:
      answer(device, readOutputPort(state));
      break;
    case COMMAND.WRITE_OUTPUT_PORT:
    case COMMAND.WRITE_KBD_OUTPUT:
    case COMMAND.WRITE_AUX_OUTPUT:
    case COMMAND.WRITE_AUX:
      state.command = command;
      break;
    case COMMAND.A20_OFF:
    case COMMAND.A20_ON:
      state.outputPort = P2.A20.set(state.outputPort, Number(command === COMMAND.A20_ON));
      break;
    default:
      unknown(device, command);
  }
}

/** Commands of IBM's program that this one lacks. */
const LACKING: readonly number[] = [0xa4, 0xa5, 0xa6, 0xac, 0xc1, 0xc2, 0xe0];

function unknown(device: Kbc, command: number): void {
  const what = `command 0x${command.toString(16)}`;
  if (LACKING.includes(command)) device.unimplemented(what);
  else device.guestError(`${what}: there is none`);
}

function readOutputPort(state: State): number {
  const port = P2.OBF.set(state.outputPort, Number(state.full && !state.aux));
  return P2.AUX_OBF.set(port, Number(state.full && state.aux));
}

/** Commands F0 to FF: the bits of P2 that are 0 in the low four are low for 6 us. */
function pulse(device: Kbc, command: number): void {
  const pulsed = ~command & 0x0f;
  if (pulsed === 0) return;
  device.state.pulsed |= pulsed;
  device.timers.pulse.arm(device.now() + PULSE_NS);
}

/** Nobody has answered a byte that the controller has sent. */
function timeOut(device: Kbc, source: Source): void {
  answer(device, RESEND, source, true);
}

// The keyboard.

function resetKeyboard(state: State): void {
  for (const queue of [state.keysAt, state.kbdReplyAt]) empty(queue);
  state.kbdCommand = 0;
  defaultKeyboard(state);
  state.leds = 0;
}

function defaultKeyboard(state: State): void {
  state.scanning = true;
  state.scanSet = 2;
  // 10.9 characters a second after 500 ms.
  state.typematic = 0x2b;
  empty(state.keysAt);
}

/** Keys that the host presses. */
function receiveKeys(device: Kbc): void {
  const { state, chardev, properties } = device;
  for (let byte = chardev.receive(); byte !== undefined; byte = chardev.receive()) {
    if (!properties.keyboard || !state.scanning) continue;
    // "An overrun code replaces the 17th byte"; what comes then is lost.
    push(state.keys, state.keysAt, state.keysAt.get(1) < part.BUFFER_SIZE ? byte : OVERRUN);
    refill(device);
  }
  updateIrq(device);
}

function replyKeyboard(state: State, ...reply: readonly number[]): void {
  empty(state.kbdReplyAt);
  for (const byte of reply) push(state.kbdReply, state.kbdReplyAt, byte);
}

/** A byte for the keyboard, which enables its interface. */
function toKeyboard(device: Kbc, value: number): void {
  const { state } = device;
  state.ram.set(0, COMMAND_BYTE.KBD_DISABLE.set(commandByte(state), 0));
  if (!device.properties.keyboard) {
    timeOut(device, SOURCE.KEYBOARD);
    return;
  }
  const command = state.kbdCommand;
  state.kbdCommand = 0;
  // A command in place of a parameter is a command.
  if (command !== 0 && value < KEYBOARD.SET_LEDS) writeKeyboardParameter(device, command, value);
  else runKeyboardCommand(device, value);
}

function writeKeyboardParameter(device: Kbc, command: number, value: number): void {
  const { state } = device;
  if (command === KEYBOARD.SET_LEDS) state.leds = value & 7;
  if (command === KEYBOARD.SET_RATE) state.typematic = value & 0x7f;
  if (command !== KEYBOARD.SCAN_CODE_SET || (value >= 1 && value <= 3)) replyKeyboard(state, ACK);
  else if (value === 0) replyKeyboard(state, ACK, state.scanSet);
  else replyKeyboard(state, RESEND);
  if (command !== KEYBOARD.SCAN_CODE_SET || value < 1 || value > 3) return;
  state.scanSet = value;
  empty(state.keysAt);
  if (value !== 2) device.unimplemented(`keyboard: scan code set ${value}; the host's bytes go out as they are`);
}

function runKeyboardCommand(device: Kbc, command: number): void {
  const { state } = device;
  switch (command) {
    case KEYBOARD.ECHO:
      replyKeyboard(state, KEYBOARD.ECHO);
      return;
    case KEYBOARD.RESEND:
      replyKeyboard(state, state.kbdLast);
      return;
    case KEYBOARD.IDENTIFY:
      replyKeyboard(state, ACK, 0xab, 0x83);
      return;
    case KEYBOARD.RESET:
      resetKeyboard(state);
      replyKeyboard(state, ACK, BAT_OK);
      return;
    case KEYBOARD.SET_LEDS:
    case KEYBOARD.SCAN_CODE_SET:
    case KEYBOARD.SET_RATE:
      state.kbdCommand = command;
      break;
    case KEYBOARD.ENABLE:
      state.scanning = true;
      empty(state.keysAt);
      break;
    case KEYBOARD.DISABLE:
      defaultKeyboard(state);
      state.scanning = false;
      break;
    case KEYBOARD.SET_DEFAULTS:
      defaultKeyboard(state);
      break;
    default:
      if (command < KEYBOARD.SET_DEFAULTS) {
        device.guestError(`keyboard: command 0x${command.toString(16)}: there is none`);
        replyKeyboard(state, RESEND);
        return;
      }
      // F7 to FD are about set 3, and accepted in any.
      device.unimplemented(`keyboard: command 0x${command.toString(16)}`);
  }
  replyKeyboard(state, ACK);
}

// The mouse.

function resetMouse(state: State): void {
  for (const queue of [state.packetsAt, state.auxReplyAt]) empty(queue);
  state.auxCommand = 0;
  defaultMouse(state);
}

/** "100 reports a second, scaling 1:1, stream mode, resolution 4 counts/mm, disabled". */
function defaultMouse(state: State): void {
  state.mouseMode = 0;
  state.wrap = false;
  state.rate = DEFAULT_RATE;
  state.resolution = DEFAULT_RESOLUTION;
}

function replyMouse(state: State, ...reply: readonly number[]): void {
  empty(state.auxReplyAt);
  for (const byte of reply) push(state.auxReply, state.auxReplyAt, byte);
}

function changeButton(device: Kbc, pin: number, level: boolean): void {
  const { state } = device;
  const bit = 1 << pin;
  state.buttons = level ? state.buttons | bit : state.buttons & ~bit;
  report(device);
  refill(device);
  updateIrq(device);
}

/** In stream mode a change is a packet; without room for a whole one it waits for the next change. */
function report({ state, properties }: Kbc): void {
  if (!properties.mouse || state.wrap || (state.mouseMode & (MOUSE_ENABLED | MOUSE_REMOTE)) !== MOUSE_ENABLED) return;
  if (state.buttons === state.buttonsTold || state.packetsAt.get(1) + PACKET_SIZE > state.packets.length) return;
  for (const byte of packetOf(state)) push(state.packets, state.packetsAt, byte);
}

function packetOf(state: State): readonly number[] {
  state.buttonsTold = state.buttons;
  return [PACKET | state.buttons, 0, 0];
}

/** A byte for the mouse, which enables its interface. */
function toMouse(device: Kbc, value: number): void {
  const { state } = device;
  state.ram.set(0, COMMAND_BYTE.AUX_DISABLE.set(commandByte(state), 0));
  if (!device.properties.mouse) {
    timeOut(device, SOURCE.AUX);
    return;
  }
  // "If the mouse receives a command while it sends, what it sends is given up."
  empty(state.packetsAt);
  const command = state.auxCommand;
  state.auxCommand = 0;
  if (state.wrap && value !== MOUSE.WRAP_END && value !== MOUSE.RESET) replyMouse(state, value);
  else if (command !== 0) writeMouseParameter(state, command, value);
  else runMouseCommand(device, value);
}

function writeMouseParameter(state: State, command: number, value: number): void {
  if (command === MOUSE.SET_RATE && RATES.includes(value)) state.rate = value;
  else if (command === MOUSE.SET_RESOLUTION && value <= 3) state.resolution = value;
  else {
    // The mouse waits for a value that is one.
    state.auxCommand = command;
    replyMouse(state, RESEND);
    return;
  }
  replyMouse(state, ACK);
}

function runMouseCommand(device: Kbc, command: number): void {
  const { state } = device;
  switch (command) {
    case MOUSE.STATUS:
      replyMouse(state, ACK, mouseStatus(state), state.resolution, state.rate);
      return;
    case MOUSE.READ_DATA:
      replyMouse(state, ACK, ...packetOf(state));
      return;
    case MOUSE.IDENTIFY:
      replyMouse(state, ACK, 0);
      return;
    case MOUSE.RESEND:
      replyMouse(state, state.auxLast);
      return;
    case MOUSE.RESET:
      resetMouse(state);
      replyMouse(state, ACK, BAT_OK, 0);
      return;
    case MOUSE.SCALE_1_1:
      state.mouseMode &= ~MOUSE_SCALE_2_1;
      break;
    case MOUSE.SCALE_2_1:
      state.mouseMode |= MOUSE_SCALE_2_1;
      break;
    case MOUSE.STREAM:
      state.mouseMode &= ~MOUSE_REMOTE;
      break;
    case MOUSE.REMOTE:
      state.mouseMode |= MOUSE_REMOTE;
      break;
    case MOUSE.ENABLE:
      state.mouseMode |= MOUSE_ENABLED;
      break;
    case MOUSE.DISABLE:
      state.mouseMode &= ~MOUSE_ENABLED;
      break;
    case MOUSE.SET_DEFAULTS:
      defaultMouse(state);
      break;
    case MOUSE.WRAP:
    case MOUSE.WRAP_END:
      state.wrap = command === MOUSE.WRAP;
      break;
    case MOUSE.SET_RATE:
    case MOUSE.SET_RESOLUTION:
      state.auxCommand = command;
      break;
    default:
      device.guestError(`mouse: command 0x${command.toString(16)}: there is none`);
      replyMouse(state, RESEND);
      return;
  }
  replyMouse(state, ACK);
}

/** The buttons are the other way around than in a packet: left, middle, right from bit 2 down. */
function mouseStatus({ mouseMode, buttons }: State): number {
  const [left, right, middle] = [buttons & 1, (buttons >> 1) & 1, (buttons >> 2) & 1];
  return mouseMode | (left << 2) | (middle << 1) | right;
}
