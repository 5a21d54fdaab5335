import fc from 'fast-check';
import { defineDevice, type DeviceTypes } from '@qtest/sdk';
import { i8254 as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { CONTROL, NMISC, nsOf, READ_BACK, RW, STATUS } = part;
const SECOND = 1_000_000_000n;
const BASE = 0x40;
const CONTROL_PORT = BASE + CONTROL.offset;
const GATES = 0x500;

/** A device whose one port drives three pins. */
const levers = defineDevice(
  {
    type: 'levers',
    description: 'Three pins at a port',
    regions: () => ({ port: { space: 'io', base: GATES, size: 1 } }),
    outputs: { pin: { count: 3 } },
  },
  {
    regions: {
      port: {
        read: () => 0,
        write({ out }, _offset, value) {
          for (let pin = 0; pin < 3; pin++) out.pin.set(((value >> pin) & 1) === 1, pin);
        },
      },
    },
  },
);

/** A PIT of which all OUT pins are driven and all GATEs come from port `GATES`, which is 7. */
function bench(options: DeviceTypes['i8254'] = {}) {
  const harness = testMachine(
    (m) => {
      m.add('isa-bus');
      const gates = m.add(levers);
      const pit = m.add('i8254', { tiedGates: 0, drivenOuts: 7, ...options });
      for (let n = 0; n < 3; n++) m.connect(m.output(gates, 'pin', n), m.input(pit, 'gate', n));
    },
    { devices: [levers] },
  );
  const { vcpu, clock, machine } = harness;
  vcpu.outb(GATES, 7);
  const pit = part.pit(vcpu);
  const outs = [0, 1, 2].map((n) => machine.irq('pit0', 'out', n));
  const toTick = (tick: number | bigint): void => void clock.step(nsOf(tick) - clock.now);
  return {
    ...harness,
    events: () => harness.events(),
    pit,
    gate: (mask: number): void => vcpu.outb(GATES, mask),
    /** Level of an OUT pin. */
    out: (n: number): boolean => outs[n]?.level ?? false,
    edges: (n: number): number => outs[n]?.edges ?? -1,
    /** Steps to the first nanosecond after a pulse. */
    toTick,
    /** Counting element and OUT after each of the next `n` pulses, as the data sheet's figures show them. */
    wave: (counter: 0 | 1 | 2, n: number): string => {
      const seen: string[] = [];
      const first = part.ticksIn(clock.now);
      for (let i = 1n; i <= n; i++) {
        toTick(first + i);
        seen.push(`${pit.readBack(counter)[0].count.toString(16)}${(outs[counter]?.level ?? false) ? '+' : '-'}`);
      }
      return seen.join(' ');
    },
    /** Expects OUT to change at the end of a pulse, to the nanosecond. */
    expectEdge: (counter: number, tick: number | bigint, level: boolean): void => {
      clock.step(nsOf(tick) - 1n - clock.now);
      expect([tick, outs[counter]?.level]).toEqual([tick, !level]);
      clock.step(1n);
      expect([tick, outs[counter]?.level]).toEqual([tick, level]);
    },
  };
}

describe('i8254/clock', () => {
  test('a pulse ends at ceil(n · 10⁹ / 1193182) ns', () => {
    expect([1, 2, 3, 1_193_182, 1_193_183].map((n) => nsOf(n))).toEqual([839n, 1677n, 2515n, SECOND, SECOND + 839n]);
    for (let n = 0n; n < 100_000n; n += 37n) {
      expect(part.ticksIn(nsOf(n))).toBe(n);
      if (n > 0n) expect(part.ticksIn(nsOf(n) - 1n)).toBe(n - 1n);
    }
  });

  test('runs by itself: a count is loaded by the next pulse after its write', () => {
    const { pit, clock, toTick } = bench();
    for (const [at, loaded] of [
      [nsOf(10), 11],
      [nsOf(21) - 1n, 21],
    ] as const) {
      clock.step(at - clock.now);
      pit.program(0, 4, 100);
      expect(pit.status(0).nullCount).toBe(true);
      clock.step(nsOf(loaded) - 1n - clock.now);
      expect(pit.status(0).nullCount).toBe(true);
      toTick(loaded);
      expect(pit.readBack(0)).toMatchObject([{ nullCount: false, count: 100 }]);
    }
  });

  test('does not drift over a hundred thousand periods', () => {
    const { pit, clock, edges, expectEdge } = bench({ drivenOuts: 1 });
    pit.program(0, 2, 1193);
    clock.step('100s');
    const pulses = 100 * part.OSCILLATOR;
    // OUT rises with pulse 1 + 1193 · n; it was high before the first fall.
    expect(edges(0)).toBe(Math.floor((pulses - 1) / 1193) + 1);
    const next = 1 + 1193 * Math.ceil(pulses / 1193);
    expectEdge(0, next - 1, false);
    expectEdge(0, next, true);
  });
});

describe('i8254/modes', () => {
  test('mode 0/OUT rises N + 1 pulses after the write and stays', () => {
    for (const [count, tick] of [
      [1, 2],
      [4, 5],
      [1000, 1001],
      [65_536, 65_537],
    ] as const) {
      const { pit, out, expectEdge, toTick, clock } = bench();
      pit.program(0, 0, count);
      expect(out(0)).toBe(false);
      expectEdge(0, tick, true);
      expect(clock.deadline).toBe(undefined);
      toTick(tick + 200_000);
      expect(out(0)).toBe(true);
    }
  });

  test('mode 0/the count goes on beyond 0', () => {
    const { pit, wave } = bench();
    pit.program(0, 0, 4);
    expect(wave(0, 8)).toBe('4- 3- 2- 1- 0+ ffff+ fffe+ fffd+');
  });

  test('mode 0/a control word lowers OUT at once; a count as well, whether one byte or the first of two', () => {
    const { pit, out, toTick, vcpu } = bench();
    pit.program(0, 0, 2);
    toTick(3);
    expect(out(0)).toBe(true);
    vcpu.outb(BASE, 5);
    expect(out(0)).toBe(false);
    vcpu.outb(BASE, 0);
    toTick(9);
    expect(out(0)).toBe(true);
    pit.program(0, 0, 2, { access: 'lsb' });
    expect(out(0)).toBe(false);
    toTick(20);
    expect(out(0)).toBe(true);
    vcpu.outb(BASE, 3);
    expect(out(0)).toBe(false);
  });

  test('mode 0/the first byte of a new count stops counting, the second starts it anew', () => {
    const { pit, wave, vcpu } = bench();
    pit.program(0, 0, 6);
    expect(wave(0, 3)).toBe('6- 5- 4-');
    vcpu.outb(BASE, 2);
    expect(wave(0, 3)).toBe('4- 4- 4-');
    vcpu.outb(BASE, 0);
    expect(wave(0, 4)).toBe('2- 1- 0+ ffff+');
  });

  test('mode 0/GATE stops the count and not the load', () => {
    const { pit, wave, gate, out } = bench();
    gate(6);
    pit.program(0, 0, 3);
    expect(wave(0, 3)).toBe('3- 3- 3-');
    gate(7);
    expect(wave(0, 2)).toBe('2- 1-');
    gate(6);
    expect(wave(0, 2)).toBe('1- 1-');
    gate(7);
    expect(wave(0, 2)).toBe('0+ ffff+');
    gate(6);
    expect(out(0)).toBe(true);
  });

  test('mode 1/a pulse of N after each trigger, and none before it', () => {
    const { pit, wave, gate } = bench();
    pit.program(1, 1, 3);
    expect(wave(1, 2)).toBe('0+ 0+');
    gate(5);
    gate(7);
    expect(wave(1, 5)).toBe('3- 2- 1- 0+ ffff+');
    gate(5);
    expect(wave(1, 2)).toBe('fffe+ fffd+');
    gate(7);
    expect(wave(1, 2)).toBe('3- 2-');
    gate(5);
    gate(7);
    expect(wave(1, 4)).toBe('3- 2- 1- 0+');
  });

  test('mode 1/a new count waits for the next trigger', () => {
    const { pit, wave, gate } = bench();
    pit.program(1, 1, 2);
    gate(5);
    gate(7);
    expect(wave(1, 1)).toBe('2-');
    pit.load(1, 4);
    expect(wave(1, 3)).toBe('1- 0+ ffff+');
    expect(pit.status(1).nullCount).toBe(true);
    gate(5);
    gate(7);
    expect(wave(1, 2)).toBe('4- 3-');
    expect(pit.status(1).nullCount).toBe(false);
  });

  test('mode 1/to the nanosecond', () => {
    const { pit, gate, expectEdge, toTick } = bench();
    pit.program(0, 1, 1000);
    toTick(50);
    gate(6);
    gate(7);
    expectEdge(0, 51, false);
    expectEdge(0, 1051, true);
  });

  test('mode 1/a trigger before the first count is lost', () => {
    const { pit, wave, gate, vcpu } = bench();
    vcpu.outb(CONTROL_PORT, 0x32);
    gate(6);
    gate(7);
    pit.load(0, 3);
    expect(wave(0, 2)).toBe('0+ 0+');
  });

  test('mode 2/low for the last of N pulses', () => {
    const { pit, wave, expectEdge } = bench();
    pit.program(0, 2, 3);
    expect(wave(0, 8)).toBe('3+ 2+ 1- 3+ 2+ 1- 3+ 2+');
    pit.program(2, 2, 1193);
    expectEdge(2, 8 + 1193, false);
    expectEdge(2, 8 + 1194, true);
    expectEdge(2, 8 + 2 * 1193, false);
  });

  test('mode 2/a new count comes with the next period', () => {
    const { pit, wave } = bench();
    pit.program(0, 2, 4);
    expect(wave(0, 2)).toBe('4+ 3+');
    pit.load(0, 2);
    expect(wave(0, 5)).toBe('2+ 1- 2+ 1- 2+');
  });

  test('mode 2/GATE low puts OUT high at once, its rise loads', () => {
    const { pit, wave, gate, out } = bench();
    pit.program(0, 2, 4);
    expect(wave(0, 4)).toBe('4+ 3+ 2+ 1-');
    gate(6);
    expect(out(0)).toBe(true);
    expect(wave(0, 3)).toBe('1+ 1+ 1+');
    gate(7);
    expect(out(0)).toBe(true);
    expect(wave(0, 5)).toBe('4+ 3+ 2+ 1- 4+');
    pit.load(0, 3);
    gate(6);
    gate(7);
    expect(wave(0, 3)).toBe('3+ 2+ 1-');
  });

  test('mode 2/a trigger is kept when GATE falls before the pulse', () => {
    const { pit, wave, gate } = bench();
    pit.program(0, 2, 5);
    expect(wave(0, 3)).toBe('5+ 4+ 3+');
    gate(6);
    gate(7);
    gate(6);
    expect(wave(0, 3)).toBe('5+ 5+ 5+');
  });

  test('mode 3/even: the figure of the data sheet', () => {
    const { pit, wave } = bench();
    pit.program(0, 3, 4);
    expect(wave(0, 10)).toBe('4+ 2+ 4- 2- 4+ 2+ 4- 2- 4+ 2+');
  });

  test('mode 3/odd: high for (N + 1)/2, low for (N − 1)/2', () => {
    const { pit, wave } = bench();
    pit.program(0, 3, 5);
    expect(wave(0, 11)).toBe('4+ 2+ 0+ 4- 2- 4+ 2+ 0+ 4- 2- 4+');
    pit.program(0, 3, 3);
    expect(wave(0, 7)).toBe('2+ 0+ 2- 2+ 0+ 2- 2+');
    pit.program(0, 3, 2);
    expect(wave(0, 5)).toBe('2+ 2- 2+ 2- 2+');
  });

  test.each([2, 3, 4, 5, 1193, 32_767, 65_535, 65_536])('mode 3/%i to the nanosecond', (count) => {
    const { pit, expectEdge } = bench();
    pit.program(0, 3, count);
    const high = Math.ceil(count / 2);
    expectEdge(0, 1 + high, false);
    expectEdge(0, 1 + count, true);
    expectEdge(0, 1 + count + high, false);
    expectEdge(0, 1 + 2 * count, true);
  });

  test('mode 3/a new count comes with the next half', () => {
    const { pit, wave } = bench();
    pit.program(0, 3, 8);
    expect(wave(0, 2)).toBe('8+ 6+');
    pit.load(0, 5);
    expect(wave(0, 8)).toBe('4+ 2+ 4- 2- 4+ 2+ 0+ 4-');
    pit.load(0, 4);
    expect(wave(0, 4)).toBe('2- 4+ 2+ 4-');
  });

  test('mode 3/GATE low puts OUT high at once, its rise begins a period', () => {
    const { pit, wave, gate, out } = bench();
    pit.program(0, 3, 7);
    expect(wave(0, 5)).toBe('6+ 4+ 2+ 0+ 6-');
    gate(6);
    expect(out(0)).toBe(true);
    expect(wave(0, 2)).toBe('6+ 6+');
    gate(7);
    expect(wave(0, 8)).toBe('6+ 4+ 2+ 0+ 6- 4- 2- 6+');
  });

  test('mode 4/a strobe N + 1 pulses after the write, once', () => {
    const { pit, wave, expectEdge } = bench();
    pit.program(0, 4, 3);
    expect(wave(0, 6)).toBe('3+ 2+ 1+ 0- ffff+ fffe+');
    pit.load(0, 1000);
    expectEdge(0, 6 + 1001, false);
    expectEdge(0, 6 + 1002, true);
    expect(wave(0, 70_000).includes('-')).toBe(false);
  });

  test('mode 4/a new count is loaded by the next pulse; the first of two bytes does nothing', () => {
    const { pit, wave, vcpu } = bench();
    pit.program(0, 4, 5);
    expect(wave(0, 2)).toBe('5+ 4+');
    vcpu.outb(BASE, 2);
    expect(wave(0, 2)).toBe('3+ 2+');
    vcpu.outb(BASE, 0);
    expect(wave(0, 4)).toBe('2+ 1+ 0- ffff+');
  });

  test('mode 4/GATE stops the count, and leaves the strobe', () => {
    const { pit, wave, gate } = bench();
    pit.program(0, 4, 2);
    expect(wave(0, 2)).toBe('2+ 1+');
    gate(6);
    expect(wave(0, 3)).toBe('1+ 1+ 1+');
    gate(7);
    expect(wave(0, 1)).toBe('0-');
    gate(6);
    expect(wave(0, 3)).toBe('0+ 0+ 0+');
    gate(7);
    expect(wave(0, 2)).toBe('ffff+ fffe+');
  });

  test('mode 5/a strobe N + 1 pulses after each trigger', () => {
    const { pit, wave, gate } = bench();
    pit.program(0, 5, 3);
    expect(wave(0, 2)).toBe('0+ 0+');
    gate(6);
    gate(7);
    expect(wave(0, 2)).toBe('3+ 2+');
    gate(6);
    expect(wave(0, 3)).toBe('1+ 0- ffff+');
    gate(7);
    expect(wave(0, 3)).toBe('3+ 2+ 1+');
    pit.load(0, 5);
    gate(6);
    gate(7);
    expect(wave(0, 7)).toBe('5+ 4+ 3+ 2+ 1+ 0- ffff+');
  });

  test('the modes 6 and 7 are 2 and 3, and the status tells what was written', () => {
    const { wave, vcpu, pit } = bench();
    for (const [m, seen] of [
      [6, '4+ 3+ 2+ 1- 4+'],
      [7, '4+ 2+ 4- 2- 4+'],
    ] as const) {
      vcpu.outb(CONTROL_PORT, CONTROL.RW.set(CONTROL.M.set(0, m), RW.LSB));
      vcpu.outb(BASE, 4);
      expect(wave(0, 5)).toBe(seen);
      expect(pit.status(0).mode).toBe(m);
    }
  });

  test('a control word puts OUT to the initial level of its mode at once', () => {
    const { out, vcpu } = bench();
    for (let mode = 0; mode < 8; mode++) {
      vcpu.outb(CONTROL_PORT, CONTROL.RW.set(CONTROL.M.set(0, mode), RW.WORD));
      expect([mode, out(0)]).toEqual([mode, mode !== 0]);
    }
  });
});

describe('i8254/BCD', () => {
  test('four decades, which wrap to 9999', () => {
    const { pit, wave } = bench();
    const bcd = { bcd: true } as const;
    pit.program(0, 0, 2, bcd);
    expect(wave(0, 4)).toBe(['2-', '1-', '0+', `${(9999).toString(16)}+`].join(' '));
    expect(pit.read(0, bcd)).toBe(9999);
  });

  test('0 is 10000', () => {
    const { pit, expectEdge, vcpu, toTick } = bench();
    pit.program(0, 2, 10_000, { bcd: true });
    toTick(2);
    expect([vcpu.inb(BASE), vcpu.inb(BASE)]).toEqual([0x99, 0x99]);
    expectEdge(0, 10_000, false);
    expectEdge(0, 10_001, true);
  });

  test('mode 3 counts by two in decimal', () => {
    const { pit, wave, vcpu } = bench();
    pit.program(0, 3, 103, { bcd: true });
    const low = (): number => (vcpu.inb(BASE), vcpu.inb(BASE));
    expect(wave(0, 2)).toBe('66+ 64+');
    expect(low()).toBe(1);
    expect(wave(0, 1)).toBe('62+');
    expect(low()).toBe(0);
  });

  test('digits above 9 are reported, count for their values, and throw nothing', () => {
    const { pit, expectEdge, events, vcpu } = bench();
    vcpu.outb(CONTROL_PORT, 0x35);
    vcpu.outb(BASE, 0x1a);
    vcpu.outb(BASE, 0);
    expect(events()).toMatchObject([{ kind: 'guestError', message: 'counter 0: the count 0x1a is not BCD' }]);
    expectEdge(0, 20, false);
    for (const mode of [0, 1, 2, 3, 4, 5]) {
      vcpu.outb(CONTROL_PORT, 0x31 | (mode << 1));
      vcpu.outb(BASE, 0xff);
      vcpu.outb(BASE, 0xff);
      for (let i = 0; i < 50; i++) {
        vcpu.poll(() => true);
        expect(pit.readBack(0)[0].count).toBeLessThan(10_000);
      }
    }
  });
});

describe('i8254/bytes of a count', () => {
  test('LSB alone: the high byte is 0', () => {
    const { pit, expectEdge, wave } = bench();
    pit.program(0, 2, 1000);
    pit.program(0, 2, 200, { access: 'lsb' });
    expectEdge(0, 200, false);
    expect(wave(0, 1)).toBe('c8+');
  });

  test('MSB alone: the low byte is 0', () => {
    const { pit, expectEdge, vcpu } = bench();
    pit.program(0, 2, 0x300, { access: 'msb' });
    expectEdge(0, 0x300, false);
    expect(pit.read(0, { access: 'msb' })).toBe(0);
    expect(vcpu.inb(BASE)).toBe(0);
  });

  test('reads and writes of one counter may be interleaved', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 0x1234);
    toTick(1);
    expect(vcpu.inb(BASE)).toBe(0x34);
    vcpu.outb(BASE, 0x78);
    expect(vcpu.inb(BASE)).toBe(0x12);
    vcpu.outb(BASE, 0x56);
    toTick(1 + 0x1234);
    expect(pit.read(0)).toBe(0x5678);
  });

  test('a control word begins both sequences anew', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 0x1234);
    toTick(1);
    vcpu.inb(BASE);
    vcpu.outb(BASE, 0x99);
    pit.program(0, 2, 0x4321);
    toTick(2);
    expect([vcpu.inb(BASE), vcpu.inb(BASE)]).toEqual([0x21, 0x43]);
  });

  test('reads without a latch give each byte as it is then', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 0x200);
    toTick(1);
    expect(vcpu.inb(BASE)).toBe(0x00);
    toTick(2);
    expect(vcpu.inb(BASE)).toBe(0x01);
  });

  test('wider accesses are bytes', () => {
    const { vcpu, toTick } = bench();
    vcpu.outb(CONTROL_PORT, 0x14);
    vcpu.outb(CONTROL_PORT, 0x54);
    vcpu.outw(BASE, 0x2211);
    toTick(1);
    expect(vcpu.inw(BASE)).toBe(0x2211);
    expect(vcpu.inl(BASE) >>> 24).toBe(0xff);
  });

  test('the control port reads as all ones', () => {
    const { vcpu, events } = bench();
    expect(vcpu.inb(CONTROL_PORT)).toBe(0xff);
    expect(events()).toEqual([]);
  });
});

describe('i8254/latch', () => {
  test('a latched count stays until it is read, and the counter goes on', () => {
    const { pit, toTick } = bench();
    pit.program(0, 2, 1000);
    toTick(11);
    pit.latch(0);
    toTick(100);
    expect(pit.read(0)).toBe(990);
    expect(pit.read(0)).toBe(901);
  });

  test('a second latch before the read is ignored, between its bytes as well', () => {
    const { pit, toTick, vcpu } = bench();
    pit.program(0, 2, 0x1000);
    toTick(2);
    pit.latch(0);
    toTick(0x300);
    pit.latch(0);
    expect(vcpu.inb(BASE)).toBe(0xff);
    pit.latch(0);
    expect(vcpu.inb(BASE)).toBe(0x0f);
    expect(pit.read(0)).toBe(0x0d01);
  });

  test('a control word drops it', () => {
    const { pit, toTick } = bench();
    pit.program(0, 2, 1000);
    toTick(11);
    pit.latch(0);
    pit.program(0, 2, 500);
    toTick(12);
    expect(pit.read(0)).toBe(500);
  });

  test('the command changes neither mode nor OUT, whatever its low bits', () => {
    const { vcpu, pit, wave } = bench();
    pit.program(0, 2, 3);
    expect(wave(0, 2)).toBe('3+ 2+');
    vcpu.outb(CONTROL_PORT, 0x0f);
    expect(pit.read(0)).toBe(2);
    expect(wave(0, 3)).toBe('1- 3+ 2+');
  });

  test('one byte of it in the accesses of one byte', () => {
    const { pit, toTick, vcpu } = bench();
    pit.program(0, 2, 100, { access: 'lsb' });
    toTick(1);
    pit.latch(0);
    toTick(3);
    expect([vcpu.inb(BASE), vcpu.inb(BASE)]).toEqual([100, 98]);
  });

  test('each counter has its own', () => {
    const { pit, toTick } = bench();
    for (const n of [0, 1, 2] as const) pit.program(n, 2, 1000 + n);
    toTick(1);
    pit.latch(0);
    pit.latch(2);
    toTick(11);
    expect([0, 1, 2].map((n) => pit.read(n as 0))).toEqual([1000, 991, 1002]);
  });
});

describe('i8254/read-back', () => {
  test('the status byte: OUT, NULL COUNT and the control word', () => {
    const { pit, vcpu, toTick } = bench();
    const status = (n: number): number => {
      vcpu.outb(CONTROL_PORT, READ_BACK.SC.mask | READ_BACK.COUNT.mask | (READ_BACK.CNT0.mask << n));
      return vcpu.inb(BASE + n);
    };
    vcpu.outb(CONTROL_PORT, 0x34);
    vcpu.outb(CONTROL_PORT, 0x50);
    vcpu.outb(CONTROL_PORT, 0xab);
    expect([0, 1, 2].map(status)).toEqual([0xf4, 0x50, 0xeb]);
    pit.load(0, 10);
    expect(status(0)).toBe(0xf4);
    toTick(1);
    expect(status(0)).toBe(0xb4);
    toTick(10);
    expect(status(0)).toBe(0x34);
    toTick(11);
    expect(status(0)).toBe(0xb4);
  });

  test('NULL COUNT rises with the second byte of a count', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 10);
    toTick(1);
    vcpu.outb(BASE, 9);
    expect(pit.status(0).nullCount).toBe(false);
    vcpu.outb(BASE, 0);
    expect(pit.status(0).nullCount).toBe(true);
    toTick(10);
    expect(pit.status(0).nullCount).toBe(true);
    toTick(11);
    expect(pit.status(0).nullCount).toBe(false);
  });

  test('status and count of several counters at one instant; the status comes first', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 0x1000);
    pit.program(2, 3, 0x2000);
    toTick(1);
    vcpu.outb(CONTROL_PORT, READ_BACK.SC.mask | READ_BACK.CNT0.mask | READ_BACK.CNT2.mask);
    toTick(500);
    const bytes = (port: number): number[] => [vcpu.inb(port), vcpu.inb(port), vcpu.inb(port)];
    expect(bytes(BASE + 2)).toEqual([0xb6, 0x00, 0x20]);
    expect(bytes(BASE)).toEqual([0xb4, 0x00, 0x10]);
    expect(pit.read(0)).toBe(0x1000 - 499);
  });

  test('what has been latched is not latched again', () => {
    const { pit, vcpu, toTick } = bench();
    const both = READ_BACK.SC.mask | READ_BACK.CNT0.mask;
    pit.program(0, 2, 0x1000);
    vcpu.outb(CONTROL_PORT, both | READ_BACK.COUNT.mask);
    toTick(1);
    vcpu.outb(CONTROL_PORT, both);
    toTick(17);
    vcpu.outb(CONTROL_PORT, both);
    expect(STATUS.NULL_COUNT.test(vcpu.inb(BASE))).toBe(true);
    expect(pit.read(0)).toBe(0x1000);
    expect(pit.read(0)).toBe(0x1000 - 16);
  });

  test('a status latched between two bytes comes between them', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 0x1234);
    toTick(1);
    expect(vcpu.inb(BASE)).toBe(0x34);
    vcpu.outb(CONTROL_PORT, READ_BACK.SC.mask | READ_BACK.COUNT.mask | READ_BACK.CNT0.mask);
    expect(vcpu.inb(BASE)).toBe(0xb4);
    expect(vcpu.inb(BASE)).toBe(0x12);
  });

  test('neither: nothing happens', () => {
    const { pit, vcpu, toTick } = bench();
    pit.program(0, 2, 100);
    toTick(1);
    vcpu.outb(CONTROL_PORT, READ_BACK.SC.mask | READ_BACK.COUNT.mask | READ_BACK.STATUS.mask | READ_BACK.CNT0.mask);
    expect(pit.read(0)).toBe(100);
  });

  test('bit 0 is reported', () => {
    const { vcpu, events } = bench();
    vcpu.outb(CONTROL_PORT, 0xff);
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'pit0' }]);
  });
});

describe('i8254/interrupts', () => {
  test('counter 0 interrupts by IRQ 0 at 100 Hz for ten seconds', () => {
    const { vcpu, clock, machine } = testMachine((m) => {
      m.add('isa-bus');
      m.add('i8259');
      m.add('i8254');
    });
    const taken: bigint[] = [];
    vcpu.outb(0x20, 0x11);
    for (const icw of [0x08, 0x04, 0x01, 0xfe]) vcpu.outb(0x21, icw);
    vcpu.onInterrupt(0x08, () => {
      taken.push(clock.now);
      vcpu.outb(0x20, 0x20);
    });
    const count = part.countForHz(100);
    part.pit(vcpu).program(0, 2, count);
    clock.step('10s');
    // The first is the control word's: it puts OUT high.
    expect(taken.length).toBe(1000);
    expect(taken.slice(0, 3)).toEqual([0n, nsOf(1 + count), nsOf(1 + 2 * count)]);
    expect(machine.irq('isa0', 0).edges).toBe(1000);
  });

  test('irqDisable keeps OUT 0 from the IRQ, and not from its pin', () => {
    const { vcpu, clock, machine } = testMachine(
      (m) => {
        m.add('isa-bus');
        const lever = m.add(levers);
        const pit = m.add('i8254');
        m.connect(m.output(lever, 'pin', 0), m.input(pit, 'irqDisable'));
      },
      { devices: [levers] },
    );
    const lines = (): boolean[] => [machine.irq('pit0').level, machine.irq('pit0', 'out', 0).level];
    part.pit(vcpu).program(0, 3, 1000);
    expect(lines()).toEqual([true, true]);
    vcpu.outb(GATES, 1);
    expect(lines()).toEqual([false, true]);
    clock.step(nsOf(501) - clock.now);
    expect(lines()).toEqual([false, false]);
    clock.step(nsOf(1001) - clock.now);
    expect(lines()).toEqual([false, true]);
    vcpu.outb(GATES, 0);
    expect(lines()).toEqual([true, true]);
  });

  test('irq and ioBase are properties', () => {
    const { vcpu, machine } = testMachine((m) => {
      m.add('isa-bus');
      m.add('i8254', { irq: 11, ioBase: 0x48 });
    });
    part.pit(vcpu, 0x48).program(0, 3, 1000);
    expect(machine.irq('isa0', 11).level).toBe(true);
    expect(vcpu.inb(0x40)).toBe(0xff);
  });

  test('an OUT may be wired to the GATE of another counter', () => {
    const { vcpu, clock, machine } = testMachine((m) => {
      m.add('isa-bus');
      const pit = m.add('i8254', { tiedGates: 0b001, drivenOuts: 7 });
      m.connect(m.output(pit, 'out', 0), m.input(pit, 'gate', 1));
      m.connect(m.output(pit, 'out', 1), m.input(pit, 'gate', 2));
    });
    const pit = part.pit(vcpu);
    pit.program(2, 0, 5);
    pit.program(1, 1, 100);
    pit.program(0, 2, 1000);
    // Counter 0 triggers counter 1 when it rises, at 1001 and 2001; while counter 1 is low, counter 2 stands.
    const out = (n: number): boolean => machine.irq('pit0', 'out', n).level;
    const to = (tick: number): bigint => clock.step(nsOf(tick) - clock.now);
    to(1001);
    expect([out(0), out(1)]).toEqual([true, true]);
    to(1002);
    expect(out(1)).toBe(false);
    to(1101);
    expect(out(1)).toBe(false);
    to(1102);
    expect([out(1), out(2)]).toEqual([true, true]);
    to(2002);
    expect(out(1)).toBe(false);
  });
});

describe('i8254/timers', () => {
  test('armed for the next change of OUT, and not for the pulse that loads', () => {
    const { pit, clock, gate } = bench();
    expect(clock.deadline).toBe(undefined);
    pit.program(0, 2, 100);
    expect(clock.deadline).toBe(nsOf(100));
    pit.program(1, 4, 50);
    expect(clock.deadline).toBe(nsOf(51));
    gate(0);
    expect(clock.deadline).toBe(undefined);
    gate(7);
    expect(clock.deadline).toBe(nsOf(51));
    pit.program(1, 3, 30);
    expect(clock.deadline).toBe(nsOf(16));
  });

  test('none for a counter whose OUT is not driven, which counts all the same', () => {
    const { pit, clock, out, machine } = bench({ drivenOuts: 0b100 });
    pit.program(0, 3, 2);
    pit.program(1, 2, 18);
    expect(clock.deadline).toBe(undefined);
    clock.step('1d');
    expect(pit.readBack(1)[0].count).toBe(18 - ((86_400 * part.OSCILLATOR - 1) % 18));
    expect([out(0), out(1), machine.irq('pit0').edges]).toEqual([false, false, 0]);
  });

  test('the count is exact after 290 years', () => {
    const { pit, clock } = bench({ drivenOuts: 0 });
    pit.program(0, 2, 65_521);
    pit.program(1, 4, 65_521, {});
    const time = 290n * 365n * 86_400n * SECOND;
    clock.step(time);
    const pulses = (time * BigInt(part.OSCILLATOR)) / SECOND - 1n;
    const [periodic, once] = pit.readBack(0, 1);
    expect(periodic.count).toBe(65_521 - Number(pulses % 65_521n));
    expect(once.count).toBe(Number((((65_521n - pulses) % 65_536n) + 65_536n) % 65_536n));
  });

  test.each([2, 3])('a count of 1 in mode %i is reported and stops the counter', (mode) => {
    const { pit, clock, out, events, vcpu, wave } = bench();
    pit.program(0, mode as 2, 1);
    expect(events()).toMatchObject([{ kind: 'guestError', message: `counter 0: a count of 1 in mode ${mode}` }]);
    clock.step('10ms');
    expect([out(0), clock.deadline]).toEqual([true, undefined]);
    pit.load(0, 2);
    expect(wave(0, 3)).toBe(mode === 2 ? '2+ 1- 2+' : '2+ 2- 2+');
    pit.load(0, 1);
    clock.step('10ms');
    expect([out(0), clock.deadline, events().length]).toEqual([true, undefined, 1]);
    vcpu.outb(GATES, 0);
    vcpu.outb(GATES, 7);
    clock.step('10ms');
    expect(clock.deadline).toBe(undefined);
  });

  test('realtime: a counter faster than the host does not keep it for ever', () => {
    const { vcpu, clock, machine } = testMachine(
      (m) => {
        m.add('isa-bus');
        m.add('i8254');
      },
      { clock: 'realtime' },
    );
    const pit = part.pit(vcpu);
    pit.program(0, 3, 2);
    const before = clock.now;
    for (let i = 0; i < 5; i++) {
      clock.step('5ms');
      expect(pit.status(0).mode).toBe(3);
    }
    expect(clock.now - before).toBeLessThan(2n * SECOND);
    expect(machine.irq('pit0').edges).toBeGreaterThan(100);
  });
});

describe('i8254/reset', () => {
  test('none: at power-on nothing counts and every OUT is low; a warm reset changes nothing', () => {
    const { pit, out, clock, machine, toTick } = bench();
    expect([0, 1, 2].map(out)).toEqual([false, false, false]);
    expect(clock.deadline).toBe(undefined);
    pit.program(0, 3, 1000);
    toTick(100);
    machine.reset('warm');
    expect(pit.readBack(0)).toMatchObject([{ mode: 3, count: 1000 - 198 }]);
    machine.reset('cold');
    expect(pit.readBack(0)).toMatchObject([{ mode: 0, count: 0, out: false }]);
    expect(clock.deadline).toBe(undefined);
  });

  test('none: a count may come without a control word', () => {
    const { pit, expectEdge } = bench();
    pit.load(0, 10);
    expectEdge(0, 11, true);
  });

  test('running: mode 3 with 65536, the first IRQ after a whole period', () => {
    const { pit, clock, machine, expectEdge, toTick } = bench({ reset: 'running', tiedGates: 7 });
    expect(machine.irq('pit0').level).toBe(false);
    expect(pit.readBack(0, 2)).toMatchObject([
      { mode: 3, access: 'word', nullCount: false, count: 0 },
      { mode: 3, access: 'word', nullCount: false, count: 0 },
    ]);
    expectEdge(0, 65_536, true);
    expectEdge(0, 65_536 + 32_768, false);
    expectEdge(0, 2 * 65_536, true);
    pit.program(0, 4, 100);
    machine.reset('warm');
    expect(pit.status(0)).toMatchObject({ mode: 3, out: false });
    toTick(3n * 65_536n - 1n);
    expect(machine.irq('pit0').level).toBe(false);
    expect(clock.deadline).toBe(nsOf(3 * 65_536));
  });
});

/** One counter of the data sheet, one pulse at a time: what the model has to agree with. */
class Reference {
  out = false;
  edges = 0;
  nullCount = false;
  control = 0x30;
  #cr = 0;
  #ce = 0;
  #gate = true;
  #load = false;
  #trigger = false;
  #written = false;
  #running = false;
  #armed = false;
  #odd = false;

  get mode(): number {
    const m = (this.control >> 1) & 7;
    return m > 5 ? m - 4 : m;
  }

  get modulus(): number {
    return (this.control & 1) === 1 ? 10_000 : 65_536;
  }

  get count(): number {
    return this.#ce;
  }

  program(control: number): void {
    this.control = control;
    this.nullCount = true;
    this.#ce = 0;
    this.#load = this.#trigger = this.#written = this.#running = this.#armed = false;
    this.#set(this.mode !== 0);
  }

  firstByte(): void {
    if (this.mode !== 0) return;
    this.#running = this.#load = false;
    this.#set(false);
  }

  write(count: number): void {
    this.firstByte();
    this.#cr = count;
    this.nullCount = true;
    if (this.mode === 0 || this.mode === 4 || (this.mode < 4 && this.mode > 1 && !this.#running)) this.#load = true;
    this.#written = true;
  }

  gate(level: boolean): void {
    if (level && !this.#gate && this.#written) this.#trigger = true;
    this.#gate = level;
    if (!level && (this.mode === 2 || this.mode === 3)) this.#set(true);
  }

  clock(): void {
    const { mode, modulus } = this;
    if (mode === 0 || mode === 4) this.#trigger = false;
    if (mode > 3 && !this.out) this.#set(true);
    if (this.#load || this.#trigger) {
      this.#load = this.#trigger = false;
      this.#running = this.#armed = true;
      this.#reload();
      this.#set(mode > 1);
      return;
    }
    if (!this.#running || (!this.#gate && mode !== 1 && mode !== 5)) return;
    if (mode === 3) {
      if (this.out && this.#odd && this.#ce === 0) {
        this.#reload();
        this.#set(false);
        return;
      }
      this.#ce = (this.#ce + modulus - 2) % modulus;
      if (this.#ce !== 0 || (this.out && this.#odd)) return;
      this.#reload();
      this.#set(!this.out);
    } else if (mode === 2 && this.#ce === 1) {
      this.#reload();
      this.#set(true);
    } else {
      this.#ce = (this.#ce + modulus - 1) % modulus;
      if (mode === 2 && this.#ce === 1) this.#set(false);
      if (mode === 2 || this.#ce !== 0) return;
      if (this.#armed) this.#set(mode < 2);
      this.#armed = false;
    }
  }

  #reload(): void {
    this.nullCount = false;
    this.#odd = this.mode === 3 && this.#cr % 2 === 1;
    this.#ce = (this.#cr - Number(this.#odd)) % this.modulus;
  }

  #set(level: boolean): void {
    if (level && !this.out) this.edges++;
    this.out = level;
  }
}

describe('i8254/against a reference that counts pulse by pulse', () => {
  const counter = fc.constantFrom(0, 1, 2);
  const count = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 2, max: 12 }) },
    fc.integer({ min: 2, max: 3000 }),
    fc.constantFrom(65_535, 65_536),
  );
  const action = fc.oneof(
    fc.record({
      do: fc.constant('program' as const),
      counter,
      mode: fc.integer({ min: 0, max: 5 }),
      count,
      bcd: fc.boolean(),
    }),
    fc.record({ do: fc.constant('load' as const), counter, count }),
    fc.record({ do: fc.constant('first byte' as const), counter, count }),
    { weight: 2, arbitrary: fc.record({ do: fc.constant('gate' as const), mask: fc.integer({ min: 0, max: 7 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('step' as const),
        ns: fc.oneof(
          fc.bigInt({ min: 0n, max: 900n }),
          fc.bigInt({ min: 0n, max: 20_000n }),
          fc.bigInt({ min: 0n, max: 3_000_000n }),
        ),
      }),
    },
  );

  test.each([7, 0])('counts, levels, edges and NULL COUNT, with drivenOuts %i', (drivenOuts) => {
    const { pit, vcpu, clock, machine, gate, out, edges, events } = bench({ drivenOuts });
    const pristine = machine.snapshot();
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        machine.restore(pristine);
        const references = [new Reference(), new Reference(), new Reference()] as const;
        let tick = 0n;
        for (const act of actions) {
          if (act.do === 'step') {
            clock.step(act.ns);
            for (const now = part.ticksIn(clock.now); tick < now; tick++) for (const one of references) one.clock();
          } else if (act.do === 'gate') {
            gate(act.mask);
            references.forEach((one, n) => one.gate(((act.mask >> n) & 1) === 1));
          } else {
            const n = act.counter as 0;
            const reference = references[n];
            const bcd = act.do === 'program' ? act.bcd : reference.modulus === 10_000;
            const ticks = Math.min(act.count, bcd ? 10_000 : 65_536);
            if (act.do === 'program') {
              pit.program(n, act.mode as 0, ticks, { bcd });
              reference.program(0x30 | (act.mode << 1) | Number(bcd));
              reference.write(ticks);
            } else if (act.do === 'load') {
              pit.load(n, ticks, { bcd });
              reference.write(ticks);
            } else {
              // Time passes between the two bytes.
              const raw = bcd ? Number.parseInt(String(ticks % 10_000), 16) : ticks;
              vcpu.outb(BASE + n, raw & 0xff);
              reference.firstByte();
              clock.step(2000n);
              for (const now = part.ticksIn(clock.now); tick < now; tick++) for (const one of references) one.clock();
              vcpu.outb(BASE + n, (raw >> 8) & 0xff);
              reference.write(ticks);
            }
          }
          const found = pit.readBack(0, 1, 2).map(({ count: c, out: o, nullCount }) => [c, o, nullCount]);
          expect(found).toEqual(references.map((one) => [one.count, one.out, one.nullCount]));
          if (drivenOuts === 0) continue;
          expect([0, 1, 2].map((n) => [out(n), edges(n)])).toEqual(references.map((one) => [one.out, one.edges]));
        }
        expect(events()).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('i8254/robustness', () => {
  test('snapshot/everything goes on from it as before', () => {
    const { machine, pit, clock, edges, vcpu, toTick, gate } = bench();
    pit.program(0, 3, 1001);
    pit.program(1, 2, 77, { bcd: true });
    pit.program(2, 0, 40_000);
    toTick(5000);
    pit.latch(1);
    vcpu.outb(BASE, 0x12);
    gate(6);
    gate(7);
    const snapshot = machine.snapshot();
    const record = (): unknown[] => {
      const seen: unknown[] = [vcpu.inb(BASE + 1), vcpu.inb(BASE + 1)];
      for (let i = 0; i < 200; i++) seen.push(clock.step(), ...pit.readBack(0, 1, 2), edges(0), edges(1), edges(2));
      return seen;
    };
    const first = record();
    machine.restore(snapshot);
    expect(record()).toEqual(first);
  });

  test('fuzz/whatever is written: bytes come back, deadlines lie ahead, nothing throws', () => {
    const access = fc.record({
      port: fc.integer({ min: 0, max: 4 }),
      value: fc.option(fc.integer({ min: 0, max: 255 })),
      step: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 10_000n }), fc.bigInt({ min: 1n, max: 1_000_000n })),
    });
    const { vcpu, clock, machine, bound } = bench();
    const pristine = machine.snapshot();
    fc.assert(
      fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
        machine.restore(pristine);
        for (const { port, value, step } of accesses) {
          const at = port === 4 ? GATES : BASE + port;
          if (value !== null) vcpu.outb(at, value);
          const byte = vcpu.inb(at);
          expect(Number.isInteger(byte) && byte >= 0 && byte <= 0xff).toBe(true);
          clock.step(step);
          expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
        }
        expect(bound.bus.fault).toBe(undefined);
      }),
      { numRuns: 300 },
    );
  });

  test('fuzz/a state that no machine has saved throws nothing and makes no storm', () => {
    const value = fc.integer({ min: 0, max: 0xffff_ffff });
    const tick = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    const { bound, vcpu, clock, machine, pit } = bench();
    const pristine = machine.snapshot();
    fc.assert(
      fc.property(fc.infiniteStream(value), tick, (stream, from) => {
        machine.restore(pristine);
        const state = bound.context('pit0')?.state as Record<string, unknown>;
        const next = (): number => stream.next().value ?? 0;
        for (const [name, words] of fieldsOf(state)) {
          if (words !== undefined) for (let i = 0; i < words.length; i++) words.set(i, next());
          else state[name] = name === 'irqDisable' ? next() % 2 === 1 : next() & 0xff;
        }
        state['tick'] = from;
        for (let i = 0; i < 10; i++) {
          vcpu.outb(GATES, next() & 7);
          clock.step(20_000n);
          pit.readBack(0, 1, 2);
          expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
        }
        expect(bound.bus.fault).toBe(undefined);
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ['an IRQ that ISA lacks', { irq: 16 }],
    ['a port beyond the last', { ioBase: 0xfffd }],
    ['a fourth GATE', { tiedGates: 8 }],
    ['a fourth OUT', { drivenOuts: 8 }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });
});

describe('i8254/driver', () => {
  test('delay/as long as it says, and not much longer', () => {
    const { vcpu, clock, pit } = bench();
    for (const duration of [1n, 838n, 839n, 1_000_000n, 54_925_416n, 200_000_000n]) {
      const before = clock.now;
      pit.delay(duration);
      const took = clock.now - before;
      expect(took).toBeGreaterThanOrEqual(duration);
      expect(took).toBeLessThan(duration + (1n + duration / 54_000_000n) * 4_000n);
    }
    pit.delay(0n);
    expect(vcpu.index).toBe(0);
  });

  test('delay/of a counter whose GATE is low fails', () => {
    const { pit, gate } = bench();
    gate(0);
    expect(() => pit.delay('1ms')).toThrow('poll()');
  });

  test('counts/for durations and rates', () => {
    expect([part.countFor('1ms'), part.countFor('54.9ms'), part.countForHz(1000), part.countForHz(18.2065)]).toEqual([
      1193, 65_506, 1193, 65_536,
    ]);
    for (const wrong of [
      () => part.countFor('1s'),
      () => part.countFor('1ns'),
      () => part.countForHz(18),
      () => part.countForHz(0),
      () => part.countForHz(1_000_000),
      () => part.countForHz(Number.NaN),
    ]) {
      expect(wrong).toThrow(RangeError);
    }
  });

  test('bad arguments are refused before anything is written', () => {
    const { pit } = bench();
    for (const wrong of [
      () => pit.program(0, 0, 0),
      () => pit.program(0, 0, 65_537),
      () => pit.program(0, 0, 10_001, { bcd: true }),
      () => pit.program(0, 0, 1.5),
      () => pit.program(0, 0, 256, { access: 'lsb' }),
      () => pit.program(0, 0, 257, { access: 'msb' }),
      () => pit.program(3 as 0, 0, 1),
      () => pit.read(-1 as 0),
      () => pit.latch(4 as 0),
    ]) {
      expect(wrong).toThrow(RangeError);
    }
    expect(pit.status(0)).toMatchObject({ mode: 0, nullCount: false });
  });

  test('the registers of port 0x61 have their names', () => {
    expect([NMISC.GATE2.mask, NMISC.SPKR.mask, NMISC.REFRESH.mask, NMISC.OUT2.mask]).toEqual([1, 2, 0x10, 0x20]);
  });
});

type Words = { length: number; set(index: number, value: number): void };

/** Names of a bound state's fields, and its arrays. */
function fieldsOf(state: Record<string, unknown>): [string, Words | undefined][] {
  const names = ['left', 'cr', 'ol', 'control', 'counting', 'pending', 'armed', 'nullCount', 'low', 'odd', 'lsb'];
  const flags = ['msbNext', 'msbRead', 'latched', 'status', 'statusLatched', 'gates', 'irqDisable'];
  return [...names, ...flags].map((name) => {
    const field = state[name];
    return [name, typeof field === 'object' ? (field as Words) : undefined];
  });
}
