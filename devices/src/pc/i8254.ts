/**
 * Intel 8254 programmable interval timer, as the PC has it: CLK of 1.193182 MHz, counter 0 on IRQ 0, GATE 2 and OUT 2 at
 * port 0x61 (the device `pcspk`).
 *
 * Data sheet: Intel 8254 (order number 231164): "Control Word Format", "Write Operations", "Read Operations", "Counter Latch
 * Command", "Read-Back Command", "Mode Definitions", "Operation Common to All Modes".
 *
 * CLK runs from the machine's first instant, whatever software does: pulse n ends at ceil(n · 10⁹ / 1193182) ns, and what
 * happens in that nanosecond or after it belongs to the next one. A counter is brought up to date when somebody looks: what
 * it holds after n more pulses is computed at once. A timer is armed only for the next change of an OUT that is driven (`drivenOuts`).
 *
 * Where the data sheet says nothing: from a control word to its first count the counting element reads as 0; a count of 1 in
 * the modes 2 and 3, whose least is 2, stops the counter with OUT high; a digit above 9 in BCD counts for its value; a trigger
 * before the first count is lost; a control word drops a latched count, as it says, and keeps a latched status.
 *
 * Not modelled: the rising edge of CLK (GATE is sampled where counting happens, at the pulse's end), the 5 MHz limit of accesses.
 *
 * Other than QEMU's: a count is loaded by the next pulse of CLK, and not at the instant of the write, so that an interrupt comes up to
 * a tick later; OUT is low, and not high, for the one pulse of the modes 2, 4 and 5, with the rising edge at its end; new counts while
 * counting, counts in two bytes, odd counts in mode 3, GATE in every mode, BCD, NULL COUNT, and the modes 6 and 7 (which are 2 and 3)
 * are as the data sheet has them; the control port reads as all ones, not as 0. The part has no RESET: with `reset: 'running'` every
 * reset leaves it as QEMU's does.
 */
import { array, bytes, defineDevice, deviceSchema, property, type DeviceOf } from '@qtest/sdk';
import { i8254 as part } from '@qtest/parts/pc';

const { CONTROL, COUNTERS, READ_BACK, RW, STATUS } = part;

/** Index of a counter in the state's arrays. */
type Counter = number;

/** What a read gives when the part does not drive the data bus. */
const FLOATING = 0xff;

/** An OUT that does not change any more. */
const NEVER = Number.POSITIVE_INFINITY;

/** Pulses that are counted in one go: a power of two that a number holds exactly, with room. */
const SPAN = 2n ** 50n;

/**
 * How late a timer may fire, in real time, before changes of OUT are left out: a counter faster than the host would
 * otherwise keep it busy for ever.
 */
const PATIENCE = 10_000_000n;

/** Power-on: "the state of the 8254 is undefined". Mode 0, whose OUT is low, and both bytes. */
const UNPROGRAMMED = CONTROL.RW.set(0, RW.WORD);
/** Mode 3, both bytes. */
const SQUARE_WAVE = CONTROL.M.set(UNPROGRAMMED, 3);

const schema = deviceSchema({
  type: 'i8254',
  idPrefix: 'pit',
  description: '8254 programmable interval timer',
  bus: 'isa',
  properties: {
    irq: property.number({ min: -1, max: 15, default: 0, description: 'ISA IRQ; −1: the machine wires it' }),
    ioBase: property.number({ max: 0xfffc, default: part.BASE, description: 'port of counter 0; the others follow' }),
    tiedGates: property.number({
      max: 7,
      default: 0b011,
      description: 'GATE inputs that are wired high; bit n is counter n',
    }),
    drivenOuts: property.number({
      max: 7,
      default: 0b101,
      description: 'OUT pins that are driven; bit n is counter n; the others stay low, and need no timer',
    }),
    reset: property.oneOf(['none', 'running'], {
      default: 'none',
      description: 'what a reset does: nothing, as the part, or start all counters in mode 3 with 65536, as QEMU',
    }),
  },
  // An element for each counter.
  state: {
    /** Pulses of CLK that everything below has counted. */
    tick: 'i64',
    /**
     * The counting element as pulses to go, signed: to the terminal count (modes 0, 1, 4 and 5; negative beyond it), to the
     * end of the period (mode 2) or of the half of it (mode 3).
     */
    left: array('u32', COUNTERS),
    /** Count register: the initial count as written, in binary or BCD. */
    cr: array('u16', COUNTERS),
    /** Output latch. */
    ol: array('u16', COUNTERS),
    /** Bits 5 to 0 of the control word. */
    control: bytes(COUNTERS),
    /** 1 from the first load after a control word on. */
    counting: bytes(COUNTERS),
    /** 1 when the next pulse loads CR into the counting element. */
    pending: bytes(COUNTERS),
    /** 1 when a count has been written since the control word. */
    armed: bytes(COUNTERS),
    nullCount: bytes(COUNTERS),
    /** Mode 3: 1 in the second half of the period. */
    low: bytes(COUNTERS),
    /** Mode 3: 1 when the count of this half is odd. */
    odd: bytes(COUNTERS),
    /** The low byte that waits for its high one, and 1 while it does. */
    lsb: bytes(COUNTERS),
    msbNext: bytes(COUNTERS),
    /** 1 when the next read gives the high byte. */
    msbRead: bytes(COUNTERS),
    /** 1 while the output latch holds a count. */
    latched: bytes(COUNTERS),
    status: bytes(COUNTERS),
    statusLatched: bytes(COUNTERS),
    /** Levels at the GATE inputs, bit n for counter n. They are the pins', so that a reset leaves them. */
    gates: 'u8',
    irqDisable: 'bool',
  },
  regions: ({ ioBase }) => ({ ports: { space: 'io', base: ioBase, size: 4 } }),
  registers: { ports: { registers: part.REGISTERS } },
  timers: ['edge'],
  outputs: {
    /** OUT 0, unless `irqDisable` is high. */
    irq: { busIrq: 'irq' },
    out: { count: COUNTERS },
  },
  inputs: {
    gate: { count: COUNTERS },
    /** High: OUT 0 does not reach the IRQ, as when an HPET replaces it. */
    irqDisable: {},
  },
});

type Pit = DeviceOf<typeof schema>;
type State = Pit['state'];

export const i8254 = defineDevice(schema, {
  reset(device, kind) {
    const { state, properties } = device;
    sync(device);
    for (let counter = 0; counter < COUNTERS; counter++) {
      if (properties.reset === 'running') start(state, counter);
      else if (kind === 'cold') state.control.set(counter, UNPROGRAMMED);
    }
  },
  updateIrq,
  regions: { ports: { read, write } },
  timers: {
    edge(device, deadline) {
      const now = device.now();
      sync(device, now - deadline > PATIENCE ? now : deadline);
      updateIrq(device);
    },
  },
  inputs: {
    gate: changeGate,
    irqDisable(device, _pin, level) {
      sync(device);
      device.state.irqDisable = level;
      updateIrq(device);
    },
  },
});

/** Where QEMU's reset leaves a counter: OUT 0 falls after half a period, and raises its first IRQ after a whole one. */
function start(state: State, counter: Counter): void {
  program(state, counter, SQUARE_WAVE);
  for (const flag of [state.counting, state.armed, state.low]) flag.set(counter, 1);
  for (const flag of [state.nullCount, state.statusLatched]) flag.set(counter, 0);
  // OUT is low from the start, so that there is no request at the reset itself.
  state.left.set(counter, modulus(state, counter));
}

function updateIrq(device: Pit): void {
  const { state, out, timers, properties } = device;
  for (let counter = 0; counter < COUNTERS; counter++) {
    if (!bit(properties.drivenOuts, counter)) continue;
    const level = levelOf(device, counter);
    out.out.set(level, counter);
    if (counter === 0) out.irq.set(level && !state.irqDisable);
  }
  // After all pins: an OUT may be wired to a GATE.
  let next = NEVER;
  for (let counter = 0; counter < COUNTERS; counter++) {
    if (bit(properties.drivenOuts, counter)) next = Math.min(next, untilEdge(device, counter));
  }
  // Not even a snapshot that nobody has saved may give a deadline that has passed.
  if (next === NEVER) timers.edge.cancel();
  else timers.edge.arm(part.nsOf(state.tick + BigInt(Math.max(next, 1))));
}

function bit(mask: number, counter: Counter): boolean {
  return ((mask >> counter) & 1) === 1;
}

// What the control word says.

/** Data sheet, Figure 7: the high bit of M does not count in the modes 2 and 3. */
function modeOf(state: State, counter: Counter): number {
  const m = CONTROL.M.get(state.control.get(counter));
  return m > 5 ? m - 4 : m;
}

function isBcd(state: State, counter: Counter): boolean {
  return CONTROL.BCD.test(state.control.get(counter));
}

function isPeriodic(mode: number): boolean {
  return mode === 2 || mode === 3;
}

/** Whether GATE is a level that enables counting; in the modes 1 and 5 it only triggers. */
function isGated(mode: number): boolean {
  return mode !== 1 && mode !== 5;
}

function gateOf({ state, properties }: Pit, counter: Counter): boolean {
  return bit(state.gates | properties.tiedGates, counter);
}

// Counts.

/** "The largest possible initial count is 0", which is this. */
function modulus(state: State, counter: Counter): number {
  return isBcd(state, counter) ? 10_000 : 0x1_0000;
}

/** The initial count in CR, 1 to the modulus. */
function countOf(state: State, counter: Counter): number {
  const cr = state.cr.get(counter);
  if (cr === 0) return modulus(state, counter);
  return isBcd(state, counter) ? fromBcd(cr) : cr;
}

/** Whether CR holds a count below the least of the mode (data sheet, "Minimum and Maximum Initial Counts"). */
function isTooSmall(state: State, counter: Counter): boolean {
  return isPeriodic(modeOf(state, counter)) && countOf(state, counter) < 2;
}

/** Pulses of a half of mode 3's period: "OUT will be high for (N + 1)/2 counts and low for (N − 1)/2 counts". */
function halfOf(count: number, low: number): number {
  return (count + 1 - low) >> 1;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  return (
    (Math.floor(value / 1000) << 12) |
    (Math.floor((value % 1000) / 100) << 8) |
    (Math.floor((value % 100) / 10) << 4) |
    (value % 10)
  );
}

/** The counting element as software reads it. */
function elementOf(state: State, counter: Counter): number {
  const size = modulus(state, counter);
  const left = leftOf(state, counter);
  // Mode 3 counts by two, from an even number; the first half of an odd count ends a pulse after 0.
  const spare = state.odd.get(counter) === 1 && state.low.get(counter) === 0 ? 2 : 0;
  const value = modeOf(state, counter) === 3 ? 2 * left - spare : left;
  const wrapped = ((value % size) + size) % size;
  return isBcd(state, counter) ? toBcd(wrapped) : wrapped;
}

function leftOf(state: State, counter: Counter): number {
  return state.left.get(counter) | 0;
}

// Counting.

/** Counts the pulses of CLK up to `time`. */
function sync(device: Pit, time = device.now()): void {
  const { state } = device;
  const tick = part.ticksIn(time);
  let pulses = tick - state.tick;
  if (pulses <= 0n) return;
  state.tick = tick;
  for (; pulses > 0n; pulses -= SPAN) {
    const span = Number(pulses < SPAN ? pulses : SPAN);
    for (let counter = 0; counter < COUNTERS; counter++) advance(device, counter, span);
  }
}

function advance(device: Pit, counter: Counter, pulses: number): void {
  const { state } = device;
  if (state.pending.get(counter) === 1) {
    load(state, counter);
    pulses--;
  }
  if (pulses > 0 && state.counting.get(counter) === 1) count(device, counter, pulses);
}

/** The pulse that loads a new count, which does not decrement it. */
function load(state: State, counter: Counter): void {
  const initial = countOf(state, counter);
  state.pending.set(counter, 0);
  state.nullCount.set(counter, 0);
  state.low.set(counter, 0);
  state.odd.set(counter, initial & 1);
  state.counting.set(counter, Number(!isTooSmall(state, counter)));
  state.left.set(counter, modeOf(state, counter) === 3 ? halfOf(initial, 0) : initial);
}

function count(device: Pit, counter: Counter, pulses: number): void {
  const { state } = device;
  const mode = modeOf(state, counter);
  const left = leftOf(state, counter);
  if (isGated(mode) && !gateOf(device, counter)) {
    // GATE stops the count, and not the strobe.
    if (mode === 4 && left === 0) state.left.set(counter, -modulus(state, counter));
  } else if (!isPeriodic(mode)) {
    const size = modulus(state, counter);
    const after = left - pulses;
    // It wraps around and counts on; 0 is for the terminal count alone.
    state.left.set(counter, after >= 0 ? after : -((-after - 1) % size) - 1);
  } else if (pulses < left) {
    state.left.set(counter, left - pulses);
  } else {
    countPeriods(state, counter, mode, pulses - left);
  }
}

/** What follows `pulses` after the end of a period, or of a half in mode 3, which is where a new count is taken from CR. */
function countPeriods(state: State, counter: Counter, mode: number, pulses: number): void {
  const low = state.low.get(counter) ^ 1;
  const initial = countOf(state, counter);
  load(state, counter);
  if (state.counting.get(counter) === 0) return;
  let rest = pulses % initial;
  if (mode === 2) {
    state.left.set(counter, initial - rest);
    return;
  }
  const first = halfOf(initial, low);
  const second = rest >= first;
  if (second) rest -= first;
  const half = second ? low ^ 1 : low;
  state.low.set(counter, half);
  state.left.set(counter, halfOf(initial, half) - rest);
}

/** Whether OUT may be low in the modes 2 and 3: GATE low puts it high at once, and so it stays until the trigger loads. */
function isEnabled(device: Pit, counter: Counter): boolean {
  return gateOf(device, counter) && device.state.pending.get(counter) === 0;
}

/** Level of OUT. */
function levelOf(device: Pit, counter: Counter): boolean {
  const { state } = device;
  const mode = modeOf(state, counter);
  if (state.counting.get(counter) === 0) return mode !== 0;
  const left = leftOf(state, counter);
  switch (mode) {
    case 0:
    case 1:
      return left <= 0;
    case 2:
      return left !== 1 || !isEnabled(device, counter);
    case 3:
      return state.low.get(counter) === 0 || !isEnabled(device, counter);
    default:
      return left !== 0;
  }
}

/** Pulses until OUT changes, if nobody interferes; NEVER when it will not. */
function untilEdge(device: Pit, counter: Counter): number {
  const { state } = device;
  const mode = modeOf(state, counter);
  const pending = state.pending.get(counter) === 1;
  let left = leftOf(state, counter);
  if (pending) {
    // OUT is low from the load on in the modes 0 and 1, and high in the others.
    if (levelOf(device, counter) !== mode > 1) return 1;
    if (isTooSmall(state, counter)) return NEVER;
    const initial = countOf(state, counter);
    left = mode === 3 ? halfOf(initial, 0) : initial;
  } else if (state.counting.get(counter) === 0) {
    return NEVER;
  }
  const strobe = mode > 3 && left === 0;
  if (isGated(mode) && !gateOf(device, counter)) return strobe ? 1 : NEVER;
  const before = pending ? 1 : 0;
  if (mode === 2) return before + Math.max(left - 1, 1);
  if (mode === 3 || left > 0) return before + left;
  return strobe ? 1 : NEVER;
}

/** Data sheet, "Gate": a rising edge is kept until the next pulse, and is a trigger in the modes 1, 2, 3 and 5. */
function changeGate(device: Pit, counter: Counter, level: boolean): void {
  const { state } = device;
  sync(device);
  const before = gateOf(device, counter);
  state.gates = level ? state.gates | (1 << counter) : state.gates & ~(1 << counter);
  const mode = modeOf(state, counter);
  const rises = !before && gateOf(device, counter);
  if (rises && mode !== 0 && mode !== 4 && state.armed.get(counter) === 1) state.pending.set(counter, 1);
  updateIrq(device);
}

// The ports.

function write(device: Pit, offset: number, value: number): void {
  sync(device);
  if (offset === CONTROL.offset) writeControl(device, value);
  else writeCount(device, offset, value);
  updateIrq(device);
}

function writeControl(device: Pit, value: number): void {
  const { state } = device;
  const select = CONTROL.SC.get(value);
  if (select === part.SELECT_READ_BACK) readBack(device, value);
  else if (CONTROL.RW.get(value) === RW.LATCH) latchCount(state, select);
  else program(state, select, value & ~CONTROL.SC.mask);
}

/** Data sheet, "Programming the 8254" and "Write Operations": everything begins anew, and CR is cleared. */
function program(state: State, counter: Counter, control: number): void {
  state.control.set(counter, control);
  for (const word of [state.left, state.cr]) word.set(counter, 0);
  for (const flag of [state.counting, state.pending, state.armed, state.low, state.odd]) flag.set(counter, 0);
  for (const flag of [state.msbNext, state.msbRead, state.latched]) flag.set(counter, 0);
  state.nullCount.set(counter, 1);
}

/** Data sheet, "Counter Latch Command": latched again before it has been read, the count stays as it is. */
function latchCount(state: State, counter: Counter): void {
  if (state.latched.get(counter) === 1) return;
  state.latched.set(counter, 1);
  state.ol.set(counter, elementOf(state, counter));
}

function readBack(device: Pit, command: number): void {
  const { state } = device;
  if (READ_BACK.ZERO.test(command)) device.guestError('read-back command with bit 0 set, which must be 0');
  for (let counter = 0; counter < COUNTERS; counter++) {
    if ((command & (READ_BACK.CNT0.mask << counter)) === 0) continue;
    if (!READ_BACK.COUNT.test(command)) latchCount(state, counter);
    if (READ_BACK.STATUS.test(command) || state.statusLatched.get(counter) === 1) continue;
    state.statusLatched.set(counter, 1);
    const out = levelOf(device, counter) ? STATUS.OUTPUT.mask : 0;
    const nullCount = STATUS.NULL_COUNT.set(0, state.nullCount.get(counter));
    state.status.set(counter, out | nullCount | state.control.get(counter));
  }
}

function writeCount(device: Pit, counter: Counter, value: number): void {
  const { state } = device;
  const access = CONTROL.RW.get(state.control.get(counter));
  const mode = modeOf(state, counter);
  // "Writing the first byte disables counting. OUT is set low immediately." So does the only byte.
  if (mode === 0) {
    state.counting.set(counter, 0);
    state.pending.set(counter, 0);
  }
  if (access === RW.WORD && state.msbNext.get(counter) === 0) {
    state.lsb.set(counter, value);
    state.msbNext.set(counter, 1);
    return;
  }
  const low = access === RW.WORD ? state.lsb.get(counter) : value;
  state.cr.set(counter, access === RW.LSB ? value : access === RW.MSB ? value << 8 : (value << 8) | low);
  state.msbNext.set(counter, 0);
  state.armed.set(counter, 1);
  state.nullCount.set(counter, 1);
  // A mode that a trigger starts waits for it; one that repeats takes a new count at the end of its period.
  if (mode === 0 || mode === 4 || (isPeriodic(mode) && state.counting.get(counter) === 0))
    state.pending.set(counter, 1);
  checkCount(device, counter);
}

function checkCount(device: Pit, counter: Counter): void {
  const { state } = device;
  if (isTooSmall(state, counter))
    device.guestError(`counter ${counter}: a count of 1 in mode ${modeOf(state, counter)}`);
  const cr = state.cr.get(counter);
  if (isBcd(state, counter) && toBcd(fromBcd(cr)) !== cr) {
    device.guestError(`counter ${counter}: the count 0x${cr.toString(16)} is not BCD`);
  }
}

/** Data sheet, "Read-Back Command": a latched status comes first, then a latched count, then the count as it is. */
function read(device: Pit, offset: number): number {
  const { state } = device;
  if (offset === CONTROL.offset) return FLOATING;
  if (state.statusLatched.get(offset) === 1) {
    state.statusLatched.set(offset, 0);
    return state.status.get(offset);
  }
  sync(device);
  const value = state.latched.get(offset) === 1 ? state.ol.get(offset) : elementOf(state, offset);
  const access = CONTROL.RW.get(state.control.get(offset));
  const high = access === RW.MSB || state.msbRead.get(offset) === 1;
  const first = access === RW.WORD && !high;
  state.msbRead.set(offset, Number(first));
  if (!first) state.latched.set(offset, 0);
  return high ? value >> 8 : value & 0xff;
}
