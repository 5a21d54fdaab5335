import { describe, expect, test } from 'vitest';
import { pci } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

const RAM = 0x10_0000;
const MMIO = 0xe000_0000;
const BUFFER = 0x4_0000;
const MSI_AT = 0x40;

const LIVENESS = 0x04;
const FACTORIAL = 0x08;
const STATUS = 0x20;
const IRQ_STATUS = 0x24;
const IRQ_RAISE = 0x60;
const IRQ_ACK = 0x64;
const DMA_SRC = 0x80;
const DMA_DST = 0x88;
const DMA_COUNT = 0x90;
const DMA_COMMAND = 0x98;

const COMPUTING = 0x01;
const IRQFACT = 0x80;
const RUN = 1;
const TO_RAM = 2;
const IRQ = 4;

const DMA_NS = 100_000_000n;

function build(properties: { dmaMask?: number; factorialTime?: bigint } = {}) {
  const machine = testMachine((m) => {
    m.ram(0, RAM);
    m.add('i440fx-pcihost');
    m.add('edu', { slot: 4, ...properties });
  });
  const { vcpu } = machine;
  const fn = pci.host(vcpu).find({ vendor: 0x1234, device: 0x11e8 });
  fn.map(0);
  const write = (offset: number, value: number): void => vcpu.writel(MMIO + offset, value);
  const read = (offset: number): number => vcpu.readl(MMIO + offset);
  const startDma = (source: number, destination: number, count: number, command: number): void => {
    write(DMA_SRC, source);
    write(DMA_DST, destination);
    write(DMA_COUNT, count);
    write(DMA_COMMAND, command | RUN);
  };
  const line = machine.machine.irq('edu0', 'intx');
  return { ...machine, fn, read, write, startDma, line };
}

describe('edu', () => {
  test('config/header', () => {
    const { fn } = build();
    expect(fn.classCode).toBe(0x00_ff00);
    expect(fn.readb(pci.HEADER.REVISION_ID)).toBe(0x10);
    expect(fn.interruptPin).toBe(1);
    expect(fn.bars()).toMatchObject([{ bar: 0, kind: 'memory32', size: 0x10_0000 }]);
    expect(fn.capabilities()).toEqual([{ id: pci.CAPABILITY.MSI, offset: MSI_AT }]);
    // One vector, 64-bit addresses, no masks.
    expect(fn.readw(MSI_AT + 2)).toBe(0x0080);
  });

  test('registers/identification', () => {
    const { read, write } = build();
    expect(read(0)).toBe(0x0100_00ed);
    write(0, 0);
    expect(read(0)).toBe(0x0100_00ed);
  });

  test('registers/liveness', () => {
    const { read, write } = build();
    expect(read(LIVENESS)).toBe(0);
    for (const value of [0, 1, 0x1234_5678, 0xffff_ffff]) {
      write(LIVENESS, value);
      expect(read(LIVENESS)).toBe(~value >>> 0);
    }
  });

  test('registers/what-is-not-there-floats', () => {
    const { read, write } = build();
    for (const offset of [0x0c, 0x1c, 0x28, 0x5c, 0x60, 0x64, 0x7c, 0xa0, BUFFER, 0xf_fffc]) {
      write(offset, 0);
      expect(read(offset)).toBe(0xffff_ffff);
    }
  });

  test('access/only-dwords', () => {
    const { vcpu, read, write, events } = build();
    write(LIVENESS, 0);
    events();
    vcpu.writeb(MMIO + LIVENESS, 1);
    vcpu.writew(MMIO + LIVENESS, 1);
    expect(vcpu.readb(MMIO + LIVENESS)).toBe(0xff);
    expect(vcpu.readw(MMIO + LIVENESS)).toBe(0xffff);
    expect(vcpu.readl(MMIO + LIVENESS + 2)).toBe(0xffff_ffff);
    expect(read(LIVENESS)).toBe(0xffff_ffff);
    expect(events().map(({ message }) => message)).toEqual([
      'write of 1 bytes at edu0.mmio+0x4 refused',
      'write of 2 bytes at edu0.mmio+0x4 refused',
      'read of 1 bytes at edu0.mmio+0x4 refused',
      'read of 2 bytes at edu0.mmio+0x4 refused',
      'read of 4 bytes at edu0.mmio+0x6 refused',
    ]);
  });

  test('access/quadwords-are-two-dwords', () => {
    const { vcpu, read } = build();
    vcpu.writeq(MMIO + DMA_SRC, 0x1234_5678_9abc_def0n);
    expect(vcpu.readq(MMIO + DMA_SRC)).toBe(0x1234_5678_9abc_def0n);
    expect(read(DMA_SRC + 4)).toBe(0x1234_5678);
    // As in QEMU, four bytes are the whole register.
    vcpu.writel(MMIO + DMA_SRC, 1);
    expect(vcpu.readq(MMIO + DMA_SRC)).toBe(1n);
    expect(vcpu.readq(MMIO + DMA_COMMAND)).toBe(0n);
  });

  test('factorial/values', () => {
    const { read, write } = build();
    const of = (n: number): number => {
      write(FACTORIAL, n);
      return read(FACTORIAL);
    };
    expect([0, 1, 2, 3, 4, 10, 12].map(of)).toEqual([1, 1, 2, 6, 24, 3_628_800, 479_001_600]);
    // 13! and on, modulo 2³².
    expect([13, 20, 33, 34, 35].map(of)).toEqual([1_932_053_504, 2_192_834_560, 0x8000_0000, 0, 0]);
    expect(of(0xffff_ffff)).toBe(0);
  });

  test('factorial/at-once-by-default', () => {
    const { read, write, line } = build();
    write(FACTORIAL, 5);
    expect(read(STATUS)).toBe(0);
    expect(read(FACTORIAL)).toBe(120);
    expect(line.level).toBe(false);
    write(STATUS, 0xffff_ffff);
    expect(read(STATUS)).toBe(IRQFACT);
    write(FACTORIAL, 5);
    expect(read(IRQ_STATUS)).toBe(1);
    expect(line.level).toBe(true);
  });

  test('factorial/computing', () => {
    const { read, write, clock, line } = build({ factorialTime: 1000n });
    write(STATUS, IRQFACT);
    write(FACTORIAL, 5);
    expect(read(STATUS)).toBe(IRQFACT | COMPUTING);
    expect(read(FACTORIAL)).toBe(5);
    write(FACTORIAL, 6);
    // COMPUTING is read-only, and IRQFACT may change meanwhile.
    write(STATUS, 0);
    expect(read(STATUS)).toBe(COMPUTING);
    write(STATUS, IRQFACT | COMPUTING);
    clock.step(999n);
    expect(read(STATUS)).toBe(IRQFACT | COMPUTING);
    expect(line.level).toBe(false);
    clock.step(1n);
    expect(read(STATUS)).toBe(IRQFACT);
    expect(read(FACTORIAL)).toBe(120);
    expect(read(IRQ_STATUS)).toBe(1);
    expect(line.level).toBe(true);
  });

  test('factorial/the-interrupt-is-that-of-irqfact-at-the-end', () => {
    const { read, write, clock } = build({ factorialTime: 1000n });
    write(STATUS, IRQFACT);
    write(FACTORIAL, 5);
    write(STATUS, 0);
    clock.step(1000n);
    expect(read(IRQ_STATUS)).toBe(0);
  });

  test('irq/raise-and-acknowledge', () => {
    const { read, write, line, machine } = build();
    write(IRQ_RAISE, 0);
    expect(line.level).toBe(false);
    write(IRQ_RAISE, 0x8000_0001);
    write(IRQ_RAISE, 0x10);
    expect(read(IRQ_STATUS)).toBe(0x8000_0011);
    expect(line).toMatchObject({ level: true, edges: 1 });
    write(IRQ_ACK, 0x8000_0001);
    expect(read(IRQ_STATUS)).toBe(0x10);
    expect(line.level).toBe(true);
    // Slot 4, INTA: PIRQD.
    expect(machine.irq('pci0', 3).level).toBe(true);
    write(IRQ_ACK, 0xffff_ffff);
    expect(line).toMatchObject({ level: false, edges: 1 });
    expect(read(IRQ_STATUS)).toBe(0);
  });

  test('irq/intx-disable', () => {
    const { write, line, fn } = build();
    fn.enable({ intx: false });
    write(IRQ_RAISE, 1);
    expect(line.level).toBe(false);
    fn.enable({ intx: true });
    expect(line.level).toBe(true);
  });

  test('msi/in-the-place-of-intx', () => {
    const { vcpu, read, write, line, fn } = build();
    fn.enable({ master: true });
    write(IRQ_RAISE, 1);
    expect(line.level).toBe(true);
    fn.enableMsi({ address: 0x1000, data: 0x41 });
    expect(line.level).toBe(false);
    expect(vcpu.readl(0x1000)).toBe(0);
    write(IRQ_RAISE, 2);
    expect(vcpu.readl(0x1000)).toBe(0x41);
    vcpu.writel(0x1000, 0);
    // As in QEMU, any write while something is pending sends one.
    write(IRQ_RAISE, 0);
    expect(vcpu.readl(0x1000)).toBe(0x41);
    vcpu.writel(0x1000, 0);
    write(IRQ_ACK, 1);
    expect(read(IRQ_STATUS)).toBe(2);
    expect(vcpu.readl(0x1000)).toBe(0);
    fn.disableMsi();
    expect(line.level).toBe(true);
  });

  test('msi/not-without-bus-mastering', () => {
    const { vcpu, read, write, line, fn } = build();
    fn.enableMsi({ address: 0x1000, data: 0x41 });
    write(IRQ_RAISE, 2);
    expect(vcpu.readl(0x1000)).toBe(0);
    expect(line.level).toBe(false);
    expect(read(IRQ_STATUS)).toBe(2);
  });

  test('dma/there-and-back', () => {
    const { vcpu, clock, read, startDma, fn, events } = build();
    fn.enable({ master: true });
    const data = Uint8Array.from({ length: 100 }, (_, i) => i + 1);
    vcpu.write(0x2000, data);
    startDma(0x2000, BUFFER + 8, 100, 0);
    expect(read(DMA_COMMAND)).toBe(RUN);
    clock.step(DMA_NS - 1n);
    expect(read(DMA_COMMAND)).toBe(RUN);
    clock.step(1n);
    expect(read(DMA_COMMAND)).toBe(0);
    startDma(BUFFER + 8, 0x3000, 100, TO_RAM);
    clock.step();
    expect(read(DMA_COMMAND)).toBe(TO_RAM);
    expect(vcpu.read(0x3000, 100)).toEqual(data);
    expect(vcpu.read(0x3064, 4)).toEqual(new Uint8Array(4));
    expect(events()).toEqual([]);
  });

  test('dma/while-it-runs-its-registers-keep-their-values', () => {
    const { vcpu, clock, read, write, startDma, fn } = build();
    fn.enable({ master: true });
    startDma(0x2000, BUFFER, 16, 0);
    write(DMA_SRC, 1);
    write(DMA_SRC + 4, 1);
    write(DMA_DST, 1);
    write(DMA_COUNT, 1);
    clock.step(60_000_000n);
    // Nor does another command start it anew.
    write(DMA_COMMAND, RUN | TO_RAM);
    expect([DMA_SRC, DMA_DST, DMA_COUNT].map((at) => vcpu.readq(MMIO + at))).toEqual([0x2000n, BigInt(BUFFER), 16n]);
    clock.step(40_000_000n);
    expect(read(DMA_COMMAND)).toBe(0);
  });

  test('dma/a-command-without-run-is-ignored', () => {
    const { clock, read, write } = build();
    write(DMA_COMMAND, TO_RAM | IRQ);
    expect(read(DMA_COMMAND)).toBe(0);
    expect(clock.deadline).toBeUndefined();
  });

  test('dma/interrupt', () => {
    const { clock, read, startDma, line, fn } = build();
    fn.enable({ master: true });
    startDma(0x2000, BUFFER, 16, IRQ);
    expect(line.level).toBe(false);
    clock.step();
    expect(read(IRQ_STATUS)).toBe(0x100);
    expect(line.level).toBe(true);
  });

  test('dma/bus-master-off', () => {
    const { vcpu, clock, read, startDma, events } = build();
    vcpu.writel(0x2000, 0x1111_1111);
    startDma(BUFFER, 0x2000, 16, TO_RAM | IRQ);
    clock.step();
    expect(vcpu.readl(0x2000)).toBe(0x1111_1111);
    expect(read(DMA_COMMAND)).toBe(TO_RAM | IRQ);
    expect(read(IRQ_STATUS)).toBe(0x100);
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'edu0', message: 'DMA while not a bus master' }]);
  });

  test.each([
    ['before', BUFFER - 1, 16],
    ['after', BUFFER + 4096, 1],
    ['across-the-end', BUFFER + 4090, 7],
    ['too-long', BUFFER, 4097],
    ['nowhere', 0, 4],
    ['huge', BUFFER, 0xffff_ffff],
  ])('dma/out-of-the-buffer/%s', (_, at, count) => {
    for (const command of [0, TO_RAM]) {
      const { vcpu, clock, read, startDma, events, bound, fn } = build();
      fn.enable({ master: true });
      vcpu.writel(0x2000, 0x1111_1111);
      startDma(command === 0 ? 0x2000 : at, command === 0 ? at : 0x2000, count, command | IRQ);
      clock.step();
      expect(vcpu.readl(0x2000)).toBe(0x1111_1111);
      expect(read(DMA_COMMAND) & RUN).toBe(0);
      expect(read(IRQ_STATUS)).toBe(0x100);
      expect(events()).toMatchObject([{ kind: 'guestError', message: expect.stringMatching(/outside its buffer/) }]);
      expect(bound.bus.fault).toBeUndefined();
    }
  });

  test('dma/a-count-of-64-bits-does-not-wrap', () => {
    const { vcpu, clock, write, events, fn } = build();
    fn.enable({ master: true });
    vcpu.writeq(MMIO + DMA_SRC, 0x2000n);
    vcpu.writeq(MMIO + DMA_DST, BigInt(BUFFER) + 16n);
    vcpu.writeq(MMIO + DMA_COUNT, 2n ** 64n - 8n);
    write(DMA_COMMAND, RUN);
    clock.step();
    expect(events()).toMatchObject([
      { message: expect.stringMatching(/DMA of 18446744073709551608 bytes at 0x40010, outside/) },
    ]);
  });

  test('dma/all-of-the-buffer-and-nothing', () => {
    const { vcpu, clock, startDma, fn, events } = build();
    fn.enable({ master: true });
    vcpu.fill(0x2000, 4096, 0x5a);
    startDma(0x2000, BUFFER, 4096, 0);
    clock.step();
    startDma(BUFFER, 0x4000, 4096, TO_RAM);
    clock.step();
    expect(vcpu.read(0x4000, 4096)).toEqual(new Uint8Array(4096).fill(0x5a));
    startDma(BUFFER + 4096, 0x5000, 0, TO_RAM);
    clock.step();
    expect(vcpu.readl(0x5000)).toBe(0);
    expect(events()).toEqual([]);
  });

  test('dma/address-mask', () => {
    const { vcpu, clock, startDma, fn, events } = build({ dmaMask: 0xf_ffff });
    fn.enable({ master: true });
    vcpu.writel(0x2000, 0xdead_beef);
    startDma(0x3010_2000, BUFFER, 4, 0);
    clock.step();
    startDma(BUFFER, 0x3000, 4, TO_RAM);
    clock.step();
    expect(vcpu.readl(0x3000)).toBe(0xdead_beef);
    expect(events()).toMatchObject([{ message: 'DMA address 0x30102000 masked to 0x2000' }]);
  });

  test('dma/address-mask/28-bits-by-default', () => {
    const { vcpu, clock, startDma, fn, events } = build();
    fn.enable({ master: true });
    startDma(BUFFER, 0x1000_3000, 4, TO_RAM);
    clock.step();
    expect(vcpu.readl(0x3000)).toBe(0);
    expect(events()).toMatchObject([{ message: expect.stringMatching(/masked to 0x3000/) }]);
  });

  test('dma/out-of-ram', () => {
    const { vcpu, clock, startDma, fn, events } = build();
    fn.enable({ master: true });
    startDma(RAM - 4, BUFFER, 8, 0);
    clock.step();
    expect(events()).toMatchObject([{ message: expect.stringMatching(/no device answers/) }]);
    startDma(BUFFER, 0x2000, 8, TO_RAM);
    clock.step();
    expect(vcpu.readq(0x2000)).toBe(0xffff_ffff_0000_0000n);
  });

  test('dma/into-itself-is-refused', () => {
    const { clock, startDma, fn, bound, events } = build({ dmaMask: 0xffff_ffff });
    fn.enable({ master: true });
    startDma(BUFFER, MMIO + IRQ_RAISE, 4, TO_RAM);
    clock.step();
    expect(events()).toMatchObject([{ message: 'DMA write of 4 bytes at 0xe0000060, in its own BAR, refused' }]);
    // Refused before it can enter itself: no fault of the device.
    expect(bound.bus.fault).toBeUndefined();
  });

  test('reset/ends-everything', () => {
    for (const kind of ['warm', 'cold'] as const) {
      const { fn, machine, clock, read, write, startDma, line } = build({ factorialTime: 1000n });
      fn.enable({ master: true });
      write(LIVENESS, 0);
      write(STATUS, IRQFACT);
      write(FACTORIAL, 5);
      write(IRQ_RAISE, 7);
      startDma(0x2000, BUFFER, 16, IRQ);
      machine.reset(kind);
      expect(line.level).toBe(false);
      expect(clock.deadline).toBeUndefined();
      fn.setBar(0, MMIO);
      fn.enable({ memory: true });
      expect([LIVENESS, FACTORIAL, STATUS, IRQ_STATUS, DMA_SRC, DMA_DST, DMA_COUNT, DMA_COMMAND].map(read)).toEqual(
        Array(8).fill(0),
      );
    }
  });

  test('snapshot/in-the-middle-of-a-transfer', () => {
    const { vcpu, machine, clock, startDma, fn } = build();
    fn.enable({ master: true });
    vcpu.writel(0x2000, 0x1234_5678);
    startDma(0x2000, BUFFER, 4, 0);
    clock.step();
    startDma(BUFFER, 0x3000, 4, TO_RAM);
    clock.step(50_000_000n);
    const snapshot = machine.snapshot();
    clock.step();
    machine.restore(snapshot);
    expect(vcpu.readl(0x3000)).toBe(0);
    clock.step(49_999_999n);
    expect(vcpu.readl(0x3000)).toBe(0);
    clock.step(1n);
    expect(vcpu.readl(0x3000)).toBe(0x1234_5678);
  });
});
