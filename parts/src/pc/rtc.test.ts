import { describe, expect, it } from 'vitest';
import type { Vcpu } from '@qtest/sdk';
import { mc146818, rtc, type RtcTime } from './index.ts';

const { A, B, C } = mc146818;

/** As much of a VCPU as the driver uses, on a part that is 128 bytes. */
function bench({ base = 0x70 } = {}) {
  const bytes = new Uint8Array(mc146818.SIZE);
  bytes[A.offset] = 0x26;
  bytes[B.offset] = 0x02;
  let index = 0;
  const part = {
    bytes,
    /** Called before each access, as an interrupt would be. */
    between: () => {},
    polls: 0,
    onPoll: () => {},
    written: [] as [number, number][],
  };
  const vcpu = {
    outb(port: number, value: number) {
      part.between();
      if (port === base) index = value & 0x7f;
      else {
        if (port !== base + 1) throw new Error(`outb to port ${port}`);
        bytes[index] = value;
        part.written.push([index, value]);
      }
    },
    inb(port: number) {
      part.between();
      if (port !== base + 1) throw new Error(`inb of port ${port}`);
      const value = bytes[index];
      if (index === C.offset) bytes[index] = 0;
      return value;
    },
    poll(condition: () => boolean) {
      while (!condition()) {
        part.polls++;
        part.onPoll();
      }
      return 0n;
    },
  };
  return { part, bytes, vcpu: vcpu as unknown as Vcpu };
}

const time = (hours: number): RtcTime => ({
  year: 2011,
  month: 11,
  day: 9,
  weekday: 4,
  hours,
  minutes: 58,
  seconds: 59,
});

describe('rtc', () => {
  it('has the register table beside it', () => {
    expect(rtc.A.UIP.mask).toBe(0x80);
    expect(rtc.B).toBe(mc146818.B);
    expect(rtc.OSCILLATOR).toBe(32_768);
  });

  it('reads and writes registers at its base', () => {
    const { vcpu, bytes } = bench({ base: 0x170 });
    const dev = rtc(vcpu, 0x170);
    dev.write(0x40, 0x5a);
    expect(bytes[0x40]).toBe(0x5a);
    expect(dev.read(B)).toBe(0x02);
    expect(() => dev.read(0x80)).toThrow(RangeError);
    expect(() => dev.write(-1, 0)).toThrow('0 to 0x7f');
  });

  it('modifies some fields and keeps the others', () => {
    const { vcpu, bytes } = bench();
    rtc(vcpu).modify(A, { RS: 0xf });
    expect(bytes[A.offset]).toBe(0x2f);
    rtc(vcpu).modify(B, { SET: 1, '24H': 0 });
    expect(bytes[B.offset]).toBe(0x80);
  });

  describe.each([
    { name: 'BCD, 24 h', binary: false, hours24: true, hours: [0x00, 0x11, 0x12, 0x23] },
    { name: 'BCD, 12 h', binary: false, hours24: false, hours: [0x12, 0x11, 0x92, 0x91] },
    { name: 'binary, 24 h', binary: true, hours24: true, hours: [0, 11, 12, 23] },
    { name: 'binary, 12 h', binary: true, hours24: false, hours: [12, 11, 0x8c, 0x8b] },
  ])('$name', ({ binary, hours24, hours }) => {
    it.each([0, 11, 12, 23].map((hour, i) => [hour, hours[i]]))('%i h is byte %i', (hour = 0, byte) => {
      const { vcpu, bytes } = bench();
      const dev = rtc(vcpu);
      dev.setFormat({ binary, hours24 });
      dev.setTime(time(hour));
      expect(bytes[mc146818.HOURS.offset]).toBe(byte);
      expect(bytes[mc146818.SECONDS.offset]).toBe(binary ? 59 : 0x59);
      expect(bytes[0x32]).toBe(binary ? 20 : 0x20);
      expect(dev.readTime()).toEqual(time(hour));
    });
  });

  it('sets the time under SET and puts B back', () => {
    const { vcpu, part, bytes } = bench();
    bytes[B.offset] = 0x52;
    rtc(vcpu).setTime(time(1));
    expect(part.written[0]).toEqual([B.offset, 0xd2]);
    expect(part.written.at(-1)).toEqual([B.offset, 0x52]);
  });

  it('waits while UIP is up', () => {
    const { vcpu, part, bytes } = bench();
    const dev = rtc(vcpu);
    dev.setTime(time(1));
    bytes[A.offset] = 0xa6;
    part.onPoll = () => {
      if (part.polls === 3) bytes[A.offset] = 0x26;
    };
    expect(dev.readTime()).toEqual(time(1));
    expect(part.polls).toBe(3);
  });

  it('reads again when an update came in between, and not for ever', () => {
    const { vcpu, part, bytes } = bench();
    const dev = rtc(vcpu);
    dev.setTime(time(1));
    let accesses = 0;
    part.between = () => {
      if (++accesses === 12) bytes[mc146818.SECONDS.offset] = 0x00;
    };
    expect(dev.readTime().seconds).toBe(0);
    part.between = () => {
      bytes[mc146818.SECONDS.offset] = ++accesses & 0x1f;
    };
    expect(() => dev.readTime()).toThrow('0x70 was updated during each of 16 attempts');
  });

  it('may be used by a handler between its index and its data', () => {
    const { vcpu, part, bytes } = bench();
    const dev = rtc(vcpu);
    bytes[0x40] = 0x5a;
    let accesses = 0;
    let flags = -1;
    part.between = () => {
      if (++accesses === 2) {
        bytes[C.offset] = 0xc0;
        flags = dev.acknowledge();
      }
    };
    expect(dev.read(0x40)).toBe(0x5a);
    expect(flags).toBe(0xc0);
  });

  it('sets and reads alarms, with parts that match every value', () => {
    const { vcpu, bytes } = bench();
    const dev = rtc(vcpu);
    dev.setAlarm({ hours: 17, seconds: 30 });
    expect([bytes[5], bytes[3], bytes[1]]).toEqual([0x17, 0xc0, 0x30]);
    expect(dev.readAlarm()).toEqual({ hours: 17, seconds: 30 });
    dev.setFormat({ hours24: false, binary: true });
    dev.setAlarm({ hours: 0, minutes: 59 });
    expect([bytes[5], bytes[3], bytes[1]]).toEqual([12, 59, 0xc0]);
    expect(dev.readAlarm()).toEqual({ hours: 0, minutes: 59 });
  });

  it('enables and disables interrupts', () => {
    const { vcpu, bytes } = bench();
    const dev = rtc(vcpu);
    dev.enable('PIE', 'UIE');
    expect(bytes[B.offset]).toBe(0x52);
    dev.disable('PIE');
    expect(bytes[B.offset]).toBe(0x12);
  });

  it('leaves the century alone when there is none', () => {
    const { vcpu, bytes } = bench();
    const dev = rtc(vcpu, 0x70, 0);
    dev.setTime({ ...time(1), year: 1999 });
    expect(bytes[0x32]).toBe(0);
    expect(dev.readTime().year).toBe(99);
  });

  it('knows the rates', () => {
    expect(rtc.periodNs(6)).toBe(976_562.5);
    expect(rtc.periodNs(3)).toBe(122_070.312_5);
    expect(rtc.periodNs(1)).toBe(rtc.periodNs(8));
    expect(rtc.periodNs(15)).toBe(500_000_000);
    expect([2, 64, 1024, 8192].map(rtc.rateOf)).toEqual([15, 10, 6, 3]);
    expect(() => rtc.rateOf(16_384)).toThrow(RangeError);
    expect(() => rtc.rateOf(100)).toThrow(RangeError);
    expect(() => rtc.periodNs(0)).toThrow('no period');
    expect(() => rtc(bench().vcpu).setRate(16)).toThrow(RangeError);
  });

  it('holds and releases the divider', () => {
    const { vcpu, bytes } = bench();
    const dev = rtc(vcpu);
    dev.holdDivider();
    expect(bytes[A.offset]).toBe(0x66);
    dev.releaseDivider();
    expect(bytes[A.offset]).toBe(0x26);
  });
});
