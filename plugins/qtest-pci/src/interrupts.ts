import { i8259, pci } from '@qtest/parts/pc';
import { edu, edus, IRQ_STATUS, type Edu } from './edu-driver.ts';
import { bus, states, type Bus, type Cases, type Context } from './support.ts';

const { COMMAND, HEADER, STATUS } = pci;

/** PIRQRCA, the first of the PIIX3's PIRQ route control registers (82371SB, 2.2.7), and its bit that switches the routing off. */
const PIRQRC = 0x60;
const OFF = 0x80;

/** IRQs to which a PIRQ can be routed. */
const ROUTABLE = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15] as const;

/** Line of the bus that an INTx pin is on: INTA# of device 1 is PIRQA, and each further device turns by one. */
function lineOf({ fn: { slot, interruptPin } }: Edu): number {
  return (slot + interruptPin - 2) & 3;
}

/** Two edus whose pins are on one line. */
function sharing(context: Context): { on: Bus; one: Edu; other: Edu; line: number } {
  const { devs, on } = edus(context, 2);
  for (const one of devs) {
    const other = devs.find((dev) => dev !== one && lineOf(dev) === lineOf(one));
    if (other !== undefined) return { on, one, other, line: lineOf(one) };
  }
  return context.skip('no two edus share a line of the bus');
}

/** Which IRQs of the ISA bus are high. */
function high(on: Bus): number[] {
  return ROUTABLE.filter((irq) => on.irq(irq).level);
}

/** Routes a line of the bus. */
function route(on: Bus, line: number, irq: number): void {
  on.one('piix3').writeb(PIRQRC + line, irq);
}

/** Has the interrupt controller take an IRQ by its level, as a BIOS does for PCI's. */
function levelTriggered({ vcpu }: Context, irq: number): void {
  const port = i8259.ELCR_BASE + (irq >> 3);
  vcpu.outb(port, vcpu.inb(port) | (1 << (irq & 7)));
}

export const interrupts: Cases = {
  'intx/level': states('INTA# is asserted while the device asks, as a level.', (context) => {
    const { assert } = context;
    const { dev, on } = edu(context);
    const line = on.pirq(lineOf(dev));
    assert(!line.level, '2.2.6: at reset nothing is asserted');
    const { edges } = line;
    dev.raise();
    assert(line.level, '2.2.6: asserted with the request');
    dev.raise();
    assert(line.level, '2.2.6: it stays asserted until the driver clears the request');
    assert.equal(line.edges - edges, 1, '2.2.6: a second request while it is asserted changes nothing');
    dev.acknowledge();
    assert(!line.level, '2.2.6: deasserted when the request is cleared');
  }),

  'intx/status-bit': states('Interrupt Status shows the request, and cannot be written.', (context) => {
    const { assert } = context;
    const { dev } = edu(context);
    const { fn } = dev;
    assert(!STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS)), '6.2.3: no request, no status');
    dev.raise();
    assert(STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS)), '6.2.3: it is 1 while the device asks');
    fn.writew(HEADER.STATUS, 0xffff);
    assert(STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS)), '6.2.3: it is read-only');
    dev.acknowledge();
    assert(!STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS)), '6.2.3: it goes with the request');
  }),

  'intx/disable-bit': states('Interrupt Disable keeps the pin down, and leaves Interrupt Status.', (context) => {
    const { assert } = context;
    const { dev, on } = edu(context);
    const { fn } = dev;
    const line = on.pirq(lineOf(dev));
    dev.raise();
    assert(line.level, '6.2.2: 0 lets the device assert INTx#');
    fn.enable({ intx: false });
    assert(!line.level, '6.2.2: 1 deasserts it');
    assert(COMMAND.INTX_DISABLE.test(fn.readw(HEADER.COMMAND)), '6.2.2: the bit reads back');
    assert(
      STATUS.INTERRUPT.test(fn.readw(HEADER.STATUS)),
      '6.2.3: Interrupt Disable has no effect on Interrupt Status',
    );
    dev.acknowledge();
    dev.raise();
    assert(!line.level, '6.2.2: nor is a new request let through');
    fn.enable({ intx: true });
    assert(line.level, '6.2.2: with 0 again it is asserted');
  }),

  'intx/no-decoding-needed': states(
    'INTx# does not depend on whether the device is decoded or a bus master.',
    (context) => {
      const { assert } = context;
      const { dev, on } = edu(context);
      dev.raise();
      dev.fn.writew(HEADER.COMMAND, 0);
      assert(on.pirq(lineOf(dev)).level, '6.2.2: only Interrupt Disable keeps the pin down');
    },
  ),

  'intx/swizzle': states('INTA# of each device number is on the next line of the bus.', (context) => {
    const { assert } = context;
    const { devs, on } = edus(context, 1);
    for (const dev of devs) {
      dev.raise();
      const levels = [0, 1, 2, 3].filter((n) => on.pirq(n).level);
      assert.deepEqual(
        levels,
        [lineOf(dev)],
        `2.2.6; QEMU pci_slot_get_pirq: device ${dev.fn.slot} and its line alone`,
      );
      dev.acknowledge();
    }
  }),

  'intx/shared-level': states('A line that two devices share is asserted while either asks.', (context) => {
    const { assert } = context;
    const { on, one, other, line } = sharing(context);
    one.raise();
    other.raise();
    assert(on.pirq(line).level, '2.2.6: both ask');
    one.acknowledge();
    assert(on.pirq(line).level, '2.2.6: one still asks');
    assert.equal(
      one.read(IRQ_STATUS),
      0,
      '2.2.6: each driver finds out whether it was its device: this one asks no more',
    );
    assert.notEqual(other.read(IRQ_STATUS), 0, '2.2.6: it was the other');
    other.acknowledge();
    assert(!on.pirq(line).level, '2.2.6: nobody asks any more');
  }),

  'intx/shared-disable': states('Interrupt Disable of one device leaves the line to the other.', (context) => {
    const { assert } = context;
    const { on, one, other, line } = sharing(context);
    one.raise();
    other.raise();
    one.fn.enable({ intx: false });
    assert(on.pirq(line).level, '6.2.2: the other asserts its pin');
    other.acknowledge();
    assert(!on.pirq(line).level, '6.2.2: the one does not');
    one.fn.enable({ intx: true });
    assert(on.pirq(line).level, '6.2.2: now it does');
  }),

  'pirq/at-reset': states('At reset the PIIX3 routes no line.', (context) => {
    const { assert } = context;
    const { devs, on } = edus(context, 0);
    assert.equal(on.one('piix3').readl(PIRQRC), 0x8080_8080, '82371SB 2.2.7: the default is 80h, routing disabled');
    for (const dev of devs) dev.raise();
    assert.deepEqual(high(on), [], '82371SB 2.2.7: no interrupt gets through');
  }),

  'pirq/registers': states('A route register has bit 7 and bits 3:0; bits 6:4 are 0.', (context) => {
    const { assert } = context;
    const piix3 = bus(context).one('piix3');
    for (let line = 0; line < 4; line++) {
      for (const value of [OFF, 3, 11, OFF | 15]) {
        piix3.writeb(PIRQRC + line, value | 0x70);
        assert.equal(piix3.readb(PIRQRC + line), value, '82371SB 2.2.7: bits 6:4 are reserved');
      }
    }
  }),

  'pirq/route': states('A line can be routed to each IRQ that is not the PC’s own.', (context) => {
    const { assert } = context;
    const { dev, on } = edu(context);
    dev.raise();
    for (const irq of ROUTABLE) {
      route(on, lineOf(dev), irq);
      assert.deepEqual(high(on), [irq], `82371SB 2.2.7: routed to IRQ ${irq}, at once and to it alone`);
    }
    dev.acknowledge();
    assert.deepEqual(high(on), [], '82371SB 2.2.7: the IRQ falls with the line');
  }),

  'pirq/disable': states('Bit 7 of a route register takes the line off its IRQ.', (context) => {
    const { assert } = context;
    const { dev, on } = edu(context);
    route(on, lineOf(dev), 11);
    dev.raise();
    assert.deepEqual(high(on), [11], '82371SB 2.2.7: 0 routes');
    route(on, lineOf(dev), OFF | 11);
    assert.deepEqual(high(on), [], '82371SB 2.2.7: 1 does not');
    assert(on.pirq(lineOf(dev)).level, '82371SB 2.2.7: the line itself is asserted');
    route(on, lineOf(dev), 11);
    assert.deepEqual(high(on), [11], '82371SB 2.2.7: 0 again');
  }),

  'pirq/level': states('The IRQ follows the line’s level, edge by edge.', (context) => {
    const { assert } = context;
    const { dev, on } = edu(context);
    route(on, lineOf(dev), 10);
    const before = on.irq(10).edges;
    for (let n = 1; n <= 5; n++) {
      dev.raise();
      assert(on.irq(10).level, '82371SB: PIRQ# asserted is the IRQ high');
      dev.acknowledge();
      assert(!on.irq(10).level, '82371SB: PIRQ# deasserted is the IRQ low');
      assert.equal(on.irq(10).edges - before, n, 'one edge for each request');
    }
  }),

  'pirq/each-line': states('Each line has its own route register.', (context) => {
    const { assert, skip } = context;
    const { devs, on } = edus(context, 1);
    const lines = new Map(devs.map((dev) => [lineOf(dev), dev]));
    if (lines.size < 4) return skip(`edus are on ${lines.size} lines of the bus, not on all four`);
    const irqs = [5, 9, 10, 11];
    for (const [line, irq] of irqs.entries()) route(on, line, irq);
    for (const [line, dev] of lines) {
      dev.raise();
      assert.deepEqual(high(on), [irqs[line]], `82371SB 2.2.7: PIRQ${'ABCD'[line]} by its register`);
      dev.acknowledge();
    }
  }),

  'pirq/several-to-one': states(
    'Several lines may be routed to one IRQ, which is high while one of them is asserted.',
    (context) => {
      const { assert } = context;
      const { devs, on } = edus(context, 2);
      for (let line = 0; line < 4; line++) route(on, line, 11);
      for (const dev of devs) dev.raise();
      for (const dev of devs) {
        assert.deepEqual(high(on), [11], '82371SB 2.2.7: PIRQs can share an IRQ');
        dev.acknowledge();
      }
      assert.deepEqual(high(on), [], '82371SB 2.2.7: none is left');
    },
  ),

  'pirq/vector': states(
    'A PCI interrupt reaches the VCPU through its PIRQ, its IRQ and the 8259As.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, on } = edu(context);
      const pic = i8259.pic(vcpu);
      pic.init();
      levelTriggered(context, 11);
      route(on, lineOf(dev), 11);
      pic.unmask(11);
      let taken = 0;
      vcpu.onInterrupt(i8259.SLAVE_VECTOR + 3, () => {
        taken++;
        dev.acknowledge();
        pic.eoi(11);
      });
      for (let n = 1; n <= 3; n++) {
        dev.raise();
        assert.equal(dev.read(IRQ_STATUS), 0, 'edu.rst: the handler has acknowledged it');
        assert.equal(taken, n, '8259A: one interrupt for each request');
      }
      assert.equal(pic.isr(), 0, '8259A: none is in service');
    },
    { requires: ['interrupt-acknowledge'] },
  ),

  'pirq/shared-vector': states(
    'Level-triggered, the second of two devices interrupts again after the first’s EOI.',
    (context) => {
      const { assert, vcpu } = context;
      const { on, one, other, line } = sharing(context);
      const pic = i8259.pic(vcpu);
      pic.init();
      levelTriggered(context, 11);
      route(on, line, 11);
      const served: string[] = [];
      vcpu.cli();
      pic.unmask(11);
      vcpu.onInterrupt(i8259.SLAVE_VECTOR + 3, () => {
        // A driver for each, and each looks after its own device alone.
        for (const [who, dev] of [
          ['one', one],
          ['other', other],
        ] as const) {
          if (dev.read(IRQ_STATUS) === 0) continue;
          served.push(who);
          dev.acknowledge();
          break;
        }
        pic.eoi(11);
      });
      one.raise();
      other.raise();
      vcpu.sti();
      vcpu.inb(0x80);
      assert.deepEqual(served, ['one', 'other'], '2.2.6; 8259A, level mode: the line is still high after the EOI');
      assert.equal(on.irq(11).level, false, '2.2.6: nobody asks any more');
    },
    { requires: ['interrupt-acknowledge'] },
  ),

  'pirq/edge-loses': states(
    'Edge-triggered, a second device’s request on a line that is high is not seen.',
    (context) => {
      const { assert, vcpu } = context;
      const { on, one, other, line } = sharing(context);
      const pic = i8259.pic(vcpu);
      pic.init();
      route(on, line, 11);
      pic.unmask(11);
      one.raise();
      assert.equal(pic.poll(), 11, '8259A: the edge is a request');
      other.raise();
      one.acknowledge();
      pic.eoi(11);
      assert.equal(pic.poll(), undefined, '8259A, edge mode: without a new edge there is no new request');
      levelTriggered(context, 11);
      assert.equal(pic.poll(), 11, '82371SB, ELCR2: by its level there is');
    },
  ),
};
