import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

describe('isa-bus', () => {
  test('lines/a-device-drives-its-line', () => {
    const { vcpu, machine } = testMachine((m) => {
      const isa = m.add('isa-bus');
      m.add('isa-testdev', { bus: isa, irq: 11 });
    });
    vcpu.outb(0x303, 0x07); // ENABLE
    vcpu.outb(0x306, 1); // COMMAND: RAISE
    const high = Array.from({ length: 16 }, (_, irq) => irq).filter((irq) => machine.irq('isa0', irq).level);
    expect(high).toEqual([11]);
    vcpu.outb(0x302, 0xff); // STATUS: clear
    expect(machine.irq('isa0', 11)).toMatchObject({ level: false, edges: 1 });
  });

  test('lines/there-are-sixteen', () => {
    const { machine } = testMachine((m) => {
      m.add('isa-bus');
    });
    expect(machine.irq('isa0', 15).level).toBe(false);
    expect(() => machine.irq('isa0', 16)).toThrow(/isa0/);
  });

  test('lines/two-devices-on-one-are-refused', () => {
    const build = (): unknown =>
      testMachine((m) => {
        const isa = m.add('isa-bus');
        m.add('isa-testdev', { bus: isa, irq: 5 });
        m.add('isa-testdev', { bus: isa, irq: 5, ioBase: 0x320 });
      });
    expect(build).toThrow(/isa0\.irq\[5\].*testdev0\.irq/);
  });

  test('ports/it-has-none', () => {
    const { vcpu, ...harness } = testMachine((m) => {
      m.add('isa-bus');
    });
    expect(vcpu.inb(0x80)).toBe(0xff);
    expect(harness.events()).toMatchObject([{ kind: 'guestError', device: undefined }]);
  });
});
