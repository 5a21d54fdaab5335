import { describe, expect, test } from 'vitest';
import { defineDevice, type DeviceTypes } from '@qtest/sdk';
import { i8259, lapic as part } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

const { CURRENT_COUNT, DFR, DIVIDE, ESR, ICR, INITIAL_COUNT, IRR, ISR, LDR, LVT_ERROR, LVT_LINT0, LVT_LINT1 } = part;
const { LVT, LVT_TIMER, PPR, SVR, TMR, TPR } = part;

/** Drives LINT1 by hand. */
const button = defineDevice(
  {
    type: 'button',
    description: 'A pin, high or low',
    regions: () => ({ port: { space: 'io', base: 0x500, size: 1 } }),
    outputs: { out: {} },
  },
  { regions: { port: { read: () => 0, write: (device, _offset, value) => device.out.out.set(value !== 0) } } },
);

/** Writes to memory as a device with DMA does: the address, then the data. */
const master = defineDevice(
  {
    type: 'master',
    description: 'A device that writes where it is told',
    state: { address: 'u32' },
    regions: () => ({ ports: { space: 'io', base: 0x600, size: 12, access: { min: 4, max: 4 } } }),
  },
  {
    regions: {
      ports: {
        read: ({ state, dma }) => dma.readl(state.address),
        write: ({ state, dma }, offset, value) => {
          if (offset === 0) state.address = value;
          else dma.writel(state.address, value);
        },
      },
    },
  },
);

function bench(cpus = 1, properties: DeviceTypes['apic'] = {}) {
  const machine = testMachine(
    (m) => {
      m.add('isa-bus');
      m.add('i8259');
      const apic = m.add('apic', { cpus, ioapic: 0, ...properties });
      m.connect(m.output(m.add(button), 'out'), m.input(apic, 'lint1'));
      m.add(master);
    },
    { vcpus: cpus, devices: [button, master] },
  );
  const apics = machine.vcpus.map((vcpu) => part.lapic(vcpu));
  const [apic] = apics;
  if (apic === undefined) throw new Error('no VCPU');
  return {
    ...machine,
    apics,
    apic,
    /** All of them enabled. */
    enable: () => {
      for (const each of apics) each.enable();
    },
    /** An interrupt message from a device. */
    message: (message: part.Message) => {
      const { address, data } = part.message(message);
      machine.vcpu.outl(0x600, address);
      machine.vcpu.outl(0x604, data);
    },
    /** Levels of an output, or how often each pin has pulsed. */
    intr: () => machine.vcpus.map((_, cpu) => machine.machine.irq('apic0', 'intr', cpu).level),
    pulses: (output: string) => machine.vcpus.map((_, cpu) => machine.machine.irq('apic0', output, cpu).edges),
    /** The acknowledge cycle of a VCPU. */
    ack: (cpu = 0) => machine.bound.acknowledge(cpu),
  };
}

const vectors = (apic: part.LocalApic, set: number): number[] =>
  Array.from({ length: 256 }, (_, vector) => vector).filter((vector) => apic.has(set, vector));

describe('registers', () => {
  test('reset/values', () => {
    const { apics } = bench(3);
    for (const [cpu, apic] of apics.entries()) {
      for (const register of part.REGISTERS) {
        const expected = register === part.ID ? cpu * 2 ** 24 : (register.reset ?? 0);
        expect([register.name, apic.read(register)]).toEqual([register.name, expected]);
      }
    }
  });

  test('virtual-wire/cpu-0-passes-extint-and-nmi', () => {
    const { apics } = bench(2, { virtualWire: true });
    expect(apics.map((apic) => [apic.read(LVT_LINT0), apic.read(LVT_LINT1)])).toEqual([
      [0x700, 0x400],
      [0x1_0000, 0x1_0000],
    ]);
  });

  test('by-initiator/each-its-own', () => {
    const { apics } = bench(4);
    for (const [cpu, apic] of apics.entries()) apic.write(TPR, 0x10 * cpu);
    expect(apics.map((apic) => [apic.id(), apic.read(TPR)])).toEqual([
      [0, 0x00],
      [1, 0x10],
      [2, 0x20],
      [3, 0x30],
    ]);
  });

  test('by-initiator/none-for-a-vcpu-beyond-cpus', () => {
    const { vcpus, events } = testMachine((m) => void m.add('apic', { cpus: 1 }), { vcpus: 2 });
    expect(vcpus[1]?.readl(part.BASE + TPR.offset)).toBe(0xffff_ffff);
    expect(events()).toMatchObject([
      { kind: 'guestError', message: "VCPU 1 has no local APIC: its property 'cpus' is 1" },
    ]);
  });

  test('reserved-bits', () => {
    const { apic, vcpu } = bench();
    apic.enable();
    const skipped = new Set([ICR.offset, part.EOI.offset, ESR.offset, INITIAL_COUNT.offset]);
    for (const register of part.REGISTERS.filter(({ offset }) => !skipped.has(offset))) {
      const before = apic.read(register);
      if (before === 0 && register.writable === 0) continue;
      vcpu.writel(part.BASE + register.offset, 0xffff_ffff);
      expect([register.name, apic.read(register)]).toEqual([
        register.name,
        register === CURRENT_COUNT ? 0 : register.write(before, 0xffff_ffff),
      ]);
    }
  });

  test('reserved/illegal-register', () => {
    const { apic, events } = bench();
    for (const offset of [0x000, 0x0c0, 0x2f0, 0x3a0, 0x084]) {
      expect(apic.read(offset)).toBe(0);
      expect(apic.errors()).toBe(ESR.ILLEGAL_REGISTER.mask);
      expect(apic.errors()).toBe(0);
      apic.write(offset, 1);
      expect(apic.errors()).toBe(ESR.ILLEGAL_REGISTER.mask);
    }
    expect(events().filter(({ kind }) => kind === 'guestError')).toHaveLength(10);
  });

  test('access/dwords-alone', () => {
    const { vcpu, events } = bench();
    expect([vcpu.readb(part.BASE + TPR.offset), vcpu.readw(part.BASE + TPR.offset)]).toEqual([0xff, 0xffff]);
    vcpu.writeb(part.BASE + TPR.offset, 0x20);
    expect(vcpu.readl(part.BASE + TPR.offset)).toBe(0);
    expect(events()).toHaveLength(3);
  });

  test('read/by-a-device-and-beyond-the-page', () => {
    const { vcpu, events } = bench();
    vcpu.outl(0x600, part.BASE + TPR.offset);
    expect(vcpu.inl(0x604)).toBe(0xffff_ffff);
    expect(vcpu.readl(part.BASE + part.SIZE)).toBe(0xffff_ffff);
    expect(events()).toHaveLength(2);
  });
});

describe('priorities', () => {
  test('irr/highest-first-and-nested', () => {
    const { apic, enable, message, intr, ack } = bench();
    enable();
    for (const vector of [0x41, 0x52, 0x53]) message({ vector });
    expect(vectors(apic, IRR)).toEqual([0x41, 0x52, 0x53]);
    expect(intr()).toEqual([true]);
    expect(ack()).toBe(0x53);
    // 0x52 is of the class in service, and waits.
    expect([intr()[0], ack(), apic.read(PPR)]).toEqual([false, undefined, 0x50]);
    message({ vector: 0x60 });
    expect([intr()[0], ack()]).toEqual([true, 0x60]);
    expect(vectors(apic, ISR)).toEqual([0x53, 0x60]);
    for (const next of [undefined, undefined, 0x52, undefined, 0x41, undefined]) {
      expect(ack()).toBe(next);
      if (next === undefined) apic.eoi();
    }
    expect([vectors(apic, ISR), vectors(apic, IRR)]).toEqual([[], []]);
  });

  test('tpr/its-class-waits', () => {
    const { apic, enable, message, intr } = bench();
    enable();
    message({ vector: 0x4f });
    for (const [tpr, level] of [
      [0x40, false],
      [0x3f, true],
      [0x4f, false],
      [0xff, false],
      [0x00, true],
    ] as const) {
      apic.write(TPR, tpr);
      expect([tpr, intr()[0], apic.read(PPR)]).toEqual([tpr, level, tpr]);
    }
  });

  test('ppr/the-higher-of-task-and-service', () => {
    const { apic, enable, message, ack } = bench();
    enable();
    message({ vector: 0x47 });
    ack();
    for (const [tpr, ppr] of [
      [0x35, 0x40],
      [0x45, 0x45],
      [0x51, 0x51],
    ] as const) {
      apic.write(TPR, tpr);
      expect(apic.read(PPR)).toBe(ppr);
    }
  });

  test('same-vector/once-in-service-and-once-requested', () => {
    const { enable, message, apic, ack } = bench();
    enable();
    message({ vector: 0x40 });
    expect(ack()).toBe(0x40);
    message({ vector: 0x40 });
    message({ vector: 0x40 });
    apic.eoi();
    expect(ack()).toBe(0x40);
    apic.eoi();
    expect(ack()).toBeUndefined();
  });

  test('eoi/with-nothing-in-service', () => {
    const { apic, enable, events } = bench();
    enable();
    apic.eoi();
    expect(events()).toEqual([]);
  });

  test('onInterrupt/takes-it-and-eoi', () => {
    const { vcpu, apic, enable, message } = bench();
    enable();
    const seen: number[] = [];
    for (const vector of [0x31, 0x42])
      vcpu.onInterrupt(vector, () => {
        seen.push(vector);
        apic.eoi();
      });
    vcpu.cli();
    message({ vector: 0x31 });
    message({ vector: 0x42 });
    expect(seen).toEqual([]);
    vcpu.sti();
    expect(seen).toEqual([0x42, 0x31]);
  });
});

describe('software disable', () => {
  test('svr/requests-wait-until-it-is-enabled', () => {
    const { apic, message, intr, ack } = bench();
    message({ vector: 0x40 });
    expect([intr()[0], vectors(apic, IRR)]).toEqual([false, [0x40]]);
    apic.enable();
    expect(intr()).toEqual([true]);
    apic.disable();
    expect([intr()[0], ack()]).toEqual([false, undefined]);
  });

  test('svr/masks-the-local-vector-table', () => {
    const { apic } = bench();
    apic.enable(0xfe);
    expect(apic.read(SVR)).toBe(0x1fe);
    for (const register of LVT) apic.write(register, 0x40);
    apic.disable();
    for (const register of LVT) {
      expect(apic.read(register)).toBe(0x1_0040);
      apic.write(register, 0x50);
      expect(apic.read(register)).toBe(0x1_0050);
    }
  });
});

describe('destinations', () => {
  const reached = (machine: ReturnType<typeof bench>, vector = 0x40): number[] =>
    machine.apics.flatMap((apic, cpu) => (apic.has(IRR, vector) ? [cpu] : []));

  test('physical/id-and-broadcast', () => {
    const machine = bench(4);
    machine.enable();
    machine.message({ vector: 0x40, destination: 2 });
    expect(reached(machine)).toEqual([2]);
    machine.message({ vector: 0x41, destination: 0xff });
    expect(reached(machine, 0x41)).toEqual([0, 1, 2, 3]);
    machine.apics[3]?.write(part.ID, 0x0a00_0000);
    machine.message({ vector: 0x42, destination: 0x0a });
    expect(reached(machine, 0x42)).toEqual([3]);
    machine.message({ vector: 0x43, destination: 9 });
    expect([reached(machine, 0x43), machine.events()]).toMatchObject([
      [],
      [{ message: 'interrupt message for the destination 0x9, which no CPU is' }],
    ]);
  });

  test('logical/flat', () => {
    const machine = bench(4);
    machine.enable();
    for (const [cpu, apic] of machine.apics.entries()) apic.write(LDR, 2 ** (24 + cpu));
    machine.message({ vector: 0x40, destination: 0b0101, logical: true });
    expect(reached(machine)).toEqual([0, 2]);
    machine.message({ vector: 0x41, destination: 0b1000_0010, logical: true });
    expect(reached(machine, 0x41)).toEqual([1]);
  });

  test('logical/cluster', () => {
    const machine = bench(4);
    machine.enable();
    for (const [cpu, apic] of machine.apics.entries()) {
      apic.write(DFR, 0x0fff_ffff);
      expect(apic.read(DFR)).toBe(0x0fff_ffff);
      apic.write(LDR, (((cpu >> 1) << 4) | (1 << (cpu & 1))) * 2 ** 24);
    }
    machine.message({ vector: 0x40, destination: 0x13, logical: true });
    expect(reached(machine)).toEqual([2, 3]);
    machine.message({ vector: 0x41, destination: 0x02, logical: true });
    expect(reached(machine, 0x41)).toEqual([1]);
    machine.message({ vector: 0x42, destination: 0xff, logical: true });
    expect(reached(machine, 0x42)).toEqual([0, 1, 2, 3]);
  });

  test('lowest-priority/the-lowest-of-those-enabled', () => {
    const machine = bench(4);
    const [first, second, third] = machine.apics;
    const lowest = (vector: number): number[] => {
      machine.message({ vector, destination: 0xff, delivery: 'lowest' });
      return reached(machine, vector);
    };
    expect(lowest(0x40)).toEqual([0]);
    second?.enable();
    third?.enable();
    expect(lowest(0x41)).toEqual([1]);
    second?.write(TPR, 0x30);
    expect(lowest(0x42)).toEqual([2]);
    first?.enable();
    expect(lowest(0x43)).toEqual([0]);
    // Servicing counts: CPU 0 takes 0x43.
    expect(machine.ack(0)).toBe(0x43);
    expect(lowest(0x44)).toEqual([2]);
  });

  test('redirection-hint', () => {
    const machine = bench(2);
    machine.enable();
    machine.apics[0]?.write(TPR, 0x20);
    const { address, data } = part.message({ vector: 0x40, destination: 0xff });
    machine.vcpu.outl(0x600, part.MESSAGE_ADDRESS.RH.set(address, 1));
    machine.vcpu.outl(0x604, data);
    expect(reached(machine)).toEqual([1]);
  });

  test('message/by-a-vcpu-beyond-its-page', () => {
    const machine = bench(2);
    machine.enable();
    machine.vcpu.writel(part.BASE + (1 << 12), 0x40);
    expect(reached(machine)).toEqual([1]);
  });

  test('message/level-sets-tmr-and-deassert-is-nothing', () => {
    const machine = bench();
    machine.enable();
    machine.vcpu.outl(0x600, part.BASE);
    machine.vcpu.outl(0x604, 0xc040);
    expect(vectors(machine.apic, TMR)).toEqual([0x40]);
    machine.vcpu.outl(0x604, 0x8041);
    expect(vectors(machine.apic, IRR)).toEqual([0x40]);
    machine.vcpu.outl(0x604, 0x0040);
    expect(vectors(machine.apic, TMR)).toEqual([]);
  });
});

describe('delivery modes', () => {
  test.each(['nmi', 'smi', 'init', 'sipi'] as const)('%s/pulses', (delivery) => {
    const machine = bench(3);
    machine.message({ vector: 0, destination: 1, delivery });
    expect(machine.pulses(delivery)).toEqual([0, 1, 0]);
    expect(machine.machine.irq('apic0', delivery, 1).level).toBe(false);
    expect(machine.intr()).toEqual([false, false, false]);
  });

  test('nmi/reaches-a-vcpu-at-once', () => {
    const { vcpus, machine, message } = bench(2);
    let nmis = 0;
    vcpus[1]?.onIrq(machine.irq('apic0', 'nmi', 1), () => nmis++);
    vcpus[1]?.cli();
    message({ vector: 0, destination: 1, delivery: 'nmi' });
    vcpus[1]?.readl(0);
    expect(nmis).toBe(1);
  });

  test('init/resets-the-local-apic-but-its-id', () => {
    const { apics, message, clock, intr } = bench(2);
    const [, apic] = apics;
    apic?.write(part.ID, 0x0700_0000);
    apic?.enable();
    apic?.startTimer({ vector: 0x40, count: 100 });
    message({ vector: 0x50, destination: 7 });
    message({ vector: 0, destination: 7, delivery: 'init' });
    expect([apic?.id(), apic?.read(SVR), apic?.read(LVT_TIMER), apic?.read(INITIAL_COUNT)]).toEqual([
      7, 0xff, 0x1_0000, 0,
    ]);
    expect([intr(), clock.deadline]).toEqual([[false, false], undefined]);
  });

  test('extint/acknowledge-goes-on-to-the-pic', () => {
    const { vcpu, apic, enable, message, intr, ack, setLine } = bench();
    enable();
    const pic = i8259.pic(vcpu);
    pic.init({ masterVector: 0x20 });
    pic.unmask(5);
    setLine('isa0', 5, true);
    // LINT0 is masked: the PIC's INT goes nowhere.
    expect(intr()).toEqual([false]);
    message({ vector: 0, delivery: 'extint' });
    expect([intr()[0], ack(), intr()[0]]).toEqual([true, 0x25, false]);
    expect(vectors(apic, ISR)).toEqual([]);
  });

  test('reserved', () => {
    const { vcpu, events } = bench();
    vcpu.outl(0x600, part.BASE);
    vcpu.outl(0x604, 0x340);
    expect(events()).toMatchObject([{ message: 'interrupt for CPU 0 of the reserved delivery mode 3' }]);
  });
});

describe('ICR', () => {
  test('destination-and-shorthands', () => {
    const { apics, enable } = bench(4);
    enable();
    const [, sender] = apics;
    const reach = (vector: number): number[] => apics.flatMap((apic, cpu) => (apic.has(IRR, vector) ? [cpu] : []));
    for (const [vector, to, expected] of [
      [0x40, undefined, [3]],
      [0x41, 'self', [1]],
      [0x42, 'all', [0, 1, 2, 3]],
      [0x43, 'others', [0, 2, 3]],
    ] as const) {
      sender?.sendIpi({ vector, destination: 3, ...(to !== undefined && { to }) });
      expect([vector, reach(vector)]).toEqual([vector, expected]);
    }
    expect(apics.map((apic) => vectors(apic, TMR))).toEqual([[], [], [], []]);
  });

  test('handlers/of-the-other-vcpu', () => {
    const { vcpus, apics, enable } = bench(2);
    enable();
    const seen: string[] = [];
    for (const [cpu, vcpu] of vcpus.entries())
      vcpu.onInterrupt(0x40, () => {
        seen.push(`vcpu ${cpu}`);
        apics[cpu]?.eoi();
      });
    apics[0]?.sendIpi({ vector: 0x40, destination: 1 });
    expect(seen).toEqual([]);
    vcpus[1]?.readl(0);
    expect(seen).toEqual(['vcpu 1']);
    apics[1]?.sendIpi({ vector: 0x40, to: 'all' });
    expect(seen).toEqual(['vcpu 1', 'vcpu 1']);
    vcpus[0]?.readl(0);
    expect(seen).toEqual(['vcpu 1', 'vcpu 1', 'vcpu 0']);
  });

  test('init-sipi-nmi', () => {
    const { apics, pulses } = bench(3);
    const [first] = apics;
    first?.sendIpi({ vector: 0, to: 'others', delivery: 'init' });
    first?.sendIpi({ vector: 0x9f, destination: 2, delivery: 'sipi' });
    first?.sendIpi({ vector: 0, to: 'all', delivery: 'nmi' });
    // INIT level de-assert synchronises arbitration alone.
    first?.write(ICR, 0x0008_8500);
    expect([pulses('init'), pulses('sipi'), pulses('nmi')]).toEqual([
      [0, 1, 1],
      [0, 0, 1],
      [1, 1, 1],
    ]);
  });

  test('reads-back/delivs-idle', () => {
    const { apic } = bench();
    apic.write(part.ICR_HIGH, 0x1200_0000);
    apic.write(ICR, 0x0004_10ff);
    expect([apic.read(part.ICR_HIGH), apic.read(ICR)]).toEqual([0x1200_0000, 0x0004_00ff]);
  });

  test('illegal-vector/is-an-error-and-not-sent', () => {
    const { apic, enable, intr } = bench();
    enable();
    apic.write(LVT_ERROR, 0x70);
    apic.sendIpi({ vector: 0x0f, to: 'self' });
    expect(vectors(apic, IRR)).toEqual([0x70]);
    expect(intr()).toEqual([true]);
    expect(apic.errors()).toBe(ESR.SENT_ILLEGAL_VECTOR.mask);
    apic.sendIpi({ vector: 0x10, to: 'self' });
    expect([vectors(apic, IRR), apic.errors()]).toEqual([[0x10, 0x70], 0]);
  });

  test('nobody-and-reserved-mode', () => {
    const { apic, events } = bench();
    apic.sendIpi({ vector: 0x40, destination: 5 });
    apic.sendIpi({ vector: 0x40, delivery: 'extint' });
    expect(events().map(({ message }) => message)).toEqual([
      'IPI to the destination 0x5, which no CPU is',
      'IPI of the delivery mode ExtINT, which is reserved',
    ]);
  });
});

describe('errors', () => {
  test('esr/latched-by-a-write', () => {
    const { apic, enable, message } = bench();
    enable();
    message({ vector: 5 });
    expect(apic.read(ESR)).toBe(0);
    apic.write(ESR, 0);
    expect(apic.read(ESR)).toBe(ESR.RECEIVED_ILLEGAL_VECTOR.mask);
    apic.write(ESR, 0);
    expect([apic.read(ESR), vectors(apic, IRR)]).toEqual([0, []]);
  });

  test('lvt-error/with-an-illegal-vector-of-its-own', () => {
    const { apic, enable, message, bound } = bench();
    enable();
    apic.write(LVT_ERROR, 0x03);
    message({ vector: 5 });
    expect([apic.errors(), vectors(apic, IRR)]).toEqual([ESR.RECEIVED_ILLEGAL_VECTOR.mask, []]);
    expect(bound.bus.fault).toBeUndefined();
  });
});

describe('LINT0 and LINT1', () => {
  function withPic(cpus = 1, properties: DeviceTypes['apic'] = {}) {
    const machine = bench(cpus, properties);
    const pic = i8259.pic(machine.vcpu);
    pic.init({ masterVector: 0x20, slaveVector: 0x28 });
    pic.unmask(3);
    return { ...machine, pic, raise: (level: boolean) => machine.setLine('isa0', 3, level) };
  }

  test('virtual-wire/pic-to-intr-of-cpu-0', () => {
    const { raise, intr, ack } = withPic(2, { virtualWire: true });
    raise(true);
    expect([intr(), ack(1), ack(0), intr()]).toEqual([[true, false], undefined, 0x23, [false, false]]);
  });

  test('virtual-wire/handlers-and-both-controllers', () => {
    const { vcpu, raise, pic, apic, message } = withPic(1, { virtualWire: true });
    const seen: number[] = [];
    vcpu.onInterrupt(0x23, () => {
      seen.push(0x23);
      pic.eoi(3);
    });
    vcpu.onInterrupt(0x40, () => {
      seen.push(0x40);
      apic.eoi();
    });
    apic.enable();
    vcpu.cli();
    raise(true);
    message({ vector: 0x40 });
    vcpu.sti();
    expect(seen).toEqual([0x40, 0x23]);
  });

  test('extint/while-enabled-and-masked', () => {
    const { apics, raise, intr } = withPic(2);
    for (const apic of apics) apic.enable();
    raise(true);
    expect(intr()).toEqual([false, false]);
    apics[1]?.write(LVT_LINT0, 0x700);
    expect(intr()).toEqual([false, true]);
    apics[1]?.write(LVT_LINT0, 0x1_0700);
    expect(intr()).toEqual([false, false]);
    apics[1]?.write(LVT_LINT0, 0x700);
    raise(false);
    // The 8259A keeps INT up until it is acknowledged.
    expect(intr()).toEqual([false, true]);
  });

  test('lint0/fixed-edge', () => {
    const { apic, raise, pic, ack, intr } = withPic();
    apic.enable();
    apic.write(LVT_LINT0, 0x50);
    raise(true);
    expect([vectors(apic, IRR), vectors(apic, TMR), ack()]).toEqual([[0x50], [], 0x50]);
    apic.eoi();
    expect([intr()[0], pic.irr()]).toEqual([false, 8]);
  });

  test('lint0/fixed-level-until-eoi', () => {
    const { apic, raise, pic, ack, intr } = withPic();
    apic.enable();
    apic.write(LVT_LINT0, 0x8050);
    raise(true);
    expect(apic.read(LVT_LINT0)).toBe(0xc050);
    expect(ack()).toBe(0x50);
    apic.eoi();
    expect([intr()[0], ack(), apic.read(LVT_LINT0)]).toEqual([true, 0x50, 0xc050]);
    pic.mask(3);
    apic.eoi();
    expect([intr()[0], apic.read(LVT_LINT0)]).toEqual([false, 0x8050]);
  });

  test('lint0/low-active-and-level-when-it-is-unmasked', () => {
    const { apic, ack } = withPic();
    apic.enable();
    apic.write(LVT_LINT0, 0xa050);
    expect([apic.read(LVT_LINT0), ack()]).toEqual([0xe050, 0x50]);
    apic.write(LVT_LINT0, 0x2050);
    expect(apic.read(LVT_LINT0)).toBe(0x2050);
  });

  test('lint1/nmi-of-those-that-let-it-in', () => {
    const { vcpu, apics, enable, pulses } = bench(3);
    enable();
    apics[1]?.write(LVT_LINT1, 0x400);
    apics[2]?.write(LVT_LINT1, 0x60);
    vcpu.outb(0x500, 1);
    vcpu.outb(0x500, 0);
    expect([pulses('nmi'), apics[2]?.has(IRR, 0x60)]).toEqual([[0, 1, 0], true]);
    apics[1]?.write(LVT_LINT1, 0x2400);
    vcpu.outb(0x500, 1);
    expect(pulses('nmi')).toEqual([0, 1, 0]);
    vcpu.outb(0x500, 0);
    expect(pulses('nmi')).toEqual([0, 2, 0]);
  });
});

describe('timer', () => {
  test('one-shot/to-the-nanosecond', () => {
    const { apic, enable, clock, intr, ack } = bench();
    enable();
    apic.startTimer({ vector: 0x40, count: 1000, divisor: 4 });
    clock.step(3999n);
    expect([intr()[0], apic.read(CURRENT_COUNT)]).toEqual([false, 1]);
    clock.step(1n);
    expect([intr()[0], ack(), apic.read(CURRENT_COUNT), clock.deadline]).toEqual([true, 0x40, 0, undefined]);
    expect(apic.read(INITIAL_COUNT)).toBe(1000);
  });

  test('periodic/does-not-drift', () => {
    const { vcpu, apic, enable, clock } = bench(1, { busFrequency: 66_000_000 });
    enable();
    const seen: bigint[] = [];
    vcpu.onInterrupt(0x40, () => {
      seen.push(clock.now);
      apic.eoi();
    });
    apic.startTimer({ vector: 0x40, count: 1000, periodic: true });
    clock.step('1s');
    expect(seen).toHaveLength(66_000);
    // The nth at n · 1000 ticks of 66 MHz, rounded up.
    expect([seen[0], seen[1], seen.at(-1)]).toEqual([15_152n, 30_304n, 1_000_000_000n]);
  });

  test.each([1, 2, 4, 8, 16, 32, 64, 128])('divide/%i', (divisor) => {
    const { apic, enable, clock } = bench();
    enable();
    apic.startTimer({ vector: 0x40, count: 100, divisor });
    expect([apic.read(DIVIDE), clock.deadline]).toEqual([part.divideBy(divisor), BigInt(100 * divisor)]);
    clock.step(BigInt(40 * divisor));
    expect(apic.read(CURRENT_COUNT)).toBe(60);
  });

  test('current-count/periodic', () => {
    const { apic, enable, clock } = bench();
    enable();
    apic.startTimer({ vector: 0x40, count: 1000, periodic: true });
    clock.step(3300n);
    expect(apic.read(CURRENT_COUNT)).toBe(700);
  });

  test('masked/counts-and-is-silent', () => {
    const { apic, enable, clock } = bench();
    enable();
    apic.write(DIVIDE, part.divideBy(1));
    apic.write(INITIAL_COUNT, 1000);
    expect(clock.deadline).toBeUndefined();
    clock.step(400n);
    expect(apic.read(CURRENT_COUNT)).toBe(600);
    apic.write(LVT_TIMER, 0x40);
    expect(clock.deadline).toBe(1000n);
    apic.write(LVT_TIMER, 0x1_0040);
    clock.step(1000n);
    apic.write(LVT_TIMER, 0x40);
    expect([apic.read(CURRENT_COUNT), clock.deadline, vectors(apic, IRR)]).toEqual([0, undefined, []]);
  });

  test('restart-and-stop', () => {
    const { apic, enable, clock } = bench();
    enable();
    apic.startTimer({ vector: 0x40, count: 1000 });
    clock.step(900n);
    apic.write(INITIAL_COUNT, 1000);
    expect(clock.deadline).toBe(1900n);
    apic.stopTimer();
    expect([clock.deadline, apic.read(CURRENT_COUNT)]).toEqual([undefined, 0]);
  });

  test('divider-changed-while-it-counts', () => {
    const { apic, enable, clock } = bench();
    enable();
    apic.startTimer({ vector: 0x40, count: 1000 });
    clock.step(900n);
    apic.write(DIVIDE, part.divideBy(128));
    expect([apic.read(CURRENT_COUNT), clock.deadline]).toEqual([100, 900n + 12_800n]);
  });

  test('close-periods/at-most-one-each-microsecond', () => {
    const { vcpu, apic, enable, clock } = bench();
    enable();
    let taken = 0;
    vcpu.onInterrupt(0x40, () => {
      taken++;
      apic.eoi();
    });
    apic.startTimer({ vector: 0x40, count: 3, periodic: true });
    clock.step('1ms');
    expect(taken).toBeGreaterThan(990);
    expect(taken).toBeLessThanOrEqual(1001);
  });

  test('each-cpu-its-own', () => {
    const { apics, enable, clock } = bench(8);
    enable();
    for (const [cpu, apic] of apics.entries()) apic.startTimer({ vector: 0x40, count: 100 * (cpu + 1) });
    for (const [cpu, apic] of apics.entries()) {
      clock.step(99n);
      expect(apic.has(IRR, 0x40)).toBe(false);
      clock.step(1n);
      expect([cpu, apic.has(IRR, 0x40)]).toEqual([cpu, true]);
    }
  });
});

describe('reset and snapshots', () => {
  test('warm/registers-and-lines-not-pins', () => {
    const { vcpu, apic, enable, message, machine, intr, pulses, clock } = bench();
    enable();
    vcpu.outb(0x500, 1);
    message({ vector: 0x40 });
    apic.startTimer({ vector: 0x41, count: 100 });
    machine.reset();
    expect([apic.read(SVR), intr()[0], clock.deadline]).toEqual([0xff, false, undefined]);
    enable();
    // LINT1 is still high: a low-active edge comes when it falls.
    apic.write(LVT_LINT1, 0x2400);
    vcpu.outb(0x500, 0);
    expect(pulses('nmi')).toEqual([1]);
  });

  test('snapshot/in-service-and-counting', () => {
    const { apic, enable, message, machine, clock, ack } = bench();
    enable();
    message({ vector: 0x40 });
    ack();
    message({ vector: 0x41 });
    apic.startTimer({ vector: 0x52, count: 100 });
    clock.step(50n);
    const saved = machine.snapshot();
    const rest = (): unknown[] => {
      const counts = apic.read(CURRENT_COUNT);
      clock.step(50n);
      const first = ack();
      apic.eoi();
      apic.eoi();
      return [counts, first, ack(), vectors(apic, ISR)];
    };
    const expected = [50, 0x52, 0x41, [0x41]];
    expect(rest()).toEqual(expected);
    machine.restore(saved);
    expect(rest()).toEqual(expected);
  });
});

describe('wiring', () => {
  const add = { pic: 'i8259', apic: 'apic' } as const;
  test.each([
    ['pic', 'apic'],
    ['apic', 'pic'],
  ] as const)('%s-then-%s', (first, second) => {
    const { vcpu, bound, setLine } = testMachine((m) => {
      m.add('isa-bus');
      for (const part of [first, second])
        if (part === 'pic') m.add(add[part]);
        else m.add(add[part], { virtualWire: true });
    });
    const pic = i8259.pic(vcpu);
    pic.init({ masterVector: 0x20 });
    pic.unmask(1);
    setLine('isa0', 1, true);
    expect([bound.lines.level(bound.blueprint.intr[0] ?? -1), bound.acknowledge(0)]).toEqual([true, 0x21]);
  });

  test('two-of-them', () => {
    expect(() => testMachine((m) => (m.add('apic'), m.add('apic', { base: 0xfef0_0000 })))).toThrow(
      "device 'apic1': INTR of the VCPUs is driven by 'apic0' already, which is one for all: give that one 'cpus'",
    );
  });

  test('too-many-cpus', () => {
    expect(() => testMachine((m) => void m.add('apic', { cpus: 9 }))).toThrow(
      "property 'cpus' is 9; expected an integer from 1 to 8",
    );
  });
});
