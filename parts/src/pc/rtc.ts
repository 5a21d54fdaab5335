import { QtestError, type Vcpu, type Register } from '@qtest/sdk';
import * as mc146818 from './mc146818.ts';

const { A, ALARM_ANY, B, C } = mc146818;

/** Bit 7 of the hours and of the hours' alarm, in 12-hour mode. */
const PM = 0x80;

/** How often `readTime()` begins anew when an update comes in between. */
const READ_ATTEMPTS = 16;

/** The time and date of an RTC, whatever the format of its bytes. */
export interface RtcTime {
  /** The year with its century (2011). It is 0 to 99 when the driver was told that there is no century byte. */
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
  /** 1 is Sunday, 7 is Saturday. */
  readonly weekday: number;
  /** 0 to 23, in both hour formats. */
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

/** An alarm. A part that is left out matches every value. */
export type RtcAlarm = Partial<Pick<RtcTime, 'hours' | 'minutes' | 'seconds'>>;

/** Interrupt enables, by the names of their bits in register B. */
export type RtcInterrupt = 'PIE' | 'AIE' | 'UIE';

/**
 * A driver of the MC146818, as an operating system would have it. It uses only `inb`, `outb` and `poll`, so it works on every backend. You may
 * use it in a handler that interrupts another use of it. VCPUs that share a part need a lock around each call.
 */
export interface Rtc {
  /** Port of the index; the data port follows. */
  readonly base: number;
  /** Index of the century byte; 0 for none. */
  readonly centuryByte: number;
  /** Reads a register or a byte of RAM, 0 to 0x7f. Reading C clears its flags. */
  read(register: Register | number): number;
  /** Writes a register or a byte of RAM, 0 to 0x7f. */
  write(register: Register | number, value: number): void;
  /** Replaces some fields of a register and keeps the others: `modify(rtc.B, { SET: 1, PIE: 0 })`. Not for C, whose reading has an effect. */
  modify<F extends string>(register: Register<F>, fields: Readonly<Partial<Record<F, number>>>): void;
  /** Whether an update is in progress or begins within 244 us. */
  updateInProgress(): boolean;
  /**
   * Reads the time, and decodes it by DM and 24/12. It waits while UIP is up (in virtual time the clock moves by as much). It reads again
   * when an update came in between.
   * @throws QtestError `DRIVER` when an update disturbed every attempt; the error of `vcpu.poll` when UIP stays up for a second.
   */
  readTime(): RtcTime;
  /**
   * Writes the time while SET is set, encoded by DM and 24/12. A field may have an impossible value: it is written as it is. Afterwards B is
   * as it was before, with UIE, which SET clears in between.
   */
  setTime(time: RtcTime): void;
  readAlarm(): RtcAlarm;
  setAlarm(alarm: RtcAlarm): void;
  /** Chooses the format of the bytes of time and alarm. The hardware does not convert the bytes that are there: set the time afterwards. */
  setFormat(format: { readonly binary?: boolean; readonly hours24?: boolean }): void;
  enable(...interrupts: readonly RtcInterrupt[]): void;
  disable(...interrupts: readonly RtcInterrupt[]): void;
  /** Chooses the periodic rate by RS, 0 (none) to 15. */
  setRate(rs: number): void;
  /** Reads C, which clears all flags and lowers the line. Gives the value of C: test it with `rtc.C.UF.test(value)`. */
  acknowledge(): number;
  /** Holds the divider in reset: the time stands still. */
  holdDivider(): void;
  /** Lets the divider run from the 32.768 kHz oscillator. After `holdDivider()` the next update begins 500 ms later. */
  releaseDivider(): void;
}

function drive(vcpu: Vcpu, base = 0x70, centuryByte = 0x32): Rtc {
  // The index that is selected for an access that has not been made yet. The port cannot be read, and an interrupt may be
  // taken between index and data: a handler that uses this driver puts the index back.
  let selected: number | undefined;
  const leave = (interrupted: number | undefined): void => {
    selected = interrupted;
    if (interrupted !== undefined) vcpu.outb(base, interrupted);
  };
  const read = (register: Register | number): number => {
    const index = indexOf(register);
    const interrupted = selected;
    selected = index;
    try {
      vcpu.outb(base, index);
      return vcpu.inb(base + 1);
    } finally {
      leave(interrupted);
    }
  };
  const write = (register: Register | number, value: number): void => {
    const index = indexOf(register);
    const interrupted = selected;
    selected = index;
    try {
      vcpu.outb(base, index);
      vcpu.outb(base + 1, value);
    } finally {
      leave(interrupted);
    }
  };
  const modify = <F extends string>(register: Register<F>, fields: Readonly<Partial<Record<F, number>>>): void => {
    let value = read(register);
    for (const field of register.fields) {
      // The names of `register.fields` are F, which an array's type cannot say.
      const content = fields[field.name as F];
      if (content !== undefined) value = field.set(value, content);
    }
    write(register, value);
  };
  const updateInProgress = (): boolean => A.UIP.test(read(A));
  const setEnables = (interrupts: readonly RtcInterrupt[], on: number): void =>
    modify(B, Object.fromEntries(interrupts.map((name) => [name, on])));

  return {
    base,
    centuryByte,
    read,
    write,
    modify,
    updateInProgress,

    readTime() {
      for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        if (updateInProgress()) vcpu.poll(() => !updateInProgress(), { timeout: '1s', step: '10us' });
        const seconds = read(mc146818.SECONDS);
        const minutes = read(mc146818.MINUTES);
        const hours = read(mc146818.HOURS);
        const weekday = read(mc146818.DAY_OF_WEEK);
        const day = read(mc146818.DAY_OF_MONTH);
        const month = read(mc146818.MONTH);
        const year = read(mc146818.YEAR);
        const century = centuryByte === 0 ? 0 : read(centuryByte);
        // A slow backend may have spent the 244 us between UIP and here.
        if (updateInProgress() || read(mc146818.SECONDS) !== seconds) continue;
        const b = read(B);
        const number = (byte: number): number => (B.DM.test(b) ? byte : fromBcd(byte));
        return {
          year: (centuryByte === 0 ? 0 : number(century) * 100) + number(year),
          month: number(month),
          day: number(day),
          weekday: number(weekday),
          hours: decodeHours(hours, b),
          minutes: number(minutes),
          seconds: number(seconds),
        };
      }
      throw new QtestError(
        'DRIVER',
        `the RTC at port 0x${base.toString(16)} was updated during each of ${READ_ATTEMPTS} attempts to read its time`,
      );
    },

    setTime(time) {
      const b = read(B);
      const byte = (value: number): number => (B.DM.test(b) ? value & 0xff : toBcd(value));
      write(B, B.SET.set(b, 1));
      write(mc146818.SECONDS, byte(time.seconds));
      write(mc146818.MINUTES, byte(time.minutes));
      write(mc146818.HOURS, encodeHours(time.hours, b));
      write(mc146818.DAY_OF_WEEK, byte(time.weekday));
      write(mc146818.DAY_OF_MONTH, byte(time.day));
      write(mc146818.MONTH, byte(time.month));
      write(mc146818.YEAR, byte(time.year % 100));
      if (centuryByte !== 0) write(centuryByte, byte(Math.floor(time.year / 100)));
      write(B, b);
    },

    readAlarm() {
      const b = read(B);
      const parts = {
        hours: read(mc146818.HOURS_ALARM),
        minutes: read(mc146818.MINUTES_ALARM),
        seconds: read(mc146818.SECONDS_ALARM),
      };
      const number = (byte: number): number => (B.DM.test(b) ? byte : fromBcd(byte));
      return {
        ...(parts.hours < ALARM_ANY && { hours: decodeHours(parts.hours, b) }),
        ...(parts.minutes < ALARM_ANY && { minutes: number(parts.minutes) }),
        ...(parts.seconds < ALARM_ANY && { seconds: number(parts.seconds) }),
      };
    },

    setAlarm({ hours, minutes, seconds }) {
      const b = read(B);
      const byte = (value: number | undefined): number =>
        value === undefined ? ALARM_ANY : B.DM.test(b) ? value & 0xff : toBcd(value);
      write(mc146818.HOURS_ALARM, hours === undefined ? ALARM_ANY : encodeHours(hours, b));
      write(mc146818.MINUTES_ALARM, byte(minutes));
      write(mc146818.SECONDS_ALARM, byte(seconds));
    },

    setFormat({ binary, hours24 }) {
      modify(B, {
        ...(binary !== undefined && { DM: Number(binary) }),
        ...(hours24 !== undefined && { '24H': Number(hours24) }),
      });
    },

    enable: (...interrupts) => setEnables(interrupts, 1),
    disable: (...interrupts) => setEnables(interrupts, 0),

    setRate(rs) {
      checkRate(rs);
      modify(A, { RS: rs });
    },

    acknowledge: () => read(C),
    holdDivider: () => modify(A, { DV: mc146818.DV_RESET }),
    releaseDivider: () => modify(A, { DV: mc146818.DV_32768HZ }),
  };
}

function periodNs(rs: number): number {
  checkRate(rs);
  if (rs === 0) throw new RangeError('RS 0 switches the periodic rate off: it has no period');
  return (mc146818.periodTicks(rs) * 1e9) / mc146818.OSCILLATOR;
}

function rateOf(hz: number): number {
  const rs = 16 - Math.log2(hz);
  if (!Number.isInteger(rs) || rs < 3 || rs > 15) {
    throw new RangeError(`${hz} Hz is not a rate of the MC146818: give a power of two from 2 to 8192`);
  }
  return rs;
}

function checkRate(rs: number): void {
  if (!Number.isInteger(rs) || rs < 0 || rs > 15) throw new RangeError(`${rs} is not a rate selection: give 0 to 15`);
}

function indexOf(register: Register | number): number {
  const index = typeof register === 'number' ? register : register.offset;
  if (!Number.isInteger(index) || index < 0 || index >= mc146818.SIZE) {
    throw new RangeError(`${index} is not an index of the MC146818: give 0 to 0x7f`);
  }
  return index;
}

function toBcd(value: number): number {
  return (Math.floor((value % 100) / 10) << 4) | (value % 10);
}

function fromBcd(byte: number): number {
  return (byte >> 4) * 10 + (byte & 0x0f);
}

function decodeHours(byte: number, b: number): number {
  if (B['24H'].test(b)) return B.DM.test(b) ? byte : fromBcd(byte);
  const hours = B.DM.test(b) ? byte & ~PM : fromBcd(byte & ~PM);
  return (hours % 12) + ((byte & PM) === 0 ? 0 : 12);
}

function encodeHours(hours: number, b: number): number {
  const byte = (value: number): number => (B.DM.test(b) ? value & 0xff : toBcd(value));
  if (B['24H'].test(b)) return byte(hours);
  return byte(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? PM : 0);
}

/** `rtc(vcpu)` makes a driver. `rtc` also has the part's registers and constants: `rtc.A.UIP`, `rtc.B`, `rtc.OSCILLATOR`. */
export interface RtcDriver extends Readonly<typeof mc146818> {
  /**
   * Makes a driver of an MC146818. That alone changes nothing on the part.
   * @param base the port of its index; the data port follows. Default 0x70.
   * @param centuryByte the index of its century byte: 0x32 (AT, the default), 0x37 (PS/2), or 0 for none.
   */
  (vcpu: Vcpu, base?: number, centuryByte?: number): Rtc;
  /**
   * Nanoseconds in one period of rate selection `rs`, 1 to 15. It is a whole number only for periods of 64 ticks and more. The
   * others are exact as well, because they need few binary places.
   * @throws RangeError for RS 0, which is no rate, and for what is not an RS.
   */
  readonly periodNs: (rs: number) => number;
  /**
   * The rate selection for a rate in Hz: a power of two from 2 to 8192.
   * @throws RangeError for any other rate.
   */
  readonly rateOf: (hz: number) => number;
  /** A number from 0 to 99 as binary-coded decimal. Of a larger number it takes the last two digits. */
  readonly toBcd: (value: number) => number;
  /** The number that two digits of binary-coded decimal stand for. */
  readonly fromBcd: (byte: number) => number;
}

/** The driver of the MC146818 real-time clock. */
export const rtc: RtcDriver = Object.assign(drive, mc146818, { periodNs, rateOf, toBcd, fromBcd });
