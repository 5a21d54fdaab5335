import { decodeRegister, type Vcpu } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import * as dev from './isa-testdev.ts';
import { testMachine } from '../../../test/support/machine.ts';

const { COMMANDS, FAULTS } = dev;
const BASE = 0x300;
const RAM = 0x1000;
const WINDOW = 0xfeb0_0000;

const port = {
  scratch: BASE + 1,
  status: BASE + 2,
  enable: BASE + 3,
  count: BASE + 4,
  control: BASE + 5,
  command: BASE + 6,
  fault: BASE + 7,
  strict: BASE + 8,
  flags: BASE + 9,
  writer: BASE + 0xa,
  data: BASE + 0xc,
  periodLo: BASE + 0x10,
  periodHi: BASE + 0x14,
  address: BASE + 0x18,
  base: BASE + 0x1c,
} as const;

function bench() {
  const harness = testMachine((m) => {
    const isa = m.add('isa-bus');
    m.ram(RAM, 0x2000);
    m.add('isa-testdev', { bus: isa });
  });
  const { machine, vcpu, clock } = harness;
  return {
    vcpu,
    clock,
    machine,
    events: () => harness.events(),
    fault: () => harness.bound.bus.fault,
    line: () => machine.irq('isa0', 5).level,
    /** Maps the memory region. */
    window: (base = WINDOW): void => {
      vcpu.outl(port.base, base);
      vcpu.outb(port.control, dev.CONTROL.WINDOW.mask);
    },
  };
}

function period(vcpu: Vcpu, ns: bigint): void {
  vcpu.outl(port.periodLo, Number(ns & 0xffff_ffffn));
  vcpu.outl(port.periodHi, Number(ns >> 32n));
}

describe('isa-testdev/registers', () => {
  test('reset values', () => {
    const { vcpu } = bench();
    const { bytes, strict, longs } = dev.REGIONS;
    const wrong = [
      ...[dev.ID, dev.SCRATCH, dev.STATUS, dev.ENABLE, dev.COUNT, dev.CONTROL, dev.COMMAND, dev.FAULT].filter(
        ({ offset, reset }) => vcpu.inb(BASE + bytes + offset) !== reset,
      ),
      ...[dev.STRICT, dev.FLAGS, dev.WRITER].filter(({ offset, reset }) => vcpu.inb(BASE + strict + offset) !== reset),
      ...[dev.DATA].filter(({ reset }) => vcpu.inl(port.data) !== reset),
      ...[dev.PERIOD_LO, dev.PERIOD_HI, dev.ADDRESS, dev.BASE].filter(
        ({ offset, reset }) => vcpu.inl(BASE + longs + offset) !== reset,
      ),
    ];
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test('ID is read-only, SCRATCH is not, reserved bits are', () => {
    const { vcpu } = bench();
    vcpu.outb(BASE, 0);
    expect(vcpu.inb(BASE)).toBe(0x7d);
    vcpu.outb(port.scratch, 0xa5);
    expect(vcpu.inb(port.scratch)).toBe(0xa5);
    vcpu.outb(port.enable, 0xff);
    expect(vcpu.inb(port.enable)).toBe(0x07);
    vcpu.outl(port.periodHi, 0xffff_ffff);
    expect(vcpu.inl(port.periodHi)).toBe(0xffff);
    vcpu.outl(port.base, 0xffff_ffff);
    expect(vcpu.inl(port.base)).toBe(0xffff_ff00);
  });

  test('bytes: a wider access is split', () => {
    const { vcpu, events } = bench();
    vcpu.outb(port.scratch, 0x42);
    expect(vcpu.inw(BASE)).toBe(0x427d);
    expect(vcpu.inl(BASE)).toBe(0x0000_427d);
    expect(events()).toEqual([]);
  });

  test('strict: a wider access is refused', () => {
    const { vcpu, events } = bench();
    vcpu.outb(port.strict, 0x42);
    expect(vcpu.inw(port.strict)).toBe(0xffff);
    expect(vcpu.inl(port.strict)).toBe(0xffff_ffff);
    vcpu.outw(port.strict, 0);
    expect(vcpu.inb(port.strict)).toBe(0x42);
    expect(events().map(({ kind, device }) => [kind, device])).toEqual(Array(3).fill(['guestError', 'testdev0']));
  });

  test('strict: a byte without a register is a guest error', () => {
    const { vcpu, events } = bench();
    expect(vcpu.inb(BASE + 0xb)).toBe(0xff);
    vcpu.outb(BASE + 0xb, 1);
    expect(events()).toHaveLength(2);
  });

  test('FLAGS: upper bits are set by writing 1, lower ones cleared by writing 0', () => {
    const { vcpu } = bench();
    vcpu.outb(port.flags, 0x4d);
    expect(vcpu.inb(port.flags)).toBe(0x4d);
    vcpu.outb(port.flags, 0x87);
    expect(vcpu.inb(port.flags)).toBe(0xc5);
    expect(decodeRegister(dev.FLAGS, 0xc5)).toBe('{W1S=0xc, W0C=5}');
  });

  test('DATA: bytes, words and longs, little-endian', () => {
    const { vcpu, events } = bench();
    vcpu.outl(port.data, 0x8765_4321);
    expect([0, 1, 2, 3].map((i) => vcpu.inb(port.data + i))).toEqual([0x21, 0x43, 0x65, 0x87]);
    expect([vcpu.inw(port.data), vcpu.inw(port.data + 2)]).toEqual([0x4321, 0x8765]);
    vcpu.outw(port.data + 2, 0xbeef);
    vcpu.outb(port.data + 1, 0x99);
    expect(vcpu.inl(port.data)).toBe(0xbeef_9921);
    expect(events()).toEqual([]);
  });

  test('longs: a narrower read takes part, a narrower write is refused', () => {
    const { vcpu, events } = bench();
    vcpu.outl(port.address, 0x1234_5678);
    expect([vcpu.inb(port.address + 1), vcpu.inw(port.address + 2)]).toEqual([0x56, 0x1234]);
    expect(events()).toEqual([]);
    vcpu.outb(port.address, 0);
    vcpu.outw(port.address, 0);
    expect(vcpu.inl(port.address)).toBe(0x1234_5678);
    expect(events()).toHaveLength(2);
  });

  test('a warm reset keeps DATA and nothing else', () => {
    const { vcpu, machine, window } = bench();
    window();
    vcpu.writel(WINDOW, 0x1234);
    vcpu.outl(port.data, 0xcafe);
    vcpu.outb(port.scratch, 1);
    machine.reset();
    expect([vcpu.inl(port.data), vcpu.inb(port.scratch), vcpu.inb(port.control)]).toEqual([0xcafe, 0, 0]);
    expect(vcpu.readb(WINDOW)).toBe(0xff);
    window();
    expect(vcpu.readl(WINDOW)).toBe(0);
    machine.reset('cold');
    expect(vcpu.inl(port.data)).toBe(0);
  });
});

describe('isa-testdev/irq', () => {
  test('STATUS, W1C, and ENABLE make the line', () => {
    const { vcpu, line, machine } = bench();
    vcpu.outb(port.command, COMMANDS.RAISE);
    expect(vcpu.inb(port.status)).toBe(dev.STATUS.SOFT.mask);
    expect(line()).toBe(false);
    vcpu.outb(port.enable, dev.ENABLE.SOFT.mask);
    expect(line()).toBe(true);
    vcpu.outb(port.status, 0x03);
    expect(line()).toBe(true);
    vcpu.outb(port.status, dev.STATUS.SOFT.mask);
    expect([line(), vcpu.inb(port.status)]).toEqual([false, 0]);
    vcpu.outb(port.command, COMMANDS.RAISE);
    machine.reset();
    expect(line()).toBe(false);
  });

  test('an unknown command is a guest error', () => {
    const { vcpu, events } = bench();
    vcpu.outb(port.command, COMMANDS.NOP);
    vcpu.outb(port.command, 0x77);
    expect(events()).toMatchObject([
      { kind: 'guestError', device: 'testdev0', message: expect.stringContaining('0x77') },
    ]);
  });
});

describe('isa-testdev/timer', () => {
  test('one-shot, to the nanosecond', () => {
    const { vcpu, clock, line } = bench();
    vcpu.outb(port.enable, dev.ENABLE.TIMER.mask);
    period(vcpu, 1_000_003n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    expect(clock.deadline).toBe(clock.now + 1_000_003n);
    clock.step(1_000_002n);
    expect(line()).toBe(false);
    clock.step(1n);
    expect(line()).toBe(true);
    expect([vcpu.inb(port.control), clock.deadline]).toEqual([0, undefined]);
  });

  test('periodic, without drift; COUNT is cleared by reading', () => {
    const { vcpu, clock } = bench();
    period(vcpu, 777n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask | dev.CONTROL.PERIODIC.mask);
    clock.step(7770n);
    expect([vcpu.inb(port.count), vcpu.inb(port.count)]).toEqual([10, 0]);
    clock.step(777n * 300n);
    expect(vcpu.inb(port.count)).toBe(255);
    vcpu.outb(port.control, 0);
    expect(clock.deadline).toBe(undefined);
  });

  test('a long period uses both halves', () => {
    const { vcpu, clock } = bench();
    period(vcpu, 10_000_000_000n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    expect(clock.deadline).toBe(clock.now + 10_000_000_000n);
  });

  test('a period of 0 is refused', () => {
    const { vcpu, clock, events } = bench();
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    expect([vcpu.inb(port.control), clock.deadline]).toEqual([0, undefined]);
    expect(events()).toHaveLength(1);
    period(vcpu, 100n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask | dev.CONTROL.PERIODIC.mask);
    period(vcpu, 0n);
    clock.step(100n);
    expect([vcpu.inb(port.control), clock.deadline]).toEqual([dev.CONTROL.PERIODIC.mask, undefined]);
  });

  test('with DMA: firing writes DATA to ADDRESS', () => {
    const { vcpu, clock } = bench();
    period(vcpu, 100n);
    vcpu.outl(port.data, 0x600d_f00d);
    vcpu.outl(port.address, RAM);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask | dev.CONTROL.DMA.mask);
    clock.step();
    expect(vcpu.readl(RAM)).toBe(0x600d_f00d);
  });
});

describe('isa-testdev/window', () => {
  test('answers where BASE says, while CONTROL.WINDOW is set, above RAM', () => {
    const { vcpu, window } = bench();
    vcpu.writel(RAM, 0x1111_1111);
    window(RAM);
    expect(vcpu.readl(RAM)).toBe(0);
    vcpu.writel(RAM, 0x2222_2222);
    vcpu.outl(port.base, WINDOW);
    expect([vcpu.readl(RAM), vcpu.readl(WINDOW)]).toEqual([0x1111_1111, 0x2222_2222]);
    vcpu.outb(port.control, 0);
    expect(vcpu.readl(WINDOW)).toBe(0xffff_ffff);
  });

  test('takes every size, unaligned too', () => {
    const { vcpu, window, events } = bench();
    window();
    vcpu.writel(WINDOW + 1, 0x4433_2211);
    vcpu.writew(WINDOW + 5, 0x6655);
    vcpu.writeb(WINDOW + 7, 0x77);
    expect(vcpu.readq(WINDOW)).toBe(0x7766_5544_3322_1100n);
    expect(vcpu.readl(WINDOW + 3)).toBe(0x6655_4433);
    expect(events()).toEqual([]);
  });

  test('WRITER tells who wrote: the VCPU, or another device', () => {
    const { vcpu } = testMachine((m) => {
      const isa = m.add('isa-bus');
      m.add('isa-testdev', { bus: isa });
      m.add('isa-testdev', { bus: isa, ioBase: 0x340, irq: 6 });
    });
    vcpu.outl(port.base, WINDOW);
    vcpu.outb(port.control, dev.CONTROL.WINDOW.mask);
    vcpu.writeb(WINDOW, 1);
    expect(decodeRegister(dev.WRITER, vcpu.inb(port.writer))).toBe('{KIND=2}');
    vcpu.outl(0x358, WINDOW);
    vcpu.outb(0x346, COMMANDS.DMA_WRITE);
    expect(decodeRegister(dev.WRITER, vcpu.inb(port.writer))).toBe('{KIND=3, INDEX=2}');
  });
});

describe('isa-testdev/dma', () => {
  test('one long, to and from RAM', () => {
    const { vcpu, line } = bench();
    vcpu.outb(port.enable, dev.ENABLE.DMA.mask);
    vcpu.outl(port.data, 0xdead_beef);
    vcpu.outl(port.address, RAM + 4);
    vcpu.outb(port.command, COMMANDS.DMA_WRITE);
    expect(vcpu.readl(RAM + 4)).toBe(0xdead_beef);
    expect(line()).toBe(true);
    vcpu.writel(RAM + 4, 0x1234_5678);
    vcpu.outb(port.command, COMMANDS.DMA_READ);
    expect(vcpu.inl(port.data)).toBe(0x1234_5678);
  });

  test('a block, from and to RAM', () => {
    const { vcpu, window } = bench();
    window();
    const block = Uint8Array.from({ length: dev.WINDOW_BYTES }, (_, i) => i ^ 0x5a);
    vcpu.write(RAM + 3, block);
    vcpu.outl(port.address, RAM + 3);
    vcpu.outb(port.command, COMMANDS.DMA_LOAD);
    expect(vcpu.read(WINDOW, dev.WINDOW_BYTES)).toEqual(block);
    vcpu.outl(port.address, RAM + 0xfff);
    vcpu.outb(port.command, COMMANDS.DMA_STORE);
    expect(vcpu.read(RAM + 0xfff, dev.WINDOW_BYTES)).toEqual(block);
  });

  test('nowhere: all ones', () => {
    const { vcpu, events } = bench();
    vcpu.outl(port.address, 0xffff_fffe);
    vcpu.outb(port.command, COMMANDS.DMA_READ);
    expect(vcpu.inl(port.data)).toBe(0xffff_ffff);
    vcpu.outb(port.command, COMMANDS.DMA_WRITE);
    expect(events().length).toBeGreaterThan(0);
  });

  test('into its own window: refused with a guest error (CVE-2023-0330 and its kind)', () => {
    const { vcpu, window, events } = bench();
    window();
    vcpu.outl(port.data, 0x1234_5678);
    vcpu.outl(port.address, WINDOW);
    vcpu.outb(port.command, COMMANDS.DMA_WRITE);
    expect(vcpu.readl(WINDOW)).toBe(0);
    vcpu.outb(port.command, COMMANDS.DMA_READ);
    expect(vcpu.inl(port.data)).toBe(0xffff_ffff);
    expect(events()).toMatchObject([
      { kind: 'guestError', device: 'testdev0' },
      { kind: 'guestError', device: 'testdev0' },
    ]);
  });

  test('through another device and back: refused', () => {
    const other = 0xfec0_0000;
    const { vcpu, ...harness } = testMachine((m) => {
      const isa = m.add('isa-bus');
      m.add('isa-testdev', { bus: isa });
      m.add('isa-testdev', { bus: isa, ioBase: 0x340, irq: 6 });
    });
    for (const [base, window, address] of [
      [BASE, WINDOW, other + dev.WINDOW_BYTES - 4],
      [0x340, other, WINDOW],
    ] as const) {
      vcpu.outl(base + 0x1c, window);
      vcpu.outb(base + 5, dev.CONTROL.WINDOW.mask);
      vcpu.outl(base + 0x18, address);
    }
    // The first writes the second's doorbell, which then writes the first's window.
    vcpu.outl(BASE + 0xc, COMMANDS.DMA_WRITE * 2 ** 24);
    vcpu.outl(0x34c, 0x5555_5555);
    vcpu.outb(port.command, COMMANDS.DMA_WRITE);
    expect(vcpu.inb(0x342)).toBe(dev.STATUS.DMA.mask);
    expect(vcpu.readl(WINDOW)).toBe(0);
    expect(harness.events()).toMatchObject([{ kind: 'guestError', device: 'testdev0' }]);
  });
});

describe('isa-testdev/faults', () => {
  test('guest error and unimplemented', () => {
    const { vcpu, events } = bench();
    vcpu.outb(port.fault, FAULTS.GUEST_ERROR);
    vcpu.outb(port.fault, FAULTS.UNIMPLEMENTED);
    vcpu.outb(port.fault, 0x7f);
    expect(events().map(({ kind }) => kind)).toEqual(['guestError', 'unimplemented', 'guestError']);
  });

  test.each([
    ['READ_NAN', 0],
    ['READ_NEGATIVE', 0xff],
    ['READ_FRACTION', 1],
    ['READ_WIDE', 0xef],
  ] as const)('%s: the bus cuts what the device gives to a byte', (name, expected) => {
    const { vcpu } = bench();
    vcpu.outb(port.scratch, 0x42);
    vcpu.outb(port.fault, FAULTS[name]);
    expect(vcpu.inb(port.scratch)).toBe(expected);
    expect(vcpu.inb(port.scratch)).toBe(0x42);
  });

  test('PAST_DEADLINE: the timer fires at once', () => {
    const { vcpu, clock } = bench();
    clock.step(1000n);
    vcpu.outb(port.fault, FAULTS.PAST_DEADLINE);
    expect(vcpu.inb(port.status)).toBe(dev.STATUS.TIMER.mask);
    expect(clock.now).toBe(1000n);
  });

  test.each([
    'THROW',
    'THROW_NULL',
    'OUT_OF_BOUNDS',
    'DIVIDE_BY_ZERO',
    'RECURSION',
    'BAD_DEADLINE',
    'BAD_PIN',
  ] as const)('%s: the device throws in the write', (name) => {
    const { vcpu, fault } = bench();
    vcpu.outb(port.fault, FAULTS[name]);
    expect(fault()).toMatchObject({ device: 'testdev0' });
  });

  test('THROW_ON_READ: the read gives all ones, the next one the register', () => {
    const { vcpu, fault } = bench();
    vcpu.outb(port.fault, FAULTS.THROW_ON_READ);
    expect(fault()).toBe(undefined);
    expect(vcpu.inb(port.scratch)).toBe(0xff);
    expect(fault()).toMatchObject({ device: 'testdev0', message: expect.stringContaining('THROW_ON_READ') });
    expect(vcpu.inb(port.scratch)).toBe(0);
  });

  test('THROW_ON_TIMER: when the timer fires', () => {
    const { vcpu, clock, fault } = bench();
    period(vcpu, 1000n);
    vcpu.outb(port.fault, FAULTS.THROW_ON_TIMER);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    clock.step(999n);
    expect(fault()).toBe(undefined);
    clock.step(1n);
    expect(fault()).toMatchObject({ device: 'testdev0', message: expect.stringContaining('THROW_ON_TIMER') });
  });

  test('THROW_ON_RESET: in a warm reset', () => {
    const { vcpu, machine, fault } = bench();
    vcpu.outb(port.fault, FAULTS.THROW_ON_RESET);
    machine.reset('warm');
    expect(fault()).toMatchObject({ device: 'testdev0', message: expect.stringContaining('THROW_ON_RESET') });
  });

  test('THROW_ON_MAP: when the map is made anew', () => {
    const { vcpu, fault } = bench();
    vcpu.outb(port.fault, FAULTS.THROW_ON_MAP);
    vcpu.inb(port.scratch);
    expect(fault()).toMatchObject({ device: 'testdev0', message: expect.stringContaining('THROW_ON_MAP') });
  });

  test('TIMER_STORM: ends, as a fault of the device', () => {
    const { vcpu, fault } = bench();
    vcpu.outb(port.fault, FAULTS.TIMER_STORM);
    vcpu.inb(port.scratch);
    expect(fault()).toMatchObject({ device: 'testdev0', message: expect.stringContaining('storm') });
  });

  test('NONE disarms', () => {
    const { vcpu } = bench();
    vcpu.outb(port.scratch, 0x42);
    vcpu.outb(port.fault, FAULTS.READ_WIDE);
    vcpu.outb(port.fault, FAULTS.NONE);
    expect(vcpu.inb(port.scratch)).toBe(0x42);
  });
});

describe('isa-testdev/without-faults', () => {
  const build = () => {
    const harness = testMachine((m) => {
      m.add('isa-bus');
      m.add('isa-testdev', { faults: false });
    });
    const { vcpu } = harness;
    return { ...harness, vcpu, messages: () => harness.events().map(({ message }) => message) };
  };

  test('no fault is done, each is a guestError', () => {
    const { vcpu, bound, messages } = build();
    const faults = Object.values(FAULTS);
    for (const fault of faults) vcpu.outb(port.fault, fault);
    expect(messages()).toEqual(faults.map((fault) => `FAULT 0x${fault.toString(16)}: the property 'faults' is false`));
    expect(bound.bus.fault).toBeUndefined();
  });

  test('nor DMA to itself', () => {
    const { vcpu, bound, messages } = build();
    vcpu.outl(port.base, WINDOW);
    vcpu.outb(port.control, dev.CONTROL.WINDOW.mask);
    vcpu.outl(port.address, WINDOW + 4);
    vcpu.outb(port.command, COMMANDS.DMA_WRITE);
    expect(messages()).toEqual(['ADDRESS is in its own window']);
    expect(bound.bus.fault).toBeUndefined();
  });

  test('nor a timer faster than 100 ns', () => {
    const { vcpu, clock, messages } = build();
    period(vcpu, 99n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    expect([clock.deadline, messages()]).toEqual([
      undefined,
      ['CONTROL.RUN with a PERIOD of 99: the timer does not start'],
    ]);
    period(vcpu, 100n);
    vcpu.outb(port.control, dev.CONTROL.RUN.mask);
    expect(clock.deadline).toBe(100n);
  });
});
