import { describe, expect, test } from 'vitest';
import {
  fwCfg,
  hpet,
  i8042,
  i8254,
  ioapic,
  lapic,
  mc146818,
  pci,
  type IsaPcOptions,
  type PcOptions,
} from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

const EVERYTHING: PcOptions = {
  serial: 4,
  hpet: true,
  pvpanic: true,
  ib700: true,
  'pc-testdev': true,
  edu: true,
  'pci-testdev': true,
  'pvpanic-pci': true,
};

const KIB = 1024;
const MIB = 2 ** 20;

function pc(options: PcOptions = {}) {
  const bench = testMachine((m) => void m.pc(options));
  return { ...bench, host: pci.host(bench.vcpu), cmos: (index: number) => cmosOf(bench, index) };
}

function cmosOf({ vcpu }: Pick<ReturnType<typeof testMachine>, 'vcpu'>, index: number): number {
  vcpu.outb(0x70, index);
  return vcpu.inb(0x71);
}

/** Where a device's regions must be, by its registers as a driver knows them. */
describe.each(['pc', 'isapc'] as const)('%s: devices at the standard places', (type) => {
  const build = (options: IsaPcOptions = {}) => testMachine((m) => void m[type](options));

  test('pic/imr-and-elcr', () => {
    const { vcpu } = build();
    for (const port of [0x21, 0xa1]) {
      vcpu.outb(port, 0x5a);
      expect(vcpu.inb(port)).toBe(0x5a);
    }
    vcpu.outw(0x4d0, 0xffff);
    expect([vcpu.inb(0x4d0), vcpu.inb(0x4d1)]).toEqual([0xf8, 0xde]);
  });

  test('pit/runs-and-reads-back', () => {
    const { vcpu, clock, machine } = build();
    const timer = i8254.pit(vcpu);
    expect(timer.readBack(0)[0]).toMatchObject({ mode: 3, access: 'word' });
    clock.step('1s');
    // 65536 in mode 3: 18.2 Hz.
    expect(machine.irq('isa0', 0).edges).toBe(18);
  });

  test('port-61/gate-and-out-of-counter-2', () => {
    const { vcpu, clock } = build();
    const timer = i8254.pit(vcpu);
    vcpu.outb(0x61, 0);
    vcpu.outb(0x43, 0xb0);
    vcpu.outb(0x42, 100);
    vcpu.outb(0x42, 0);
    clock.step('1ms');
    expect(vcpu.inb(0x61) & 0x20).toBe(0);
    vcpu.outb(0x61, 1);
    clock.step('1ms');
    expect(vcpu.inb(0x61) & 0x21).toBe(0x21);
    expect(timer.readBack(2)[0].out).toBe(true);
  });

  test('rtc/time-and-irq', () => {
    const bench = build({ rtc: { epoch: '2011-11-11T10:20:30Z' } });
    expect([0, 2, 4, 0x32].map((index) => cmosOf(bench, index))).toEqual([0x30, 0x20, 0x10, 0x20]);
    bench.vcpu.outb(0x70, mc146818.B.offset);
    bench.vcpu.outb(0x71, 0x12);
    bench.clock.step('2s');
    expect(bench.machine.irq('isa0', 8).level).toBe(true);
  });

  test('uart/lsr-and-irq-without-out2', () => {
    const { vcpu, machine } = build();
    expect(vcpu.inb(0x3fd)).toBe(0x60);
    vcpu.outb(0x3f9, 0x02);
    expect(machine.irq('isa0', 4).level).toBe(true);
    expect(vcpu.inb(0x2fd)).toBe(0xff);
  });

  test('uart/four-share-two-irqs', () => {
    const { vcpu, machine } = build({ serial: 4 });
    expect([0x3fd, 0x2fd, 0x3ed, 0x2ed].map((port) => vcpu.inb(port))).toEqual([0x60, 0x60, 0x60, 0x60]);
    vcpu.outb(0x2e9, 0x02);
    expect([3, 4].map((n) => machine.irq('isa0', n).level)).toEqual([true, false]);
    vcpu.outb(0x3e9, 0x02);
    expect(machine.irq('isa0', 4).level).toBe(true);
    expect(() => build({ serial: 5 })).toThrow("'serial' is 5; expected a number of ports from 0 to 4");
  });

  test('kbc/self-test-and-irq', () => {
    const { vcpu, machine } = build();
    vcpu.outb(0x64, 0xaa);
    expect(vcpu.inb(0x60)).toBe(0x55);
    vcpu.outb(0x64, 0x60);
    vcpu.outb(0x60, 0x03);
    vcpu.outb(0x60, 0xee);
    expect(machine.irq('isa0', 1).level).toBe(true);
    expect(vcpu.inb(0x60)).toBe(0xee);
    expect(i8042.kbc(vcpu)).toBeDefined();
  });

  test('kbc/its-pin-resets-the-machine', () => {
    const { vcpu, clock } = build();
    vcpu.outb(0x3ff, 0x77);
    vcpu.outb(0x3f9, 0x0f);
    vcpu.outb(0x64, 0xfe);
    expect([vcpu.inb(0x3f9), vcpu.inb(0x3ff)]).toEqual([0, 0x77]);
    // Once: the pulse's end changes nothing.
    vcpu.outb(0x3f9, 0x0f);
    clock.step('1ms');
    expect(vcpu.inb(0x3f9)).toBe(0x0f);
  });

  test('fw_cfg/signature-ram-and-cpus', () => {
    const { vcpu } = build({ ram: 64 * MIB, cpus: 3 });
    const device = fwCfg.device(vcpu);
    expect([device.present(), vcpu.inl(0x514)]).toEqual([true, 0x554d4551]);
    const item = (key: number, bytes: number): number[] => {
      vcpu.outw(0x510, key);
      return Array.from({ length: bytes }, () => vcpu.inb(0x511));
    };
    expect(item(fwCfg.KEY.RAM_SIZE, 4)).toEqual([0, 0, 0, 4]);
    expect(item(fwCfg.KEY.NB_CPUS, 2)).toEqual([3, 0]);
  });

  test('hpet/stands-before-pit-and-rtc', () => {
    const { vcpu, clock, machine } = build({ hpet: true });
    expect(vcpu.readl(0xfed0_0000) & 0xffff_0000).toBe(0x8086_0000 | 0);
    clock.step('1s');
    expect(machine.irq('isa0', 0).edges).toBe(18);
    vcpu.writel(0xfed0_0010, 3);
    clock.step('1s');
    expect(machine.irq('isa0', 0).edges).toBe(18);
    expect(machine.irq('pit0').edges).toBeGreaterThan(30);
  });

  test('hpet/other-routes', () => {
    const { vcpu, clock, machine } = build({ hpet: { intcap: 0x0020_0800 } });
    // Timer 2 to interrupt 11, level-triggered, at once.
    vcpu.writel(0xfed0_0140, (11 << 9) | 0x06);
    vcpu.writel(0xfed0_0148, 100);
    vcpu.writel(0xfed0_014c, 0);
    vcpu.writel(0xfed0_0010, 1);
    clock.step('1ms');
    expect(machine.irq('isa0', 11).level).toBe(true);
  });

  test('ib700/resets', () => {
    const { vcpu, clock } = build({ ib700: true });
    vcpu.outb(0x3f9, 0x0f);
    vcpu.outb(0x443, 14);
    clock.step('3s');
    expect(vcpu.inb(0x3f9)).toBe(0);
  });

  test('pvpanic-and-pc-testdev', () => {
    const { vcpu, machine } = build({ pvpanic: { events: 3 }, 'pc-testdev': true });
    expect(vcpu.inb(0x505)).toBe(3);
    vcpu.outb(0x2005, 1);
    expect(machine.irq('isa0', 5).level).toBe(true);
    expect(build().vcpu.inb(0x505)).toBe(0xff);
  });
});

describe('CMOS', () => {
  const word = (machine: ReturnType<typeof pc>, at: number): number => machine.cmos(at) | (machine.cmos(at + 1) << 8);

  test.each([
    [256 * KIB, 256, 0, 0],
    [MIB, 640, 0, 0],
    [16 * MIB, 640, 15 * KIB, 0],
    [128 * MIB, 640, 0xffff, 112 * 16],
  ])('memory/%i bytes', (ram, base, extended, above16) => {
    const machine = pc({ ram });
    expect([0x15, 0x17, 0x30, 0x34].map((at) => word(machine, at))).toEqual([base, extended, extended, above16]);
    expect([0x5b, 0x5c, 0x5d].map(machine.cmos)).toEqual([0, 0, 0]);
  });

  test('floppies-equipment-boot-order-cpus', () => {
    expect([0x10, 0x14, 0x38, 0x3d, 0x5f].map(pc({ cpus: 2 }).cmos)).toEqual([0, 0x06, 0x30, 0x12, 1]);
  });

  test('given', () => {
    const { cmos } = pc({ rtc: { cmos: mc146818.cmos({ 0x3d: 0x03 }) } });
    expect([cmos(0x3d), cmos(0x15)]).toEqual([3, 0]);
  });
});

describe('PCI', () => {
  test('the-chipset', () => {
    const { host } = pc();
    expect(host.scan().map(({ slot, vendor, device }) => [slot, vendor, device])).toEqual([
      [0, 0x8086, 0x1237],
      [1, 0x8086, 0x7000],
    ]);
  });

  test('parts-in-slots-2-to-4-or-elsewhere', () => {
    const { host } = pc(EVERYTHING);
    expect(host.scan().map(({ slot, device }) => [slot, device])).toEqual([
      [0, 0x1237],
      [1, 0x7000],
      [2, 0x11e8],
      [3, 0x0005],
      [4, 0x0011],
    ]);
    expect(pc({ edu: { slot: 9 } }).host.find({ device: 0x11e8 }).slot).toBe(9);
    expect(() => pc({ edu: { slot: 1 } })).toThrow("slot 1, function 0 of 'pci0' is taken by 'isa0'");
  });

  test('intx/by-pirq-to-the-pic', () => {
    const { vcpu, host, machine } = pc({ edu: true });
    vcpu.outw(0x4d0, 1 << 11);
    const edu = host.find({ vendor: 0x1234 });
    // Slot 2, INTA: PIRQB.
    host.write({ slot: 1 }, 0x61, 11, 1);
    const { address } = edu.map(0);
    vcpu.writel(address + 0x60, 1);
    expect(machine.irq('isa0', 11).level).toBe(true);
    vcpu.outb(0x20, 0x11);
    for (const value of [0x20, 0x04, 0x01]) vcpu.outb(0x21, value);
    vcpu.outb(0xa0, 0x11);
    for (const value of [0x28, 0x02, 0x01]) vcpu.outb(0xa1, value);
    vcpu.outb(0x21, 0xfb);
    vcpu.outb(0xa1, 0xf7);
    let taken = 0;
    vcpu.onInterrupt(0x2b, () => {
      taken++;
      vcpu.writel(address + 0x64, 1);
      vcpu.outb(0xa0, 0x20);
      vcpu.outb(0x20, 0x20);
    });
    vcpu.inb(0x80);
    expect([taken, machine.irq('isa0', 11).level]).toEqual([1, false]);
  });

  test('reset-control/resets-the-machine', () => {
    const { vcpu } = pc();
    vcpu.outb(0x3f9, 0x0f);
    vcpu.outb(0xcf9, 0x02);
    expect(vcpu.inb(0x3f9)).toBe(0x0f);
    vcpu.outb(0xcf9, 0x06);
    expect([vcpu.inb(0x3f9), vcpu.inb(0xcf9)]).toEqual([0, 0]);
  });

  test('isapc/has-none', () => {
    const { vcpu } = testMachine((m) => void m.isapc());
    vcpu.outl(0xcf8, 0x8000_0000);
    expect([vcpu.inl(0xcfc), vcpu.inb(0xcf9)]).toEqual([0xffff_ffff, 0xff]);
  });
});

describe('APICs', () => {
  /** A pc whose CPU 0 takes interrupts from its local APIC, noting their vectors. */
  function apicPc(options: PcOptions = {}) {
    const bench = testMachine((m) => void m.pc(options), { vcpus: options.cpus ?? 1 });
    const local = lapic.lapic(bench.vcpu);
    local.enable();
    // What comes by the I/O APIC comes by the PIC too.
    for (const port of [0x21, 0xa1]) bench.vcpu.outb(port, 0xff);
    const taken: number[] = [];
    for (const vector of [0x30, 0x31])
      bench.vcpu.onInterrupt(vector, () => {
        taken.push(vector);
        local.eoi();
      });
    return { ...bench, local, io: ioapic.ioapic(bench.vcpu), taken };
  }

  test('isa/irq-n-at-input-n', () => {
    const { vcpu, io, taken } = apicPc({ 'pc-testdev': true });
    expect(io.read(ioapic.IOAPICVER)).toBe(0x0017_0020);
    // All lines of the test device but 0: the ISA bus's, and those above.
    for (let pin = 1; pin < ioapic.PINS; pin++) {
      io.redirect(pin, { vector: 0x30 });
      for (const level of [1, 0]) vcpu.outb(0x2000 + pin, level);
      io.mask(pin);
      expect([pin, taken.length]).toEqual([pin, pin]);
    }
  });

  test('isa/irq-0-at-input-2', () => {
    const { clock, io, taken } = apicPc();
    io.redirect(0, { vector: 0x30 });
    io.redirect(2, { vector: 0x31 });
    clock.step('1s');
    expect(taken).toEqual(Array(18).fill(0x31));
  });

  test('hpet/its-routes-reach-inputs', () => {
    const { vcpu, clock, io, taken } = apicPc({ hpet: { intcap: 0x0010_0004 } });
    io.redirect(20, { vector: 0x30 });
    io.redirect(2, { vector: 0x31 });
    const block = hpet.timerBlock(vcpu);
    block.oneShot(0, 100n, { route: 20 });
    block.oneShot(1, 200n, { route: 2 });
    block.enable();
    clock.step('5us');
    expect(taken).toEqual([0x30, 0x31]);
  });

  test('pci/level-shared-and-ended', () => {
    const { vcpu, io, local } = apicPc({ edu: true });
    const host = pci.host(vcpu);
    host.write({ slot: 1 }, 0x61, 11, 1);
    const { address } = host.find({ vendor: 0x1234 }).map(0);
    io.redirect(11, { vector: 0x40, level: true });
    let taken = 0;
    vcpu.onInterrupt(0x40, () => {
      taken++;
      vcpu.writel(address + 0x64, 1);
      local.eoi();
    });
    for (const expected of [1, 2]) {
      vcpu.writel(address + 0x60, 1);
      expect([taken, io.remoteIrr(11)]).toEqual([expected, false]);
    }
  });

  test('msi/to-another-cpu', () => {
    const { vcpus, events } = apicPc({ edu: true, cpus: 2 });
    const [first, second] = vcpus;
    if (first === undefined || second === undefined) throw new Error('too few');
    const fn = pci.host(first).find({ vendor: 0x1234 });
    const { address } = fn.map(0);
    fn.enable({ master: true });
    fn.enableMsi(lapic.message({ vector: 0x40, destination: 1 }));
    const local = lapic.lapic(second);
    local.enable();
    let taken = 0;
    second.onInterrupt(0x40, () => {
      taken++;
      local.eoi();
    });
    first.writel(address + 0x60, 1);
    second.readl(0);
    expect([taken, events()]).toEqual([1, []]);
  });

  test('ib700/nmi-at-lint1', () => {
    const { vcpu, clock, machine } = apicPc({ ib700: { action: 'inject-nmi' } });
    vcpu.outb(0x443, 14);
    clock.step('2s');
    expect(machine.irq('apic0', 'nmi').edges).toBe(1);
  });

  test('virtual-wire/pic-as-without', () => {
    for (const apic of [true, false]) {
      const { vcpu, bound, clock } = testMachine((m) => void m.pc({ apic }));
      vcpu.outb(0x20, 0x11);
      for (const value of [0x20, 0x04, 0x01]) vcpu.outb(0x21, value);
      vcpu.outb(0x21, 0xfe);
      clock.step('60ms');
      expect([apic, bound.acknowledge(0)]).toEqual([apic, 0x20]);
    }
  });

  test('parts/left-out', () => {
    const ids = (options: PcOptions): string[] =>
      testMachine((m) => void m.pc(options))
        .machine.devices.map(({ id }) => id)
        .filter((id) => id.includes('apic'));
    expect([ids({}), ids({ apic: false }), ids({ ioapic: false }), ids({ apic: { busFrequency: 1e8 } })]).toEqual([
      ['apic0', 'ioapic0'],
      ['ioapic0'],
      ['apic0'],
      ['apic0', 'ioapic0'],
    ]);
    const { vcpu } = testMachine((m) => void m.isapc());
    expect([vcpu.readl(ioapic.BASE), vcpu.readl(lapic.BASE)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  });
});

describe('machine', () => {
  test('everything-at-once', () => {
    const { bound } = pc(EVERYTHING);
    expect(bound.blueprint.devices.map(({ id }) => id)).toEqual([
      ...[
        'pci0',
        'pmc0',
        'isa0',
        'pic0',
        'pit0',
        'pcspk0',
        'rtc0',
        'hpet0',
        'kbc0',
        'uart0',
        'uart1',
        'uart2',
        'uart3',
      ],
      ...['fw_cfg0', 'pvpanic0', 'watchdog0', 'testdev-pc0', 'apic0', 'ioapic0', 'edu0', 'pcitest0', 'pvpanic1'],
    ]);
  });

  test('all-of-its-ram', () => {
    const { vcpu } = pc({ ram: 2 * MIB });
    for (const address of [0, 0x9_fffc, 0x10_0000, 0x1f_fffc]) {
      vcpu.writel(address, address + 1);
      expect(vcpu.readl(address)).toBe(address + 1);
    }
    for (const address of [0xa_0000, 0xf_fffc, 0x20_0000]) expect(vcpu.readl(address)).toBe(0xffff_ffff);
  });

  test('nothing-is-reported-at-rest', () => {
    const { clock, events } = pc(EVERYTHING);
    clock.step('10s');
    expect(events()).toEqual([]);
  });

  test('reset-on/once-and-outputs-only', () => {
    const twice = (): unknown =>
      testMachine((m) => {
        const { kbc } = m.isapc();
        m.resetOn(m.output(kbc, 'reset'));
      });
    expect(twice).toThrow('kbc0.reset resets the machine already');
    const input = (): unknown =>
      testMachine((m) => {
        const { pit } = m.isapc();
        m.resetOn(m.input(pit, 'gate', 2));
      });
    expect(input).toThrow("resetOn(): 'gate' of 'pit0' is no output");
  });
});
