import { pci } from '@qtest/parts/pc';
import {
  BUFFER,
  BUFFER_BYTES,
  DMA_COMMAND,
  DMA_COUNT,
  DMA_DONE,
  DMA_DST,
  DMA_SRC,
  driver,
  edu,
  FACTORIAL,
  FACTORIAL_DONE,
  ID,
  IRQ_ACK,
  IRQ_RAISE,
  IRQ_STATUS,
  LIVENESS,
  STATUS,
  type Edu,
} from './edu-driver.ts';
import { bus, hex, random, states, type Cases, type Context } from './support.ts';

const { CAPABILITY, HEADER } = pci;

/** RAM that the cases use, and where they look for an MSI. */
const RAM = 0x1_0000;
const MESSAGE = 0x2_0000;

/** 0! to 12! and, modulo 2³², further. */
function factorial(n: number): number {
  let product = 1n;
  for (let factor = 2n; factor <= n; factor++) product *= factor;
  return Number(product & 0xffff_ffffn);
}

function compute({ vcpu }: Context, dev: Edu, n: number): number {
  dev.write(FACTORIAL, n);
  vcpu.poll(() => !STATUS.COMPUTING.test(dev.read(STATUS.offset)), { timeout: '5s', step: '100us' });
  return dev.read(FACTORIAL);
}

/** So many bytes that are not alike. */
function pattern(seed: number, count: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length: count }, () => next() & 0xff);
}

/** An edu that may be a bus master. */
function master(context: Context): Edu {
  const { dev } = edu(context);
  dev.fn.enable({ master: true });
  return dev;
}

export const eduCases: Cases = {
  'edu/id': states('The identification register is 010000EDh, and read-only.', (context) => {
    const { assert } = context;
    const { dev } = edu(context);
    assert.equal(dev.read(ID), 0x0100_00ed, 'edu.rst: 0xRRrr00edu, revision 1.0');
    dev.write(ID, 0);
    assert.equal(dev.read(ID), 0x0100_00ed, 'edu.rst: it is RO');
  }),

  'edu/liveness': states('The liveness register gives the inverse of what was written.', (context) => {
    const { assert, options } = context;
    const { dev } = edu(context);
    const next = random(options.seed);
    for (const value of [0, 1, 0x1234_5678, 0xffff_ffff, ...Array.from({ length: 32 }, next)]) {
      dev.write(LIVENESS, value);
      assert.equal(dev.read(LIVENESS), ~value >>> 0, `edu.rst: bitwise inversion of ${hex(value, 8)}`);
    }
  }),

  'edu/factorial': states('What is written to the factorial register is replaced by its factorial.', (context) => {
    const { assert } = context;
    const { dev } = edu(context);
    for (const n of [0, 1, 2, 5, 10, 12, 13, 20, 33, 34, 100]) {
      assert.equal(compute(context, dev, n), factorial(n), `edu.rst: ${n}!, of which the register holds 32 bits`);
    }
  }),

  'edu/factorial-computing': states(
    'While it computes, COMPUTING is 1 and a new number is not taken.',
    (context) => {
      const { assert, vcpu, skip } = context;
      const on = bus(context);
      const slow =
        on.all('edu').find((fn) => !['0', 'undefined'].includes(String(on.device(fn).properties['factorialTime']))) ??
        skip('every edu of this machine computes at once');
      const dev = driver(vcpu, slow);
      dev.write(FACTORIAL, 5);
      assert(STATUS.COMPUTING.test(dev.read(STATUS.offset)), 'edu.rst: bit 0 of the status is 1 until it is done');
      dev.write(FACTORIAL, 6);
      vcpu.poll(() => !STATUS.COMPUTING.test(dev.read(STATUS.offset)), { timeout: '5s', step: '100us' });
      assert.equal(dev.read(FACTORIAL), 120, 'QEMU: the number written meanwhile was not taken');
    },
    { requires: ['virtual-clock'] },
  ),

  'edu/factorial-irq': states('With bit 7 of the status the end of a factorial interrupts.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = edu(context);
    compute(context, dev, 3);
    assert.equal(dev.read(IRQ_STATUS), 0, 'edu.rst: without bit 7 there is no interrupt');
    dev.write(STATUS.offset, STATUS.IRQFACT.mask);
    assert(STATUS.IRQFACT.test(dev.read(STATUS.offset)), 'edu.rst: bit 7 is RW');
    dev.write(STATUS.offset, STATUS.IRQFACT.mask | STATUS.COMPUTING.mask);
    assert(!STATUS.COMPUTING.test(dev.read(STATUS.offset)), 'edu.rst: bit 0 is RO');
    compute(context, dev, 4);
    vcpu.poll(() => dev.read(IRQ_STATUS) !== 0, { timeout: '1s' });
    assert.equal(dev.read(IRQ_STATUS), FACTORIAL_DONE, 'edu.rst: it raises 0x00000001');
    assert.equal(dev.read(FACTORIAL), 24, 'edu.rst: the result');
  }),

  'edu/irq-raise-ack': states('Raise sets bits of the interrupt status, acknowledge clears them.', (context) => {
    const { assert } = context;
    const { dev } = edu(context);
    const asks = (): boolean => pci.STATUS.INTERRUPT.test(dev.fn.readw(HEADER.STATUS));
    for (const [offset, value, expected] of [
      [IRQ_RAISE, 0x0000_0001, 0x0000_0001],
      [IRQ_RAISE, 0x8000_0010, 0x8000_0011],
      [IRQ_ACK, 0x0000_0001, 0x8000_0010],
      [IRQ_ACK, 0x7fff_ffef, 0x8000_0010],
      [IRQ_RAISE, 0x0000_0000, 0x8000_0010],
      [IRQ_ACK, 0x8000_0010, 0x0000_0000],
    ] as const) {
      dev.write(offset, value);
      assert.equal(dev.read(IRQ_STATUS), expected, `edu.rst: after ${hex(value, 8)} to ${hex(offset)}`);
      assert.equal(asks(), expected !== 0, 'edu.rst: it asks for an interrupt while a bit is set');
    }
    dev.write(IRQ_STATUS, 0xffff_ffff);
    assert.equal(dev.read(IRQ_STATUS), 0, 'edu.rst: the interrupt status is RO');
  }),

  'edu/apart': states('Each edu has registers and an interrupt of its own.', (context) => {
    const { assert, vcpu } = context;
    const devs = ((on) => on.all('edu', 2).map((fn) => driver(vcpu, fn)))(bus(context));
    for (const [n, dev] of devs.entries()) {
      dev.write(LIVENESS, n);
      if (n % 2 === 0) dev.raise(n + 1);
    }
    for (const [n, dev] of devs.entries()) {
      assert.equal(dev.read(LIVENESS), ~n >>> 0, 'edu.rst: liveness');
      assert.equal(dev.read(IRQ_STATUS), n % 2 === 0 ? n + 1 : 0, 'edu.rst: interrupt status');
    }
  }),

  'edu/dma/registers': states(
    'Source, destination and count read back; while a transfer runs they do not change.',
    (context) => {
      const { assert, vcpu } = context;
      const dev = master(context);
      for (const [offset, value] of [
        [DMA_SRC, RAM],
        [DMA_DST, BUFFER],
        [DMA_COUNT, 4],
      ] as const) {
        dev.write(offset, value);
        assert.equal(dev.read(offset), value, `edu.rst: ${hex(offset)} is RW`);
      }
      vcpu.writel(RAM, 0x600d_600d);
      dev.write(DMA_COMMAND.offset, DMA_COMMAND.RUN.mask);
      assert(DMA_COMMAND.RUN.test(dev.read(DMA_COMMAND.offset)), 'edu.rst: bit 0 is 1 until the transfer is done');
      dev.write(DMA_SRC, 0);
      assert.equal(dev.read(DMA_SRC), RAM, 'QEMU: no change while a transfer runs');
      vcpu.poll(() => !DMA_COMMAND.RUN.test(dev.read(DMA_COMMAND.offset)), { timeout: '2s', step: '10ms' });
      dev.dma({ from: BUFFER, to: RAM + 8, count: 4, toRam: true });
      assert.equal(vcpu.readl(RAM + 8), 0x600d_600d, 'edu.rst: it was the transfer that was started');
    },
  ),

  'edu/dma/to-device': states('A transfer from RAM fills the buffer, and leaves RAM as it was.', (context) => {
    const { assert, vcpu, options } = context;
    const dev = master(context);
    const data = pattern(options.seed, 256);
    vcpu.write(RAM, data);
    dev.dma({ from: RAM, to: BUFFER, count: data.length });
    assert.deepEqual(vcpu.read(RAM, data.length), data, 'edu.rst: RAM is read');
    vcpu.fill(RAM, data.length, 0);
    dev.dma({ from: BUFFER, to: RAM, count: data.length, toRam: true });
    assert.deepEqual(vcpu.read(RAM, data.length), data, 'edu.rst: the buffer has had it');
  }),

  'edu/dma/from-device': states('A transfer to RAM writes so many bytes, and not one beside.', (context) => {
    const { assert, vcpu } = context;
    const dev = master(context);
    vcpu.fill(RAM, 64, 0xee);
    dev.dma({ from: BUFFER, to: RAM + 1, count: 13, toRam: true });
    const expected = new Uint8Array(64).fill(0xee).fill(0, 1, 14);
    assert.deepEqual(vcpu.read(RAM, 64), expected, 'edu.rst: the buffer’s 13 zeroes, at any alignment');
  }),

  'edu/dma/round-trip': states('The whole buffer, 4096 bytes, goes there and back.', (context) => {
    const { assert, vcpu, options } = context;
    const dev = master(context);
    const data = pattern(options.seed, BUFFER_BYTES);
    vcpu.write(RAM, data);
    dev.dma({ from: RAM, to: BUFFER, count: BUFFER_BYTES });
    dev.dma({ from: BUFFER, to: RAM + 0x8000, count: BUFFER_BYTES, toRam: true });
    assert.deepEqual(vcpu.read(RAM + 0x8000, BUFFER_BYTES), data, 'edu.rst: the same bytes');
    // Into its end, and out of it.
    dev.dma({ from: RAM, to: BUFFER + BUFFER_BYTES - 1, count: 1 });
    dev.dma({ from: BUFFER + BUFFER_BYTES - 2, to: RAM + 0x9000, count: 2, toRam: true });
    assert.deepEqual(
      vcpu.read(RAM + 0x9000, 2),
      Uint8Array.of(data[BUFFER_BYTES - 2] ?? 0, data[0] ?? 0),
      'edu.rst: the last byte can be reached',
    );
  }),

  'edu/dma/not-mmio': states('The buffer is for DMA: a VCPU’s access does not reach it.', (context) => {
    const { assert, vcpu } = context;
    const dev = master(context);
    dev.write(BUFFER, 0x1234_5678);
    dev.dma({ from: BUFFER, to: RAM, count: 4, toRam: true });
    assert.equal(vcpu.readl(RAM), 0, 'edu.rst: the buffer is at 0x40000 of the DMA’s addresses alone');
  }),

  'edu/dma/irq': states('With bit 2 of the command the end of a transfer interrupts.', (context) => {
    const { assert } = context;
    const dev = master(context);
    dev.dma({ from: RAM, to: BUFFER, count: 4 });
    assert.equal(dev.read(IRQ_STATUS), 0, 'edu.rst: without bit 2 there is no interrupt');
    dev.dma({ from: RAM, to: BUFFER, count: 4, irq: true });
    assert.equal(dev.read(IRQ_STATUS), DMA_DONE, 'edu.rst: it raises 0x00000100');
    assert(pci.STATUS.INTERRUPT.test(dev.fn.readw(HEADER.STATUS)), '6.2.3: it asks for an interrupt');
    dev.acknowledge(DMA_DONE);
    assert.equal(dev.read(IRQ_STATUS), 0, 'edu.rst: acknowledged');
  }),

  'edu/dma/bus-master-off': states(
    'Without Bus Master the device makes no access, in neither direction.',
    (context) => {
      const { assert, vcpu } = context;
      const dev = master(context);
      vcpu.fill(RAM, 64, 0x11);
      dev.dma({ from: RAM, to: BUFFER, count: 64 });
      dev.fn.enable({ master: false });
      vcpu.fill(RAM, 64, 0x22);
      dev.dma({ from: BUFFER, to: RAM, count: 64, toRam: true });
      assert.deepEqual(vcpu.read(RAM, 64), new Uint8Array(64).fill(0x22), '6.2.2: RAM was not written');
      dev.dma({ from: RAM, to: BUFFER, count: 64 });
      dev.fn.enable({ master: true });
      dev.dma({ from: BUFFER, to: RAM, count: 64, toRam: true });
      assert.deepEqual(vcpu.read(RAM, 64), new Uint8Array(64).fill(0x11), '6.2.2: nor was it read');
    },
  ),

  'edu/dma/bus-master-at-the-end': states(
    'Bus Master counts when the access is made, not when it was asked for.',
    (context) => {
      const { assert, vcpu, clock } = context;
      const dev = master(context);
      vcpu.fill(RAM, 16, 0x22);
      dev.write(DMA_SRC, BUFFER);
      dev.write(DMA_DST, RAM);
      dev.write(DMA_COUNT, 16);
      dev.write(DMA_COMMAND.offset, DMA_COMMAND.RUN.mask | DMA_COMMAND.TO_RAM.mask);
      dev.fn.enable({ master: false });
      clock.step('200ms');
      assert(!DMA_COMMAND.RUN.test(dev.read(DMA_COMMAND.offset)), 'edu.rst: the transfer has ended');
      assert.deepEqual(vcpu.read(RAM, 16), new Uint8Array(16).fill(0x22), '6.2.2: with 0 it generates no PCI accesses');
    },
    { requires: ['virtual-clock'] },
  ),

  'edu/dma/mask': states('Its DMA has 28 address bits, unless told otherwise: higher ones are dropped.', (context) => {
    const { assert, vcpu, skip } = context;
    const on = bus(context);
    const fn = on.one('edu');
    const { dmaMask } = on.device(fn).properties;
    if (dmaMask !== undefined && dmaMask !== 0x0fff_ffff) return skip(`this edu’s DMA mask is ${dmaMask}`);
    const dev = driver(vcpu, fn);
    fn.enable({ master: true });
    vcpu.writel(RAM, 0xcafe_f00d);
    dev.dma({ from: 0xf000_0000 + RAM, to: BUFFER, count: 4 });
    dev.dma({ from: BUFFER, to: 0x1000_0000 + RAM + 4, count: 4, toRam: true });
    assert.equal(vcpu.readl(RAM + 4), 0xcafe_f00d, 'edu.rst, dma_mask: by default 28 bits');
  }),

  'edu/dma/out-of-range': states('A transfer that leaves the buffer moves nothing, and ends.', (context) => {
    const { assert, vcpu } = context;
    const dev = master(context);
    vcpu.fill(RAM, 2 * BUFFER_BYTES, 0xee);
    for (const [at, count] of [
      [BUFFER - 1, 2],
      [BUFFER + BUFFER_BYTES - 1, 2],
      [BUFFER + BUFFER_BYTES, 1],
      [BUFFER, BUFFER_BYTES + 1],
      [0, 16],
      [BUFFER, 0xffff_ffff],
    ] as const) {
      dev.dma({ from: RAM, to: at, count, irq: true });
      assert.equal(dev.read(IRQ_STATUS), DMA_DONE, `edu.rst: it ends (${count} bytes into ${hex(at)})`);
      dev.acknowledge();
      dev.dma({ from: at, to: RAM, count, toRam: true });
      assert.equal(
        vcpu.readb(RAM),
        0xee,
        `edu.rst: the buffer is all that there is (${count} bytes out of ${hex(at)})`,
      );
    }
    dev.dma({ from: BUFFER, to: RAM, count: BUFFER_BYTES, toRam: true });
    assert.deepEqual(vcpu.read(RAM, BUFFER_BYTES), new Uint8Array(BUFFER_BYTES), 'edu.rst: the buffer is as it was');
  }),

  'edu/dma/unmapped-memory': states('Reading memory that is not there gives all ones.', (context) => {
    const { assert, vcpu } = context;
    const dev = master(context);
    dev.dma({ from: 0x0800_0000, to: BUFFER, count: 4 });
    dev.dma({ from: BUFFER, to: RAM, count: 4, toRam: true });
    assert.equal(vcpu.readl(RAM), 0xffff_ffff, '3.3.3.1: a read that ends in Master-Abort');
  }),

  'edu/msi': states('With MSI enabled an interrupt is a write of the message, and INTx# stays down.', (context) => {
    const { assert, vcpu, skip } = context;
    const dev = master(context);
    if (dev.fn.capability(CAPABILITY.MSI) === undefined) return skip('the edu has no MSI capability');
    const asserted = (): boolean => pci.STATUS.INTERRUPT.test(dev.fn.readw(HEADER.STATUS));
    vcpu.writel(MESSAGE, 0xffff_ffff);
    dev.fn.enableMsi({ address: MESSAGE, data: 0x4321 });
    dev.raise();
    assert.equal(vcpu.readl(MESSAGE), 0x0000_4321, '6.8.3.4: a dword, its upper half 0');
    assert.equal(dev.read(IRQ_STATUS), 1, 'edu.rst: the status is as with INTx');
    assert(!asserted(), '6.8.3.3: no INTx# while MSI is enabled');
    vcpu.writel(MESSAGE, 0);
    dev.acknowledge();
    assert.equal(vcpu.readl(MESSAGE), 0, '6.8.3.4: an acknowledge sends nothing');
    dev.fn.disableMsi();
    dev.raise();
    assert.equal(vcpu.readl(MESSAGE), 0, '6.8.1.3: disabled, no message is sent');
    assert(asserted(), '6.8.1.3: the device uses INTx# again');
  }),

  'edu/msi/bus-master-off': states(
    'Without Bus Master no message is sent, and INTx# stays down all the same.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, on } = edu(context);
      dev.fn.enableMsi({ address: MESSAGE, data: 0x4321 });
      dev.raise();
      assert.equal(vcpu.readl(MESSAGE), 0, '6.2.2: a message is an access of a bus master');
      for (const n of [0, 1, 2, 3]) assert(!on.pirq(n).level, '6.8.3.3: no INTx# while MSI is enabled');
    },
  ),

  'edu/msi/from-dma': states('The end of a transfer sends a message too.', (context) => {
    const { assert, vcpu } = context;
    const dev = master(context);
    dev.fn.enableMsi({ address: MESSAGE, data: 0xbeef });
    dev.dma({ from: RAM, to: BUFFER, count: 4, irq: true });
    assert.equal(vcpu.readl(MESSAGE), 0xbeef, '6.8.3.4; edu.rst: the message of the DMA’s interrupt');
  }),

  'edu/msi/takes-over': states(
    'Enabling MSI takes a pending INTx# down at once, and disabling it gives it back.',
    (context) => {
      const { assert } = context;
      const { dev, on } = edu(context);
      const asserted = (): boolean => [0, 1, 2, 3].some((n) => on.pirq(n).level);
      dev.raise();
      assert(asserted(), '2.2.6: the request is there');
      dev.fn.enableMsi({ address: MESSAGE, data: 1 });
      assert(!asserted(), '6.8.3.3: while MSI is enabled the function must not use INTx#');
      dev.fn.disableMsi();
      assert(asserted(), '6.8.1.3: it asks by INTx# again, as nobody has acknowledged');
    },
  ),
};
