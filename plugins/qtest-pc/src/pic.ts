import { i8254, i8259 } from '@qtest/parts/pc';
import { device, devices, hex, isaIrq, number, states, type Cases, type Context } from './support.ts';

const { CASCADE, ELCR1, ELCR2, ICW1, ICW4, MASTER_BASE: MASTER, OCW2, SLAVE_BASE: SLAVE, SPURIOUS } = i8259;

/** Vectors in these cases, which are nobody else's. */
const MASTER_VECTOR = 0x50;
const SLAVE_VECTOR = 0x58;

/** Lines that can be driven: all but the master's IR2, where the slave is. */
const IRQS = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/** Fully nested mode after ICW1: IR0 of the master is the highest, and the slave's eight have the place of IR2. */
const BY_PRIORITY = [0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7];

const ROTATE = OCW2.R.mask;
const ROTATE_EOI = OCW2.R.mask | OCW2.EOI.mask;
const SET_PRIORITY = OCW2.R.mask | OCW2.SL.mask;
const ROTATE_SPECIFIC = OCW2.R.mask | OCW2.SL.mask | OCW2.EOI.mask;

interface Bench {
  readonly pic: i8259.Pic;
  readonly fallenRequest: unknown;
  /** Drives ISA lines high. */
  raise(...irqs: readonly number[]): void;
  lower(...irqs: readonly number[]): void;
  /** A rising edge on each. The lines stay high, as the data sheet wants it until the acknowledge. */
  edge(...irqs: readonly number[]): void;
  /** Acknowledges by poll command, `end`s the service, and so on until nobody asks. */
  serve(end?: (irq: number) => void): number[];
}

/**
 * Ends the timer's part in IRQ 0. Counter 0 in mode 0 counts once, to the end of the shortest count, and is high for ever; a control word without a
 * count takes it low for ever, of which QEMU takes no notice: there the line is as the pc-testdev leaves it.
 */
function quietTimer(context: Context): void {
  const { vcpu } = context;
  const line = isaIrq(context, 0);
  for (const timer of devices(context, 'i8254')) {
    const base = number(timer, 'ioBase', i8254.BASE);
    const mode0 = (): void => vcpu.outb(base + i8254.CONTROL.offset, i8254.CONTROL.RW.mask);
    mode0();
    for (const half of [1, 0]) vcpu.outb(base, half);
    vcpu.poll(() => line.level);
    mode0();
  }
}

/** The pair, initialised, with nothing masked; its lines are driven by the pc-testdev. Nothing else asks. */
function bench(context: Context, init: i8259.PicInit = {}): Bench {
  const { vcpu } = context;
  const chips = device(context, 'i8259');
  const testdev = device(context, 'pc-testdev');
  const irqs = number(testdev, 'irqBase', 0x2000);
  quietTimer(context);
  vcpu.outb(irqs, 0);
  const pic = i8259.pic(vcpu);
  pic.init({ masterVector: MASTER_VECTOR, slaveVector: SLAVE_VECTOR, ...init });
  vcpu.outb(MASTER + 1, 0);
  vcpu.outb(SLAVE + 1, 0);
  const raise = (...some: readonly number[]): void => some.forEach((irq) => vcpu.outb(irqs + irq, 1));
  const lower = (...some: readonly number[]): void => some.forEach((irq) => vcpu.outb(irqs + irq, 0));
  return {
    pic,
    fallenRequest: chips.properties['fallenRequest'],
    raise,
    lower,
    edge(...some) {
      lower(...some);
      raise(...some);
    },
    serve(end = pic.eoi) {
      const served: number[] = [];
      // A request that stays would be served for ever.
      for (let irq = pic.poll(); irq !== undefined && served.length < 64; irq = pic.poll()) {
        served.push(irq);
        end(irq);
      }
      return served;
    },
  };
}

/** Collects vectors, with what the registers say in the handler. Interrupts are not taken until `take()`. */
function interrupts({ vcpu }: Context, handle: (vector: number) => void): { vectors: number[]; take: () => void } {
  const vectors: number[] = [];
  vcpu.cli();
  for (let vector = MASTER_VECTOR; vector < SLAVE_VECTOR + 8; vector++) {
    vcpu.onInterrupt(vector, () => {
      vectors.push(vector);
      handle(vector);
    });
  }
  return {
    vectors,
    take() {
      vcpu.sti();
      vcpu.inb(MASTER + 1);
      vcpu.cli();
    },
  };
}

/** Makes some IRQs level-triggered. Skips the case when the machine has no edge/level control. */
function levelTriggered(context: Context, ...irqs: readonly number[]): void {
  const elcr = number(device(context, 'i8259'), 'elcrBase', i8259.ELCR_BASE);
  if (elcr === 0) return context.skip('this machine has no edge/level control');
  for (const irq of irqs) {
    const port = elcr + (irq >> 3);
    context.vcpu.outb(port, context.vcpu.inb(port) | (1 << (irq & 7)));
  }
}

const ACKNOWLEDGE = { requires: ['interrupt-acknowledge'] } as const;

export const pic: Cases = {
  'pic/init/clears-imr': states('ICW1 clears the interrupt mask register.', (context) => {
    const { assert, vcpu } = context;
    bench(context);
    for (const chip of [MASTER, SLAVE]) {
      vcpu.outb(chip + 1, 0xa5);
      assert.equal(vcpu.inb(chip + 1), 0xa5, '8259A, OCW1: the mask reads back');
      vcpu.outb(chip, ICW1.ICW1.mask | ICW1.IC4.mask);
      assert.equal(vcpu.inb(chip + 1), 0, '8259A, ICW1 b: the interrupt mask register is cleared');
    }
  }),

  'pic/init/sequence': states(
    'As many ICWs follow as ICW1 says: no ICW3 with SNGL, no ICW4 without IC4; then it is OCW1.',
    (context) => {
      const { assert, vcpu } = context;
      bench(context);
      for (const [bits, words] of [
        [0, 2],
        [ICW1.IC4.mask, 3],
        [ICW1.SNGL.mask, 1],
        [ICW1.SNGL.mask | ICW1.IC4.mask, 2],
      ] as const) {
        vcpu.outb(SLAVE, ICW1.ICW1.mask | bits);
        // ICW4 of 1 is 8086 mode; as ICW2, ICW3 or OCW1 it would do as well.
        for (let n = 0; n < words; n++) {
          vcpu.outb(SLAVE + 1, 0x01);
          assert.equal(
            vcpu.inb(SLAVE + 1),
            0,
            `8259A, figure 6: word ${n + 2} after ICW1 ${hex(bits | 0x10)} is no mask`,
          );
        }
        vcpu.outb(SLAVE + 1, 0x3c);
        assert.equal(
          vcpu.inb(SLAVE + 1),
          0x3c,
          `8259A, figure 6: ${words} words after ICW1 ${hex(bits | 0x10)} it is OCW1`,
        );
      }
    },
  ),

  'pic/init/edge-sense': states('After ICW1 a line that is high must fall and rise to be a request.', (context) => {
    const { assert } = context;
    const { pic: dev, raise, lower, serve } = bench(context);
    raise(5, 11);
    dev.init();
    dev.unmask(5);
    dev.unmask(11);
    assert.equal(dev.irr(), 0, '8259A, ICW1 a: the edge sense circuit is reset');
    assert.deepEqual(serve(), [], '8259A, ICW1 a: no request without a low-to-high transition');
    lower(5, 11);
    raise(5, 11);
    assert.deepEqual(serve(), [11, 5], '8259A, ICW1 a: there was one');
  }),

  'pic/init/status-read': states('ICW1 leaves special mask mode and sets status read to IRR.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, raise } = bench(context);
    vcpu.outb(MASTER, i8259.SET_SPECIAL_MASK);
    vcpu.outb(MASTER, i8259.READ_ISR);
    dev.init();
    vcpu.outb(MASTER + 1, 0x08);
    raise(3);
    assert.equal(vcpu.inb(MASTER), 0x08, '8259A, ICW1 d: status read is set to IRR');
    dev.unmask(3);
    assert.equal(dev.poll(), 3, '8259A: IR3 is in service');
    dev.mask(3);
    raise(6);
    assert.equal(dev.poll(), undefined, '8259A, ICW1 d: special mask mode is cleared');
  }),

  'pic/vector': states(
    'ICW2 gives bits 7:3 of the vector, the level the others.',
    (context) => {
      const { assert } = context;
      const { pic: dev, raise, lower } = bench(context);
      let at = 0;
      const { vectors, take } = interrupts(context, () => dev.eoi(at));
      for (const irq of IRQS) {
        at = irq;
        raise(irq);
        take();
        lower(irq);
      }
      assert.deepEqual(
        vectors,
        IRQS.map((irq) => MASTER_VECTOR + irq),
        '8259A, ICW2: T7 to T3, and the level',
      );
      // Not from bits 2:0 of ICW2.
      dev.init({ masterVector: MASTER_VECTOR + 5 });
      dev.unmask(3);
      raise(3);
      take();
      assert.equal(vectors.at(-1), MASTER_VECTOR + 3, '8259A, ICW2: the level takes the place of bits 2:0');
    },
    ACKNOWLEDGE,
  ),

  'pic/mask': states('A masked input is no interrupt; it stays a request, and leaves the others alone.', (context) => {
    const { assert } = context;
    const { pic: dev, raise, serve } = bench(context);
    dev.mask(1);
    dev.mask(12);
    raise(1, 4, 12, 15);
    assert.deepEqual(serve(), [15, 4], '8259A, IMR: lower levels go on');
    assert.equal(dev.irr(), (1 << 1) | (1 << 12), '8259A, OCW1: the request is kept');
    dev.unmask(1);
    dev.unmask(12);
    assert.deepEqual(serve(), [1, 12], '8259A, OCW1: M = 0 enables the channel');
  }),

  'pic/mask/cascade': states('Masking IR2 of the master masks the slave, whose own mask stays.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, raise, serve } = bench(context);
    dev.mask(CASCADE);
    raise(9, 14, 6);
    assert.deepEqual(serve(), [6], '8259A, cascade mode: the slave’s INT is IR2');
    assert.equal(vcpu.inb(SLAVE + 1), 0, '8259A, OCW1: each chip has its own');
    dev.unmask(CASCADE);
    assert.deepEqual(serve(), [9, 14], '8259A, cascade mode: the slave still asks');
  }),

  'pic/registers': states('OCW3 chooses IRR or ISR, and need not be written again for each read.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, raise } = bench(context);
    raise(3);
    dev.poll();
    raise(6);
    for (const [ocw3, expected, what] of [
      [i8259.READ_IRR, 0x40, 'IRR: requests that wait'],
      [i8259.READ_ISR, 0x08, 'ISR: what is in service'],
    ] as const) {
      vcpu.outb(MASTER, ocw3);
      for (let n = 0; n < 3; n++) {
        assert.equal(vcpu.inb(MASTER), expected, `8259A, reading the 8259A status: ${what}`);
        vcpu.inb(MASTER + 1);
      }
      vcpu.outb(MASTER, 0x08);
      assert.equal(vcpu.inb(MASTER), expected, '8259A, OCW3: RR = 0 is no action');
    }
  }),

  'pic/edge': states('Edge-triggered, a line that stays high is one interrupt.', (context) => {
    const { assert } = context;
    const { pic: dev, raise, lower, serve } = bench(context);
    raise(5, 10);
    assert.deepEqual(serve(), [10, 5], '8259A, LTIM = 0: a low-to-high transition');
    assert.equal(dev.irr(), 0, '8259A, LTIM = 0: the acknowledge has reset the latch');
    lower(5, 10);
    assert.deepEqual(serve(), [], '8259A, LTIM = 0: the way down is none');
    raise(5, 10);
    assert.deepEqual(serve(), [10, 5], '8259A, LTIM = 0: each rise is one');
  }),

  'pic/level': states('Level-triggered, a line that is still high after the EOI interrupts again.', (context) => {
    const { assert } = context;
    const { pic: dev, raise, lower } = bench(context);
    levelTriggered(context, 5, 10);
    for (const irq of [5, 10]) {
      raise(irq);
      for (let n = 0; n < 3; n++) {
        assert.equal(dev.poll(), irq, '8259A, LTIM = 1: no need for an edge');
        assert.equal(dev.poll(), undefined, '8259A, fully nested mode: not while it is in service');
        dev.eoi(irq);
      }
      lower(irq);
      assert.equal(dev.poll(), undefined, '8259A, LTIM = 1: the request is gone with the level');
    }
  }),

  'pic/elcr': states(
    'ELCR1 and ELCR2 can be read back; IRQ 0, 1, 2, 8 and 13 are always edge-triggered.',
    (context) => {
      const { assert, vcpu } = context;
      levelTriggered(context);
      const ports = number(device(context, 'i8259'), 'elcrBase', i8259.ELCR_BASE);
      for (const [n, { writable }] of [ELCR1, ELCR2].entries()) {
        assert.equal(vcpu.inb(ports + n), 0, '82371SB, ELCR: the default is 00h');
        for (let bit = 0; bit < 8; bit++) {
          vcpu.outb(ports + n, 1 << bit);
          assert.equal(vcpu.inb(ports + n), (1 << bit) & writable, `82371SB, ELCR${n + 1}: bit ${bit}`);
        }
        vcpu.outb(ports + n, 0xff);
      }
      assert.deepEqual([vcpu.inb(ports), vcpu.inb(ports + 1)], [0xf8, 0xde], '82371SB, ELCR: reserved bits are 0');
    },
  ),

  'pic/priority/fixed': states(
    'IR0 is the highest priority, IR7 the lowest; the slave’s have that of IR2.',
    (context) => {
      const { assert } = context;
      const { raise, serve } = bench(context);
      raise(...IRQS.toReversed());
      assert.deepEqual(serve(), BY_PRIORITY, '8259A, fully nested mode: IR0 has the highest priority, IR7 the lowest');
    },
  ),

  'pic/priority/nesting': states(
    'While a level is in service those of lower and of its own priority wait, and higher ones get through.',
    (context) => {
      const { assert } = context;
      const { pic: dev, raise, edge } = bench(context);
      raise(5);
      assert.equal(dev.poll(), 5, '8259A: IR5 is in service');
      edge(5);
      raise(6);
      assert.equal(dev.poll(), undefined, '8259A, fully nested mode: same and lower priority are inhibited');
      raise(12);
      assert.equal(dev.poll(), 12, '8259A, fully nested mode: a higher level generates an interrupt');
      raise(1);
      assert.equal(dev.poll(), 1, '8259A, fully nested mode: and a still higher one');
      assert.equal(dev.isr(), (1 << 1) | (1 << CASCADE) | (1 << 5) | (1 << 12), '8259A, ISR: all that are in service');
      for (const irq of [1, 12]) dev.eoi(irq);
      assert.equal(dev.poll(), undefined, '8259A, fully nested mode: IR5 is still in service');
      dev.eoi(5);
      assert.equal(dev.poll(), 5, '8259A, fully nested mode: after its EOI the next is taken');
    },
  ),

  'pic/priority/rotate': states(
    'Rotate on non-specific EOI: the level that was served becomes the lowest.',
    (context) => {
      const { assert, vcpu } = context;
      const { edge, serve } = bench(context);
      const rotate = (): void => vcpu.outb(MASTER, ROTATE_EOI);
      edge(3);
      assert.deepEqual(serve(rotate), [3]);
      edge(0, 1, 3, 4, 5, 6, 7);
      assert.deepEqual(serve(rotate), [4, 5, 6, 7, 0, 1, 3], '8259A, automatic rotation: IR3 is now the lowest');
      // The last that was served is IR3 again.
      edge(1, 7);
      assert.deepEqual(serve(), [7, 1], '8259A, automatic rotation: IR4 is the highest');
    },
  ),

  'pic/priority/set': states('The set priority command makes a level the lowest, and ends no service.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, edge, serve } = bench(context);
    for (let lowest = 0; lowest < 8; lowest++) {
      vcpu.outb(MASTER, SET_PRIORITY | lowest);
      edge(0, 1, 3, 4, 5, 6, 7);
      const order = Array.from({ length: 8 }, (_, n) => (lowest + 1 + n) % 8).filter((irq) => irq !== CASCADE);
      assert.deepEqual(serve(dev.specificEoi), order, `8259A, specific rotation: IR${lowest} is the lowest`);
    }
    edge(5);
    dev.poll();
    vcpu.outb(MASTER, SET_PRIORITY | 5);
    assert.equal(dev.isr(), 1 << 5, '8259A, specific rotation: EOI = 0');
  }),

  'pic/priority/rotate-specific': states(
    'Rotate on specific EOI ends a level’s service and makes it the lowest.',
    (context) => {
      const { assert, vcpu } = context;
      const { pic: dev, edge, serve } = bench(context);
      edge(6);
      dev.poll();
      edge(1);
      dev.poll();
      vcpu.outb(MASTER, ROTATE_SPECIFIC | 6);
      assert.equal(dev.isr(), 1 << 1, '8259A, OCW2: L2 to L0 say whose service ends');
      dev.specificEoi(1);
      edge(0, 1, 3, 4, 5, 6, 7);
      assert.deepEqual(serve(dev.specificEoi), [7, 0, 1, 3, 4, 5, 6], '8259A, specific rotation: IR6 is the lowest');
    },
  ),

  'pic/eoi/non-specific': states(
    'A non-specific EOI ends the service of the highest level, and of no other.',
    (context) => {
      const { assert, vcpu } = context;
      const { pic: dev, raise } = bench(context);
      for (const irq of [6, 4, 1]) {
        raise(irq);
        assert.equal(dev.poll(), irq);
      }
      for (const left of [(1 << 6) | (1 << 4), 1 << 6, 0, 0]) {
        vcpu.outb(MASTER, i8259.NON_SPECIFIC_EOI);
        assert.equal(dev.isr(), left, '8259A, EOI: the highest IS bit of those that are set is reset');
      }
    },
  ),

  'pic/eoi/specific': states('A specific EOI ends the service of the level that it names.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, raise } = bench(context);
    for (const irq of [6, 4, 1]) {
      raise(irq);
      dev.poll();
    }
    vcpu.outb(MASTER, i8259.specificEoi(6));
    assert.equal(dev.isr(), (1 << 4) | (1 << 1), '8259A, EOI: IR6, though others are higher');
    vcpu.outb(MASTER, i8259.specificEoi(3));
    assert.equal(dev.isr(), (1 << 4) | (1 << 1), '8259A, EOI: IR3 is not in service');
    vcpu.outb(MASTER, OCW2.SL.mask | 4);
    assert.equal(dev.isr(), (1 << 4) | (1 << 1), '8259A, OCW2: R, SL, EOI = 010 is no operation');
  }),

  'pic/eoi/cascade': states('A slave’s interrupt is in service in both chips, and each needs its EOI.', (context) => {
    const { assert, vcpu } = context;
    const { pic: dev, raise } = bench(context);
    raise(12);
    assert.equal(dev.poll(), 12);
    assert.equal(dev.isr(), (1 << 12) | (1 << CASCADE), '8259A, cascade mode: IR4 of the slave, IR2 of the master');
    vcpu.outb(SLAVE, i8259.NON_SPECIFIC_EOI);
    assert.equal(dev.isr(), 1 << CASCADE, '8259A, cascade mode: an EOI must be issued twice');
    vcpu.outb(MASTER, i8259.NON_SPECIFIC_EOI);
    assert.equal(dev.isr(), 0, '8259A, cascade mode: for the master, and for the slave');
  }),

  'pic/eoi/automatic': states(
    'With AEOI the acknowledge ends the service; level-triggered, one that stays high interrupts again.',
    (context) => {
      const { assert } = context;
      const { pic: dev, raise, lower } = bench(context, { masterIcw4: ICW4.uPM.mask | ICW4.AEOI.mask });
      levelTriggered(context, 5);
      const inService: number[] = [];
      const { vectors, take } = interrupts(context, () => {
        inService.push(dev.isr());
        if (vectors.length >= 3) lower(5);
      });
      raise(5);
      take();
      assert.deepEqual(
        vectors,
        [5, 5, 5].map((irq) => MASTER_VECTOR + irq),
        '8259A, AEOI: no EOI is needed',
      );
      assert.deepEqual(inService, [0, 0, 0], '8259A, AEOI: at the end of the last INTA pulse');
    },
    ACKNOWLEDGE,
  ),

  'pic/eoi/automatic-rotate': states(
    'In AEOI mode OCW2 sets and clears rotation at each acknowledge.',
    (context) => {
      const { assert, vcpu } = context;
      const { edge } = bench(context, { masterIcw4: ICW4.uPM.mask | ICW4.AEOI.mask });
      const { vectors, take } = interrupts(context, () => {});
      const order = (...irqs: readonly number[]): number[] => {
        vectors.length = 0;
        edge(...irqs);
        take();
        return vectors.map((vector) => vector - MASTER_VECTOR);
      };
      assert.deepEqual(order(3, 4), [3, 4]);
      assert.deepEqual(order(3, 4), [3, 4], '8259A, automatic rotation: not unless it is set');
      vcpu.outb(MASTER, ROTATE);
      assert.deepEqual(order(3), [3]);
      assert.deepEqual(order(3, 4), [4, 3], '8259A, automatic rotation: IR3 was the lowest');
      vcpu.outb(MASTER, 0);
      assert.deepEqual(order(5), [5]);
      assert.deepEqual(order(5, 6), [5, 6], '8259A, automatic rotation: R, SL, EOI = 000 has cleared it');
    },
    ACKNOWLEDGE,
  ),

  'pic/special-mask': states(
    'In special mask mode a masked level in service inhibits only itself, not those below it.',
    (context) => {
      const { assert, vcpu } = context;
      const { pic: dev, raise, edge } = bench(context);
      raise(3);
      assert.equal(dev.poll(), 3);
      dev.mask(3);
      raise(6);
      assert.equal(dev.poll(), undefined, '8259A: IR3 is in service, masked or not');
      vcpu.outb(MASTER, i8259.SET_SPECIAL_MASK);
      edge(3);
      assert.equal(dev.poll(), 6, '8259A, special mask mode: enables all other levels that are not masked');
      dev.specificEoi(6);
      vcpu.outb(MASTER, i8259.CLEAR_SPECIAL_MASK);
      edge(6);
      assert.equal(dev.poll(), undefined, '8259A, special mask mode: SMM = 0 leaves it');
      vcpu.outb(MASTER, i8259.SET_SPECIAL_MASK & ~i8259.OCW3.ESMM.mask);
      assert.equal(dev.poll(), undefined, '8259A, OCW3: with ESMM = 0 SMM means nothing');
    },
  ),

  'pic/special-fully-nested': states(
    'With SFNM a higher request of the slave gets through while the slave is in service.',
    (context) => {
      const { assert } = context;
      for (const [masterIcw4, second] of [
        [ICW4.uPM.mask, undefined],
        [ICW4.uPM.mask | ICW4.SFNM.mask, 9],
      ] as const) {
        const { pic: dev, raise, lower } = bench(context, { masterIcw4 });
        raise(12);
        assert.equal(dev.poll(), 12);
        raise(9);
        assert.equal(dev.poll(), second, '8259A, special fully nested mode: the slave is not locked out');
        lower(9, 12);
      }
    },
  ),

  'pic/poll': states(
    'The poll word has the highest level that asks, and acknowledges it; bit 7 is 0 if none does.',
    (context) => {
      const { assert, vcpu } = context;
      const { pic: dev, raise } = bench(context);
      const poll = (chip: number): number => {
        vcpu.outb(chip, i8259.POLL_COMMAND);
        return vcpu.inb(chip);
      };
      assert.equal(poll(MASTER) & 0x80, 0, '8259A, poll command: no interrupt');
      raise(6, 11);
      assert.equal(poll(MASTER), 0x80 | CASCADE, '8259A, poll command: I, and W2 to W0');
      assert.equal(poll(SLAVE), 0x80 | 3, '8259A, poll command: the slave is polled by itself');
      assert.equal(dev.isr(), (1 << CASCADE) | (1 << 11), '8259A, poll command: the read sets the IS bit');
      vcpu.outb(MASTER, i8259.READ_IRR);
      vcpu.outb(MASTER, i8259.POLL_COMMAND);
      assert.equal(vcpu.inb(MASTER) & 0x80, 0, '8259A, poll command: IR2 in service inhibits IR6');
      assert.equal(vcpu.inb(MASTER), 1 << 6, '8259A, poll command: for one read; the next gives IRR again');
    },
  ),

  'pic/fallen-request': states(
    'An IR that falls before its acknowledge gives IR7 without an IS bit; QEMU keeps the request.',
    (context) => {
      const { assert } = context;
      const { pic: dev, raise, lower, fallenRequest } = bench(context);
      const inService: number[] = [];
      const { vectors, take } = interrupts(context, () => inService.push(dev.isr()));
      raise(4);
      lower(4);
      take();
      const latched = fallenRequest === 'latched';
      assert.deepEqual(vectors, [MASTER_VECTOR + (latched ? 4 : SPURIOUS)], '8259A, figure 9: a default IR7');
      assert.deepEqual(inService, [latched ? 1 << 4 : 0], '8259A, figure 9: a default IR7 does not set its IS bit');
    },
    ACKNOWLEDGE,
  ),

  'pic/spurious-slave': states(
    'A slave whose request is gone at the acknowledge gives its IR7; only the master’s IR2 is in service.',
    (context) => {
      const { assert } = context;
      const { pic: dev, raise, lower } = bench(context);
      levelTriggered(context, 10);
      const inService: number[] = [];
      const { vectors, take } = interrupts(context, () => inService.push(dev.isr()));
      raise(10);
      lower(10);
      take();
      assert.deepEqual(vectors, [SLAVE_VECTOR + SPURIOUS], '8259A, figure 9: a default IR7, of the slave');
      assert.deepEqual(
        inService,
        [1 << CASCADE],
        '8259A, figure 9: no IS bit in the slave; the master knows no better',
      );
    },
    ACKNOWLEDGE,
  ),

  'pic/lines': states('Each ISA line is an input of its own.', (context) => {
    const { assert } = context;
    const { pic: dev, raise, lower } = bench(context);
    for (const irq of IRQS) {
      raise(irq);
      assert(isaIrq(context, irq).level, `IRQ ${irq} is high`);
      // The slave's INT is IR2 of the master.
      const cascade = irq < 8 ? 0 : 1 << CASCADE;
      assert.equal(dev.irr(), (1 << irq) | cascade, `8259A, IRR: IR${irq & 7} of the ${irq < 8 ? 'master' : 'slave'}`);
      assert.equal(dev.poll(), irq);
      dev.eoi(irq);
      lower(irq);
      assert(!isaIrq(context, irq).level, `IRQ ${irq} is low`);
    }
  }),
};
