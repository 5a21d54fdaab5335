import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { driver, listener, ticker, TICKER } from '../../../test/support/devices.ts';
import { TRACED_EVENTS, Tracer } from '@qtest/machine';
import { eventText } from '../report/trace-text.ts';
import { caseTrace } from './case-trace.ts';
import { ownDevices, testMachine } from '../../../test/support/machine.ts';

function bench() {
  const devices = [ticker, driver, listener];
  const buffer = Tracer.buffer();
  const harness = testMachine(
    (m) => {
      m.pc();
      m.add('edu', { slot: 9 });
      m.add(ticker);
      const pins = m.add(driver);
      const ears = m.add(listener);
      m.connect(m.output(pins, 'out', 1), m.input(ears, 'in', 2));
    },
    { devices, trace: buffer },
  );
  const { bound } = harness;
  const registry = new Map(
    [...ownDevices(), ...devices].map((definition) => [definition.schema.type, definition] as const),
  );
  const trace = (failing?: number) => caseTrace({ buffer, machine: bound, registry }, failing);
  return { ...harness, trace, texts: () => trace().events.map((event) => eventText(event).replaceAll(/ +/g, ' ')) };
}

describe('what is traced', () => {
  test('an access, and below it what it has brought about', () => {
    const { vcpu, texts } = bench();
    vcpu.outb(0x401, 1);
    vcpu.outb(0x401, 1);
    vcpu.inb(0x401);
    expect(texts()).toEqual([
      'outb 0x401 ← 0x01 driver0.pins+0x1',
      'driver0.out[1] ↑',
      'listener0.in[2] ↑',
      'outb 0x401 ← 0x01 driver0.pins+0x1',
      'inb 0x401 → 0x01 driver0.pins+0x1',
    ]);
  });

  test('timers, steps of the clock and handlers, with the time of each', () => {
    const { vcpu, clock, machine, trace, texts } = bench();
    vcpu.onIrq(machine.irq('ticker0', 'irq', 2), () => vcpu.inb(0x80));
    vcpu.outl(0x200 + TICKER.ARM + 8, 10);
    clock.step(15n);
    const fired = trace().events.filter(({ type }) => type !== 'access');
    expect(fired.map(({ type, time }) => [type, time])).toEqual([
      ['timer', 10n],
      ['irq', 10n],
      ['irq', 10n],
      ['handler', 10n],
      ['clock', 15n],
    ]);
    expect(texts().slice(1)).toEqual([
      'timer ticker0.t2',
      'ticker0.irq[2] ↑',
      'ticker0.irq[2] ↓',
      'IRQ handler of ticker0.irq[2]',
      expect.stringMatching(/^inb 0x80 → /),
      'clock +15ns',
    ]);
  });

  test('RAM, in every width, however often', () => {
    const { vcpu, texts } = bench();
    vcpu.writel(0x1000, 0x0403_0201);
    vcpu.writel(0x1000, 0x0403_0201);
    vcpu.readw(0x1001);
    vcpu.readw(0x1001);
    vcpu.writeq(0x2000, 0x1_0000_0002n);
    expect(texts()).toEqual([
      'writel 0x00001000 ← 0x04030201',
      'writel 0x00001000 ← 0x04030201',
      'readw 0x00001001 → 0x0302',
      'readw 0x00001001 → 0x0302',
      'writel 0x00002000 ← 0x00000002',
      'writel 0x00002004 ← 0x00000001',
    ]);
  });

  test('bulk accesses are one event, with their bytes', () => {
    const { vcpu, trace } = bench();
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
    vcpu.write(0x3000, bytes);
    vcpu.read(0x3000, 6);
    vcpu.fill(0x3000, 5000, 7);
    expect(trace().events).toMatchObject([
      { op: 'write', size: 6, address: 0x3000, value: crc32(bytes), data: '010203040506' },
      { op: 'read', size: 6, value: crc32(bytes), data: '010203040506' },
      { op: 'write', size: 5000, value: crc32(new Uint8Array(5000).fill(7)) },
    ]);
    expect(trace().events[2]).not.toHaveProperty('data');
  });

  test('what an access is split into is not told', () => {
    const { vcpu, texts } = bench();
    vcpu.read(0xfec0_0000, 8);
    vcpu.readl(0xfee0_0fff);
    vcpu.inl(0x6f);
    expect(texts()).toEqual([
      expect.stringMatching(/^read 0xfec00000, 8 bytes → /),
      expect.stringMatching(/^readl 0xfee00fff → /),
      expect.stringMatching(/^inl 0x6f → /),
    ]);
  });

  test('what an access came to is told as it was then, though the region has moved since', () => {
    const { vcpu, trace } = bench();
    const at = (register: number): number => 0x8000_0000 + (9 << 11) + register;
    vcpu.outl(0xcf8, at(0x10));
    vcpu.outl(0xcfc, 0xe000_0000);
    vcpu.outl(0xcf8, at(4));
    vcpu.outw(0xcfc, 2);
    vcpu.readl(0xe000_0000);
    vcpu.outl(0xcf8, at(0x10));
    vcpu.outl(0xcfc, 0xe800_0000);
    vcpu.readl(0xe800_0000);
    vcpu.readl(0xe000_0000);
    const reads = trace().events.filter((event) => event.type === 'access' && event.op === 'read');
    expect(reads).toMatchObject([
      { address: 0xe000_0000, device: 'edu0', value: 0x0100_00ed },
      { address: 0xe800_0000, device: 'edu0', value: 0x0100_00ed },
      { address: 0xe000_0000, value: 0xffff_ffff },
    ]);
    expect(reads[2]).not.toHaveProperty('device');
    const configured = trace().events.filter((event) => event.type === 'access' && event.address === 0xcfc);
    expect(configured).toMatchObject([
      { device: 'edu0', register: 'BAR0' },
      { device: 'edu0', register: 'COMMAND' },
      { device: 'edu0', register: 'BAR0' },
    ]);
  });

  test('DMA, by the device that makes it', () => {
    const { vcpu, clock, trace } = bench();
    const at = (register: number): number => 0x8000_0000 + (9 << 11) + register;
    vcpu.outl(0xcf8, at(0x10));
    vcpu.outl(0xcfc, 0xe000_0000);
    vcpu.outl(0xcf8, at(4));
    vcpu.outw(0xcfc, 6);
    vcpu.write(0x5000, Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2));
    vcpu.writel(0xe000_0080, 0x5000);
    vcpu.writel(0xe000_0088, 0x4_0000);
    vcpu.writel(0xe000_0090, 8);
    vcpu.writel(0xe000_0098, 1);
    clock.step('200ms');
    expect(trace().events.filter((event) => event.type === 'access' && event.by !== undefined)).toMatchObject([
      { by: 'edu0', op: 'read', address: 0x5000, size: 8, data: '0908070605040302' },
    ]);
  });

  test('resets and snapshots', () => {
    const { machine, texts } = bench();
    const snapshot = machine.snapshot();
    machine.reset();
    machine.restore(snapshot);
    expect(texts().filter((text) => !/[↑↓]/.test(text))).toEqual([
      'snapshot taken',
      'reset of the machine',
      'snapshot restored',
    ]);
  });
});

test('of more events than the ring holds the last are kept, and told how many are not', () => {
  const { vcpu, trace } = bench();
  for (let n = 0; n < TRACED_EVENTS + 10; n++) vcpu.outb(0x80, n & 0xff);
  const { events, lost } = trace();
  expect(lost).toBe(10);
  expect(events).toHaveLength(TRACED_EVENTS);
  expect(events[0]).toMatchObject({ seq: 10, value: 10 });
  expect(events.at(-1)).toMatchObject({ seq: TRACED_EVENTS + 9, value: (TRACED_EVENTS + 9) & 0xff });
});

test('the failing VCPU has its last access marked', () => {
  const { vcpus, trace } = bench();
  vcpus[0]?.inb(0x80);
  vcpus[0]?.inb(0x81);
  expect(trace(0).failed).toBe(1);
  expect(trace(1)).not.toHaveProperty('failed');
  expect(trace()).not.toHaveProperty('failed');
});
