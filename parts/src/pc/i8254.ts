import { nanoseconds, type Duration, type Vcpu, register, reserved, ro, rw, wo, type Register } from '@qtest/sdk';

/**
 * Registers and a small driver of the 8254 programmable interval timer (Intel, 8254 data sheet, 231164, "Programming the 8254")
 * at its place in a PC, and of port 0x61 (Intel, 82371SB data sheet, "NMISC"), which has GATE 2 and OUT 2.
 *
 * A count is written and read by the byte, as RW of the last control word says: one of its bytes, or the low one and then
 * the high one.
 */

const COUNTER_EFFECT =
  'reads the status when it is latched, else the count; writing gives the counter a new initial count';

export const COUNTER_0 = register('COUNTER_0', { offset: 0, access: 'ro', effect: COUNTER_EFFECT });
export const COUNTER_1 = register('COUNTER_1', { offset: 1, access: 'ro', effect: COUNTER_EFFECT });
export const COUNTER_2 = register('COUNTER_2', { offset: 2, access: 'ro', effect: COUNTER_EFFECT });

/** The control word, when SC selects a counter. RW = 0 is the counter latch command, which has no mode. */
export const CONTROL = register('CONTROL', {
  offset: 3,
  fields: { SC: wo(7, 6), RW: wo(5, 4), M: wo(3, 1), BCD: wo(0) },
  effect:
    'stops the counter and puts OUT to its initial level; SC = 3 is the read-back command, RW = 0 latches the count',
});

/** The control word, when SC is 3. COUNT and STATUS latch when they are 0. */
export const READ_BACK = register('READ_BACK', {
  offset: 3,
  fields: { SC: wo(7, 6), COUNT: wo(5), STATUS: wo(4), CNT2: wo(3), CNT1: wo(2), CNT0: wo(1), ZERO: reserved(0) },
});

/** What a counter's port gives after its status has been latched; its low six bits are those of the control word. */
export const STATUS = register('STATUS', {
  offset: 0,
  fields: { OUTPUT: ro(7), NULL_COUNT: ro(6), RW: ro(5, 4), M: ro(3, 1), BCD: ro(0) },
});

/** Every register that answers at a port of its own, by its offset. */
export const REGISTERS: readonly Register[] = [COUNTER_0, COUNTER_1, COUNTER_2, CONTROL];

/** The PC's port 0x61, in part the PIT's: GATE of counter 2, its OUT, and what the speaker hears. */
export const NMISC = register('NMISC', {
  offset: 0,
  reset: 0,
  fields: {
    SERR: ro(7),
    IOCHK: ro(6),
    OUT2: ro(5),
    REFRESH: ro(4),
    IOCHK_DISABLE: rw(3),
    SERR_DISABLE: rw(2),
    SPKR: rw(1),
    GATE2: rw(0),
  },
  effect: 'GATE2 starts and stops counter 2',
});

/** SC of the read-back command. */
export const SELECT_READ_BACK = 0b11;

/** RW: which bytes of a count are written and read. */
export const RW = { LATCH: 0b00, LSB: 0b01, MSB: 0b10, WORD: 0b11 } as const;

export const BASE = 0x40;
export const NMISC_PORT = 0x61;
export const COUNTERS = 3;

/** CLK of all three counters in a PC, in Hz. */
export const OSCILLATOR = 1_193_182;

const HZ = BigInt(OSCILLATOR);
const SECOND = 1_000_000_000n;

/** Pulses of CLK that are complete `ns` nanoseconds after its first instant. */
export function ticksIn(ns: bigint): bigint {
  return (ns * HZ) / SECOND;
}

/** The first nanosecond in which `ticks` pulses of CLK are complete. */
export function nsOf(ticks: bigint | number): bigint {
  return (BigInt(ticks) * SECOND + HZ - 1n) / HZ;
}

/**
 * The count whose length comes closest to `duration`.
 * @throws RangeError when it is not 1 to 65536.
 */
export function countFor(duration: Duration): number {
  return checkCount(Number((nanoseconds(duration) * HZ + SECOND / 2n) / SECOND), 0x1_0000);
}

/**
 * The count whose rate comes closest to `hz`, in modes 2 and 3.
 * @throws RangeError when it is not 2 to 65536. The lowest rate is 18.2 Hz.
 */
export function countForHz(hz: number): number {
  const count = Math.round(OSCILLATOR / hz);
  if (count === 1) throw new RangeError(`${hz} Hz is more than half of CLK's ${OSCILLATOR} Hz`);
  return checkCount(count, 0x1_0000);
}

/** Number of a counter. */
export type PitCounter = 0 | 1 | 2;
/** What a counter does. */
export type PitMode = 0 | 1 | 2 | 3 | 4 | 5;
/** Which bytes of a count are written and read. */
export type PitAccess = 'lsb' | 'msb' | 'word';

const ACCESS = { lsb: RW.LSB, msb: RW.MSB, word: RW.WORD } as const;

/** How the bytes of a counter are written and read. */
export interface PitFormat {
  /** Default `word`. With `lsb` and `msb` the other byte of an initial count is 0. */
  readonly access?: PitAccess;
  /** Counts in four decades. Default false. */
  readonly bcd?: boolean;
}

/** A status byte, taken apart. */
export interface PitStatus {
  /** Level of OUT. */
  readonly out: boolean;
  /** The last count that was written has not been loaded yet. */
  readonly nullCount: boolean;
  /** As written, 0 to 7. */
  readonly mode: number;
  readonly access: PitAccess;
  readonly bcd: boolean;
}

/** Status and count of one instant. */
export interface PitReading extends PitStatus {
  /** 0 to 65535, or to 9999; a byte that the access leaves out is 0. */
  readonly count: number;
}

/** The 8254 as a driver sees it. */
export interface Pit {
  /** Port of counter 0. */
  readonly base: number;
  /**
   * Writes a control word and an initial count: `count` ticks, 1 to 65536 (to 10000 in BCD; the largest is written as 0).
   * @throws RangeError when the count is out of range, or has digits that the access does not write.
   */
  program(counter: PitCounter, mode: PitMode, count: number, format?: PitFormat): void;
  /** Writes a new initial count. Give the counter's format: the driver does not remember it. */
  load(counter: PitCounter, count: number, format?: PitFormat): void;
  /** Gives the counter latch command: the count is kept for the next read of the port. */
  latch(counter: PitCounter): void;
  /** Reads the counter's port once, or twice in the access `word`, and decodes BCD. A latched value comes first. */
  read(counter: PitCounter, format?: PitFormat): number;
  /** Latches the counter's status by a read-back command, and reads it. */
  status(counter: PitCounter): PitStatus;
  /** Latches status and count of the counters by one read-back command, and reads them. The status says the format. */
  readBack<const C extends readonly PitCounter[]>(...counters: C): { readonly [K in keyof C]: PitReading };
  /**
   * Waits for machine time, by a counter whose GATE is high: it programs the counter in mode 0 and polls it. The wait is at least
   * `duration`. For each 54 ms it is at most a tick and a step of the poll longer.
   */
  delay(duration: Duration, options?: { readonly counter?: PitCounter; readonly step?: Duration }): void;
}

/** Makes a driver of the 8254 on a VCPU. */
export function pit(vcpu: Vcpu, base = BASE): Pit {
  const command = (value: number): void => vcpu.outb(base + CONTROL.offset, value);
  const port = (counter: PitCounter): number => base + checkCounter(counter);

  const write = (counter: PitCounter, bytes: readonly number[]): void => {
    for (const byte of bytes) vcpu.outb(port(counter), byte);
  };
  const read = (counter: PitCounter, { access = 'word', bcd = false }: PitFormat = {}): number => {
    const low = access === 'msb' ? 0 : vcpu.inb(port(counter));
    const high = access === 'lsb' ? 0 : vcpu.inb(port(counter));
    return bcd ? fromBcd((high << 8) | low) : (high << 8) | low;
  };
  const decode = (status: number): PitStatus => {
    const rw = STATUS.RW.get(status);
    return {
      out: STATUS.OUTPUT.test(status),
      nullCount: STATUS.NULL_COUNT.test(status),
      mode: STATUS.M.get(status),
      access: rw === RW.LSB ? 'lsb' : rw === RW.MSB ? 'msb' : 'word',
      bcd: STATUS.BCD.test(status),
    };
  };
  const program = (counter: PitCounter, mode: PitMode, count: number, format: PitFormat = {}): void => {
    const { access = 'word', bcd = false } = format;
    const rw = CONTROL.RW.set(CONTROL.SC.set(0, checkCounter(counter)), ACCESS[access]);
    const bytes = bytesOf(count, format);
    command(CONTROL.BCD.set(CONTROL.M.set(rw, mode), Number(bcd)));
    write(counter, bytes);
  };
  const status = (counter: PitCounter): PitStatus => {
    command(READ_BACK.SC.mask | READ_BACK.COUNT.mask | selectBit(counter));
    return decode(vcpu.inb(port(counter)));
  };

  return {
    base,
    program,
    load: (counter, count, format) => write(counter, bytesOf(count, format)),
    latch: (counter) => command(CONTROL.SC.set(0, checkCounter(counter))),
    read,
    status,
    readBack(...counters) {
      command(counters.reduce((bits: number, counter) => bits | selectBit(counter), READ_BACK.SC.mask));
      const readings = counters.map((counter): PitReading => {
        const format = decode(vcpu.inb(port(counter)));
        return { ...format, count: read(counter, format) };
      });
      // `map` of a tuple has the tuple's length, which its type cannot say.
      return readings as { readonly [K in keyof typeof counters]: PitReading };
    },
    delay(duration, { counter = 2, step = '1us' } = {}) {
      let ticks = Number((nanoseconds(duration) * HZ + SECOND - 1n) / SECOND);
      while (ticks > 0) {
        const count = Math.min(ticks, 0x1_0000);
        program(counter, 0, count);
        vcpu.poll(() => status(counter).out, { timeout: nsOf(count) * 2n + nanoseconds('1ms'), step });
        ticks -= count;
      }
    },
  };
}

/** A count as the port takes it. */
function bytesOf(count: number, { access = 'word', bcd = false }: PitFormat = {}): readonly number[] {
  const limit = bcd ? 10_000 : 0x1_0000;
  const ticks = checkCount(count, limit) % limit;
  const raw = bcd ? toBcd(ticks) : ticks;
  const [low, high] = [raw & 0xff, raw >> 8];
  if ((access === 'lsb' && high !== 0) || (access === 'msb' && low !== 0)) {
    throw new RangeError(
      `a count of ${count}: the access '${access}' writes only one byte of it, and the other is not 0`,
    );
  }
  return access === 'word' ? [low, high] : [access === 'lsb' ? low : high];
}

function selectBit(counter: PitCounter): number {
  return READ_BACK.CNT0.mask << checkCounter(counter);
}

function checkCounter(counter: number): number {
  if (!Number.isInteger(counter) || counter < 0 || counter >= COUNTERS) {
    throw new RangeError(`${counter} is no counter of the 8254: give 0, 1 or 2`);
  }
  return counter;
}

function checkCount(count: number, largest: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= largest) return count;
  throw new RangeError(`${count} is no count of the 8254: give an integer from 1 to ${largest}`);
}

/** A number from 0 to 9999 in four decades. */
function toBcd(value: number): number {
  return Number.parseInt(String(value), 16);
}

function fromBcd(value: number): number {
  return Number.parseInt(value.toString(16), 10);
}
