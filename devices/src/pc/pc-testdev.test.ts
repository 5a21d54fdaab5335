import type { DeviceTypes } from '@qtest/sdk';
import { i8259 } from '@qtest/parts/pc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const DATA = 0xe0;
const FLUSH = 0xe4;
const BYTES = 0xe8;
const IRQ = 0x2000;
const MEMORY = 0xff00_0000;

function bench(options: DeviceTypes['pc-testdev'] = {}) {
  const harness = testMachine((m) => {
    m.add('isa-bus');
    m.add('pc-testdev', options);
  });
  const { machine } = harness;
  return {
    ...harness,
    events: () => harness.events(),
    /** Lines that are high. */
    high: () => Array.from({ length: 24 }, (_, n) => n).filter((n) => machine.irq('testdev-pc0', 'irq', n).level),
  };
}

describe('pc-testdev/data', () => {
  test('bytes, words and longs reach the same four bytes', () => {
    const { vcpu } = bench();
    vcpu.outl(DATA, 0x1234_5678);
    expect([0, 1, 2, 3].map((n) => vcpu.inb(DATA + n))).toEqual([0x78, 0x56, 0x34, 0x12]);
    expect([vcpu.inw(DATA), vcpu.inw(DATA + 2), vcpu.inl(DATA)]).toEqual([0x5678, 0x1234, 0x1234_5678]);
    vcpu.outb(DATA + 1, 0xaa);
    vcpu.outw(DATA + 2, 0xf0f1);
    expect(vcpu.inl(DATA)).toBe(0xf0f1_aa78);
  });

  test('an access that is not aligned works as well', () => {
    const { vcpu } = bench();
    vcpu.outl(DATA, 0x1234_5678);
    expect(vcpu.inw(DATA + 1)).toBe(0x3456);
    vcpu.outw(DATA + 1, 0xbbcc);
    expect(vcpu.inl(DATA)).toBe(0x12bb_cc78);
  });

  test('the second window has the same bytes', () => {
    const { vcpu } = bench();
    vcpu.outl(BYTES, 0x8899_aabb);
    expect([vcpu.inl(DATA), vcpu.inw(BYTES + 2), vcpu.inb(BYTES)]).toEqual([0x8899_aabb, 0x8899, 0xbb]);
    vcpu.outw(DATA, 0x1122);
    expect(vcpu.inl(BYTES)).toBe(0x8899_1122);
  });

  test('an access over a border is split there', () => {
    const { vcpu } = bench();
    vcpu.outl(DATA, 0x1122_3344);
    expect(vcpu.inw(FLUSH - 1)).toBe(0xff11);
  });
});

describe('pc-testdev/flush', () => {
  test('takes four bytes at once, and does nothing', () => {
    const { vcpu, events } = bench();
    vcpu.outl(DATA, 5);
    vcpu.outl(FLUSH, 0x0010_0000);
    expect([vcpu.inl(FLUSH), vcpu.inl(DATA), events()]).toEqual([0xffff_ffff, 5, []]);
  });

  test('refuses fewer', () => {
    const { vcpu, events } = bench();
    vcpu.outb(FLUSH, 1);
    vcpu.outw(FLUSH, 1);
    expect(vcpu.inb(FLUSH)).toBe(0xff);
    expect(events().map(({ kind }) => kind)).toEqual(['guestError', 'guestError', 'guestError']);
  });
});

describe('pc-testdev/lines', () => {
  test('each port drives its line', () => {
    const { vcpu, high } = bench();
    for (let n = 0; n < 24; n++) {
      vcpu.outb(IRQ + n, 1);
      expect(high()).toEqual([n]);
      vcpu.outb(IRQ + n, 0);
    }
    vcpu.outb(IRQ + 3, 0x80);
    vcpu.outb(IRQ + 23, 1);
    expect(high()).toEqual([3, 23]);
    vcpu.outb(IRQ + 3, 0);
    expect(high()).toEqual([23]);
  });

  test('a word drives two, and reading tells nothing', () => {
    const { vcpu, high } = bench();
    vcpu.outw(IRQ + 4, 0x0101);
    expect(high()).toEqual([4, 5]);
    expect(vcpu.inl(IRQ + 4)).toBe(0xffff_ffff);
  });

  test('driving a line to the level it has makes no edge', () => {
    const { vcpu, machine } = bench();
    for (let i = 0; i < 3; i++) vcpu.outb(IRQ + 7, 1);
    expect(machine.irq('testdev-pc0', 'irq', 7).edges).toBe(1);
  });

  test('wired to the bus it interrupts, beside the device that is there', () => {
    const { vcpu, machine } = testMachine((m) => {
      const isa = m.add('isa-bus');
      m.add('i8259');
      m.add('mc146818rtc');
      const dev = m.add('pc-testdev');
      for (const n of [5, 8]) m.connect(m.output(dev, 'irq', n), m.line(isa, n), { shared: true });
    });
    const taken: number[] = [];
    const pic = i8259.pic(vcpu);
    pic.init();
    for (const irq of [5, 8]) {
      pic.unmask(irq);
      vcpu.onInterrupt(irq === 5 ? 0x0d : 0x70, () => {
        taken.push(irq);
        pic.eoi(irq);
      });
    }
    vcpu.outb(IRQ + 5, 1);
    vcpu.outb(IRQ + 8, 1);
    expect(taken).toEqual([5, 8]);
    expect([5, 8].map((irq) => machine.irq('isa0', irq).level)).toEqual([true, true]);
  });
});

describe('pc-testdev/memory', () => {
  test('64 KiB that keep what is written, in every size', () => {
    const { vcpu } = bench();
    vcpu.writel(MEMORY, 0x89ab_cdef);
    vcpu.writew(MEMORY + 0xfffe, 0x1234);
    vcpu.writeb(MEMORY + 1, 0x55);
    expect([vcpu.readl(MEMORY), vcpu.readw(MEMORY + 2), vcpu.readb(MEMORY + 0xffff)]).toEqual([
      0x89ab_55ef, 0x89ab, 0x12,
    ]);
    vcpu.writeq(MEMORY + 8, 0x0123_4567_89ab_cdefn);
    expect(vcpu.readq(MEMORY + 8)).toBe(0x0123_4567_89ab_cdefn);
  });

  test('an access that is not aligned, and one over the end', () => {
    const { vcpu } = bench();
    vcpu.writel(MEMORY + 5, 0x1234_5678);
    expect([vcpu.readl(MEMORY + 5), vcpu.readw(MEMORY + 7)]).toEqual([0x1234_5678, 0x1234]);
    vcpu.writel(MEMORY + 0xfffe, 0x1234_5678);
    expect(vcpu.readl(MEMORY + 0xfffe)).toBe(0xffff_5678);
  });

  test('as much as bulk accesses take', () => {
    const { vcpu } = bench();
    const bytes = Uint8Array.from({ length: 0x1_0000 }, (_, i) => (i * 7) ^ (i >> 8));
    vcpu.write(MEMORY, bytes);
    expect(vcpu.read(MEMORY, bytes.length)).toEqual(bytes);
  });
});

describe('pc-testdev/machine', () => {
  test('a warm reset leaves everything, power-on clears it', () => {
    const { vcpu, machine, high } = bench();
    const seen = (): unknown[] => [vcpu.inl(DATA), vcpu.readl(MEMORY + 4), high()];
    vcpu.outl(DATA, 1);
    vcpu.writel(MEMORY + 4, 2);
    vcpu.outb(IRQ + 9, 1);
    machine.reset('warm');
    expect(seen()).toEqual([1, 2, [9]]);
    machine.reset('cold');
    expect(seen()).toEqual([0, 0, []]);
  });

  test('a snapshot holds everything', () => {
    const { vcpu, machine, high } = bench();
    vcpu.outl(DATA, 1);
    vcpu.writel(MEMORY + 4, 2);
    vcpu.outb(IRQ + 9, 1);
    const snapshot = machine.snapshot();
    vcpu.outl(DATA, 3);
    vcpu.writel(MEMORY + 4, 4);
    vcpu.outb(IRQ + 9, 0);
    machine.restore(snapshot);
    expect([vcpu.inl(DATA), vcpu.readl(MEMORY + 4), high()]).toEqual([1, 2, [9]]);
  });

  test('places are properties', () => {
    const { vcpu, high } = bench({ ioBase: 0x300, irqBase: 0x400, memoryBase: 0x10_0000 });
    vcpu.outl(0x300, 7);
    vcpu.outb(0x401, 1);
    vcpu.writel(0x10_0000, 9);
    expect([vcpu.inl(0x308), high(), vcpu.readl(0x10_0000)]).toEqual([7, [1], 9]);
  });

  test('fuzz/what is written comes back, nothing throws', () => {
    const { vcpu, bound } = bench();
    const data = new DataView(new ArrayBuffer(4));
    const memory = new DataView(new ArrayBuffer(0x1_0000));
    const access = fc.record({
      where: fc.constantFrom('data', 'bytes', 'memory', 'irq'),
      offset: fc.integer({ min: 0, max: 0xfffc }),
      value: fc.integer({ min: 0, max: 0xffff_ffff }),
    });
    fc.assert(
      fc.property(access, ({ where, offset, value }) => {
        if (where === 'irq') return vcpu.outb(IRQ + (offset % 24), value & 0xff);
        if (where === 'memory') {
          vcpu.writel(MEMORY + offset, value);
          memory.setUint32(offset, value, true);
          expect(vcpu.readw(MEMORY + offset + 1)).toBe(memory.getUint16(offset + 1, true));
          return undefined;
        }
        const at = offset % 3;
        vcpu.outw((where === 'data' ? DATA : BYTES) + at, value & 0xffff);
        data.setUint16(at, value & 0xffff, true);
        expect([vcpu.inl(DATA), vcpu.inl(BYTES)]).toEqual([data.getUint32(0, true), data.getUint32(0, true)]);
        return undefined;
      }),
      { numRuns: 1000 },
    );
    expect(bound.bus.fault).toBe(undefined);
  });

  test.each([
    ['registers', { ioBase: 0xfff5 }],
    ['lines', { irqBase: 0xfff0 }],
    ['memory', { memoryBase: 0xffff_0001 }],
  ])('properties/%s beyond the end are refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });
});
