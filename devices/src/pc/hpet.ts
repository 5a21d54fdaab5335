/**
 * IA-PC high precision event timers: one block of a 64-bit main counter of 100 MHz and 3 to 32 comparators.
 *
 * Intel, IA-PC HPET (High Precision Event Timers) Specification, revision 1.0a, October 2004: section 2.3, "Register model",
 * and 2.3.9.2, "Timer operation". Intel 82801FB (ICH6) data sheet, section 5.18 and chapter 20, where the specification leaves a
 * choice: a route is not checked when it is written, and VAL_SET is for one write of a half.
 *
 * A comparator matches when the counter comes to its value, never because it is there already or beyond. In 64-bit mode that
 * is once in 5849 years; in 32-bit mode each 43 s, and a one-shot timer interrupts also when the counter's low half wraps to 0.
 * A periodic timer's accumulator goes on by the last value written at each match. Its interrupts are at least 1 us apart: of a
 * period below 100 ticks each match moves the accumulator, and as many as it takes are one interrupt.
 *
 * Pin n of `irq` is interrupt n of the board. With LEG_RT_CNF timer 0 is pin 0, which a board wires to IRQ 0 of the 8259A and to
 * input 2 of the I/O APIC, and timer 1 is pin 8. Without it these pins follow the inputs `pit` and `rtc`: a board that passes its
 * PIT and its RTC through here has them silenced in legacy mode, as the specification asks. An edge is a pulse without length,
 * which an 8259A holds only if its `fallenRequest` is `latched`.
 *
 * Registers take aligned accesses of 4 bytes; one of 8 bytes arrives as two halves, low first, between which other VCPUs may
 * come. For its sake VAL_SET, which falls with the low half, still lets the high half that is written next set the accumulator.
 *
 * Not modelled: interrupts as FSB messages (FSB_INT_DEL_CAP is 0, and their registers read as 0). A block of more than 24 timers
 * can be had, as QEMU's, but its 1 KiB has the registers of no more.
 *
 * Other than QEMU's: QEMU fires at once for a 64-bit comparator that the counter has reached or passed; interrupts once for a
 * 32-bit one-shot timer, and for a wrap only if that comes first; spaces close periodic interrupts 1 us apart without regard to
 * the matches; gives interrupts at routes that INT_ROUTE_CAP lacks (here: none); keeps FSB_EN_CNF and the FSB route; lets the
 * registers of the timer after the last be accessed; leaves IRQ 0 low after legacy mode until the PIT's output changes.
 */
import { array, bytes, defineDevice, deviceSchema, property, type DeviceOf } from '@qtest/sdk';
import { hpet as part } from '@qtest/parts/pc';

const { COUNTER_CLK_PERIOD, FS_PER_NS, GCAP_ID, GEN_CONF, GINTR_STA, MAIN_CNT, MAIN_CNT_HIGH, MAX_TIMERS } = part;
const { REGISTERS, TIMERS, TIMER_SIZE, TIM_COMP, TIM_COMP_HIGH, TIM_CONF, TIM_FSB_ADDR } = part;
const { TIM_FSB_VAL, TIM_INT_ROUTE_CAP } = part;

/** Femtoseconds in a tick, as QEMU; and nanoseconds. */
const PERIOD_FS = 10_000_000;
const PERIOD_NS = BigInt(PERIOD_FS / FS_PER_NS);

/** Ticks from one interrupt of a periodic timer to its next, at least: 1 us. */
const CLOSEST = 100n;

/** The last instant that a deadline can be. */
const LAST_INSTANT = 2n ** 63n - 1n;

/** Section 2.3.9.1, "LegacyReplacement Route": the pins of timers 0 and 1. */
const PIT_IRQ = 0;
const RTC_IRQ = 8;
const PINS = 32;
/** A route that leads nowhere. */
const NO_PIN = -1;

/** What the next write of a comparator does to the accumulator: VAL_SET is 1; it was, and the low half has been written. */
const SETTABLE = { NONE: 0, BOTH: 1, HIGH: 2 } as const;

const schema = deviceSchema({
  type: 'hpet',
  description: 'IA-PC high precision event timers',
  properties: {
    base: property.number({ default: part.BASE, max: 0xffff_fc00, description: 'address of the registers' }),
    timers: property.number({ default: part.MIN_TIMERS, min: part.MIN_TIMERS, max: MAX_TIMERS, description: 'timers' }),
    intcap: property.number({
      default: 0x4,
      min: 1,
      description: 'pins to which every timer can be routed, a bit each',
    }),
  },
  // Arrays have one element for each timer.
  state: {
    genConf: 'u8',
    /** General interrupt status. */
    status: 'u32',
    /** The main counter at the time `since`, in ns; up to there, matches have been handled. While it is halted: the counter. */
    counter: 'i64',
    since: 'i64',
    /** Without VAL_SET. */
    conf: array('u32', MAX_TIMERS),
    /** Comparator, in periodic mode the accumulator. Of a `merged` timer: its next match that interrupts. */
    comparatorLow: array('u32', MAX_TIMERS),
    comparatorHigh: array('u32', MAX_TIMERS),
    periodLow: array('u32', MAX_TIMERS),
    periodHigh: array('u32', MAX_TIMERS),
    /** One of `SETTABLE`. */
    settable: bytes(MAX_TIMERS),
    /** 1 when matches come before the one in `comparator` that do not interrupt. */
    merged: bytes(MAX_TIMERS),
    /** Pins with an edge to give. */
    pulses: 'u32',
    /** Pins that are high. */
    driven: 'u32',
    /** Levels at the inputs. They are the pins', not the part's: a warm reset leaves them. */
    pit: 'bool',
    rtc: 'bool',
  },
  regions: ({ base }) => ({ registers: { space: 'memory', base, size: part.SIZE, access: { min: 4, max: 4 } } }),
  registers: { registers: { registers: REGISTERS } },
  timers: ['match'],
  outputs: { irq: { count: PINS } },
  inputs: { pit: {}, rtc: {} },
});

type Hpet = DeviceOf<typeof schema>;

export const hpet = defineDevice(schema, {
  reset,
  updateIrq,
  regions: { registers: { read, write } },
  timers: { match: handleMatches },
  inputs: {
    pit: (device, _pin, level) => {
      device.state.pit = level;
      updateIrq(device);
    },
    rtc: (device, _pin, level) => {
      device.state.rtc = level;
      updateIrq(device);
    },
  },
});

function reset({ state, timers }: Hpet): void {
  state.genConf = 0;
  state.status = 0;
  state.counter = 0n;
  state.since = 0n;
  state.conf.fill(TIM_CONF.reset ?? 0);
  state.comparatorLow.fill(TIM_COMP.reset ?? 0);
  state.comparatorHigh.fill(TIM_COMP_HIGH.reset ?? 0);
  state.periodLow.fill(0);
  state.periodHigh.fill(0);
  state.settable.fill(SETTABLE.NONE);
  state.merged.fill(0);
  state.pulses = 0;
  timers.match.cancel();
}

// Interrupts.

/** The pin to which timer `n` is routed. */
function pinOf({ state, properties }: Hpet, n: number): number {
  if (n < 2 && GEN_CONF.LEG_RT_CNF.test(state.genConf)) return n === 0 ? PIT_IRQ : RTC_IRQ;
  const route = TIM_CONF.INT_ROUTE_CNF.get(state.conf.get(n));
  return hasBit(properties.intcap, route) ? route : NO_PIN;
}

/** Pins that are to be high: those of level-triggered timers, and outside legacy mode those that the PIT and the RTC have. */
function levels(device: Hpet): number {
  const { state } = device;
  let pins = 0;
  if (!GEN_CONF.LEG_RT_CNF.test(state.genConf)) {
    if (state.pit) pins |= bit(PIT_IRQ);
    if (state.rtc) pins |= bit(RTC_IRQ);
  }
  if (state.status === 0 || !GEN_CONF.ENABLE_CNF.test(state.genConf)) return pins;
  for (let n = 0; n < device.properties.timers; n++) {
    if (!hasBit(state.status, n) || !TIM_CONF.INT_ENB_CNF.test(state.conf.get(n))) continue;
    const pin = pinOf(device, n);
    if (pin !== NO_PIN) pins |= bit(pin);
  }
  return pins;
}

function updateIrq(device: Hpet): void {
  const { state, out } = device;
  const pins = levels(device);
  const { pulses } = state;
  const touched = (pins ^ state.driven) | pulses;
  state.pulses = 0;
  state.driven = pins;
  if (touched === 0) return;
  for (let pin = 0; pin < PINS; pin++) {
    if (!hasBit(touched, pin)) continue;
    if (hasBit(pulses, pin)) out.irq.set(true, pin);
    out.irq.set(hasBit(pins, pin), pin);
  }
}

// The main counter and the comparators. Distances are in ticks, from the counter as the state has it.

function runs({ state }: Hpet): boolean {
  return GEN_CONF.ENABLE_CNF.test(state.genConf);
}

/** Ticks since the time at which the state has the counter. */
function elapsed(device: Hpet): bigint {
  return runs(device) ? (device.now() - device.state.since) / PERIOD_NS : 0n;
}

function widthOf(conf: number): 32 | 64 {
  return TIM_CONF['32MODE_CNF'].test(conf) ? 32 : 64;
}

function comparator({ state }: Hpet, n: number): bigint {
  return join(state.comparatorLow.get(n), state.comparatorHigh.get(n));
}

function setComparator({ state }: Hpet, n: number, value: bigint): void {
  state.comparatorLow.set(n, lowOf(value));
  state.comparatorHigh.set(n, highOf(value));
}

function period({ state }: Hpet, n: number): bigint {
  return join(state.periodLow.get(n), state.periodHigh.get(n));
}

/** Distance of the value `at` from `from`, ahead: from 1 to a whole turn. */
function ahead(at: bigint, from: bigint, width: 32 | 64): bigint {
  const distance = BigInt.asUintN(width, at - from);
  return distance === 0n ? 1n << BigInt(width) : distance;
}

/** Distance of timer `n`'s next event. */
function nextEvent(device: Hpet, n: number): bigint {
  const { counter, conf } = device.state;
  const width = widthOf(conf.get(n));
  const match = ahead(comparator(device, n), counter, width);
  // Section 2.3.9.2.1, "Non-periodic mode": in 32-bit mode another interrupt when the counter wraps.
  if (width === 64 || TIM_CONF.TYPE_CNF.test(conf.get(n))) return match;
  const wrap = ahead(0n, counter, width);
  return wrap < match ? wrap : match;
}

/**
 * Moves the state's counter on to the present. A timer that has had matches since interrupts once: there are several only
 * when the machine's thread comes late in real time.
 */
function advance(device: Hpet): void {
  const ticks = elapsed(device);
  if (ticks === 0n) return;
  const { state, properties } = device;
  for (let n = 0; n < properties.timers; n++) if (nextEvent(device, n) <= ticks) interrupt(device, n, ticks);
  state.counter = BigInt.asIntN(64, state.counter + ticks);
  state.since += ticks * PERIOD_NS;
}

/** Timer `n` has matched within the next `ticks` ticks. */
function interrupt(device: Hpet, n: number, ticks: bigint): void {
  const { state } = device;
  const conf = state.conf.get(n);
  if (TIM_CONF.TYPE_CNF.test(conf)) accumulate(device, n, ticks);
  // Section 2.3.8, INT_ENB_CNF: without it, status bits are set nonetheless.
  if (TIM_CONF.INT_TYPE_CNF.test(conf)) state.status |= bit(n);
  else if (TIM_CONF.INT_ENB_CNF.test(conf)) {
    const pin = pinOf(device, n);
    if (pin !== NO_PIN) state.pulses |= bit(pin);
  }
}

/** Section 2.3.9.2.2, "Periodic mode": moves the accumulator to the first match that is more than `ticks` ahead and may interrupt. */
function accumulate(device: Hpet, n: number, ticks: bigint): void {
  const { state } = device;
  const by = period(device, n);
  // A period of 0 moves nothing: the next match comes when the counter has been all round.
  if (by === 0n) return;
  const width = widthOf(state.conf.get(n));
  const late = ticks - ahead(comparator(device, n), state.counter, width);
  const closest = (CLOSEST + by - 1n) / by;
  setComparator(device, n, BigInt.asUintN(width, comparator(device, n) + (late / by + closest) * by));
  state.merged.set(n, closest > 1n ? 1 : 0);
}

/** The comparator as software sees it: at the next match, whether or not that one interrupts. */
function visibleComparator(device: Hpet, n: number): bigint {
  const { state } = device;
  const value = comparator(device, n);
  const by = period(device, n);
  if (state.merged.get(n) === 0 || by === 0n) return value;
  const width = widthOf(state.conf.get(n));
  const distance = ahead(value, state.counter, width) - elapsed(device);
  // In real time it may have been passed just now.
  if (distance <= 0n) return value;
  return BigInt.asUintN(width, value - ((distance - 1n) / by) * by);
}

/** Ends the merging of timer `n`'s matches, before what they depend on is changed. */
function settle(device: Hpet, n: number): void {
  setComparator(device, n, visibleComparator(device, n));
  device.state.merged.set(n, 0);
}

/** Arms the timer for the next event of any; it lies ahead, if only by a nanosecond, because the counter's next tick does. */
function arm(device: Hpet): void {
  const { state, timers, properties } = device;
  if (!runs(device)) {
    timers.match.cancel();
    return;
  }
  let next = nextEvent(device, 0);
  for (let n = 1; n < properties.timers; n++) {
    const distance = nextEvent(device, n);
    if (distance < next) next = distance;
  }
  const deadline = state.since + next * PERIOD_NS;
  if (deadline > LAST_INSTANT) timers.match.cancel();
  else timers.match.arm(deadline);
}

function handleMatches(device: Hpet): void {
  advance(device);
  updateIrq(device);
  arm(device);
}

/** In real time a match may be due that has not fired yet. */
function handleDue(device: Hpet): void {
  const { deadline } = device.timers.match;
  if (deadline >= 0n && deadline <= device.now()) handleMatches(device);
}

// The registers.

function read(device: Hpet, offset: number): number {
  const { state, properties } = device;
  if (offset >= TIMERS) return readTimer(device, offset);
  switch (offset) {
    case GCAP_ID.offset:
      return GCAP_ID.NUM_TIM_CAP.set(GCAP_ID.reset ?? 0, properties.timers - 1);
    case COUNTER_CLK_PERIOD.offset:
      return PERIOD_FS;
    case GEN_CONF.offset:
      return state.genConf;
    case GINTR_STA.offset:
      handleDue(device);
      return state.status;
    case MAIN_CNT.offset:
      return lowOf(state.counter + elapsed(device));
    case MAIN_CNT_HIGH.offset:
      return highOf(state.counter + elapsed(device));
    default:
      if (!isHighHalf(offset)) reportReserved(device, 'read', offset);
      return 0;
  }
}

function readTimer(device: Hpet, offset: number): number {
  const { state, properties } = device;
  const n = Math.floor((offset - TIMERS) / TIMER_SIZE);
  if (n >= properties.timers) {
    device.guestError(`read of timer ${n}, of which there is none`);
    return 0;
  }
  switch ((offset - TIMERS) % TIMER_SIZE) {
    case TIM_CONF.offset:
      return TIM_CONF.VAL_SET_CNF.set(state.conf.get(n), Number(state.settable.get(n) === SETTABLE.BOTH));
    case TIM_INT_ROUTE_CAP.offset:
      return properties.intcap;
    case TIM_COMP.offset:
      handleDue(device);
      return lowOf(visibleComparator(device, n));
    case TIM_COMP_HIGH.offset:
      handleDue(device);
      return highOf(visibleComparator(device, n));
    case TIM_FSB_VAL.offset:
    case TIM_FSB_ADDR.offset:
      return 0;
    default:
      reportReserved(device, 'read', offset);
      return 0;
  }
}

function write(device: Hpet, offset: number, value: number): void {
  advance(device);
  if (offset >= TIMERS) writeTimer(device, offset, value);
  else writeGeneral(device, offset, value);
  updateIrq(device);
  arm(device);
}

function writeGeneral(device: Hpet, offset: number, value: number): void {
  const { state } = device;
  switch (offset) {
    case GEN_CONF.offset:
      writeGenConf(device, GEN_CONF.write(state.genConf, value));
      break;
    case GINTR_STA.offset:
      state.status = GINTR_STA.write(state.status, value);
      break;
    case MAIN_CNT.offset:
      writeCounter(device, join(value, highOf(state.counter)));
      break;
    case MAIN_CNT_HIGH.offset:
      writeCounter(device, join(lowOf(state.counter), value));
      break;
    case GCAP_ID.offset:
    case COUNTER_CLK_PERIOD.offset:
      device.guestError('write to the capabilities, which are read-only');
      break;
    default:
      if (!isHighHalf(offset)) reportReserved(device, 'write', offset);
  }
}

function writeGenConf(device: Hpet, genConf: number): void {
  const { state, properties } = device;
  const ran = runs(device);
  // While the counter stands, so that it may be written, nothing counts from it.
  if (ran) for (let n = 0; n < properties.timers; n++) settle(device, n);
  state.genConf = genConf;
  if (!ran) state.since = device.now();
}

/** Section 2.3.7: to be done while the counter is halted. */
function writeCounter(device: Hpet, value: bigint): void {
  if (runs(device)) device.guestError('write to the main counter while it runs, which is ignored');
  else device.state.counter = BigInt.asIntN(64, value);
}

function writeTimer(device: Hpet, offset: number, value: number): void {
  const n = Math.floor((offset - TIMERS) / TIMER_SIZE);
  if (n >= device.properties.timers) {
    device.guestError(`write to timer ${n}, of which there is none`);
    return;
  }
  switch ((offset - TIMERS) % TIMER_SIZE) {
    case TIM_CONF.offset:
      writeConf(device, n, value);
      break;
    case TIM_INT_ROUTE_CAP.offset:
      // The high half of an 8-byte write to the configuration.
      break;
    case TIM_COMP.offset:
      writeComparator(device, n, value, false);
      break;
    case TIM_COMP_HIGH.offset:
      writeComparator(device, n, value, true);
      break;
    case TIM_FSB_VAL.offset:
    case TIM_FSB_ADDR.offset:
      device.guestError(`write to the FSB route of timer ${n}, whose FSB_INT_DEL_CAP is 0`);
      break;
    default:
      reportReserved(device, 'write', offset);
  }
}

function writeConf(device: Hpet, n: number, value: number): void {
  const { state, properties } = device;
  const old = state.conf.get(n);
  const conf = TIM_CONF.write(old, value);
  settle(device, n);
  state.conf.set(n, TIM_CONF.VAL_SET_CNF.set(conf, 0));
  state.settable.set(n, TIM_CONF.VAL_SET_CNF.test(conf) ? SETTABLE.BOTH : SETTABLE.NONE);
  // Section 2.3.8, 32MODE_CNF: the high halves become 0, and stay so in 64-bit mode.
  if (widthOf(conf) === 32) {
    state.comparatorHigh.set(n, 0);
    state.periodHigh.set(n, 0);
  }
  if (!TIM_CONF.INT_TYPE_CNF.test(conf)) state.status &= ~bit(n);
  const route = TIM_CONF.INT_ROUTE_CNF.get(conf);
  if (route !== TIM_CONF.INT_ROUTE_CNF.get(old) && !hasBit(properties.intcap, route)) {
    device.guestError(`route of timer ${n} set to ${route}, which INT_ROUTE_CAP lacks`);
  }
}

/** Section 2.3.9.2.2: in periodic mode the period alone, and the accumulator too after VAL_SET. */
function writeComparator(device: Hpet, n: number, value: number, high: boolean): void {
  const { state } = device;
  const conf = state.conf.get(n);
  if (high && widthOf(conf) === 32) return;
  settle(device, n);
  const settable = state.settable.get(n);
  const periodic = TIM_CONF.TYPE_CNF.test(conf);
  if (!periodic || settable === SETTABLE.BOTH || (high && settable === SETTABLE.HIGH)) {
    (high ? state.comparatorHigh : state.comparatorLow).set(n, value);
  }
  if (periodic) (high ? state.periodHigh : state.periodLow).set(n, value);
  state.settable.set(n, !high && settable === SETTABLE.BOTH ? SETTABLE.HIGH : SETTABLE.NONE);
}

/** The reserved high halves of 64-bit registers, which an access of 8 bytes reaches. */
function isHighHalf(offset: number): boolean {
  return offset === GEN_CONF.offset + 4 || offset === GINTR_STA.offset + 4;
}

function reportReserved(device: Hpet, what: string, offset: number): void {
  device.guestError(`${what} of the reserved register at 0x${offset.toString(16)}`);
}

// Bits of 32-bit masks, and halves of 64-bit values.

function bit(n: number): number {
  return 1 << n;
}

function hasBit(mask: number, n: number): boolean {
  return (mask & bit(n)) !== 0;
}

function lowOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function highOf(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}

function join(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
