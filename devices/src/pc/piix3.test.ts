import { describe, expect, test } from 'vitest';
import { defineDevice, type MachineBuilder } from '@qtest/sdk';
import { i8259, pci } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

const RC = 0xcf9;
const PIRQRC = 0x60;
const IRQ_RAISE = 0x60;
const IRQ_ACK = 0x64;

function build(more: (m: MachineBuilder) => void = () => {}) {
  const machine = testMachine((m) => {
    m.ram(0, 0x1_0000);
    m.add('i440fx-pcihost');
    m.add('i440fx');
    m.add('piix3');
    more(m);
  });
  const host = pci.host(machine.vcpu);
  const bridge = host.find({ vendor: 0x8086, device: 0x7000 });
  const high = (): number[] =>
    Array.from({ length: 16 }, (_, irq) => irq).filter((irq) => machine.machine.irq('isa0', irq).level);
  /** Lets an edu drive its pin; gives how to raise and lower it. */
  const pinOf = (slot: number): ((level: boolean) => void) => {
    const fn = host.at({ slot });
    if (fn === undefined) throw new Error(`nobody in slot ${slot}`);
    const { address } = fn.map(0);
    return (level) => machine.vcpu.writel(address + (level ? IRQ_RAISE : IRQ_ACK), 1);
  };
  return { ...machine, host, bridge, high, pinOf };
}

/** Slot 1 has PIRQA on INTA, slot 2 PIRQB, and so on. */
const withEdus = (m: MachineBuilder): void => {
  for (const slot of [2, 3, 4, 5]) m.add('edu', { slot });
};

describe('piix3', () => {
  test('config/header', () => {
    const { bridge } = build();
    expect(bridge).toMatchObject({ slot: 1, function: 0, classCode: 0x06_0100, interruptPin: 0 });
    expect(bridge.readl(4)).toBe(0x0200_0007);
    expect(bridge.readb(pci.HEADER.HEADER_TYPE)).toBe(0x80);
    expect(bridge.bars()).toEqual([]);
    expect(bridge.capabilities()).toEqual([]);
  });

  test('config/values-at-reset', () => {
    const { bridge } = build();
    const values = [0x4c, 0x60, 0x68, 0x70, 0x74, 0x78, 0x80, 0xa0, 0xa8].map((offset) => bridge.readl(offset));
    expect(values).toEqual([
      0x0003_004d, 0x8080_8080, 0x0000_0200, 0x0000_0080, 0x0c0c_0000, 0x0000_0002, 0, 0x0000_0008, 0x0000_000f,
    ]);
  });

  test('config/routes-have-no-bits-6-to-4', () => {
    const { bridge } = build();
    bridge.writel(PIRQRC, 0xffff_ffff);
    expect(bridge.readl(PIRQRC)).toBe(0x8f8f_8f8f);
    bridge.writel(PIRQRC, 0x7070_7070);
    expect(bridge.readl(PIRQRC)).toBe(0);
  });

  test('bus/isa-devices-are-on-it', () => {
    const { vcpu, machine, clock } = build((m) => {
      m.add('i8259');
      m.add('mc146818rtc');
    });
    // 2 Hz, PIE.
    vcpu.outb(0x70, 0x0a);
    vcpu.outb(0x71, 0x2f);
    vcpu.outb(0x70, 0x0b);
    vcpu.outb(0x71, 0x42);
    expect(vcpu.waitIrq(8, { timeout: '1s' })).toBeGreaterThan(0n);
    expect(machine.irq('isa0', 8).level).toBe(true);
    expect(clock.now).toBeLessThan(1_000_000_000n);
  });

  test('routing/none-at-reset', () => {
    const { machine, high, pinOf } = build(withEdus);
    pinOf(2)(true);
    expect(machine.irq('pci0', 1).level).toBe(true);
    expect(high()).toEqual([]);
  });

  test('routing/each-line-by-its-register', () => {
    const { bridge, high, pinOf } = build(withEdus);
    bridge.writel(PIRQRC, 0x0b_0a_09_05);
    for (const [slot, irq] of [
      [2, 9],
      [3, 10],
      [4, 11],
      [5, 5],
    ] as const) {
      const pin = pinOf(slot);
      pin(true);
      expect(high()).toEqual([irq]);
      pin(false);
      expect(high()).toEqual([]);
    }
  });

  test('routing/of-a-line-that-is-high', () => {
    const { bridge, high, pinOf } = build(withEdus);
    pinOf(2)(true);
    bridge.writeb(PIRQRC + 1, 11);
    expect(high()).toEqual([11]);
    bridge.writeb(PIRQRC + 1, 10);
    expect(high()).toEqual([10]);
    bridge.writeb(PIRQRC + 1, 0x8a);
    expect(high()).toEqual([]);
    bridge.writel(PIRQRC, 0x8080_0f80);
    expect(high()).toEqual([15]);
  });

  test('routing/several-to-one', () => {
    const { bridge, high, machine, pinOf } = build(withEdus);
    bridge.writel(PIRQRC, 0x0b0b_0b0b);
    const pins = [2, 3, 4].map(pinOf);
    for (const pin of pins) pin(true);
    for (const pin of pins) {
      expect(high()).toEqual([11]);
      pin(false);
    }
    expect(high()).toEqual([]);
    expect(machine.irq('isa0', 11).edges).toBe(1);
  });

  test('routing/beside-an-isa-device', () => {
    const { vcpu, bridge, high, pinOf } = build((m) => {
      withEdus(m);
      m.add('isa-testdev', { irq: 5 });
    });
    bridge.writeb(PIRQRC + 1, 5);
    vcpu.outb(0x303, 0x07);
    vcpu.outb(0x306, 1);
    expect(high()).toEqual([5]);
    const pin = pinOf(2);
    pin(true);
    vcpu.outb(0x302, 0xff);
    expect(high()).toEqual([5]);
    pin(false);
    expect(high()).toEqual([]);
  });

  test('routing/two-isa-devices-on-one-are-still-refused', () => {
    const twice = (): unknown =>
      build((m) => {
        m.add('isa-testdev', { irq: 5 });
        m.add('isa-testdev', { irq: 5, ioBase: 0x320 });
      });
    expect(twice).toThrow(/isa0\.irq\[5\] is driven by testdev0\.irq already/);
  });

  test('routing/an-output-for-each-line', () => {
    const bridge = (name: string, count: number) =>
      defineDevice(
        {
          type: 'bridge',
          description: 'a bus that drives its own lines',
          provides: { name: 'x', irqs: 4 },
          outputs: { [name]: { ownIrq: true, count } },
        },
        {},
      );
    const add = (name: string, count: number) => (): unknown => {
      const device = bridge(name, count);
      return testMachine((m) => m.add(device), { devices: [device] });
    };
    expect(add('route', 3)).toThrow(/its output 'route' has 3 pins for the 4 lines of the bus that it provides/);
    expect(add('irq', 4)).toThrow(/cannot be called 'irq'/);
    expect(add('route', 4)).not.toThrow();
  });

  test('routing/a-reserved-irq-is-reported-and-made', () => {
    const { bridge, high, pinOf, events } = build(withEdus);
    pinOf(2)(true);
    bridge.writeb(PIRQRC + 1, 8);
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'isa0', message: 'PIRQRCB: IRQ 8 is reserved' }]);
    expect(high()).toEqual([8]);
    bridge.writeb(PIRQRC + 1, 0x88);
    expect(events()).toEqual([]);
  });

  test('routing/through-the-interrupt-controller', () => {
    const { vcpu, bridge, pinOf } = build((m) => {
      withEdus(m);
      m.add('i8259');
    });
    const pic = i8259.pic(vcpu);
    pic.init();
    pic.unmask(11);
    // IRQ 11 is level-triggered.
    vcpu.outb(i8259.ELCR_BASE + 1, 0x08);
    bridge.writel(PIRQRC, 0x0b0b_0b0b);
    const [a, b] = [pinOf(2), pinOf(3)];
    const taken: string[] = [];
    a(true);
    b(true);
    const off = vcpu.onInterrupt(i8259.SLAVE_VECTOR + 3, () => {
      taken.push(taken.length === 0 ? 'a' : 'b');
      (taken.length === 1 ? a : b)(false);
      pic.eoi(11);
    });
    expect(taken).toEqual(['a', 'b']);
    off();
    expect(pic.isr()).toBe(0);
  });

  test('snapshot/keeps-lines-and-routes', () => {
    const { bridge, high, pinOf, machine } = build(withEdus);
    bridge.writeb(PIRQRC + 1, 11);
    const pin = pinOf(2);
    pin(true);
    const snapshot = machine.snapshot();
    pin(false);
    bridge.writeb(PIRQRC + 1, 0x80);
    machine.restore(snapshot);
    expect(high()).toEqual([11]);
    pin(false);
    expect(high()).toEqual([]);
  });

  test('reset/of-the-machine-ends-routes-and-lines', () => {
    for (const kind of ['warm', 'cold'] as const) {
      const { bridge, high, pinOf, machine } = build(withEdus);
      bridge.writeb(PIRQRC + 1, 11);
      pinOf(2)(true);
      machine.reset(kind);
      expect(high()).toEqual([]);
      bridge.writeb(PIRQRC + 1, 11);
      expect(high()).toEqual([]);
      pinOf(2)(true);
      expect(high()).toEqual([11]);
    }
  });
});

describe('reset control', () => {
  test('register/srst-reads-back', () => {
    const { vcpu, events } = build();
    expect(vcpu.inb(RC)).toBe(0);
    vcpu.outb(RC, 0xfb);
    expect(vcpu.inb(RC)).toBe(0x02);
    expect(events()).toEqual([]);
  });

  test('register/it-lies-below-confadd', () => {
    const { vcpu } = build();
    vcpu.outb(RC, 0x02);
    vcpu.outl(0xcf8, 0x8000_0000);
    expect(vcpu.inb(RC)).toBe(0x02);
    expect(vcpu.inl(0xcf8)).toBe(0x8000_0000);
    expect(vcpu.inl(0xcfc)).toBe(0x1237_8086);
    expect(vcpu.inw(RC)).toBe(0xff02);
  });

  test.each([0x04, 0x06])('reset/before-the-next-access/%i', (value) => {
    const { vcpu, bridge, host, machine, clock } = build((m) => {
      m.add('mc146818rtc');
      m.add('edu', { slot: 4 });
    });
    const edu = host.find({ vendor: 0x1234 });
    const { address } = edu.map(0);
    vcpu.writel(address + IRQ_RAISE, 1);
    bridge.writel(PIRQRC, 0x0b0b_0b0b);
    vcpu.outb(0x70, 0x50);
    vcpu.outb(0x71, 0xa5);
    vcpu.writel(0x100, 0x1234_5678);
    clock.step('1ms');
    expect(machine.irq('isa0', 11).level).toBe(true);

    vcpu.outb(RC, value);

    expect(machine.irq('isa0', 11).level).toBe(false);
    expect(vcpu.inb(RC)).toBe(0);
    expect(vcpu.readl(address)).toBe(0xffff_ffff);
    expect(bridge.readl(PIRQRC)).toBe(0x8080_8080);
    // A reset keeps RAM, the CMOS and the time.
    vcpu.outb(0x70, 0x50);
    expect(vcpu.inb(0x71)).toBe(0xa5);
    expect(vcpu.readl(0x100)).toBe(0x1234_5678);
    expect(clock.now).toBe(1_000_000n);
    expect(machine.irq('isa0', 'reset')).toMatchObject({ level: false, edges: 1 });
    vcpu.outb(RC, value);
    expect(machine.irq('isa0', 'reset').edges).toBe(2);
  });

  test('reset/a-test-can-watch-the-line', () => {
    const { vcpu, machine } = build();
    let seen = 0;
    vcpu.onIrq(machine.irq('isa0', 'reset'), () => {
      // The machine has been reset by now.
      expect(vcpu.inb(RC)).toBe(0);
      seen++;
    });
    vcpu.outb(RC, 0x02);
    vcpu.outb(RC, 0x06);
    expect(seen).toBe(1);
  });

  test('reset/only-a-rise', () => {
    const { vcpu, machine } = build();
    vcpu.outb(RC, 0x02);
    vcpu.outb(RC, 0x00);
    expect(machine.irq('isa0', 'reset').edges).toBe(0);
  });
});
