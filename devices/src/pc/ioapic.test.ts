import { describe, expect, test } from 'vitest';
import { defineDevice, type DeviceTypes } from '@qtest/sdk';
import { ioapic as part, lapic } from '@qtest/parts/pc';
import { driver } from '../../../test/support/devices.ts';
import { testMachine } from '../../../test/support/machine.ts';

const { EOI, IOAPICARB, IOAPICID, IOAPICVER, IOREDTBL, IOREDTBL_HIGH, IOREGSEL, IOWIN, PINS } = part;

/** Notes the interrupt messages that are written to it, in the place of local APICs. */
const listener = defineDevice(
  {
    type: 'message-listener',
    description: 'Notes interrupt messages',
    state: { count: 'u32', address: 'u32', data: 'u32' },
    regions: () => ({
      messages: { space: 'memory', base: lapic.BASE, size: lapic.MESSAGE_SIZE, access: { min: 4, max: 4 } },
    }),
  },
  {
    regions: {
      messages: {
        read: ({ state }, offset) => (offset === 0 ? state.count : offset === 4 ? state.address : state.data),
        write({ state }, offset, value) {
          state.count++;
          state.address = offset;
          state.data = value;
        },
      },
    },
  },
);

/** An I/O APIC, whose inputs are the lines of an ISA bus, and what it sends. */
function bench(properties: DeviceTypes['ioapic'] = {}) {
  const machine = testMachine(
    (m) => {
      const isa = m.add('isa-bus');
      const io = m.add('ioapic', properties);
      for (let pin = 0; pin < 16; pin++) m.connect(m.line(isa, pin), m.input(io, 'intin', pin));
      m.add(listener);
    },
    { devices: [listener] },
  );
  const { vcpu } = machine;
  return {
    ...machine,
    io: part.ioapic(vcpu),
    set: (pin: number, level: boolean) => machine.setLine('isa0', pin, level),
    sent: () => vcpu.readl(lapic.BASE),
    last: () => [vcpu.readl(lapic.BASE + 4), vcpu.readl(lapic.BASE + 8)],
  };
}

describe('registers', () => {
  test('reset/values', () => {
    const { io, vcpu } = bench();
    expect(vcpu.readl(part.BASE + IOREGSEL.offset)).toBe(0);
    for (const register of part.REGISTERS)
      expect([register.name, io.read(register)]).toEqual([register.name, register.reset]);
    expect(io.read(IOAPICVER)).toBe(0x0017_0011);
    expect(bench({ version: 0x20 }).io.read(IOAPICVER)).toBe(0x0017_0020);
  });

  test('id/arbitration-follows', () => {
    const { io } = bench();
    io.write(IOAPICID, 0xffff_ffff);
    expect([io.read(IOAPICID), io.read(IOAPICARB)]).toEqual([0x0f00_0000, 0x0f00_0000]);
  });

  test('entries/reserved-and-read-only-bits', () => {
    const { io } = bench();
    for (let pin = 0; pin < PINS; pin++) {
      io.write(part.entryIndex(pin), 0xffff_ffff);
      io.write(part.entryIndex(pin) + 1, 0xffff_ffff);
      expect(io.entry(pin)).toEqual([0x0001_afff, 0xff00_0000]);
      io.write(part.entryIndex(pin), IOREDTBL.MASK.mask);
      io.write(part.entryIndex(pin) + 1, 0);
      expect(io.entry(pin)).toEqual([0x0001_0000, 0]);
    }
    expect(IOREDTBL_HIGH.DEST.mask).toBe(0xff00_0000);
  });

  test('select/eight-bits', () => {
    const { vcpu } = bench();
    vcpu.writel(part.BASE, 0xffff_ff01);
    expect([vcpu.readl(part.BASE), vcpu.readl(part.BASE + IOWIN.offset)]).toEqual([1, 0x0017_0011]);
  });

  test('reserved/indices-and-offsets', () => {
    const { io, vcpu, events } = bench();
    for (const index of [0x03, 0x0f, 0x40, 0xff]) {
      io.write(index, 0xffff_ffff);
      expect(io.read(index)).toBe(0);
    }
    io.write(IOAPICVER, 0);
    expect([vcpu.readl(part.BASE + 4), vcpu.readl(part.BASE + EOI.offset)]).toEqual([0, 0]);
    expect(events()).toHaveLength(11);
  });

  test('access/dwords-alone', () => {
    const { vcpu, events } = bench();
    vcpu.writeb(part.BASE, 1);
    expect([vcpu.readl(part.BASE), vcpu.readb(part.BASE + IOWIN.offset)]).toEqual([0, 0xff]);
    expect(events()).toHaveLength(2);
  });
});

describe('edges', () => {
  test('one-message-for-each', () => {
    const { io, set, sent, last } = bench();
    io.redirect(4, { vector: 0x41, destination: 3 });
    set(4, true);
    expect([sent(), last()]).toEqual([1, [0x3000, 0x4041]]);
    set(4, false);
    expect(sent()).toBe(1);
    set(4, true);
    expect([sent(), io.remoteIrr(4)]).toEqual([2, false]);
  });

  test('masked/is-forgotten', () => {
    const { io, set, sent } = bench();
    io.redirect(4, { vector: 0x41, masked: true });
    set(4, true);
    io.unmask(4);
    expect(sent()).toBe(0);
    set(4, false);
    set(4, true);
    expect(sent()).toBe(1);
    io.mask(4);
    set(4, false);
    set(4, true);
    expect(sent()).toBe(1);
  });

  test('low-active', () => {
    const { io, set, sent } = bench();
    io.redirect(4, { vector: 0x41, lowActive: true });
    set(4, true);
    expect(sent()).toBe(0);
    set(4, false);
    expect(sent()).toBe(1);
  });
});

describe('levels', () => {
  test('until-its-end/then-anew', () => {
    const { io, set, sent, last } = bench({ version: 0x20 });
    io.redirect(5, { vector: 0x51, level: true });
    set(5, true);
    expect([sent(), last(), io.remoteIrr(5)]).toEqual([1, [0, 0xc051], true]);
    set(5, false);
    set(5, true);
    expect(sent()).toBe(1);
    io.eoi(0x52);
    expect([sent(), io.remoteIrr(5)]).toEqual([1, true]);
    io.eoi(0x51);
    expect([sent(), io.remoteIrr(5)]).toEqual([2, true]);
    set(5, false);
    io.eoi(0x51);
    expect([sent(), io.remoteIrr(5)]).toEqual([2, false]);
  });

  test('masked/waits', () => {
    const { io, set, sent } = bench();
    io.redirect(5, { vector: 0x51, level: true, masked: true });
    set(5, true);
    expect(sent()).toBe(0);
    io.unmask(5);
    expect(sent()).toBe(1);
    io.mask(5);
    expect(io.remoteIrr(5)).toBe(true);
  });

  test('low-active/idle-is-active', () => {
    const { io, set, sent } = bench();
    io.redirect(5, { vector: 0x51, level: true, lowActive: true });
    expect(sent()).toBe(1);
    io.redirect(6, { vector: 0x52, level: true, lowActive: true, masked: true });
    set(6, true);
    io.unmask(6);
    expect(sent()).toBe(1);
  });

  test('two-inputs-of-one-vector', () => {
    const { io, set, sent } = bench({ version: 0x20 });
    for (const pin of [5, 6]) {
      io.redirect(pin, { vector: 0x51, level: true });
      set(pin, true);
    }
    expect(sent()).toBe(2);
    set(5, false);
    io.eoi(0x51);
    expect([sent(), io.remoteIrr(5), io.remoteIrr(6)]).toEqual([3, false, true]);
  });

  test('made-edge-triggered/loses-remote-irr', () => {
    const { io, set, sent } = bench();
    io.redirect(5, { vector: 0x51, level: true });
    set(5, true);
    io.redirect(5, { vector: 0x51, masked: true });
    expect(io.remoteIrr(5)).toBe(false);
    io.redirect(5, { vector: 0x51, level: true });
    expect(sent()).toBe(2);
  });

  test('eoi/no-register-in-version-0x11', () => {
    const { io, set, events } = bench();
    io.redirect(5, { vector: 0x51, level: true });
    set(5, true);
    io.eoi(0x51);
    expect([io.remoteIrr(5), events()]).toMatchObject([
      true,
      [{ device: 'ioapic0', message: 'write of the reserved register at offset 0x40' }],
    ]);
  });
});

describe('messages', () => {
  test.each([
    [{ delivery: 'lowest', logical: true, destination: 0x0f }, 0xf00c, 0x4141],
    [{ delivery: 'smi' }, 0, 0x4241],
    [{ delivery: 'nmi', destination: 0xff }, 0xf_f000, 0x4441],
    [{ delivery: 'init', level: true }, 0, 0x4541],
    [{ delivery: 'extint', logical: true, destination: 1 }, 0x1004, 0x4741],
  ] as const)('%o', (to, address, data) => {
    const { io, set, sent, last } = bench();
    io.redirect(4, { vector: 0x41, ...to });
    set(4, true);
    expect([sent(), last(), io.remoteIrr(4)]).toEqual([1, [address, data], false]);
  });

  test('reserved-modes', () => {
    const { io, set, sent, events } = bench();
    for (const mode of [3, 6]) {
      io.write(part.entryIndex(4), IOREDTBL.DELMOD.set(0x41, mode));
      set(4, true);
      set(4, false);
      expect(events()).toMatchObject([
        { message: `interrupt at input 4, whose delivery mode ${mode} is reserved: not sent` },
      ]);
    }
    expect(sent()).toBe(0);
  });
});

describe('reset', () => {
  test('warm/entries-not-pins', () => {
    const { io, set, sent, machine } = bench();
    io.redirect(5, { vector: 0x51, level: true });
    set(5, true);
    machine.reset();
    expect(io.entry(5)).toEqual([0x0001_0000, 0]);
    io.redirect(5, { vector: 0x52, level: true });
    expect([sent(), io.remoteIrr(5)]).toEqual([2, true]);
  });
});

/** Both kinds of APIC, and CPUs that take interrupts. */
describe('with local APICs', () => {
  function pair(cpus = 1) {
    const machine = testMachine(
      (m) => {
        const out = m.add(driver, { base: 0x400 });
        const io = m.add('ioapic');
        m.add('apic', { cpus });
        for (const pin of [0, 1, 2, 3]) m.connect(m.output(out, 'out', pin), m.input(io, 'intin', 16 + pin));
      },
      { devices: [driver], vcpus: cpus },
    );
    const apics = machine.vcpus.map((vcpu) => lapic.lapic(vcpu));
    for (const apic of apics) apic.enable();
    return {
      ...machine,
      apics,
      io: part.ioapic(machine.vcpu),
      set: (pin: number, level: boolean) => machine.vcpu.outb(0x400 + pin - 16, Number(level)),
    };
  }

  test('level/handled-until-it-falls', () => {
    const { vcpu, apics, io, set, bound, events } = pair();
    let handled = 0;
    vcpu.onInterrupt(0x51, () => {
      handled++;
      if (handled === 3) set(16, false);
      apics[0]?.eoi();
    });
    io.redirect(16, { vector: 0x51, level: true });
    set(16, true);
    expect([handled, io.remoteIrr(16), apics[0]?.has(lapic.TMR, 0x51)]).toEqual([3, false, true]);
    expect([bound.bus.fault, events()]).toEqual([undefined, []]);
  });

  test('level/the-end-by-another-cpu', () => {
    const { vcpus, apics, io, set, machine } = pair(2);
    const seen: number[] = [];
    for (const [cpu, vcpu] of vcpus.entries())
      vcpu.onInterrupt(0x51, () => {
        seen.push(cpu);
        apics[cpu]?.eoi();
      });
    io.redirect(17, { vector: 0x51, destination: 1, level: true });
    set(17, true);
    expect([seen, machine.irq('apic0', 'intr', 1).level, io.remoteIrr(17)]).toEqual([[], true, true]);
    set(17, false);
    vcpus[1]?.readl(0);
    expect([seen, io.remoteIrr(17)]).toEqual([[1], false]);
  });

  test('edge/no-message-at-its-end', () => {
    const { vcpu, apics, io, set } = pair();
    let handled = 0;
    vcpu.onInterrupt(0x41, () => {
      handled++;
      apics[0]?.eoi();
    });
    io.redirect(16, { vector: 0x41 });
    set(16, true);
    expect([handled, apics[0]?.has(lapic.TMR, 0x41)]).toEqual([1, false]);
  });

  test('snapshot/between-the-end-and-the-next', () => {
    const { apics, io, set, machine, bound } = pair();
    io.redirect(16, { vector: 0x51, level: true });
    set(16, true);
    expect(bound.acknowledge(0)).toBe(0x51);
    const inService = machine.snapshot();
    for (let n = 0; n < 2; n++) {
      apics[0]?.eoi();
      expect([bound.acknowledge(0), io.remoteIrr(16)]).toEqual([0x51, true]);
      machine.restore(inService);
    }
  });
});
