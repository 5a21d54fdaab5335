import { describe, expect, test } from 'vitest';
import { driver, probe, ticker, TICKER } from '../../../test/support/devices.ts';
import { TRACE_ENTRIES } from '../control.ts';
import { decodeTrace } from '../../../host/src/trace/decode.ts';
import { traceEntries } from './trace.ts';
import { ownDevices, testMachine } from '../../../test/support/machine.ts';

/** The RTC counts every second of a long step, which takes its time. */
function bench({ rtc = true } = {}) {
  const devices = [probe, ticker, driver];
  const harness = testMachine(
    (m) => {
      m.ram(0, 0x1000);
      m.add('isa-bus');
      m.add('i8259');
      if (rtc) m.add('mc146818rtc');
      m.add(probe, { base: 0x300, max: '4' });
      m.add(probe, { base: 0x12_3456_7000, space: 'memory', max: '4' });
      m.add(ticker);
    },
    { devices },
  );
  const { bound } = harness;
  const registry = new Map(
    [...ownDevices(), ...devices].map((definition) => [definition.schema.type, definition] as const),
  );
  return {
    ...harness,
    entries: (count?: number) => traceEntries(bound.control, 0, count),
    lines: () => decodeTrace(bound, registry, traceEntries(bound.control, 0)),
  };
}

describe('the ring', () => {
  test('holds every kind of access with its width, address and value', () => {
    const { vcpu, entries } = bench();
    vcpu.outb(0x300, 0xab);
    vcpu.inb(0x300);
    vcpu.outw(0x302, 0xbeef);
    vcpu.inl(0x300);
    vcpu.outl(0xfffc, 0xdead_beef);
    vcpu.writel(0x12_3456_7004, 0x8765_4321);
    vcpu.readb(0x12_3456_7007);
    vcpu.inb(0xffff);
    expect(entries().map(({ size, address, value }) => [size, address, value])).toEqual([
      [1, 0x300, 0xab],
      [1, 0x300, 0xab],
      [2, 0x302, 0xbeef],
      [4, 0x300, 0xbeef_01ab],
      [4, 0xfffc, 0xdead_beef],
      [4, 0x12_3456_7004, 0x8765_4321],
      [1, 0x12_3456_7007, 0x87],
      [1, 0xffff, 0xff],
    ]);
  });

  test('an access to memory below 4 GiB, after one above in the same place of the ring', () => {
    const { vcpu, entries } = bench();
    for (let n = 0; n < TRACE_ENTRIES; n++) vcpu.writel(0x12_3456_7004, 0x8765_4321);
    for (let n = 0; n < TRACE_ENTRIES; n++) vcpu.readb(0xffff_fff0);
    vcpu.writew(0xffff_fff0, 0xbeef);
    expect(
      entries()
        .slice(-2)
        .map(({ size, address, value }) => [size, address, value]),
    ).toEqual([
      [1, 0xffff_fff0, 0xff],
      [2, 0xffff_fff0, 0xbeef],
    ]);
  });

  test('keeps the last ones, oldest first', () => {
    const { vcpu, entries } = bench();
    for (let n = 0; n < 1000; n++) vcpu.outb(0x80, n & 0xff);
    expect(entries().map(({ value }) => value)).toEqual(
      Array.from({ length: TRACE_ENTRIES }, (_, n) => (1000 - TRACE_ENTRIES + n) & 0xff),
    );
    expect(entries(3).map(({ value }) => value)).toEqual([997, 998, 999].map((n) => n & 0xff));
    vcpu.inl(0x80);
    expect(entries(2).map(({ size }) => size)).toEqual([1, 4]);
  });

  test('RAM is not in it', () => {
    const { vcpu, entries } = bench();
    for (let n = 0; n < 20; n++) {
      vcpu.writeb(n, n);
      vcpu.readl(0);
      vcpu.readw(1);
      vcpu.writew(2, 5);
    }
    expect(entries()).toEqual([]);
  });
});

describe('decoded', () => {
  test('registers behind an index are told by name, fields by theirs', () => {
    const { vcpu, lines } = bench();
    vcpu.outb(0x70, 0x0b);
    vcpu.outb(0x71, 0x42);
    vcpu.inb(0x71);
    vcpu.inb(0x4444);
    expect(lines()).toEqual([
      expect.stringMatching(/^outb 0x70 ← 0x0b +rtc0 index B$/),
      expect.stringMatching(/^outb 0x71 ← 0x42 +rtc0\.B \{PIE, /),
      expect.stringMatching(/^inb 0x71 → 0x42 +rtc0\.B \{PIE, /),
      expect.stringMatching(/^inb 0x4444 → 0xff +no device$/),
    ]);
  });

  test('regression: steps of the clock, however long', () => {
    const { clock, lines } = bench({ rtc: false });
    for (const duration of ['1ns', '4294ms', '5s', '365d'] as const) clock.step(duration);
    expect(lines()).toEqual(['clock +1ns', 'clock +4.294s', 'clock +5s', 'clock +31536000s']);
  });

  test('handlers that were run', () => {
    const { vcpu, clock, machine, lines } = bench();
    vcpu.onIrq(machine.irq('ticker0', 'irq', 2), () => {});
    vcpu.outl(0x200 + TICKER.ARM + 8, 10);
    clock.step(10n);
    expect(lines().slice(1)).toEqual([
      expect.stringMatching(/^(IRQ handler of ticker0\.irq\[2\]|clock \+10ns)$/),
      expect.stringMatching(/^(IRQ handler of ticker0\.irq\[2\]|clock \+10ns)$/),
    ]);
  });

  test('memory above 4 GiB', () => {
    const { vcpu, lines } = bench();
    vcpu.writel(0x12_3456_7004, 0x8765_4321);
    expect(lines()).toEqual([expect.stringMatching(/^writel 0x1234567004 ← 0x87654321 +probe1\.reg\+0x4$/)]);
  });
});
