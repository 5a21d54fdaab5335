import fc from 'fast-check';
import { defineDevice, type ClockKind, type DeviceTypes } from '@qtest/sdk';
import { ns16550 as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { BASE, CRYSTAL, DLL, DLM, FCR, IER, IIR, INTERRUPT, LCR, LSR, MCR, MSR, RBR, SCR, THR } = part;

const SECOND = 1_000_000_000n;
/** LCR of eight data bits, no parity, one stop bit. */
const FORMAT_8N1 = 0x03;
const EMPTY = LSR.THRE.mask | LSR.TEMT.mask;
const FIFO_ON = FCR.FE.mask | FCR.RFR.mask | FCR.XFR.mask;
const FIFOS = 0xc0;
const NO_INTERRUPT = 1;
/** IIR of each interrupt. */
const LINE_STATUS = INTERRUPT.LINE_STATUS << 1;
const RECEIVED = INTERRUPT.RECEIVED_DATA << 1;
const TIMEOUT = INTERRUPT.TIMEOUT << 1;
const THR_EMPTY = INTERRUPT.THR_EMPTY << 1;
const MODEM = INTERRUPT.MODEM_STATUS << 1;

/** When `ticks` ticks of the crystal are complete, from 0. */
function ns(ticks: number): bigint {
  return (BigInt(ticks) * SECOND + BigInt(CRYSTAL) - 1n) / BigInt(CRYSTAL);
}
/** Ticks of a character of ten bits at the divisor 1. */
const FRAME = 160;

/** Five outputs, which a test sets by the bits of a port: the modem's inputs and a break. */
const modem = defineDevice(
  {
    type: 'modem',
    description: 'Five outputs, by the bits of a port',
    state: { levels: 'u8' },
    regions: () => ({ port: { space: 'io', base: 0x10, size: 1 } }),
    outputs: { out: { count: 5 } },
  },
  {
    regions: {
      port: {
        read: ({ state }) => state.levels,
        write(device, _offset, value) {
          device.state.levels = value;
          for (let pin = 0; pin < 5; pin++) device.out.out.set((value & (1 << pin)) !== 0, pin);
        },
      },
    },
  },
);
const PINS = ['cts', 'dsr', 'ri', 'dcd', 'break'] as const;
const BREAK = 0x10;

interface Options extends Omit<DeviceTypes['ns16550a'], 'clock'> {
  /** The machine's clock. */
  readonly time?: ClockKind;
}

/** A machine with a UART at 115200 8N1, whose IRQ nothing gates. */
function bench({ time = 'virtual', ...properties }: Options = {}) {
  const harness = testMachine(
    (m) => {
      m.add('isa-bus');
      const uart = m.add('ns16550a', { irqGate: 'none', ...properties });
      const source = m.add(modem);
      PINS.forEach((name, pin) => m.connect(m.output(source, 'out', pin), m.input(uart, name)));
    },
    { clock: time, devices: [modem] },
  );
  const { vcpu, clock, machine } = harness;
  const dev = part.uart(vcpu, properties.ioBase);
  const { read, write } = dev;
  dev.writeDivisor(1);
  write(LCR, FORMAT_8N1);
  return {
    ...harness,
    events: () => harness.events().map(({ message }) => message),
    dev,
    read,
    write,
    line: machine.irq('uart0'),
    host: machine.chardev('uart0'),
    pins: (levels: number): void => vcpu.outb(0x10, levels),
    /** Steps to a time. */
    to: (at: bigint): bigint => clock.step(at - clock.now),
    lsr: (): number => read(LSR),
    iir: (): number => read(IIR),
    /** Level of the IRQ, and what IIR says. */
    irq: (): [boolean, number] => [machine.irq('uart0').level, read(IIR)],
    sent: (): number[] => [...machine.chardev('uart0').read()],
    enable: (...fields: { readonly mask: number }[]): void =>
      write(
        IER,
        fields.reduce((bits, { mask }) => bits | mask, 0),
      ),
  };
}

describe('registers', () => {
  test('reset/values', () => {
    const { machine, read, write, dev, host } = bench();
    for (const kind of ['warm', 'cold'] as const) {
      for (const at of [IER, LCR, MCR, SCR, FCR]) write(at, 0x5f);
      host.write('abc');
      machine.reset(kind);
      expect([IER, IIR, LCR, MCR, LSR, MSR].map(read)).toEqual([0, NO_INTERRUPT, 0, 0, EMPTY, 0xb0]);
    }
    expect([read(SCR), dev.readDivisor(), read(RBR)]).toEqual([0, 12, 0]);
  });

  test('reset/warm keeps divisor and scratch', () => {
    const { machine, read, write, dev } = bench();
    write(SCR, 0x5a);
    dev.writeDivisor(0x1234);
    machine.reset('warm');
    expect([read(SCR), dev.readDivisor()]).toEqual([0x5a, 0x1234]);
  });

  test.each([
    [IER, 0x0f],
    [LCR, 0xff],
    [MCR, 0x1f],
    [SCR, 0xff],
  ])('bits/$0.name keeps $1', (register, mask) => {
    const { read, write } = bench();
    for (let bit = 1; bit < 0x100; bit <<= 1) {
      write(register, bit);
      expect(read(register)).toBe(bit & mask);
    }
  });

  test('dlab/offsets 0 and 1 are the divisor, and only with it', () => {
    const { read, write, sent, clock } = bench();
    write(IER, 0x05);
    write(LCR, LCR.DLAB.mask | FORMAT_8N1);
    write(DLL, 0x34);
    write(DLM, 0x12);
    expect([read(DLL), read(DLM)]).toEqual([0x34, 0x12]);
    write(LCR, FORMAT_8N1);
    expect([read(IER), read(RBR)]).toEqual([0x05, 0]);
    clock.step('10s');
    expect(sent()).toEqual([]);
  });

  test('LSR and MSR are read-only', () => {
    const { write, read, events } = bench();
    write(LSR, 0);
    write(MSR, 0);
    expect([read(LSR), read(MSR)]).toEqual([EMPTY, 0xb0]);
    expect(events()).toEqual(['write to the read-only register LSR', 'write to the read-only register MSR']);
  });

  test('properties/another place', () => {
    const { vcpu, machine, write } = bench({ ioBase: 0x2f8, irq: 3 });
    write(IER, IER.ETBEI.mask);
    expect(machine.irq('isa0', 3).level).toBe(true);
    expect(vcpu.inb(BASE + LSR.offset)).toBe(0xff);
  });
});

describe('transmit', () => {
  test.each([
    ['8N1 at 115200', 1, 0x03, 160],
    ['8N1 at 9600', 12, 0x03, 1920],
    ['5N1', 1, 0x00, 7 * 16],
    ['5N1.5', 1, 0x04, 7.5 * 16],
    ['6E2', 1, 0x1d, 10 * 16],
    ['7O1', 3, 0x0a, 3 * 10 * 16],
    ['8E2', 1, 0x1f, 12 * 16],
    ['the largest divisor', 0xffff, 0x03, 160 * 0xffff],
  ])('time/%s', (_what, divisor, lcr, ticks) => {
    const { dev, write, sent, lsr, to } = bench();
    dev.writeDivisor(divisor);
    write(LCR, lcr);
    write(THR, 0x15);
    expect(lsr()).toBe(LSR.THRE.mask);
    to(ns(ticks) - 1n);
    expect([lsr(), sent()]).toEqual([LSR.THRE.mask, []]);
    to(ns(ticks));
    expect([lsr(), sent()]).toEqual([EMPTY, [0x15]]);
    expect(part.frameNs(lcr, divisor)).toBe(ns(ticks));
  });

  test('THR/holds one character while TSR shifts another', () => {
    const { write, lsr, to, sent } = bench();
    to(1000n);
    write(THR, 1);
    write(THR, 2);
    expect(lsr()).toBe(0);
    to(1000n + ns(FRAME) - 1n);
    expect(lsr()).toBe(0);
    to(1000n + ns(FRAME));
    expect(lsr()).toBe(LSR.THRE.mask);
    to(1000n + ns(2 * FRAME) - 1n);
    expect([lsr(), sent()]).toEqual([LSR.THRE.mask, [1]]);
    to(1000n + ns(2 * FRAME));
    expect([lsr(), sent()]).toEqual([EMPTY, [2]]);
  });

  test('THR/written when it is full, the character before is lost', () => {
    const { write, clock, sent, events } = bench();
    for (const byte of [1, 2, 3]) write(THR, byte);
    clock.step('1ms');
    expect(sent()).toEqual([1, 3]);
    expect(events()).toEqual(['write to a full THR: the character before is lost']);
  });

  test('FIFO/takes sixteen and the one in TSR, without drift, and loses what is more', () => {
    const { write, to, sent, lsr, events } = bench();
    write(FCR, FIFO_ON);
    for (let i = 0; i < 18; i++) write(THR, i);
    expect(events()).toEqual(['write to a full FIFO: the character is lost']);
    to(ns(16 * FRAME) - 1n);
    expect([lsr(), sent().length]).toEqual([0, 15]);
    to(ns(16 * FRAME));
    expect(lsr()).toBe(LSR.THRE.mask);
    to(ns(17 * FRAME) - 1n);
    expect(lsr()).toBe(LSR.THRE.mask);
    to(ns(17 * FRAME));
    expect([lsr(), sent()]).toEqual([EMPTY, [15, 16]]);
  });

  test('a character has as many bits as LCR says', () => {
    const { write, clock, sent } = bench();
    for (const lcr of [0, 1, 2, 3]) {
      write(LCR, lcr);
      write(THR, 0xff);
      clock.step('1ms');
    }
    expect(sent()).toEqual([0x1f, 0x3f, 0x7f, 0xff]);
  });

  test('divisor/0 stops it, with a guestError; it goes on when it is set (CVE-2016-8669)', () => {
    const { write, dev, clock, sent, lsr, events, host, read, to } = bench();
    dev.writeDivisor(0);
    expect(events()).toEqual(['divisor 0: the baud generator stands still']);
    write(THR, 7);
    host.write('x');
    clock.step('1h');
    expect([lsr(), sent(), clock.deadline]).toEqual([LSR.THRE.mask, [], undefined]);
    const now = clock.now;
    write(LCR, LCR.DLAB.mask | FORMAT_8N1);
    write(DLL, 2);
    write(LCR, FORMAT_8N1);
    to(now + ns(2 * FRAME) - 1n);
    expect([lsr(), sent()]).toEqual([LSR.THRE.mask, []]);
    to(now + ns(2 * FRAME));
    expect([lsr(), sent(), read(RBR)]).toEqual([EMPTY | LSR.DR.mask, [7], 0x78]);
  });

  test('break/the pin follows SB, and characters meanwhile do not leave', () => {
    const { write, machine, clock, sent } = bench();
    const breaking = machine.irq('uart0', 'breaking');
    write(LCR, FORMAT_8N1 | LCR.SB.mask);
    expect(breaking.level).toBe(true);
    write(THR, 1);
    clock.step('1ms');
    write(MCR, MCR.LOOP.mask);
    expect(breaking.level).toBe(false);
    write(MCR, 0);
    write(LCR, FORMAT_8N1);
    expect([breaking.level, sent()]).toEqual([false, []]);
  });

  test('XFR/empties the FIFO, not TSR', () => {
    const { write, clock, sent, lsr } = bench();
    write(FCR, FIFO_ON);
    for (const byte of [1, 2, 3]) write(THR, byte);
    write(FCR, FCR.FE.mask | FCR.XFR.mask);
    expect(lsr()).toBe(LSR.THRE.mask);
    clock.step('1ms');
    expect(sent()).toEqual([1]);
  });

  test('nobody listens/it goes on sending', () => {
    const { write, clock, sent, lsr } = bench();
    for (let i = 0; i < 4100; i++) {
      write(THR, i & 0xff);
      clock.step(ns(FRAME));
    }
    expect([sent().length, lsr()]).toEqual([4096, EMPTY]);
  });
});

describe('receive', () => {
  test('time/one character each frame, whatever the host sends', () => {
    const { host, lsr, read, to } = bench();
    to(77n);
    host.write(Uint8Array.of(1, 2, 3));
    for (const n of [1, 2, 3]) {
      to(77n + ns(n * FRAME) - 1n);
      expect(lsr()).toBe(EMPTY);
      to(77n + ns(n * FRAME));
      expect([lsr(), read(RBR), lsr()]).toEqual([EMPTY | LSR.DR.mask, n, EMPTY]);
    }
  });

  test('time/what comes while a frame is under way follows it', () => {
    const { host, lsr, to, clock } = bench();
    host.write('a');
    to(50n);
    host.write('b');
    to(ns(2 * FRAME) - 1n);
    expect(lsr()).toBe(EMPTY | LSR.DR.mask);
    to(ns(2 * FRAME));
    expect(lsr()).toBe(EMPTY | LSR.DR.mask | LSR.OE.mask);
    expect(clock.deadline).toBeUndefined();
  });

  test('RBR/overrun: the new character replaces the old, OE is read once', () => {
    const { host, clock, read, lsr } = bench();
    host.write('ab');
    clock.step('1ms');
    expect([lsr(), lsr(), read(RBR)]).toEqual([EMPTY | 0x03, EMPTY | 0x01, 0x62]);
    expect([lsr(), read(RBR)]).toEqual([EMPTY, 0x62]);
  });

  test('FIFO/overrun: the seventeenth is lost, and OE comes with it', () => {
    const { host, write, to, read, lsr } = bench();
    write(FCR, FIFO_ON);
    host.write(Uint8Array.from({ length: 17 }, (_, i) => i));
    to(ns(17 * FRAME) - 1n);
    expect(lsr()).toBe(EMPTY | LSR.DR.mask);
    to(ns(17 * FRAME));
    expect(lsr()).toBe(EMPTY | LSR.DR.mask | LSR.OE.mask);
    expect(Array.from({ length: 16 }, () => read(RBR))).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect([lsr(), read(RBR)]).toEqual([EMPTY, 15]);
  });

  test('no overrun when the guest keeps up, over 4 KiB', () => {
    const { host, dev } = bench();
    dev.init({ trigger: 14 });
    const data = Uint8Array.from({ length: 4096 }, (_, i) => (i * 31) & 0xff);
    expect(host.write(data)).toBe(4096);
    expect(dev.receive(4096)).toEqual(data);
  });

  test('a character has as many bits as LCR says', () => {
    const { host, clock, read, write } = bench();
    write(LCR, 0x01);
    host.write(Uint8Array.of(0xff));
    clock.step('1ms');
    expect(read(RBR)).toBe(0x3f);
  });

  test('RFR, and a change of FE, empty it', () => {
    const { host, clock, write, lsr, iir } = bench();
    write(FCR, FIFO_ON);
    for (const fcr of [FCR.FE.mask | FCR.RFR.mask, 0, FCR.FE.mask]) {
      host.write('abc');
      clock.step('1ms');
      expect(LSR.DR.test(lsr())).toBe(true);
      write(FCR, fcr);
      expect(LSR.DR.test(lsr())).toBe(false);
      expect(iir()).toBe(FCR.FE.test(fcr) ? FIFOS | NO_INTERRUPT : NO_INTERRUPT);
    }
  });

  test('FCR/without FE the other bits do nothing', () => {
    const { host, clock, write, enable, iir, lsr } = bench();
    host.write('a');
    clock.step('1ms');
    write(FCR, FCR.RFR.mask | FCR.TRIGGER.mask);
    expect(LSR.DR.test(lsr())).toBe(true);
    write(FCR, FCR.FE.mask);
    enable(IER.ERBFI);
    host.write('a');
    clock.step(ns(FRAME));
    expect(iir()).toBe(FIFOS | RECEIVED);
  });

  test('real time/a host that is late does not make up for it, which would overrun the guest', () => {
    const { host, write, lsr, read } = bench({ time: 'realtime' });
    write(FCR, FIFO_ON);
    host.write(new Uint8Array(100));
    for (let looks = 0; looks < 8; looks++) {
      // 57 frames.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      expect(LSR.OE.test(lsr())).toBe(false);
      read(RBR);
    }
  });
});

describe('interrupts', () => {
  test('received data/level, from RBR full to read', () => {
    const { host, enable, irq, to, read } = bench();
    enable(IER.ERBFI);
    host.write('a');
    to(ns(FRAME) - 1n);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
    to(ns(FRAME));
    expect(irq()).toEqual([true, RECEIVED]);
    expect(irq()).toEqual([true, RECEIVED]);
    read(RBR);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
  });

  test.each([1, 4, 8, 14] as const)('trigger/%i characters', (level) => {
    const { host, write, enable, irq, to, read } = bench();
    write(FCR, FCR.TRIGGER.set(FCR.FE.mask, part.TRIGGER_LEVELS.indexOf(level)));
    enable(IER.ERBFI);
    host.write(new Uint8Array(16));
    to(ns(level * FRAME) - 1n);
    expect(irq()).toEqual([false, FIFOS | NO_INTERRUPT]);
    to(ns(level * FRAME));
    expect(irq()).toEqual([true, FIFOS | RECEIVED]);
    read(RBR);
    expect(irq()).toEqual([false, FIFOS | NO_INTERRUPT]);
  });

  test('timeout/four characters after the last came', () => {
    const { host, write, enable, irq, to, read } = bench();
    write(FCR, FCR.FE.mask | FCR.TRIGGER.mask);
    enable(IER.ERBFI);
    host.write('ab');
    const last = ns(2 * FRAME);
    to(last + ns(4 * FRAME) - 1n);
    expect(irq()).toEqual([false, FIFOS | NO_INTERRUPT]);
    to(last + ns(4 * FRAME));
    expect(irq()).toEqual([true, FIFOS | TIMEOUT]);
    expect(read(RBR)).toBe(0x61);
    expect(irq()).toEqual([false, FIFOS | NO_INTERRUPT]);
    const again = last + ns(4 * FRAME) + ns(4 * FRAME);
    to(again - 1n);
    expect(irq()[0]).toBe(false);
    to(again);
    expect(irq()).toEqual([true, FIFOS | TIMEOUT]);
    read(RBR);
    expect(irq()[0]).toBe(false);
  });

  test('timeout/none with an empty FIFO, nor with a steady stream', () => {
    const { host, write, enable, clock, line, read } = bench();
    write(FCR, FCR.FE.mask | FCR.TRIGGER.mask);
    enable(IER.ERBFI);
    for (let i = 0; i < 13; i++) {
      host.write('a');
      clock.step(ns(4 * FRAME));
    }
    expect(line.edges).toBe(0);
    for (let i = 0; i < 13; i++) read(RBR);
    clock.step('1s');
    expect(line.edges).toBe(0);
  });

  test('THRE/when THR empties; read away by IIR, or by a write of THR', () => {
    const { enable, irq, write, to } = bench();
    enable(IER.ETBEI);
    expect(irq()).toEqual([true, THR_EMPTY]);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
    write(THR, 1);
    expect(irq()).toEqual([true, THR_EMPTY]);
    write(THR, 2);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
    to(ns(FRAME) - 1n);
    expect(irq()[0]).toBe(false);
    to(ns(FRAME));
    write(THR, 3);
    expect(irq()[0]).toBe(false);
    to(ns(2 * FRAME));
    expect(irq()).toEqual([true, THR_EMPTY]);
    to(ns(3 * FRAME));
    expect(irq()).toEqual([false, NO_INTERRUPT]);
  });

  test('THRE/IIR clears it only when it tells of it', () => {
    const { enable, irq, host, clock, read } = bench();
    enable(IER.ETBEI, IER.ERBFI);
    host.write('a');
    clock.step(ns(FRAME));
    expect(irq()).toEqual([true, RECEIVED]);
    read(RBR);
    expect(irq()).toEqual([true, THR_EMPTY]);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
  });

  test('THRE/setting ETBEI again requests it again, writing IER alone does not', () => {
    const { enable, irq } = bench();
    enable(IER.ETBEI);
    irq();
    enable(IER.ETBEI, IER.ERBFI);
    expect(irq()[0]).toBe(false);
    enable();
    enable(IER.ETBEI);
    expect(irq()).toEqual([true, THR_EMPTY]);
  });

  test('THRE/FIFO: one character at a time, and it comes a frame less a stop bit later', () => {
    const { enable, irq, write, to, clock, read, lsr } = bench();
    write(FCR, FIFO_ON);
    enable(IER.ETBEI);
    irq();
    // The first after the change of FE comes at once.
    write(THR, 1);
    expect(irq()).toEqual([true, FIFOS | THR_EMPTY]);
    clock.step('1ms');
    const { now } = clock;
    write(THR, 2);
    expect(LSR.THRE.test(lsr())).toBe(true);
    to(now + ns(FRAME - 16) - 1n);
    expect(irq()[0]).toBe(false);
    to(now + ns(FRAME - 16));
    expect(irq()).toEqual([true, FIFOS | THR_EMPTY]);
    expect(read(IIR)).toBe(FIFOS | NO_INTERRUPT);
  });

  test('THRE/FIFO: with two characters in it, when it empties', () => {
    const { enable, irq, write, clock, line, to } = bench();
    write(FCR, FIFO_ON);
    enable(IER.ETBEI);
    irq();
    write(THR, 0);
    irq();
    clock.step('1ms');
    const { now } = clock;
    for (const byte of [1, 2, 3]) write(THR, byte);
    to(now + ns(2 * FRAME) - 1n);
    expect(line.level).toBe(false);
    to(now + ns(2 * FRAME));
    expect(irq()).toEqual([true, FIFOS | THR_EMPTY]);
  });

  test('priority/line status, data, THRE, modem status', () => {
    const { enable, irq, host, clock, read, pins, lsr } = bench({ tiedInputs: 0 });
    enable(IER.ERBFI, IER.ETBEI, IER.ELSI, IER.EDSSI);
    pins(1);
    host.write('ab');
    clock.step('1ms');
    expect(irq()).toEqual([true, LINE_STATUS]);
    lsr();
    expect(irq()).toEqual([true, RECEIVED]);
    read(RBR);
    expect(irq()).toEqual([true, THR_EMPTY]);
    expect(irq()).toEqual([true, MODEM]);
    read(MSR);
    expect(irq()).toEqual([false, NO_INTERRUPT]);
  });

  test('a source that is not enabled does not interrupt, and shows when it is', () => {
    const { enable, irq, host, clock, pins } = bench({ tiedInputs: 0 });
    pins(1);
    host.write('ab');
    clock.step('1ms');
    expect(irq()).toEqual([false, NO_INTERRUPT]);
    enable(IER.EDSSI);
    expect(irq()).toEqual([true, MODEM]);
    enable(IER.ELSI);
    expect(irq()).toEqual([true, LINE_STATUS]);
  });

  test('OUT2/gates the IRQ as in a PC, and not in loopback', () => {
    const { enable, write, line, iir, machine } = bench({ irqGate: 'out2' });
    enable(IER.ETBEI);
    expect(line.level).toBe(false);
    write(MCR, MCR.OUT2.mask);
    expect(line.level).toBe(true);
    write(MCR, MCR.OUT2.mask | MCR.LOOP.mask);
    expect([line.level, machine.irq('uart0', 'out2').level]).toEqual([false, false]);
    write(MCR, MCR.OUT2.mask);
    expect([line.level, iir(), line.level]).toEqual([true, THR_EMPTY, false]);
  });
});

describe('modem', () => {
  test('outputs follow MCR', () => {
    const { write, machine } = bench();
    const levels = (): boolean[] => ['dtr', 'rts', 'out1', 'out2'].map((name) => machine.irq('uart0', name).level);
    for (const [i, field] of [MCR.DTR, MCR.RTS, MCR.OUT1, MCR.OUT2].entries()) {
      write(MCR, field.mask);
      expect(levels()).toEqual([0, 1, 2, 3].map((n) => n === i));
      write(MCR, field.mask | MCR.LOOP.mask);
      expect(levels()).toEqual([false, false, false, false]);
    }
  });

  test.each([
    ['CTS', 0x01, MSR.CTS.mask, MSR.DCTS.mask, MSR.DCTS.mask],
    ['DSR', 0x02, MSR.DSR.mask, MSR.DDSR.mask, MSR.DDSR.mask],
    ['RI, its trailing edge', 0x04, MSR.RI.mask, 0, MSR.TERI.mask],
    ['DCD', 0x08, MSR.DCD.mask, MSR.DDCD.mask, MSR.DDCD.mask],
  ])('inputs/%s', (_what, pin, level, rising, falling) => {
    const { pins, read, enable, line } = bench({ tiedInputs: 0 });
    enable(IER.EDSSI);
    pins(pin);
    expect(line.level).toBe(rising !== 0);
    expect([read(MSR), read(MSR), line.level]).toEqual([level | rising, level, false]);
    pins(0);
    expect(line.level).toBe(true);
    expect([read(MSR), read(MSR), line.level]).toEqual([falling, 0, false]);
    pins(pin);
    pins(0);
    expect(read(MSR)).toBe(rising | falling);
  });

  test('inputs/a reset leaves the levels and clears the deltas', () => {
    const { pins, read, machine } = bench({ tiedInputs: 0 });
    pins(0x09);
    machine.reset('warm');
    expect(read(MSR)).toBe(MSR.CTS.mask | MSR.DCD.mask);
  });
});

describe('loopback', () => {
  test('characters come back after a frame, and do not leave', () => {
    const { write, read, to, lsr, sent } = bench();
    write(MCR, MCR.LOOP.mask);
    write(THR, 0xa5);
    to(ns(FRAME) - 1n);
    expect(lsr()).toBe(LSR.THRE.mask);
    to(ns(FRAME));
    expect([lsr(), read(RBR), sent()]).toEqual([EMPTY | LSR.DR.mask, 0xa5, []]);
  });

  test('the driver: echo', () => {
    const { dev, read } = bench();
    dev.init();
    expect(new TextDecoder().decode(dev.echo('Hello, wörld'))).toBe('Hello, wörld');
    expect(MCR.LOOP.test(read(MCR))).toBe(false);
  });

  test('what the host sends meanwhile is lost', () => {
    const { write, host, clock, lsr, read } = bench();
    write(MCR, MCR.LOOP.mask);
    host.write('abc');
    clock.step('1ms');
    expect(lsr()).toBe(EMPTY);
    write(MCR, 0);
    host.write('d');
    clock.step('1ms');
    expect([lsr(), read(RBR)]).toEqual([EMPTY | LSR.DR.mask, 0x64]);
  });

  test('modem control is modem status, with deltas and interrupt', () => {
    const { write, read, enable, line } = bench();
    write(MCR, MCR.LOOP.mask);
    expect(read(MSR)).toBe(MSR.DCTS.mask | MSR.DDSR.mask | MSR.DDCD.mask);
    enable(IER.EDSSI);
    for (const [control, status, delta] of [
      [MCR.RTS, MSR.CTS, MSR.DCTS],
      [MCR.DTR, MSR.DSR, MSR.DDSR],
      [MCR.OUT2, MSR.DCD, MSR.DDCD],
    ]) {
      write(MCR, MCR.LOOP.mask | (control?.mask ?? 0));
      expect([line.level, read(MSR), line.level]).toEqual([true, (status?.mask ?? 0) | (delta?.mask ?? 0), false]);
      write(MCR, MCR.LOOP.mask);
      expect(read(MSR)).toBe(delta?.mask);
    }
    write(MCR, MCR.LOOP.mask | MCR.OUT1.mask);
    expect([line.level, read(MSR)]).toEqual([false, MSR.RI.mask]);
    write(MCR, MCR.LOOP.mask);
    expect([line.level, read(MSR)]).toEqual([true, MSR.TERI.mask]);
  });

  test('overrun and FIFO', () => {
    const { write, clock, lsr, read } = bench();
    write(FCR, FIFO_ON);
    write(MCR, MCR.LOOP.mask);
    for (let i = 0; i < 17; i++) write(THR, i);
    clock.step(ns(17 * FRAME));
    expect(lsr()).toBe(EMPTY | LSR.DR.mask | LSR.OE.mask);
    expect(Array.from({ length: 16 }, () => read(RBR))).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });
});

describe('break', () => {
  const BROKEN = LSR.BI.mask | LSR.FE.mask;

  test('loopback/after a whole character, once', () => {
    const { write, to, lsr, read, clock } = bench();
    write(MCR, MCR.LOOP.mask);
    write(LCR, FORMAT_8N1 | LCR.SB.mask);
    to(ns(FRAME) - 1n);
    expect(lsr()).toBe(EMPTY);
    to(ns(FRAME));
    expect([lsr(), lsr(), read(RBR)]).toEqual([EMPTY | LSR.DR.mask | BROKEN, EMPTY | LSR.DR.mask, 0]);
    clock.step('1s');
    expect(lsr()).toBe(EMPTY);
    write(LCR, FORMAT_8N1 | LCR.DLAB.mask | LCR.SB.mask);
    write(DLL, 2);
    clock.step('1s');
    expect(lsr()).toBe(EMPTY);
  });

  test('shorter than a character it is none', () => {
    const { pins, to, lsr, clock } = bench();
    pins(BREAK);
    to(ns(FRAME) - 1n);
    pins(0);
    clock.step('1s');
    expect(lsr()).toBe(EMPTY);
  });

  test('input/with an interrupt; what the host sends meanwhile is lost', () => {
    const { pins, lsr, clock, host, enable, irq, read } = bench();
    enable(IER.ELSI);
    pins(BREAK);
    host.write('a');
    clock.step(ns(FRAME));
    expect(irq()).toEqual([true, LINE_STATUS]);
    expect([lsr(), irq()]).toEqual([EMPTY | LSR.DR.mask | BROKEN, [false, NO_INTERRUPT]]);
    pins(0);
    read(RBR);
    host.write('b');
    clock.step(ns(FRAME));
    expect([lsr(), read(RBR)]).toEqual([EMPTY | LSR.DR.mask, 0x62]);
  });

  test.each([
    ['none', 0x00, 0],
    ['odd', 0x08, LSR.PE.mask],
    ['even', 0x18, 0],
    ['mark', 0x28, LSR.PE.mask],
    ['space', 0x38, 0],
  ])('parity/%s', (_what, bits, error) => {
    const { pins, lsr, clock, write } = bench();
    write(LCR, FORMAT_8N1 | bits);
    pins(BREAK);
    clock.step('1ms');
    expect(lsr() & (BROKEN | LSR.PE.mask)).toBe(BROKEN | error);
  });

  test('FIFO/errors show when their character comes to the head; bit 7 tells of them before', () => {
    const { pins, lsr, clock, host, write, read } = bench();
    write(FCR, FIFO_ON);
    host.write('a');
    clock.step(ns(FRAME));
    pins(BREAK);
    clock.step(ns(FRAME));
    pins(0);
    host.write('b');
    clock.step(ns(FRAME));
    const data = EMPTY | LSR.DR.mask;
    expect([lsr(), lsr()]).toEqual([data | LSR.FIFO_ERROR.mask, data | LSR.FIFO_ERROR.mask]);
    expect(read(RBR)).toBe(0x61);
    expect([lsr(), lsr()]).toEqual([data | LSR.FIFO_ERROR.mask | BROKEN, data]);
    expect([read(RBR), read(RBR), lsr()]).toEqual([0, 0x62, EMPTY]);
  });

  test('divisor/0 meanwhile: it counts from when there is a rate', () => {
    const { pins, lsr, clock, dev, to } = bench();
    dev.writeDivisor(0);
    pins(BREAK);
    clock.step('1s');
    const { now } = clock;
    dev.writeDivisor(1);
    to(now + ns(FRAME) - 1n);
    expect(lsr()).toBe(EMPTY);
    to(now + ns(FRAME));
    expect(lsr()).toBe(EMPTY | LSR.DR.mask | BROKEN);
  });
});

describe('driver', () => {
  test('init, send and receive', () => {
    const { dev, host, sent, read } = bench();
    dev.init({ baud: 9600, bits: 7, parity: 'even', stop: 2, trigger: 8, ier: 0x05 });
    expect([dev.readDivisor(), read(LCR), read(MCR), read(IER), read(IIR)]).toEqual([12, 0x1e, 0x0b, 0x05, 0xc1]);
    dev.send('Hello');
    dev.drain();
    expect(new TextDecoder().decode(Uint8Array.from(sent()))).toBe('Hello');
    host.write('world');
    expect(new TextDecoder().decode(dev.receive(5))).toBe('world');
    expect(dev.receiveNow().length).toBe(0);
    dev.init({ trigger: 0 });
    expect(read(IIR)).toBe(NO_INTERRUPT);
  });

  test('formats, rates and their limits', () => {
    expect(part.lcrFor({ bits: 5, parity: 'mark' })).toBe(0x28);
    expect(part.lcrFor({ parity: 'space', stop: 2 })).toBe(0x3f);
    expect([part.divisorFor(115_200), part.divisorFor(50)]).toEqual([1, 2304]);
    expect(() => part.divisorFor(1_000_000)).toThrow(/115200/u);
    expect(() => part.divisorFor(1)).toThrow(RangeError);
    const { dev } = bench();
    expect(() => dev.writeDivisor(0x1_0000)).toThrow(RangeError);
  });

  test('an interrupt-driven receiver hears everything', () => {
    const { dev, vcpu, host } = bench();
    dev.init({ trigger: 8, ier: IER.ERBFI.mask });
    const heard: number[] = [];
    vcpu.onIrq(part.IRQ, () => heard.push(...dev.receiveNow()));
    const data = Uint8Array.from({ length: 100 }, (_, i) => i);
    host.write(data);
    vcpu.poll(() => heard.length === 100, { timeout: '1s' });
    expect(heard).toEqual([...data]);
  });
});

describe('contract', () => {
  test('snapshot/everything goes on from it as before', () => {
    const { machine, clock, host, dev, line, read, write } = bench();
    dev.init({ trigger: 4, ier: 0x0f });
    host.write('The quick brown fox');
    for (let i = 0; i < 10; i++) write(THR, i);
    clock.step(ns(2 * FRAME) + 5n);
    const snapshot = machine.snapshot();
    const record = (): unknown[] => {
      const found: unknown[] = [];
      while (clock.deadline !== undefined) {
        clock.step();
        found.push([clock.now, line.level, read(IIR), read(LSR), found.length % 3 === 0 ? read(RBR) : 0]);
      }
      return [...found, [...host.read()]];
    };
    const first = record();
    machine.restore(snapshot);
    expect(record()).toEqual(first);
    expect(first.length).toBeGreaterThan(15);
  });

  test('fuzz/whatever is done: bytes come back, deadlines lie ahead, the IRQ is what IIR says', () => {
    const action = fc.record({
      offset: fc.integer({ min: 0, max: 7 }),
      value: fc.option(fc.integer({ min: 0, max: 255 })),
      sent: fc.integer({ min: 0, max: 3 }),
      pins: fc.option(fc.integer({ min: 0, max: 31 })),
      step: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 200_000n }), fc.bigInt({ min: 1n, max: SECOND })),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const { vcpu, clock, host, pins, line, machine } = bench();
        for (const { offset, value, sent, pins: levels, step } of actions) {
          if (value !== null) vcpu.outb(BASE + offset, value);
          if (levels !== null) pins(levels);
          host.write(new Uint8Array(sent).fill(0x55));
          const byte = vcpu.inb(BASE + offset);
          expect(Number.isInteger(byte) && byte >= 0 && byte <= 0xff).toBe(true);
          clock.step(step);
          expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
          const { level } = line;
          expect(IIR.PENDING_N.test(vcpu.inb(BASE + IIR.offset))).toBe(!level);
        }
        machine.reset('cold');
        expect(vcpu.inb(BASE + LSR.offset)).toBe(EMPTY);
      }),
      { numRuns: 80 },
    );
  });

  test.each([
    ['an IRQ that ISA lacks', { irq: 16 }],
    ['ports beyond the last', { ioBase: 0xfff9 }],
    ['inputs that are none', { tiedInputs: 0x100 }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });

  test('properties/a crystal of 0 Hz is refused, another sets the rate', () => {
    const init =
      (clock: number) =>
      (m: Parameters<Parameters<typeof testMachine>[0]>[0]): void => {
        m.add('isa-bus');
        m.add('ns16550a', { clock });
      };
    expect(() => testMachine(init(0))).toThrow('clock');
    const { vcpu, clock, machine } = testMachine(init(16_000_000));
    const dev = part.uart(vcpu, BASE, 16_000_000);
    dev.writeDivisor(1);
    dev.write(LCR, FORMAT_8N1);
    dev.write(THR, 1);
    clock.step(9_999n);
    expect(machine.chardev('uart0').read().length).toBe(0);
    clock.step(1n);
    expect(machine.chardev('uart0').read().length).toBe(1);
  });
});
