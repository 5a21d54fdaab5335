import { QtestError, type Vcpu, register, reserved, ro, rw, w1c, type Register } from '@qtest/sdk';

/**
 * Registers and a driver of the High Precision Event Timers (Intel, IA-PC HPET Specification, revision 1.0a, section 2.3,
 * "Register Model & Register Definitions"). Registers of 64 bits are two halves of 32, as software without 64-bit accesses
 * uses them: `GCAP_ID` is the low half, and its high half has the name of the field that it is.
 */

/** Where a PC has its first block. */
export const BASE = 0xfed0_0000;
/** Bytes of a block's registers. */
export const SIZE = 0x400;
/** Timers that a block has at least, and at most. */
export const MIN_TIMERS = 3;
export const MAX_TIMERS = 32;
/** Timers for whose registers a block has room. */
export const REACHABLE_TIMERS = 24;
/** Femtoseconds in a nanosecond: the unit of COUNTER_CLK_PERIOD. */
export const FS_PER_NS = 1_000_000;

/** General capabilities and ID. NUM_TIM_CAP is the number of the last timer. */
export const GCAP_ID = register('GCAP_ID', {
  offset: 0x000,
  width: 32,
  reset: 0x8086_a201,
  fields: {
    VENDOR_ID: ro(31, 16),
    LEG_RT_CAP: ro(15),
    ZERO: reserved(14),
    COUNT_SIZE_CAP: ro(13),
    NUM_TIM_CAP: ro(12, 8),
    REV_ID: ro(7, 0),
  },
});
/** Femtoseconds in a tick of the main counter. */
export const COUNTER_CLK_PERIOD = register('COUNTER_CLK_PERIOD', {
  offset: 0x004,
  width: 32,
  reset: 10 * FS_PER_NS,
  access: 'ro',
});
/** General configuration. Its high half is reserved. */
export const GEN_CONF = register('GEN_CONF', {
  offset: 0x010,
  width: 32,
  reset: 0,
  fields: { ZERO: reserved(31, 2), LEG_RT_CNF: rw(1), ENABLE_CNF: rw(0) },
  effect: 'ENABLE_CNF lets the main counter run and interrupts pass; LEG_RT_CNF gives timers 0 and 1 IRQ 0 and 8',
});
/** General interrupt status: bit n is timer n's, when it is level-triggered. */
export const GINTR_STA = register('GINTR_STA', {
  offset: 0x020,
  width: 32,
  reset: 0,
  fields: { Tn_INT_STS: w1c(31, 0) },
  effect: 'writing 1 clears, and lowers the line',
});
/** Main counter. It is to be written while it is halted. */
export const MAIN_CNT = register('MAIN_CNT', { offset: 0x0f0, width: 32, reset: 0, effect: 'counts with ENABLE_CNF' });
export const MAIN_CNT_HIGH = register('MAIN_CNT_HIGH', {
  offset: 0x0f4,
  width: 32,
  reset: 0,
  effect: 'counts with ENABLE_CNF',
});

/** Where timer 0's registers begin, and from there each other's. */
export const TIMERS = 0x100;
export const TIMER_SIZE = 0x20;

/** Configuration and capabilities of any timer, by offset from the timer's registers. */
export const TIM_CONF = register('TIM_CONF', {
  offset: 0x00,
  width: 32,
  reset: 0x30,
  fields: {
    ZERO_H: reserved(31, 16),
    FSB_INT_DEL_CAP: ro(15),
    FSB_EN_CNF: ro(14),
    INT_ROUTE_CNF: rw(13, 9),
    '32MODE_CNF': rw(8),
    ZERO_7: reserved(7),
    VAL_SET_CNF: rw(6),
    SIZE_CAP: ro(5),
    PER_INT_CAP: ro(4),
    TYPE_CNF: rw(3),
    INT_ENB_CNF: rw(2),
    INT_TYPE_CNF: rw(1),
    ZERO_0: reserved(0),
  },
  effect: 'VAL_SET_CNF lets the next write of the comparator set the accumulator, and falls then',
});
/** Interrupts to which the timer can be routed, a bit each. */
export const TIM_INT_ROUTE_CAP = register('TIM_INT_ROUTE_CAP', { offset: 0x04, width: 32, reset: 0x4, access: 'ro' });
/** Comparator; in periodic mode reads the accumulator, and is written with the period. */
export const TIM_COMP = register('TIM_COMP', { offset: 0x08, width: 32, reset: 0xffff_ffff });
export const TIM_COMP_HIGH = register('TIM_COMP_HIGH', { offset: 0x0c, width: 32, reset: 0xffff_ffff });
/** What a timer with FSB_INT_DEL_CAP writes where, as an interrupt. */
export const TIM_FSB_VAL = register('TIM_FSB_VAL', { offset: 0x10, width: 32, reset: 0, access: 'ro' });
export const TIM_FSB_ADDR = register('TIM_FSB_ADDR', { offset: 0x14, width: 32, reset: 0, access: 'ro' });

/** Offset in the block of a register of timer `n`. */
export function timerOffset(n: number, target: Register): number {
  return TIMERS + n * TIMER_SIZE + target.offset;
}

const ofTimer = (n: number): Register[] =>
  [TIM_CONF, TIM_INT_ROUTE_CAP, TIM_COMP, TIM_COMP_HIGH, TIM_FSB_VAL, TIM_FSB_ADDR].map((template: Register) => {
    const { name, reset, effect, fields } = template;
    return register(name.replace('TIM', `TIM${n}`), {
      offset: timerOffset(n, template),
      width: 32,
      fields: Object.fromEntries(fields.map((field) => [field.name, field])),
      ...(reset !== undefined && { reset }),
      ...(effect !== undefined && { effect }),
    });
  });

/** The registers that every block has: those of three timers are `TIM0_CONF` to `TIM2_FSB_ADDR`. */
export const REGISTERS: readonly Register[] = [
  GCAP_ID,
  COUNTER_CLK_PERIOD,
  GEN_CONF,
  GINTR_STA,
  MAIN_CNT,
  MAIN_CNT_HIGH,
  ...Array.from({ length: MIN_TIMERS }, (_, n) => ofTimer(n)).flat(),
];

/** How a timer gives its interrupts. */
export interface HpetInterrupt {
  /** The pin, one of TIM_INT_ROUTE_CAP. In legacy replacement mode it has no effect for timers 0 and 1. Default: unchanged. */
  readonly route?: number;
  /** Level-triggered: the line is up until `acknowledge()`. Default false. */
  readonly level?: boolean;
  /** Whether only the low 32 bits are compared. Default false. */
  readonly mode32?: boolean;
  /** Whether the timer gives interrupts. Its status bit is set in any case. Default true. */
  readonly enabled?: boolean;
}

/** A block of timers as a driver sees it. Every access is one of 32 bits, so it works on every backend. */
export interface Hpet {
  readonly base: number;
  /** Timers that the block has, and whose registers can be reached. */
  readonly timers: number;
  /** Femtoseconds in a tick of the main counter. */
  readonly periodFs: number;
  read(register: Register | number): number;
  write(register: Register | number, value: number): void;
  readTimer(n: number, register: Register): number;
  writeTimer(n: number, register: Register, value: number): void;
  /** Reads the main counter. Both halves are of one instant, although it runs. */
  counter(): bigint;
  /** Writes the main counter, which must be halted. */
  setCounter(value: bigint): void;
  /** Lets the main counter run and interrupts pass. */
  enable(): void;
  /** Halts the main counter and stops interrupts. */
  disable(): void;
  /** Switches legacy replacement: timer 0 drives IRQ 0 in place of the PIT, and timer 1 drives IRQ 8 in place of the RTC. */
  setLegacy(on: boolean): void;
  /** Ticks in `ns` nanoseconds, rounded up. */
  ticks(ns: bigint): bigint;
  /** Arms timer `n` for the counter's value `at`. */
  oneShot(n: number, at: bigint, options?: HpetInterrupt): void;
  /** Arms timer `n` for the counter's value `first` and each `period` ticks after it. */
  periodic(n: number, first: bigint, period: bigint, options?: HpetInterrupt): void;
  /** Stops the interrupts of timer `n`. */
  stop(n: number): void;
  /** The comparator of timer `n`. In periodic mode it is the counter's value at the next match. */
  comparator(n: number): bigint;
  /** The timers whose level-triggered interrupt is pending, a bit for each. */
  pending(): number;
  /** Clears the status of timer `n`, and lowers its line. */
  acknowledge(n: number): void;
}

/**
 * A driver of a block at `base`. It does nothing to the block by itself but read its capabilities.
 * @throws QtestError `DRIVER` when there is none: its period is not what the specification allows.
 */
export function timerBlock(vcpu: Vcpu, base: number = BASE): Hpet {
  const read = (at: Register | number): number => vcpu.readl(base + offsetOf(at));
  const write = (at: Register | number, value: number): void => vcpu.writel(base + offsetOf(at), value);
  const timers = Math.min(GCAP_ID.NUM_TIM_CAP.get(read(GCAP_ID)) + 1, REACHABLE_TIMERS);
  const periodFs = read(COUNTER_CLK_PERIOD);
  // Section 2.3.4: "a value of 0 is not permitted", and at most 100 ns.
  if (periodFs === 0 || periodFs > 100 * FS_PER_NS) {
    throw new QtestError(
      'DRIVER',
      `no HPET at 0x${base.toString(16)}: its period reads as 0x${periodFs.toString(16)} fs`,
    );
  }
  const offset = (n: number, target: Register): number => {
    if (Number.isInteger(n) && n >= 0 && n < timers) return timerOffset(n, target);
    throw new RangeError(`HPET timer ${n}: the block at 0x${base.toString(16)} has the timers 0 to ${timers - 1}`);
  };
  const readTimer = (n: number, target: Register): number => read(offset(n, target));
  const writeTimer = (n: number, target: Register, value: number): void => write(offset(n, target), value);
  /** Both halves, read so that the low one did not wrap in between. */
  const readBoth = (low: () => number, high: () => number): bigint => {
    for (;;) {
      const before = high();
      const value = low();
      if (high() === before) return (BigInt(before) << 32n) | BigInt(value);
    }
  };
  const setConf = (n: number, options: HpetInterrupt, periodic: boolean): number => {
    const { route, level = false, mode32 = false, enabled = true } = options;
    let conf = readTimer(n, TIM_CONF);
    conf = TIM_CONF.TYPE_CNF.set(conf, Number(periodic));
    conf = TIM_CONF.VAL_SET_CNF.set(conf, 0);
    conf = TIM_CONF.INT_TYPE_CNF.set(conf, Number(level));
    conf = TIM_CONF['32MODE_CNF'].set(conf, Number(mode32));
    conf = TIM_CONF.INT_ENB_CNF.set(conf, Number(enabled));
    if (route !== undefined) conf = TIM_CONF.INT_ROUTE_CNF.set(conf, route);
    writeTimer(n, TIM_CONF, conf);
    return conf;
  };
  const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
  const high = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));

  return {
    base,
    timers,
    periodFs,
    read,
    write,
    readTimer,
    writeTimer,
    counter: () =>
      readBoth(
        () => read(MAIN_CNT),
        () => read(MAIN_CNT_HIGH),
      ),
    setCounter(value) {
      write(MAIN_CNT, low(value));
      write(MAIN_CNT_HIGH, high(value));
    },
    enable: () => write(GEN_CONF, GEN_CONF.ENABLE_CNF.set(read(GEN_CONF), 1)),
    disable: () => write(GEN_CONF, GEN_CONF.ENABLE_CNF.set(read(GEN_CONF), 0)),
    setLegacy: (on) => write(GEN_CONF, GEN_CONF.LEG_RT_CNF.set(read(GEN_CONF), Number(on))),
    ticks: (ns) => (ns * BigInt(FS_PER_NS) + BigInt(periodFs) - 1n) / BigInt(periodFs),
    oneShot(n, at, options = {}) {
      const mode32 = options.mode32 ?? false;
      // Without its interrupt while the comparator is half written.
      setConf(n, { ...options, enabled: false }, false);
      if (!mode32) writeTimer(n, TIM_COMP_HIGH, high(at));
      writeTimer(n, TIM_COMP, low(at));
      setConf(n, options, false);
    },
    periodic(n, first, period, options = {}) {
      const mode32 = options.mode32 ?? false;
      const conf = TIM_CONF.VAL_SET_CNF.set(setConf(n, { ...options, enabled: false }, true), 1);
      // ICH6 data sheet, section 5.18.3: VAL_SET before each half.
      writeTimer(n, TIM_CONF, conf);
      writeTimer(n, TIM_COMP, low(first));
      if (!mode32) {
        writeTimer(n, TIM_CONF, conf);
        writeTimer(n, TIM_COMP_HIGH, high(first));
      }
      writeTimer(n, TIM_COMP, low(period));
      if (!mode32) writeTimer(n, TIM_COMP_HIGH, high(period));
      setConf(n, options, true);
    },
    stop: (n) => writeTimer(n, TIM_CONF, TIM_CONF.INT_ENB_CNF.set(readTimer(n, TIM_CONF), 0)),
    comparator: (n) =>
      readBoth(
        () => readTimer(n, TIM_COMP),
        () => readTimer(n, TIM_COMP_HIGH),
      ),
    pending: () => read(GINTR_STA),
    acknowledge: (n) => write(GINTR_STA, 2 ** n),
  };
}

function offsetOf(at: Register | number): number {
  return typeof at === 'number' ? at : at.offset;
}
