import fc from 'fast-check';
import type { DeviceTypes, Register } from '@qtest/sdk';
import { mc146818 } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { A, B, C, D } = mc146818;
const { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, DAY_OF_WEEK, DAY_OF_MONTH, MONTH, YEAR } =
  mc146818;
const CENTURY = 0x32;
const H24 = B['24H'].mask;

const SECOND = 1_000_000_000n;
/** 8 ticks of the oscillator, 244.140625 µs, as far as they go. */
const UIP_AHEAD = 244_140n;

/** When `ticks` ticks of the oscillator are complete. */
function ns(ticks: number): bigint {
  return (BigInt(ticks) * SECOND + 32_767n) / 32_768n;
}

type Options = DeviceTypes['mc146818rtc'];

/** A machine with an RTC, as a driver sees it. */
function rtc(options: Options = {}) {
  const bench = testMachine((m) => {
    m.add('isa-bus');
    m.add('mc146818rtc', options);
  });
  const { vcpu, clock, machine } = bench;
  const base = options.ioBase ?? 0x70;
  const indexOf = (at: Register | number): number => (typeof at === 'number' ? at : at.offset);
  const read = (at: Register | number): number => {
    vcpu.outb(base, indexOf(at));
    return vcpu.inb(base + 1);
  };
  const write = (at: Register | number, value: number): void => {
    vcpu.outb(base, indexOf(at));
    vcpu.outb(base + 1, value);
  };
  const line = machine.irq('rtc0');
  return {
    ...bench,
    events: () => bench.events(),
    read,
    write,
    line,
    set: (at: Register | number, bits: number): void => write(at, read(at) | bits),
    clear: (at: Register | number, bits: number): void => write(at, read(at) & ~bits),
    uip: (): boolean => A.UIP.test(read(A)),
    /** Steps to a time. */
    to: (time: bigint): bigint => clock.step(time - clock.now),
    /** Hours, minutes, seconds as bytes, `12:59:59`. */
    time: (): string => [HOURS, MINUTES, SECONDS].map((at) => read(at).toString(16).padStart(2, '0')).join(':'),
    /** Year, month, day as bytes, `11-02-28`. */
    date: (): string => [YEAR, MONTH, DAY_OF_MONTH].map((at) => read(at).toString(16).padStart(2, '0')).join('-'),
    /** Sets time and date under SET, in the format of `b`, in BCD: `['11-02-28', '23:59:59']`. */
    setTime: (date: string, time: string, b = H24): void => {
      write(B, b | B.SET.mask);
      const [year = 0, month = 0, day = 0] = date.split('-').map((text) => Number.parseInt(text, 16));
      const [hour = 0, minute = 0, second = 0] = time.split(':').map((text) => Number.parseInt(text, 16));
      write(YEAR, year);
      write(MONTH, month);
      write(DAY_OF_MONTH, day);
      write(HOURS, hour);
      write(MINUTES, minute);
      write(SECONDS, second);
      write(B, b);
    },
    alarm: (hours: number, minutes: number, seconds: number): void => {
      write(HOURS_ALARM, hours);
      write(MINUTES_ALARM, minutes);
      write(SECONDS_ALARM, seconds);
    },
  };
}

describe('ports', () => {
  test('index/reads all ones', () => {
    const { vcpu } = rtc();
    vcpu.outb(0x70, 0x0d);
    expect(vcpu.inb(0x70)).toBe(0xff);
    expect(vcpu.inb(0x71)).toBe(0x80);
  });

  test('index/bit 7 does not select', () => {
    const { vcpu, read, write } = rtc();
    write(0x40, 0x5a);
    vcpu.outb(0x70, 0x80 | 0x40);
    expect(vcpu.inb(0x71)).toBe(0x5a);
    vcpu.outb(0x71, 0xa5);
    expect(read(0x40)).toBe(0xa5);
  });

  test('index/stays selected', () => {
    const { vcpu } = rtc();
    vcpu.outb(0x70, 0x21);
    vcpu.outb(0x71, 1);
    vcpu.outb(0x71, 2);
    expect([vcpu.inb(0x71), vcpu.inb(0x71)]).toEqual([2, 2]);
  });

  test('a word writes index and data', () => {
    const { vcpu, read } = rtc();
    vcpu.outw(0x70, 0x77_50);
    expect(read(0x50)).toBe(0x77);
    expect(vcpu.inw(0x70)).toBe(0x77ff);
  });

  test('ioBase and irq move it', () => {
    const { vcpu, read, set, machine, to } = rtc({ ioBase: 0x170, irq: 11 });
    expect(read(D)).toBe(0x80);
    expect(vcpu.inb(0x71)).toBe(0xff);
    set(B, B.UIE.mask);
    to(SECOND);
    expect(machine.irq('isa0', 11).level).toBe(true);
    expect(machine.irq('isa0', 8).level).toBe(false);
  });

  test('RAM/every byte keeps every value', () => {
    const { read, write, to } = rtc({ centuryByte: 0 });
    for (let at = mc146818.FIRST_RAM; at < mc146818.SIZE; at++) write(at, (at * 37) & 0xff);
    to(3n * SECOND);
    for (let at = mc146818.FIRST_RAM; at < mc146818.SIZE; at++) expect(read(at)).toBe((at * 37) & 0xff);
    for (const value of [0, 0xff, 0xaa, 0x55]) {
      write(0x7f, value);
      expect(read(0x7f)).toBe(value);
    }
  });

  test('C and D cannot be written', () => {
    const { read, write, events } = rtc();
    write(C, 0xff);
    write(D, 0);
    expect([read(C), read(D)]).toEqual([0, 0x80]);
    expect(events()).toEqual([
      { kind: 'guestError', device: 'rtc0', message: 'write to the read-only register C' },
      { kind: 'guestError', device: 'rtc0', message: 'write to the read-only register D' },
    ]);
  });

  test('A/UIP cannot be written', () => {
    const { read, write } = rtc();
    write(A, 0xa6);
    expect(read(A)).toBe(0x26);
  });
});

describe('reset', () => {
  test('cold/registers and time', () => {
    const { read, time, date, line } = rtc({ epoch: '2011-11-12T13:14:15Z' });
    expect([read(A), read(B), read(C), read(D)]).toEqual([0x26, 0x02, 0, 0x80]);
    expect([date(), time(), read(DAY_OF_WEEK), read(CENTURY)]).toEqual(['11-11-12', '13:14:15', 7, 0x20]);
    expect([read(HOURS_ALARM), read(0x0e), read(0x7f)]).toEqual([0, 0, 0]);
    expect(line.level).toBe(false);
  });

  test('cold/default epoch', () => {
    const { time, date } = rtc();
    expect([date(), time()]).toEqual(['00-01-01', '00:00:00']);
  });

  test('cold/again sets everything anew', () => {
    const { machine, read, write, time, set, line, to } = rtc({ epoch: '2011-11-11T00:00:00Z' });
    write(0x40, 0x99);
    write(A, 0x76);
    set(B, B.PIE.mask | B.SET.mask);
    to(SECOND / 4n);
    machine.reset('cold');
    expect([read(A), read(B), read(C), read(0x40), time(), line.level]).toEqual([0x26, 0x02, 0, 0, '00:00:00', false]);
    to(SECOND / 4n + SECOND - 1n);
    expect(time()).toBe('00:00:00');
    to(SECOND / 4n + SECOND);
    expect(time()).toBe('00:00:01');
  });

  test('warm/clears enables and flags, and leaves time, RAM, A and the rest of B', () => {
    const { machine, read, write, time, line, to } = rtc();
    write(0x0f, 0x0a);
    write(A, 0x2f);
    write(B, 0x7f);
    write(SECONDS, 0x30);
    to(SECOND);
    expect(line.level).toBe(true);
    machine.reset('warm');
    expect(line.level).toBe(false);
    expect([read(A), read(B), read(C), read(D), read(0x0f)]).toEqual([0x2f, 0x07, 0, 0x80, 0x0a]);
    const before = time();
    to(2n * SECOND - 1n);
    expect(time()).toBe(before);
    to(2n * SECOND);
    expect(read(SECONDS)).toBe(0x32);
  });

  test('warm/leaves SET', () => {
    const { machine, read, set } = rtc();
    set(B, B.SET.mask);
    machine.reset('warm');
    expect(read(B)).toBe(B.SET.mask | H24);
  });

  test('warm/no periodic interrupt comes after it', () => {
    const { machine, set, read, clock, to, line } = rtc();
    set(B, B.PIE.mask);
    machine.reset('warm');
    expect(clock.deadline).toBe(SECOND);
    to(ns(40));
    expect(line.level).toBe(false);
    expect(read(C)).toBe(C.PF.mask);
  });
});

describe('update', () => {
  test('exact/each second to the nanosecond', () => {
    const { time, to } = rtc();
    for (let second = 1n; second < 75n; second++) {
      to(second * SECOND - 1n);
      const before = time();
      to(second * SECOND);
      expect(time()).not.toBe(before);
    }
    expect(time()).toBe('00:01:14');
  });

  test('uip/rises 8 ticks before, falls with the update', () => {
    const { uip, time, to } = rtc();
    for (const second of [1n, 2n, 60n]) {
      to(second * SECOND - UIP_AHEAD - 1n);
      expect(uip()).toBe(false);
      to(second * SECOND - UIP_AHEAD);
      expect(uip()).toBe(true);
      to(second * SECOND - 1n);
      expect(uip()).toBe(true);
      const before = time();
      to(second * SECOND);
      expect([uip(), time() === before]).toEqual([false, false]);
    }
  });

  test('updateCycle/UIP stays up, time and flags change at the end', () => {
    const { uip, read, to, events } = rtc({ updateCycle: '1984us' });
    const end = SECOND + 1_984_000n;
    to(SECOND - UIP_AHEAD);
    expect([uip(), read(SECONDS)]).toEqual([true, 0]);
    expect(events()).toEqual([]);
    to(SECOND);
    expect([uip(), read(SECONDS), read(HOURS_ALARM), read(CENTURY), read(C) & C.UF.mask]).toEqual([
      true,
      0xff,
      0xff,
      0x20,
      0,
    ]);
    expect(events().map(({ message }) => message)).toEqual([
      'read of SECONDS during the update cycle, which is undefined',
      'read of HOURS_ALARM during the update cycle, which is undefined',
    ]);
    to(end - 1n);
    expect([uip(), read(YEAR)]).toEqual([true, 0xff]);
    to(end);
    expect([uip(), read(SECONDS), read(C) & C.UF.mask]).toEqual([false, 1, C.UF.mask]);
    to(2n * SECOND - UIP_AHEAD - 1n);
    expect(uip()).toBe(false);
    to(2n * SECOND - UIP_AHEAD);
    expect(uip()).toBe(true);
    to(end + SECOND);
    expect([uip(), read(SECONDS)]).toEqual([false, 2]);
  });

  test('updateCycle/writes to the time are lost, other writes are not', () => {
    const { read, write, to, events } = rtc({ updateCycle: '1984us' });
    to(SECOND + 1n);
    write(MINUTES, 0x30);
    write(MINUTES_ALARM, 0x30);
    write(0x40, 0x30);
    write(CENTURY, 0x30);
    expect(events().map(({ message }) => message)).toEqual([
      'write to MINUTES during the update cycle, which is lost',
      'write to MINUTES_ALARM during the update cycle, which is lost',
    ]);
    to(SECOND + 1_984_000n);
    expect([read(MINUTES), read(MINUTES_ALARM), read(0x40), read(CENTURY)]).toEqual([0, 0, 0x30, 0x30]);
  });

  test.each([
    ['SET', (m: ReturnType<typeof rtc>) => m.set(B, B.SET.mask)],
    ['the divider in reset', (m: ReturnType<typeof rtc>) => m.write(A, 0x66)],
  ])('updateCycle/%s aborts it', (_what, stop) => {
    const m = rtc({ updateCycle: '1984us' });
    m.to(SECOND + 1000n);
    stop(m);
    expect([m.uip(), m.read(SECONDS), m.read(C) & C.UF.mask]).toEqual([false, 0, 0]);
    m.to(3n * SECOND);
    expect([m.uip(), m.read(SECONDS), m.read(C) & C.UF.mask]).toEqual([false, 0, 0]);
  });

  test('updateCycle/longer than a second: late, but no storm', () => {
    const { read, to } = rtc({ updateCycle: '2500ms' });
    to(20n * SECOND);
    read(C);
    to(23n * SECOND);
    expect(read(C) & C.UF.mask).toBe(C.UF.mask);
  });

  test('set/freezes the time, clears UIP and UIE', () => {
    const { read, set, uip, time, to, write, clear } = rtc();
    set(B, B.UIE.mask);
    to(SECOND - 1000n);
    expect(uip()).toBe(true);
    set(B, B.SET.mask);
    expect([uip(), read(B)]).toEqual([false, B.SET.mask | H24]);
    set(B, B.UIE.mask);
    expect(read(B)).toBe(B.SET.mask | H24);
    to(10n * SECOND - 1n);
    expect([uip(), time(), read(C) & C.UF.mask]).toEqual([false, '00:00:00', 0]);
    write(SECONDS, 0x45);
    clear(B, B.SET.mask);
    expect([uip(), time(), read(B)]).toEqual([true, '00:00:45', H24]);
    to(10n * SECOND);
    expect([uip(), time()]).toEqual([false, '00:00:46']);
  });

  test('set/keeps the phase of the divider', () => {
    const { set, clear, time, to } = rtc();
    to(300_000_000n);
    set(B, B.SET.mask);
    to(5_700_000_000n);
    clear(B, B.SET.mask);
    to(6n * SECOND - 1n);
    expect(time()).toBe('00:00:00');
    to(6n * SECOND);
    expect(time()).toBe('00:00:01');
  });

  test('writing the time does not move the seconds', () => {
    const { write, read, to } = rtc();
    to(999_999_999n);
    write(SECONDS, 0x20);
    to(SECOND);
    expect(read(SECONDS)).toBe(0x21);
  });
});

describe('divider', () => {
  test.each([0x66, 0x76])('reset by A = %s: nothing runs; the first update 500 ms after its release', (hold) => {
    const { write, read, uip, time, to, clock } = rtc();
    to(123_456_789n);
    write(A, hold);
    read(C);
    expect(clock.deadline).toBeUndefined();
    to(7_654_321_987n);
    expect([uip(), time(), read(C), read(A)]).toEqual([false, '00:00:00', 0, hold]);
    write(A, 0x26);
    const first = 8_154_321_987n;
    to(first - UIP_AHEAD - 1n);
    expect([uip(), time()]).toEqual([false, '00:00:00']);
    to(first - UIP_AHEAD);
    expect(uip()).toBe(true);
    to(first - 1n);
    expect(time()).toBe('00:00:00');
    to(first);
    expect([uip(), time()]).toEqual([false, '00:00:01']);
    to(first + SECOND - 1n);
    expect(time()).toBe('00:00:01');
    to(first + SECOND);
    expect(time()).toBe('00:00:02');
  });

  test('release under SET: the phase counts from the release', () => {
    const { write, time, to } = rtc();
    write(B, B.SET.mask | H24);
    write(A, 0x76);
    to(100n);
    write(A, 0x26);
    to(SECOND);
    write(B, H24);
    to(1_500_000_099n);
    expect(time()).toBe('00:00:00');
    to(1_500_000_100n);
    expect(time()).toBe('00:00:01');
  });

  test('A written with the same DV restarts nothing', () => {
    const { write, time, to } = rtc();
    for (const rs of [0x21, 0x26, 0x28, 0x2f]) {
      to(BigInt(rs) * 10_000_000n);
      write(A, rs);
    }
    to(SECOND);
    expect(time()).toBe('00:00:01');
  });

  test('MHz time bases run, test modes do not; both are reported', () => {
    const { write, time, to, events } = rtc();
    write(A, 0x06);
    write(A, 0x16);
    to(SECOND);
    expect(time()).toBe('00:00:01');
    write(A, 0x36);
    to(3n * SECOND);
    expect(time()).toBe('00:00:01');
    write(A, 0x26);
    write(A, 0x76);
    expect(events()).toEqual([
      { kind: 'unimplemented', device: 'rtc0', message: 'DV = 0: MHz time base, taken for 32.768 kHz' },
      { kind: 'unimplemented', device: 'rtc0', message: 'DV = 1: MHz time base, taken for 32.768 kHz' },
      { kind: 'unimplemented', device: 'rtc0', message: 'DV = 3: test mode, taken for divider reset' },
    ]);
  });
});

describe('alarm', () => {
  /** Seconds of `hours` hours at which AF comes. */
  function firings(m: ReturnType<typeof rtc>, hours: number): string[] {
    const found: string[] = [];
    m.read(C);
    for (let second = 1; second <= hours * 3600; second++) {
      m.clock.step('1s');
      if (C.AF.test(m.read(C))) found.push(m.time());
    }
    return found;
  }

  test('once a day, to the nanosecond', () => {
    const { alarm, read, set, line, to } = rtc({ epoch: '2011-11-11T12:34:55Z' });
    alarm(0x12, 0x34, 0x56);
    set(B, B.AIE.mask);
    to(SECOND - 1n);
    expect(line.level).toBe(false);
    to(SECOND);
    expect(line.level).toBe(true);
    expect(read(C)).toBe(C.IRQF.mask | C.AF.mask | C.UF.mask | C.PF.mask);
    expect([line.level, read(C)]).toEqual([false, 0]);
    to(86_401n * SECOND - 1n);
    expect([line.level, line.edges]).toEqual([false, 1]);
    to(86_401n * SECOND);
    expect([line.level, line.edges]).toEqual([true, 2]);
  });

  test('does not match within a second, only at its beginning', () => {
    const { alarm, read, to } = rtc();
    to(10n * SECOND);
    alarm(0, 0, 0x10);
    read(C);
    to(11n * SECOND - 1n);
    expect(C.AF.test(read(C))).toBe(false);
  });

  test('wildcards', () => {
    const m = rtc();
    m.alarm(0x01, 0xc0, 0x30);
    const minutely = firings(m, 3);
    expect([minutely.length, minutely[0], minutely.at(-1)]).toEqual([60, '01:00:30', '01:59:30']);
    m.alarm(0xff, 0x15, 0x00);
    expect(firings(m, 3)).toEqual(['03:15:00', '04:15:00', '05:15:00']);
    m.alarm(0xc0, 0x00, 0xff);
    expect(firings(m, 1)).toHaveLength(60);
    m.alarm(0xff, 0xff, 0xff);
    expect(firings(m, 1)).toHaveLength(3600);
    m.alarm(0xbf, 0xc0, 0xc0);
    expect(firings(m, 1)).toEqual([]);
  });

  test('12 hours: AM and PM differ', () => {
    const m = rtc();
    m.setTime('00-01-01', '12:00:00', 0);
    m.alarm(0x82, 0, 0);
    expect(firings(m, 24)).toEqual(['82:00:00']);
    m.alarm(0x02, 0, 0);
    expect(firings(m, 24)).toEqual(['02:00:00']);
  });

  test('binary', () => {
    const m = rtc();
    m.write(B, H24 | B.DM.mask | B.SET.mask);
    for (const at of [HOURS, MINUTES, SECONDS]) m.write(at, 0);
    m.write(B, H24 | B.DM.mask);
    m.alarm(1, 59, 59);
    expect(firings(m, 3)).toEqual(['01:3b:3b']);
  });

  test('not while SET is 1', () => {
    const { alarm, set, read, to } = rtc();
    set(B, B.SET.mask);
    alarm(0xff, 0xff, 0xff);
    to(5n * SECOND);
    expect(read(C) & (C.AF.mask | C.UF.mask)).toBe(0);
  });
});

describe('flags and line', () => {
  test('are set without being enabled, and cleared by a read of C', () => {
    const { alarm, read, line, to } = rtc();
    alarm(0xff, 0xff, 0xff);
    to(SECOND);
    expect(line.level).toBe(false);
    expect(read(C)).toBe(C.PF.mask | C.AF.mask | C.UF.mask);
    expect(read(C)).toBe(0);
  });

  test.each([
    ['PIE', B.PIE.mask],
    ['AIE', B.AIE.mask],
    ['UIE', B.UIE.mask],
  ])('%s set with its flag up raises at once; cleared, it lowers', (_name, enable) => {
    const { alarm, set, clear, read, line, to } = rtc();
    alarm(0xff, 0xff, 0xff);
    to(SECOND);
    expect(line.level).toBe(false);
    set(B, enable);
    expect(line.level).toBe(true);
    clear(B, enable);
    expect(line.level).toBe(false);
    set(B, enable);
    expect([line.level, line.edges]).toEqual([true, 2]);
    expect(read(C)).toBe(0xf0);
    expect([line.level, read(C)]).toEqual([false, 0]);
  });

  test('the line stays up until C is read, and no flag is lost with it', () => {
    const { set, read, line, to } = rtc();
    set(B, B.UIE.mask);
    to(5n * SECOND);
    expect([line.level, line.edges]).toEqual([true, 1]);
    for (const at of [A, B, D, SECONDS]) read(at);
    expect(line.level).toBe(true);
    expect(read(C) & (C.IRQF.mask | C.UF.mask)).toBe(C.IRQF.mask | C.UF.mask);
    expect(line.level).toBe(false);
    to(6n * SECOND);
    expect([line.level, line.edges]).toEqual([true, 2]);
  });

  test('IRQF only for what is enabled', () => {
    const { write, read, set, to } = rtc();
    write(A, 0x20);
    set(B, B.AIE.mask);
    write(SECONDS_ALARM, 0x30);
    to(SECOND);
    expect(read(C)).toBe(C.UF.mask);
  });
});

describe('periodic', () => {
  test('rates/each RS has its rate', () => {
    const hz = [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2];
    for (const [rs, rate] of hz.entries()) {
      const { write, set, read, line, vcpu, to } = rtc();
      write(A, 0x20 | rs);
      set(B, B.PIE.mask);
      vcpu.onIrq(8, () => read(C));
      to(4n * SECOND);
      expect([rs, line.edges]).toEqual([rs, 4 * rate]);
    }
  });

  test('exact/each edge to the nanosecond, without drift', () => {
    const { write, set, read, line, to } = rtc();
    write(A, 0x23);
    set(B, B.PIE.mask);
    // 8192 Hz: every fourth tick, halfway between those that are a multiple of four from UIP's rise.
    for (const tick of [2, 6, 10, 32_766, 32_770, 65_538]) {
      to(ns(tick) - 1n);
      read(C);
      expect(line.level).toBe(false);
      to(ns(tick));
      expect([tick, line.level]).toEqual([tick, true]);
    }
  });

  test('phase/UIP rises half a period after PF', () => {
    for (let rs = 3; rs <= 15; rs++) {
      const period = mc146818.periodTicks(rs);
      const { write, set, read, line, to } = rtc();
      write(A, 0x20 | rs);
      set(B, B.PIE.mask);
      const edge = 32_768 - 8 - period / 2;
      to(ns(edge) - 1n);
      read(C);
      expect([rs, line.level]).toEqual([rs, false]);
      to(ns(edge));
      expect([rs, line.level]).toEqual([rs, true]);
    }
  });

  test('phase/neither PIE nor RS restarts the divider', () => {
    const { write, set, clear, read, line, to } = rtc();
    write(A, 0x2f);
    set(B, B.PIE.mask);
    to(ns(5000));
    write(A, 0x2e);
    clear(B, B.PIE.mask);
    to(ns(6000));
    write(A, 0x2f);
    set(B, B.PIE.mask);
    to(ns(8184) - 1n);
    read(C);
    expect(line.level).toBe(false);
    to(ns(8184));
    expect(line.level).toBe(true);
  });

  test('phase/divider reset restarts it', () => {
    const { write, set, read, line, to, clock } = rtc();
    to(1_000_003n);
    write(A, 0x7f);
    set(B, B.PIE.mask);
    read(C);
    expect(clock.deadline).toBeUndefined();
    to(3n * SECOND);
    expect([read(C), line.level]).toEqual([0, false]);
    write(A, 0x2f);
    // The update begins 16384 ticks after the release, UIP rises 8 before; PF half a period of 16384 before that.
    to(3n * SECOND + ns(8184) - 1n);
    expect(line.level).toBe(false);
    to(3n * SECOND + ns(8184));
    expect(line.level).toBe(true);
  });

  test('runs on under SET', () => {
    const { set, read, line, to } = rtc();
    set(B, B.SET.mask | B.PIE.mask);
    to(ns(8));
    expect([line.level, read(C)]).toEqual([true, C.IRQF.mask | C.PF.mask]);
  });

  test('flag/without PIE, to the nanosecond, over every interval', () => {
    const { read, write, to, clock } = rtc();
    write(A, 0x26);
    for (const tick of [8, 40, 72, 1000 * 32 + 8, 32_768 + 8]) {
      to(ns(tick) - 1n);
      read(C);
      expect([tick, read(C)]).toEqual([tick, 0]);
      to(ns(tick));
      expect([tick, read(C) & C.PF.mask]).toEqual([tick, C.PF.mask]);
      expect(read(C)).toBe(0);
    }
    expect(clock.deadline).toBe(2n * SECOND);
  });

  test('flag/of a rate that has been selected meanwhile', () => {
    const { read, write, to } = rtc();
    write(A, 0x23);
    to(ns(2));
    write(A, 0x20);
    to(SECOND / 2n);
    expect(read(C)).toBe(C.PF.mask);
    to(SECOND - 1n);
    write(A, 0x2f);
    expect(read(C)).toBe(0);
  });

  test('flag/survives PIE, and is seen by it', () => {
    const { read, set, clear, line, to } = rtc();
    to(ns(8));
    set(B, B.PIE.mask);
    expect(line.level).toBe(true);
    clear(B, B.PIE.mask);
    expect([line.level, read(C), read(C)]).toEqual([false, C.PF.mask, 0]);
  });

  test('the timer is armed only while somebody listens', () => {
    const { write, set, clear, clock } = rtc();
    write(A, 0x23);
    expect(clock.deadline).toBe(SECOND);
    set(B, B.PIE.mask);
    expect(clock.deadline).toBe(ns(2));
    clear(B, B.PIE.mask);
    expect(clock.deadline).toBe(SECOND);
  });

  test('enabled/QEMU: PF only with PIE, a period after it was enabled', () => {
    const { read, set, line, to } = rtc({ periodicFlag: 'enabled' });
    to(SECOND - 1n);
    expect(read(C)).toBe(0);
    to(SECOND + ns(3));
    set(B, B.PIE.mask);
    to(SECOND + ns(35) - 1n);
    expect(line.level).toBe(false);
    to(SECOND + ns(35));
    expect(line.level).toBe(true);
  });

  test('enabled/QEMU: a new rate counts from the last interrupt', () => {
    const { read, write, set, line, to } = rtc({ periodicFlag: 'enabled' });
    write(A, 0x2d);
    set(B, B.PIE.mask);
    let expected = 0n;
    for (let i = 0; i < 10; i++) {
      for (const [rs, period] of [
        [0x2d, 125_000_000n],
        [0x2f, 500_000_000n],
      ] as const) {
        write(A, rs);
        expected += period;
        to(expected - 1n);
        expect(line.level).toBe(false);
        to(expected);
        expect([line.level, C.PF.test(read(C))]).toEqual([true, true]);
      }
    }
    // A period that is over already: the next tick.
    to(expected + 400_000_000n);
    write(A, 0x2d);
    to(expected + ns(13_108) - 1n);
    expect(line.level).toBe(false);
    to(expected + ns(13_108));
    expect(line.level).toBe(true);
  });
});

describe('calendar', () => {
  test('counter-chain/an impossible date is not normalised', () => {
    const { setTime, date, to } = rtc();
    setTime('23-02-31', '23:59:58');
    expect(date()).toBe('23-02-31');
    to(SECOND);
    expect(date()).toBe('23-02-31');
    to(2n * SECOND);
    expect(date()).toBe('23-03-01');
  });

  test('counter-chain/two-digit year, every fourth a leap year, the century is RAM', () => {
    const { setTime, write, read, date, clock } = rtc({ epoch: '1999-12-31T23:59:59Z' });
    clock.step('1s');
    expect([date(), read(CENTURY), read(DAY_OF_WEEK)]).toEqual(['00-01-01', 0x19, 7]);
    write(CENTURY, 0x21);
    setTime('00-02-28', '23:59:59');
    clock.step('1s');
    expect([date(), read(CENTURY)]).toEqual(['00-02-29', 0x21]);
  });

  test('counter-chain/the weekday is a counter of its own', () => {
    const { setTime, write, read, clock } = rtc();
    setTime('11-11-11', '23:59:59');
    write(DAY_OF_WEEK, 7);
    clock.step('1s');
    expect(read(DAY_OF_WEEK)).toBe(1);
    clock.step('1d');
    expect(read(DAY_OF_WEEK)).toBe(2);
  });

  test('gregorian/31 February 2023 is 3 March, once the clock counts', () => {
    const { write, read, setTime, date } = rtc({ calendar: 'gregorian' });
    write(B, H24 | B.SET.mask);
    write(MONTH, 2);
    write(DAY_OF_MONTH, 0x31);
    expect(read(DAY_OF_MONTH)).toBe(0x31);
    setTime('23-02-31', '00:00:00');
    expect([date(), read(DAY_OF_WEEK), read(CENTURY)]).toEqual(['23-03-03', 6, 0x20]);
  });

  test('gregorian/at once while it counts, and when the divider is released', () => {
    const { write, read, date } = rtc({ calendar: 'gregorian', epoch: '2023-01-31T00:00:00Z' });
    write(MONTH, 2);
    expect(date()).toBe('23-03-03');
    write(DAY_OF_WEEK, 1);
    expect(read(DAY_OF_WEEK)).toBe(6);
    write(A, 0x76);
    write(DAY_OF_MONTH, 0);
    expect(date()).toBe('23-03-00');
    write(A, 0x26);
    expect(date()).toBe('23-02-28');
  });

  test('gregorian/the century is counted, and counts', () => {
    const { read, date, clock, setTime, write } = rtc({
      calendar: 'gregorian',
      epoch: '1999-12-31T23:59:59Z',
      centuryByte: 0x37,
    });
    clock.step('1s');
    expect([date(), read(0x37), read(DAY_OF_WEEK)]).toEqual(['00-01-01', 0x20, 7]);
    write(0x37, 0x19);
    expect([read(0x37), read(DAY_OF_WEEK)]).toEqual([0x19, 2]);
    setTime('00-02-28', '23:59:59');
    clock.step('1s');
    expect(date()).toBe('00-03-01');
    expect(read(CENTURY)).toBe(0);
  });

  test('gregorian/without a century byte it is 20xx', () => {
    const { write, read, date, setTime, clock } = rtc({ calendar: 'gregorian', centuryByte: 0 });
    write(CENTURY, 0x19);
    setTime('00-02-28', '23:59:59');
    clock.step('1s');
    expect([date(), read(CENTURY)]).toEqual(['00-02-29', 0x19]);
  });
});

describe('format', () => {
  test('12 hours/the day goes round', () => {
    const { setTime, write, read, clock } = rtc();
    setTime('00-01-01', '12:59:59', 0);
    const hours: number[] = [];
    for (let i = 0; i < 24; i++) {
      clock.step('1s');
      hours.push(read(HOURS));
      write(MINUTES, 0x59);
      write(SECONDS, 0x59);
    }
    const am = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11];
    expect(hours).toEqual([...am, 0x92, ...am.map((hour) => hour | 0x80), 0x12]);
    expect(read(DAY_OF_MONTH)).toBe(2);
  });

  test('binary/12 hours', () => {
    const { write, read, clock } = rtc();
    write(B, B.DM.mask | B.SET.mask);
    write(HOURS, 0x8b);
    write(MINUTES, 59);
    write(SECONDS, 59);
    write(B, B.DM.mask);
    clock.step('1s');
    expect([read(HOURS), read(MINUTES), read(SECONDS), read(DAY_OF_MONTH)]).toEqual([12, 0, 0, 2]);
  });

  test('keep/changing DM or 24/12 converts nothing', () => {
    const { write, time, clock } = rtc({ epoch: '2011-11-11T13:45:50Z' });
    write(B, H24 | B.DM.mask);
    expect(time()).toBe('13:45:50');
    write(B, 0);
    expect(time()).toBe('13:45:50');
    write(B, H24);
    clock.step('1s');
    expect(time()).toBe('13:45:51');
  });

  test('convert/while the clock runs, as QEMU', () => {
    const { write, read, time } = rtc({ epoch: '2011-11-11T13:45:50Z', modeChange: 'convert', calendar: 'gregorian' });
    write(B, H24 | B.DM.mask);
    expect([time(), read(YEAR), read(CENTURY)]).toEqual(['0d:2d:32', 11, 20]);
    write(B, B.DM.mask);
    expect(time()).toBe('81:2d:32');
    write(B, 0);
    expect([time(), read(CENTURY)]).toEqual(['81:45:50', 0x20]);
    write(B, B.SET.mask | H24);
    expect(time()).toBe('81:45:50');
  });
});

describe('daylight saving', () => {
  const dst = H24 | B.DSE.mask;

  /** A machine on which it is a second before 2 AM. */
  function before2(date: string, b = dst, options: Options = {}): ReturnType<typeof rtc> {
    const m = rtc({ epoch: `20${date}T01:59:59Z`, ...options });
    m.write(B, b);
    return m;
  }

  test.each([
    ['11-04-24', '03:00:00'],
    ['11-04-17', '02:00:00'],
    ['11-04-23', '02:00:00'],
    ['11-04-25', '02:00:00'],
    ['17-04-30', '03:00:00'],
    ['11-03-27', '02:00:00'],
    ['11-10-30', '01:00:00'],
    ['11-10-23', '02:00:00'],
    ['11-10-31', '02:00:00'],
    ['15-10-25', '01:00:00'],
    ['21-10-31', '01:00:00'],
    ['11-11-27', '02:00:00'],
  ])('20%s 01:59:59 is followed by %s', (date, after) => {
    for (const calendar of ['counter-chain', 'gregorian'] as const) {
      const m = before2(date, dst, { calendar });
      m.clock.step('1s');
      expect([m.date(), m.time()]).toEqual([date, after]);
    }
  });

  test('not without DSE', () => {
    const m = before2('11-04-24', H24);
    m.clock.step('1s');
    expect(m.time()).toBe('02:00:00');
  });

  test('October/the hour comes twice, not three times', () => {
    const m = before2('11-10-30');
    m.clock.step('1s');
    expect(m.time()).toBe('01:00:00');
    m.clock.step('3599s');
    expect(m.time()).toBe('01:59:59');
    m.clock.step('1s');
    expect([m.date(), m.time()]).toEqual(['11-10-30', '02:00:00']);
  });

  test('October/again in the next year, even if DSE was off meanwhile', () => {
    const m = before2('11-10-30');
    m.clock.step('1s');
    m.write(B, H24);
    m.clock.step('2h');
    m.write(B, H24 | B.SET.mask);
    m.setTime('12-10-28', '01:59:59', dst);
    m.write(DAY_OF_WEEK, 1);
    m.clock.step('1s');
    expect(m.time()).toBe('01:00:00');
  });

  test('October/again when the hour has been written', () => {
    const m = before2('11-10-30');
    m.clock.step('1s');
    m.setTime('11-10-30', '01:59:59', dst);
    m.clock.step('1s');
    expect(m.time()).toBe('01:00:00');
  });

  test('12 hours: at 1:59:59 AM, not PM', () => {
    const m = rtc({ epoch: '2011-04-24T00:00:00Z' });
    m.setTime('11-04-24', '81:59:59', B.DSE.mask);
    m.clock.step('1s');
    expect(m.time()).toBe('82:00:00');
    m.setTime('11-04-24', '01:59:59', B.DSE.mask);
    m.clock.step('1s');
    expect(m.time()).toBe('03:00:00');
  });
});

describe('contract', () => {
  test('snapshot/everything goes on from it as before', () => {
    const { machine, clock, write, read, line, to, time } = rtc({ updateCycle: '1984us' });
    write(A, 0x2a);
    write(B, 0x72);
    write(HOURS_ALARM, 0xff);
    write(MINUTES_ALARM, 0xff);
    write(SECONDS_ALARM, 5);
    const record = (): unknown[] => {
      const found: unknown[] = [];
      while (clock.now < 7n * SECOND) {
        clock.step();
        found.push([clock.now, line.level, read(C)]);
      }
      return [...found, read(A), time(), line.level];
    };
    to(SECOND + 1000n);
    read(C);
    const snapshot = machine.snapshot();
    const first = record();
    machine.restore(snapshot);
    expect(clock.now).toBe(SECOND + 1000n);
    expect(record()).toEqual(first);
    expect(first.length).toBeGreaterThan(300);
  });

  test('fuzz/whatever is written: bytes come back, deadlines lie ahead, nothing throws', () => {
    const access = fc.record({
      index: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 15 }) }, fc.integer({ min: 0, max: 255 })),
      value: fc.option(fc.integer({ min: 0, max: 255 })),
      step: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 100_000n }), fc.bigInt({ min: 1n, max: 2n * SECOND })),
    });
    const options = fc.record({
      calendar: fc.constantFrom('counter-chain', 'gregorian'),
      updateCycle: fc.constantFrom('0ns', '1984us'),
      centuryByte: fc.constantFrom(0, 5, 0x32, 0x37),
      periodicFlag: fc.constantFrom('always', 'enabled'),
      modeChange: fc.constantFrom('keep', 'convert'),
    });
    fc.assert(
      fc.property(options, fc.array(access, { maxLength: 40 }), (properties, accesses) => {
        const { vcpu, clock, machine, line } = rtc(properties);
        for (const { index, value, step } of accesses) {
          vcpu.outb(0x70, index);
          if (value !== null) vcpu.outb(0x71, value);
          const byte = vcpu.inb(0x71);
          expect(Number.isInteger(byte) && byte >= 0 && byte <= 0xff).toBe(true);
          clock.step(step);
          expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
        }
        vcpu.outb(0x70, 0x0b);
        const b = vcpu.inb(0x71);
        vcpu.outb(0x70, 0x0c);
        const { level } = line;
        const c = vcpu.inb(0x71);
        expect([level, c & 0x0f]).toEqual([(b & c & 0x70) !== 0, 0]);
        expect(C.IRQF.test(c)).toBe(level);
        machine.reset('cold');
        vcpu.outb(0x70, 0x0a);
        expect(vcpu.inb(0x71)).toBe(0x26);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['a word', { epoch: 'yesterday' }],
    ['an impossible date', { epoch: '2023-02-29T00:00:00Z' }],
    ['no UTC', { epoch: '2023-02-28T00:00:00' }],
    ['an IRQ that ISA lacks', { irq: 16 }],
    ['a port beyond the last', { ioBase: 0xffff }],
    ['an index beyond the last', { centuryByte: 0x80 }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => rtc(options)).toThrow(Object.keys(options)[0] ?? '');
  });

  test('cmos/what-the-ram-holds-at-power-on', () => {
    const { read, write, machine } = rtc({ cmos: mc146818.cmos({ 0x0e: 0x80, 0x32: 0x99, 0x7f: 7 }) });
    // The time goes before it: 0x32 is the century.
    expect([0x0e, 0x0f, 0x32, 0x7f].map(read)).toEqual([0x80, 0, 0x20, 7]);
    write(0x7f, 1);
    machine.reset('warm');
    expect(read(0x7f)).toBe(1);
    machine.reset('cold');
    expect(read(0x7f)).toBe(7);
  });

  test.each([
    '',
    '[]',
    '{"0d":"00"}',
    '{"80":"00"}',
    '{"10":"0"}',
    '{"10":"FF"}',
    '{"10":"00","10":"01"}',
    '{"10":"00",}',
  ])('cmos/%s is refused', (cmos) => {
    expect(() => rtc({ cmos })).toThrow("property 'cmos'");
  });

  test('a leap day and milliseconds of zero are an epoch', () => {
    expect(rtc({ epoch: '2024-02-29T23:59:59.000Z' }).date()).toBe('24-02-29');
  });
});
