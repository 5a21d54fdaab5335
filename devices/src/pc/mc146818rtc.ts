/**
 * MC146818A real-time clock with 64 or, as in a PC, 128 bytes of RAM.
 *
 * Motorola, MC146818A data sheet: "Address map", "Time, calendar, and alarm locations", "Interrupts", "Divider stages",
 * "Periodic interrupt selection", "Update cycle", "Registers". Dallas DS12885/DS12887 data sheet: the same, in clearer
 * words. Index and data port as on the PC/AT.
 *
 * One chain divides the 32.768 kHz oscillator. Its last tap begins an update cycle each second, a tap chosen by RS sets PF.
 * The taps keep their phase until the divider is reset: a change of RS does not restart anything.
 *
 * Not modelled: the SQW pin (SQWE can be written), the PS pin (VRT is always 1), the 4.194304 and 1.048576 MHz time bases
 * (DV = 000 and 001 run as 010), the test modes (DV = 011, 100 and 101 hold the divider in reset). Bit 7 of the index port is
 * kept, and there is no NMI that it could mask. Bit 7 of the seconds, read-only in the part, can be written.
 *
 * Other than QEMU's, unless properties say so: an impossible date is counted on and not normalised, the century byte is RAM
 * (`calendar`); PF is set without PIE, and periodic interrupts keep the phase of the divider (`periodicFlag`); a change of
 * DM or 24/12 leaves the bytes as they are (`modeChange`). Always: RESET clears UIE as well, and leaves the RAM's shutdown byte;
 * while SET is 1 there are neither updates nor UF and AF; setting the time does not move the phase of the seconds; the divider in
 * reset stops the periodic interrupt; DSE works; DV = 100 and 101 stop the time, where QEMU's goes on by fits and starts; bytes 0xc0
 * to 0xff, which no time has, count as their digits, and not as −1; a year that QEMU's 64 bits of ns do not hold is a year; index 0x37
 * is RAM, and not the century's byte as well.
 */

import { bytes, defineDevice, deviceSchema, property, type DeviceOf } from '@qtest/sdk';
import { mc146818 } from '@qtest/parts/pc';
import { advance, alarmMatches, ISO_8601, normalise, parseTime, readTime, writeTime } from './mc146818-calendar.ts';

const { A, B, C, D, DATA, DV_32768HZ, DV_RESET, HOURS, HOURS_ALARM, INDEX } = mc146818;
const { MINUTES_ALARM, OSCILLATOR, REGISTERS, SECONDS_ALARM, SIZE } = mc146818;

const SECOND = 1_000_000_000n;

/** Exact: a binary fraction. */
const NS_PER_TICK = 1e9 / OSCILLATOR;

/** Data sheet, Table 6, t_BUC: UIP rises 8 ticks before an update begins, 244.140625 µs. */
const UIP_TICKS = 8;
const UIP_AHEAD = BigInt(Math.floor(UIP_TICKS * NS_PER_TICK));

/** Data sheet, Register A, DV: "the first update cycle begins one-half second later". */
const FIRST_UPDATE = SECOND / 2n;

/** Flags of C and their enables in B, which have the same bits. */
const INTERRUPTS = B.PIE.mask | B.AIE.mask | B.UIE.mask;

/** Data sheet, "RESET": the bits of B that the reset line clears. */
const CLEARED_BY_RESET = INTERRUPTS | B.SQWE.mask;

/** Bits of the index port that select a register. */
const SELECTED = INDEX.INDEX.mask;

/** What the bus reads where nothing drives it. */
const OPEN_BUS = 0xff;

/** A JSON object of indices of the RAM and bytes. No index may come twice, which JSON itself would let pass. */
const CMOS_BYTE = String.raw`"(?:0[ef]|[1-7][0-9a-f])"\s*:\s*"[0-9a-f]{2}"`;
const CMOS = new RegExp(
  String.raw`^(?!.*"([^"]*)"\s*:.*"\1"\s*:)\s*\{\s*(?:${CMOS_BYTE}(?:\s*,\s*${CMOS_BYTE})*)?\s*\}\s*$`,
  's',
);

const schema = deviceSchema({
  type: 'mc146818rtc',
  idPrefix: 'rtc',
  description: 'MC146818A real-time clock and CMOS RAM',
  bus: 'isa',
  properties: {
    irq: property.number({ min: -1, max: 15, default: 8, description: 'ISA IRQ; −1: the machine wires it' }),
    ioBase: property.number({ max: 0xfffe, default: 0x70, description: 'port of the index; the data port follows' }),
    epoch: property.string({
      default: '2000-01-01T00:00:00Z',
      pattern: ISO_8601,
      expected: "a time in UTC as '2011-11-11T00:00:00Z', from the year 0001 to 9999",
      description: 'time at the machine’s start, ISO 8601 in UTC, whole seconds',
    }),
    calendar: property.oneOf(['counter-chain', 'gregorian'], {
      default: 'counter-chain',
      description: 'the part’s own, or with normalised dates, century and weekday as QEMU',
    }),
    updateCycle: property.duration({ default: 0n, description: 'length of an update cycle' }),
    centuryByte: property.number({
      max: SIZE - 1,
      default: 0x32,
      description: 'index of the century byte: 0x32 (AT), 0x37 (PS/2); below 0x0e for none',
    }),
    periodicFlag: property.oneOf(['always', 'enabled'], {
      default: 'always',
      description: 'PF as the data sheet has it, or only with PIE and counted from its setting, as QEMU',
    }),
    modeChange: property.oneOf(['keep', 'convert'], {
      default: 'keep',
      description: 'what a change of DM or 24/12 does to the time of a running clock: nothing, or convert it as QEMU',
    }),
    cmos: property.string({
      default: '{}',
      pattern: CMOS,
      expected: `JSON of indices from 0e to 7f and bytes in lower-case hex, {"14":"06"}, as mc146818.cmos() makes it`,
      description: 'what the RAM holds at power-on: JSON, indices and bytes in hex',
    }),
  },
  state: {
    /** What lies behind the index. A is kept without UIP and C without IRQF, which follow from the rest. */
    cells: bytes(SIZE),
    /** As written, with the NMI mask in bit 7. */
    index: 'u8',
    /** A time in ns at which an update began or would have: the origin of the divider's phase. */
    divider: 'i64',
    /** Time in ns up to which C accounts for the periodic flag. In use while no timer does that. */
    periodicSeen: 'i64',
    /** An update cycle that has a length is under way. */
    updating: 'bool',
    /** The hour of October that comes twice is running for the second time. */
    repeated: 'bool',
  },
  regions: ({ ioBase }) => ({ ports: { space: 'io', base: ioBase, size: 2 } }),
  registers: {
    ports: {
      registers: [INDEX, DATA],
      indexed: { index: INDEX.offset, data: DATA.offset, mask: INDEX.INDEX.mask, registers: REGISTERS },
    },
  },
  timers: ['update', 'periodic'],
  outputs: { irq: { busIrq: 'irq' } },
});

type Rtc = DeviceOf<typeof schema>;

export const mc146818rtc = defineDevice(schema, {
  reset(device, kind) {
    if (kind === 'cold') powerOn(device);
    else resetLine(device);
  },
  updateIrq,
  regions: { ports: { read: readPort, write: writePort } },
  timers: { update: fireUpdate, periodic: firePeriodic },
});

function powerOn(device: Rtc): void {
  const { state, timers, properties } = device;
  const now = device.now();
  state.cells.fill(0);
  for (const [at, byte] of Object.entries(JSON.parse(properties.cmos) as Record<string, string>))
    state.cells.set(Number.parseInt(at, 16), Number.parseInt(byte, 16));
  state.cells.set(A.offset, A.reset ?? 0);
  state.cells.set(B.offset, B.reset ?? 0);
  state.cells.set(D.offset, D.reset ?? 0);
  writeTime(state.cells, B.reset ?? 0, properties.centuryByte, parseTime(properties.epoch));
  state.index = 0;
  state.divider = now;
  state.periodicSeen = now;
  state.updating = false;
  state.repeated = false;
  timers.periodic.cancel();
  timers.update.arm(now + SECOND);
}

/** Data sheet, "RESET": interrupts and flags are cleared; the clock, the calendar and the RAM go on. */
function resetLine(device: Rtc): void {
  const { cells } = device.state;
  cells.set(B.offset, cells.get(B.offset) & ~CLEARED_BY_RESET);
  cells.set(C.offset, 0);
  device.state.periodicSeen = device.now();
  device.timers.periodic.cancel();
}

/** Data sheet, Register C: IRQF = PF·PIE + AF·AIE + UF·UIE. */
function interrupts({ state: { cells } }: Rtc): boolean {
  return (cells.get(B.offset) & cells.get(C.offset) & INTERRUPTS) !== 0;
}

function updateIrq(device: Rtc): void {
  device.out.irq.set(interrupts(device));
}

// The ports.

function readPort(device: Rtc, offset: number): number {
  if (offset === INDEX.offset) return OPEN_BUS;
  const { state } = device;
  const index = state.index & SELECTED;
  if (index === A.offset) return readA(device);
  if (index === C.offset) return readC(device);
  if (index < A.offset && state.updating) {
    // Data sheet, "Update cycle": these bytes are off the bus meanwhile.
    device.guestError(`read of ${nameOf(index)} during the update cycle, which is undefined`);
    return OPEN_BUS;
  }
  return state.cells.get(index);
}

function writePort(device: Rtc, offset: number, value: number): void {
  const { state, properties } = device;
  if (offset === INDEX.offset) {
    state.index = value;
    return;
  }
  const index = state.index & SELECTED;
  if (index === A.offset) writeA(device, value);
  else if (index === B.offset) writeB(device, value);
  else if (index === C.offset || index === D.offset)
    device.guestError(`write to the read-only register ${nameOf(index)}`);
  else if (index < A.offset || index === properties.centuryByte) writeTimeByte(device, index, value);
  else state.cells.set(index, value);
}

function nameOf(index: number): string {
  return REGISTERS[index]?.name ?? String(index);
}

function writeTimeByte(device: Rtc, index: number, value: number): void {
  const { state } = device;
  if (state.updating && index < A.offset) {
    device.guestError(`write to ${nameOf(index)} during the update cycle, which is lost`);
    return;
  }
  state.cells.set(index, value);
  if (isAlarm(index)) return;
  // A new date or hour is not the hour that has come twice.
  if (index >= HOURS.offset) state.repeated = false;
  if (counts(device)) settle(device);
}

function isAlarm(index: number): boolean {
  return index === SECONDS_ALARM.offset || index === MINUTES_ALARM.offset || index === HOURS_ALARM.offset;
}

function readA(device: Rtc): number {
  const { state, timers } = device;
  const a = state.cells.get(A.offset);
  if (state.updating) return a | A.UIP.mask;
  const { deadline } = timers.update;
  return deadline >= 0n && device.now() >= deadline - UIP_AHEAD ? a | A.UIP.mask : a;
}

function writeA(device: Rtc, value: number): void {
  const { state, timers } = device;
  const old = state.cells.get(A.offset);
  // From 0, so that UIP stays out of what is kept.
  const a = A.write(0, value);
  // What the old tap has done so far.
  accountPeriodic(device);
  state.cells.set(A.offset, a);
  if (A.DV.get(a) !== A.DV.get(old)) reportTimeBase(device, A.DV.get(a));
  if (dividerRuns(old) && !dividerRuns(a)) {
    state.updating = false;
    timers.update.cancel();
  } else if (!dividerRuns(old) && dividerRuns(a)) {
    state.divider = device.now() - FIRST_UPDATE;
    startUpdates(device);
  }
  const period = periodOf(old);
  if (periodOf(a) !== period) armPeriodic(device, period);
}

function reportTimeBase(device: Rtc, dv: number): void {
  if (dv === DV_32768HZ || dv >= DV_RESET) return;
  const instead = dv < DV_32768HZ ? 'MHz time base, taken for 32.768 kHz' : 'test mode, taken for divider reset';
  device.unimplemented(`DV = ${dv}: ${instead}`);
}

function writeB(device: Rtc, value: number): void {
  const { state, timers, properties } = device;
  const { cells } = state;
  const old = cells.get(B.offset);
  // Data sheet, Register B, UIE: "cleared by the SET bit going high".
  const b = B.SET.test(value) ? value & ~B.UIE.mask : value;
  const changed = old ^ b;
  accountPeriodic(device);
  const counted = counts(device);
  cells.set(B.offset, b);
  if (counted && counts(device)) {
    // Data sheet, "Time, calendar, and alarm locations": the bytes stay, and software has to write them anew.
    if (properties.modeChange === 'convert' && (changed & (B.DM.mask | B['24H'].mask)) !== 0) {
      writeTime(cells, b, properties.centuryByte, normalise(readTime(cells, old, properties)));
    }
  } else if (counted) {
    // Data sheet, Register B, SET: an update cycle in progress is aborted.
    state.updating = false;
    timers.update.cancel();
  } else if (B.SET.test(changed)) {
    startUpdates(device);
  }
  if (B.PIE.test(changed)) armPeriodic(device, 0);
  updateIrq(device);
}

/** Data sheet, Register C: reading it clears all flags. */
function readC(device: Rtc): number {
  const { cells } = device.state;
  if (!B.PIE.test(cells.get(B.offset))) accountPeriodic(device);
  const flags = cells.get(C.offset);
  const value = interrupts(device) ? flags | C.IRQF.mask : flags;
  cells.set(C.offset, 0);
  updateIrq(device);
  return value;
}

// The divider. Its phase is counted in ticks from the beginning of an update: update cycles begin at multiples of 32768.

function dividerRuns(a: number): boolean {
  return A.DV.get(a) <= DV_32768HZ;
}

/** Nanoseconds at `time` since the divider last passed the beginning of an update. */
function intoSecond(device: Rtc, time: bigint): number {
  return Number((time - device.state.divider) % SECOND);
}

/** Ticks that are complete after `ns` nanoseconds. */
function ticksIn(ns: number): number {
  return Math.floor(ns / NS_PER_TICK);
}

/** The first nanosecond at which `ticks` ticks are complete. */
function nsOf(ticks: number): number {
  return Math.ceil(ticks * NS_PER_TICK);
}

// Update cycles.

/** Whether the time is counted: the divider runs, and SET does not forbid it. */
function counts({ state: { cells } }: Rtc): boolean {
  return dividerRuns(cells.get(A.offset)) && !B.SET.test(cells.get(B.offset));
}

/** The clock begins to count, from the bytes that are there. */
function startUpdates(device: Rtc): void {
  if (!counts(device)) return;
  settle(device);
  const now = device.now();
  device.timers.update.arm(now + SECOND - BigInt(intoSecond(device, now)));
}

/** QEMU's calendar makes a date out of whatever has been written. */
function settle({ state: { cells }, properties }: Rtc): void {
  if (properties.calendar !== 'gregorian') return;
  const b = cells.get(B.offset);
  writeTime(cells, b, properties.centuryByte, normalise(readTime(cells, b, properties)));
}

function fireUpdate(device: Rtc, deadline: bigint): void {
  const { state, timers, properties } = device;
  const { updateCycle } = properties;
  if (!counts(device)) return;
  if (updateCycle > 0n && !state.updating) {
    state.updating = true;
    timers.update.arm(deadline + updateCycle);
    return;
  }
  const begun = state.updating ? deadline - updateCycle : deadline;
  const { cells } = state;
  state.updating = false;
  state.repeated = advance(cells, cells.get(B.offset), properties, state.repeated);
  // Data sheet, "Interrupts": flags are set whether or not they are enabled.
  cells.set(C.offset, cells.get(C.offset) | C.UF.mask | (alarmMatches(cells) ? C.AF.mask : 0));
  updateIrq(device);
  timers.update.arm(begun + SECOND);
}

// The periodic flag. With PIE a timer sets it; without, nobody sees it before C is read, which then looks what there has been.

/** Ticks between two edges of the tap that A selects; 0 when there are none. */
function periodOf(a: number): number {
  return dividerRuns(a) ? mc146818.periodTicks(A.RS.get(a)) : 0;
}

/**
 * The tap's first edge after `tick`. Data sheet, "Update cycle" and Figure 16: UIP rises half a period after PF is set, so that
 * a program has t_PI/2 + t_BUC from a periodic interrupt until the update begins.
 */
function nextEdge(tick: number, period: number): number {
  const edge = period / 2 - UIP_TICKS;
  // The period is a power of two, and so is the count of ticks in a second.
  return tick + 1 + ((edge - tick - 1) & (period - 1));
}

function accountPeriodic(device: Rtc): void {
  const { state, properties } = device;
  const { cells } = state;
  const period = periodOf(cells.get(A.offset));
  const now = device.now();
  if (period !== 0 && properties.periodicFlag === 'always' && !B.PIE.test(cells.get(B.offset))) {
    const ns = intoSecond(device, state.periodicSeen);
    const edge = state.periodicSeen + BigInt(nsOf(nextEdge(ticksIn(ns), period)) - ns);
    if (edge <= now) cells.set(C.offset, cells.get(C.offset) | C.PF.mask);
  }
  state.periodicSeen = now;
}

/** Arms the timer for the next edge, after PIE, RS or the divider has changed. `old` is the period until now. */
function armPeriodic(device: Rtc, old: number): void {
  const { state, timers, properties } = device;
  const { periodic } = timers;
  const period = periodOf(state.cells.get(A.offset));
  if (period === 0 || !B.PIE.test(state.cells.get(B.offset))) {
    periodic.cancel();
    return;
  }
  const now = device.now();
  const ns = intoSecond(device, now);
  const tick = ticksIn(ns);
  let edge = nextEdge(tick, period);
  if (properties.periodicFlag === 'enabled') {
    // QEMU: a period after the last interrupt, or after the interrupt has been enabled.
    const last = periodic.deadline < 0n ? tick : ticksIn(ns + Number(periodic.deadline - now)) - old;
    edge = Math.max(last + period, tick + 1);
  }
  periodic.arm(now + BigInt(nsOf(edge) - ns));
}

function firePeriodic(device: Rtc, deadline: bigint): void {
  const { state, timers } = device;
  const { cells } = state;
  const period = periodOf(cells.get(A.offset));
  if (period === 0) return;
  cells.set(C.offset, cells.get(C.offset) | C.PF.mask);
  updateIrq(device);
  const ns = intoSecond(device, deadline);
  timers.periodic.arm(deadline + BigInt(nsOf(ticksIn(ns) + period) - ns));
}
