import { findDevices, type CaseContext, type CaseSpec, type Clock, type DeviceInfo, type IrqLine } from '@qtest/sdk';
import { rtc, type Rtc, type RtcTime } from '@qtest/parts/pc';
import type { RtcOptions } from './options.ts';

export { hex, random, states, VIRTUAL } from '@qtest/sdk';

export type Context = CaseContext<RtcOptions>;

/** The cases of one file, by name. */
export type Cases = Readonly<Record<string, CaseSpec<RtcOptions>>>;

/** One MC146818 of the machine. */
export interface Part {
  readonly id: string;
  readonly dev: Rtc;
  /** Its ISA IRQ. */
  readonly irq: number;
  /** Its IRQ output. */
  readonly line: IrqLine;
  /** The time at which it started, ISO 8601. */
  readonly epoch: string;
  readonly calendar: string;
}

/** The properties in which the machine's RTCs differ, as the machine tells them. */
const TRAITS = {
  calendar: 'counter-chain',
  updateCycle: '0',
  centuryByte: '50',
  periodicFlag: 'always',
  modeChange: 'keep',
} as const;

/** What a case needs of its RTC: values of `TRAITS`. A case that needs nothing works with each. */
export type Needs = Partial<Record<keyof typeof TRAITS, string>>;

/**
 * The machine's first RTC that is as the case needs it; the PC's own comes first. Skips the case when there is none, as on an
 * emulator whose RTC has other properties.
 */
export function part(context: Context, needs: Needs = {}): Part {
  const [found] = parts(context, needs);
  if (found === undefined) {
    const wanted = Object.entries(needs).map(([name, value]) => `${name} ${value}`);
    return context.skip(`this machine has no MC146818${wanted.length > 0 ? ` with ${wanted.join(' and ')}` : ''}`);
  }
  return found;
}

/** All of the machine's RTCs that are as the case needs them. */
export function parts(context: Context, needs: Needs = {}): Part[] {
  const { machine, vcpu } = context;
  return findDevices(context, 'mc146818rtc', needs, TRAITS).map((device) => ({
    id: device.id,
    dev: rtc(vcpu, Number(device.properties['ioBase'] ?? 0x70), Number(trait(device, 'centuryByte'))),
    irq: Number(device.properties['irq'] ?? 8),
    line: machine.irq(device.id),
    epoch: String(device.properties['epoch'] ?? ''),
    calendar: trait(device, 'calendar'),
  }));
}

function trait(device: DeviceInfo, name: keyof typeof TRAITS): string {
  return String(device.properties[name] ?? TRAITS[name]);
}

const TIME = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/;

/** `2023-02-31 23:59:59` as the driver takes it. The date may be impossible; the weekday is the one of the date, if there is one. */
export function at(text: string): RtcTime {
  const match = TIME.exec(text);
  if (match === null) throw new RangeError(`${text} is not YYYY-MM-DD HH:MM:SS`);
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(Number);
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;
  return { year, month, day, weekday, hours, minutes, seconds };
}

/** The reverse of `at()`. */
export function show({ year, month, day, hours, minutes, seconds }: RtcTime): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${two(hours)}:${two(minutes)}:${two(seconds)}`;
}

/** `text` so many seconds later, by the Gregorian calendar. */
export function later(text: string, seconds: number): string {
  return new Date(Date.parse(`${text.replace(' ', 'T')}Z`) + seconds * 1000)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ');
}

/**
 * Sets the time and starts the second: holds the divider, writes the time, clears the flags and lets the divider run, so that
 * the next update begins 500 ms later.
 */
export function start(dev: Rtc, time: string | RtcTime = '2011-11-11 11:11:10'): void {
  dev.holdDivider();
  dev.setTime(typeof time === 'string' ? at(time) : time);
  dev.acknowledge();
  dev.releaseDivider();
}

/** Beyond the first update after `start()`, and well before the second. */
export const FIRST_UPDATE = '600ms';

/**
 * What the time is after the update that follows on `from`.
 * @throws Error when the host, in real time, was so late that the second update had come as well.
 */
export function rollover(clock: Clock, dev: Rtc, from: string | RtcTime): string {
  const begun = clock.now;
  start(dev, from);
  clock.step(FIRST_UPDATE);
  const time = show(dev.readTime());
  const passed = clock.now - begun;
  if (passed < (3n * SECOND) / 2n) return time;
  throw new Error(
    `this host is too late: ${FIRST_UPDATE} took ${passed / 1_000_000n} ms, and the second update comes after 1500 ms`,
  );
}

/** Nanoseconds of 64 ticks of the oscillator: the shortest time that is whole in both. */
const TICKS_64 = 1_953_125n;

/** One tick of the 32.768 kHz oscillator, in nanoseconds, rounded up. */
export const TICK = 30_518n;

/** So many ticks of the oscillator in nanoseconds, rounded up: the first whole instant at which they have passed. */
export function ticks(count: number): bigint {
  return BigInt(Math.ceil((count * 1e9) / rtc.OSCILLATOR));
}

/** UIP rises at the last tick that is 244 us or more before the update: 8 ticks, 244 140.625 ns. */
export const UIP_LEAD = 244_140n;

export const SECOND = 1_000_000_000n;

/** In virtual time: goes on to an instant at which the oscillator ticks on a whole nanosecond. */
export function align(clock: Clock): void {
  const over = clock.now % TICKS_64;
  if (over !== 0n) clock.step(TICKS_64 - over);
}

/** In virtual time: `start()` on a tick. Gives the instant of the next update, in ns. */
export function startOnTick(clock: Clock, dev: Rtc, time?: string | RtcTime): bigint {
  align(clock);
  start(dev, time);
  return clock.now + SECOND / 2n;
}

/** In virtual time: goes on to the instant `time`, in ns. */
export function stepTo(clock: Clock, time: bigint): void {
  if (time > clock.now) clock.step(time - clock.now);
}
