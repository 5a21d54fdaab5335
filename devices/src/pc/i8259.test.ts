import type { DeviceTypes } from '@qtest/sdk';
import { i8259 as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const MASTER = 0x20;
const SLAVE = 0xa0;
const ELCR1 = 0x4d0;
const ELCR2 = 0x4d1;

const { ICW1, ICW4, OCW2 } = part;
const ICW1_CASCADED = ICW1.ICW1.mask | ICW1.IC4.mask;
const ICW4_8086 = ICW4.uPM.mask;
const AEOI = ICW4_8086 | ICW4.AEOI.mask;
const SFNM = ICW4_8086 | ICW4.SFNM.mask;

/** A pair whose interrupts are taken only in `take()`, which gives their vectors. */
function bench(properties: DeviceTypes['i8259'] = {}) {
  const harness = testMachine((m) => {
    const isa = m.add('isa-bus');
    m.add('i8259', { bus: isa, ...properties });
  });
  const { vcpu, machine } = harness;
  const pic = part.pic(vcpu);
  const setLine = (irq: number, level: boolean): void => harness.setLine('isa0', irq, level);
  const taken: number[] = [];
  vcpu.cli();
  for (let vector = 0; vector < 256; vector++) vcpu.onInterrupt(vector, () => taken.push(vector));
  return {
    vcpu,
    machine,
    pic,
    setLine,
    events: () => harness.events(),
    /** Everything unmasked, vectors 0x08 and 0x70. */
    init: (options: part.PicInit = {}): void => {
      pic.init(options);
      vcpu.outb(MASTER + 1, 0);
      vcpu.outb(SLAVE + 1, 0);
    },
    raise: (...irqs: number[]): void => irqs.forEach((irq) => setLine(irq, true)),
    lower: (...irqs: number[]): void => irqs.forEach((irq) => setLine(irq, false)),
    /** Up and down again before anybody could take it. */
    pulse: (...irqs: number[]): void => {
      for (const irq of irqs) {
        setLine(irq, true);
        setLine(irq, false);
      }
    },
    /** Takes interrupts, without an EOI, until there is none. */
    take: (): number[] => {
      taken.length = 0;
      vcpu.sti();
      vcpu.inb(MASTER + 1);
      vcpu.cli();
      return [...taken];
    },
    /** Level of the pair's INT. */
    int: () => machine.irq('pic0', 'int').level,
    icws: (base: number, icw1: number, ...rest: number[]): void => {
      vcpu.outb(base, icw1);
      for (const icw of rest) vcpu.outb(base + 1, icw);
    },
  };
}

/** Every IRQ that a device can use. */
const IRQS = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const vectorOf = (irq: number): number => (irq < 8 ? part.MASTER_VECTOR + irq : part.SLAVE_VECTOR + irq - 8);

describe('i8259/delivery', () => {
  test.each(IRQS)('IRQ %i is delivered once, with its vector', (irq) => {
    const { init, raise, lower, take, pic, int } = bench();
    init();
    raise(irq);
    expect(int()).toBe(true);
    expect(take()).toEqual([vectorOf(irq)]);
    expect(int()).toBe(false);
    expect(pic.isr()).toBe(irq < 8 ? 1 << irq : (1 << irq) | 0x04);
    pic.eoi(irq);
    expect(pic.isr()).toBe(0);
    expect(take()).toEqual([]);
    lower(irq);
    raise(irq);
    expect(take()).toEqual([vectorOf(irq)]);
  });

  test('pin 2 is the cascade: IRQ line 2 is not connected', () => {
    const { init, raise, pic, int } = bench();
    init();
    raise(2);
    expect(pic.irr()).toBe(0);
    expect(int()).toBe(false);
  });

  test('vectors are what ICW2 says, its low bits ignored', () => {
    const { init, raise, take } = bench();
    init({ masterVector: 0x27, slaveVector: 0xff });
    raise(3, 0, 12);
    expect(take()).toEqual([0x20]);
    const again = bench();
    again.init({ masterVector: 0x27, slaveVector: 0xff });
    again.raise(12);
    expect(again.take()).toEqual([0xfc]);
  });

  test('a masked request stays in the IRR and is delivered when unmasked', () => {
    const { init, raise, take, pic, int } = bench();
    init();
    pic.mask(5);
    raise(5);
    expect(int()).toBe(false);
    expect(pic.irr()).toBe(0x20);
    pic.unmask(5);
    expect(int()).toBe(true);
    expect(take()).toEqual([0x0d]);
    expect(pic.irr()).toBe(0);
  });

  test('masking lowers INT, at either chip', () => {
    const { init, raise, pic, int } = bench({ fallenRequest: 'latched' });
    init();
    raise(5);
    pic.mask(5);
    expect(int()).toBe(false);
    raise(9);
    expect(int()).toBe(true);
    pic.mask(2);
    expect(int()).toBe(false);
  });

  test('IMR reads back what was written', () => {
    const { init, pic, vcpu } = bench();
    init();
    for (const imr of [0x00, 0xff, 0xa5, 0x5a]) {
      vcpu.outb(MASTER + 1, imr);
      vcpu.outb(SLAVE + 1, imr ^ 0xff);
      expect(pic.imr()).toBe(imr | ((imr ^ 0xff) << 8));
    }
  });
});

describe('i8259/initialisation', () => {
  test('before ICW1: nothing masked, cascaded, vectors from 0', () => {
    const { raise, take, pic } = bench();
    expect(pic.imr()).toBe(0);
    raise(6);
    expect(take()).toEqual([6]);
    raise(11);
    expect(take()).toEqual([3]);
    expect(pic.isr()).toBe((1 << 11) | 0x44);
  });

  test.each([
    ['ICW2, ICW3, ICW4', ICW1.IC4.mask, [0x08, 0x04, ICW4_8086]],
    ['ICW2, ICW4 when single', ICW1.SNGL.mask | ICW1.IC4.mask, [0x08, ICW4_8086]],
    ['ICW2, ICW3 without ICW4', 0, [0x08, 0x04]],
    ['ICW2 alone, single without ICW4', ICW1.SNGL.mask, [0x08]],
  ])('sequence: %s, then OCW1', (_name, bits, icws) => {
    const { icws: write, vcpu, raise, take } = bench();
    write(MASTER, ICW1.ICW1.mask | bits, ...icws);
    expect(vcpu.inb(MASTER + 1)).toBe(0);
    vcpu.outb(MASTER + 1, 0x5a);
    expect(vcpu.inb(MASTER + 1)).toBe(0x5a);
    raise(0);
    expect(take()).toEqual([0x08]);
  });

  test('ICW1 in the middle of the sequence starts it anew', () => {
    const { icws, vcpu, raise, take } = bench();
    icws(MASTER, ICW1_CASCADED, 0x40, 0x04);
    icws(MASTER, ICW1_CASCADED, 0x48, 0x04, ICW4_8086);
    vcpu.outb(MASTER + 1, 0xfe);
    expect(vcpu.inb(MASTER + 1)).toBe(0xfe);
    raise(0);
    expect(take()).toEqual([0x48]);
  });

  test('no INT before the sequence is complete', () => {
    const { icws, vcpu, raise, int, pic } = bench();
    icws(MASTER, ICW1_CASCADED);
    raise(1);
    expect(int()).toBe(false);
    for (const icw of [0x08, 0x04]) vcpu.outb(MASTER + 1, icw);
    expect(int()).toBe(false);
    vcpu.outb(MASTER + 1, ICW4_8086);
    expect(int()).toBe(true);
    expect(pic.irr()).toBe(0x02);
  });

  test('ICW1 clears IMR, ISR, special mask mode and rotation, and selects the IRR', () => {
    const { init, icws, vcpu, raise, lower, take, pic } = bench();
    init();
    raise(3);
    expect(take()).toEqual([0x0b]);
    lower(3);
    vcpu.outb(MASTER + 1, 0xf0);
    vcpu.outb(MASTER, part.SET_SPECIAL_MASK);
    vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | 4); // IR4 lowest, so IR5 highest
    vcpu.outb(MASTER, part.READ_ISR);
    expect(vcpu.inb(MASTER)).toBe(0x08);

    icws(MASTER, ICW1_CASCADED, 0x08, 0x04, ICW4_8086);
    expect(vcpu.inb(MASTER + 1)).toBe(0);
    raise(6);
    expect(vcpu.inb(MASTER)).toBe(0x40); // the IRR
    expect(pic.isr()).toBe(0);
    raise(0);
    expect(take()).toEqual([0x08]);
    vcpu.outb(MASTER + 1, 0x01); // IR0 in service and masked: would not block in special mask mode
    expect(take()).toEqual([]);
  });

  test('ICW1 ends a poll command and rotation on automatic EOI', () => {
    const { init, pulse, take, vcpu } = bench({ fallenRequest: 'latched' });
    init({ masterIcw4: AEOI });
    vcpu.outb(MASTER, OCW2.R.mask);
    vcpu.outb(MASTER, part.POLL_COMMAND);
    init({ masterIcw4: AEOI });
    vcpu.outb(MASTER + 1, 0x04);
    expect(vcpu.inb(MASTER + 1)).toBe(0x04);
    pulse(3);
    expect(take()).toEqual([0x0b]);
    pulse(4, 3);
    expect(take()).toEqual([0x0b, 0x0c]);
  });

  test('without ICW4 its functions are off', () => {
    const { init, icws, raise, take, pic } = bench();
    init({ masterIcw4: AEOI });
    icws(MASTER, ICW1.ICW1.mask, 0x08, 0x04);
    raise(3);
    expect(take()).toEqual([0x0b]);
    expect(pic.isr()).toBe(0x08);
  });

  test('OCW3 without RR leaves the register that is read', () => {
    const { init, raise, take, vcpu } = bench();
    init();
    raise(3);
    take();
    vcpu.outb(MASTER, part.READ_ISR);
    vcpu.outb(MASTER, part.CLEAR_SPECIAL_MASK);
    expect(vcpu.inb(MASTER)).toBe(0x08);
    vcpu.outb(MASTER, part.READ_IRR);
    expect(vcpu.inb(MASTER)).toBe(0x00);
  });

  test('a single slave does not answer for the cascade', () => {
    const { init, icws, raise, take } = bench();
    init();
    icws(SLAVE, ICW1.ICW1.mask | ICW1.SNGL.mask | ICW1.IC4.mask, 0x70, ICW4_8086);
    raise(9);
    expect(take()).toEqual([0xff]);
  });

  test('ICW1 resets the edge sense: an input that is high must fall and rise', () => {
    const { init, raise, lower, take, int, pic } = bench();
    raise(5, 10);
    init();
    expect(pic.irr()).toBe(0);
    expect(int()).toBe(false);
    lower(5, 10);
    expect(int()).toBe(false);
    raise(10);
    expect(take()).toEqual([0x72]);
  });

  test('ICW1 keeps requests of level-triggered inputs', () => {
    const { init, raise, vcpu, take } = bench();
    vcpu.outb(ELCR1, 0x20);
    raise(5);
    init();
    expect(take()).toEqual([0x0d]);
  });

  test('ICW3 that does not fit the wiring is a guest error, and the slave does not answer', () => {
    const { init, icws, events, raise, take, pic } = bench();
    init();
    icws(SLAVE, ICW1_CASCADED, 0x70, 0x03, ICW4_8086);
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'pic0', message: expect.stringContaining('ICW3') }]);
    raise(9);
    expect(take()).toEqual([0xff]);
    expect(events()).toHaveLength(1);
    expect(pic.isr()).toBe(0x04);
    expect(pic.irr()).toBe(0x200);
  });

  test('a single master gives its own vector for IR2', () => {
    const { init, icws, raise, take, pic } = bench();
    init();
    icws(MASTER, ICW1.ICW1.mask | ICW1.SNGL.mask | ICW1.IC4.mask, 0x08, ICW4_8086);
    raise(9);
    expect(take()).toEqual([0x0a]);
    expect(pic.isr()).toBe(0x04);
  });

  test('MCS-80/85 mode is reported as not modelled', () => {
    const { icws, events } = bench();
    icws(MASTER, ICW1.ICW1.mask, 0x08, 0x04);
    icws(SLAVE, ICW1_CASCADED, 0x70, 0x02, 0);
    expect(events()).toMatchObject([{ kind: 'unimplemented' }, { kind: 'unimplemented' }]);
  });

  test('a warm reset undoes it all, and an input that is high needs a new edge', () => {
    const { init, raise, lower, take, machine, pic, vcpu } = bench();
    init({ masterVector: 0x50 });
    vcpu.outb(ELCR1, 0xf8);
    raise(4, 12);
    expect(take()).toEqual([0x74]);
    machine.reset();
    expect([pic.irr(), pic.isr(), pic.imr(), vcpu.inb(ELCR1)]).toEqual([0, 0, 0, 0]);
    lower(4, 12);
    raise(4);
    expect(take()).toEqual([4]);
  });
});

describe('i8259/priority', () => {
  test('fully nested: IR0 first, the slave at IR2', () => {
    const { init, raise, take, pic } = bench();
    init();
    raise(...IRQS.toReversed());
    const order = [];
    for (const _ of IRQS) {
      const [vector] = take();
      order.push(vector);
      pic.eoi(vector !== undefined && vector >= 0x70 ? 8 : 0);
    }
    expect(order).toEqual([0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7].map(vectorOf));
  });

  test('fully nested: in service shuts out the same and lower levels, not higher ones', () => {
    const { init, raise, lower, take, pic } = bench();
    init();
    raise(4);
    expect(take()).toEqual([0x0c]);
    lower(4);
    raise(4, 6);
    expect(take()).toEqual([]);
    raise(1);
    expect(take()).toEqual([0x09]);
    expect(pic.isr()).toBe(0x12);
    pic.eoi(0); // non-specific: IR1
    expect(pic.isr()).toBe(0x10);
    pic.eoi(0);
    expect(take()).toEqual([0x0c]);
    expect(pic.irr()).toBe(0x40);
  });

  test('a higher request between INT and INTA is the one that is served', () => {
    const { init, raise, take, pic } = bench();
    init();
    raise(6);
    raise(3);
    expect(take()).toEqual([0x0b]);
    expect(pic.irr()).toBe(0x40);
  });

  test('a request masked between INT and INTA gives way to another', () => {
    const { init, raise, take, pic } = bench();
    init();
    raise(3, 6);
    pic.mask(3);
    expect(take()).toEqual([0x0e]);
    pic.unmask(3);
    expect(take()).toEqual([0x0b]);
  });

  test('specific EOI ends the level that it names and no other', () => {
    const { init, raise, take, pic, vcpu } = bench();
    init();
    raise(5);
    take();
    raise(1);
    take();
    vcpu.outb(MASTER, part.specificEoi(5));
    expect(pic.isr()).toBe(0x02);
    vcpu.outb(MASTER, part.specificEoi(7)); // not in service
    expect(pic.isr()).toBe(0x02);
    pic.specificEoi(1);
    expect(pic.isr()).toBe(0);
  });

  test('non-specific EOI with nothing in service does nothing', () => {
    const { init, pic, events, raise, take } = bench();
    init();
    pic.eoi(15);
    expect(pic.isr()).toBe(0);
    expect(events()).toEqual([]);
    raise(7, 0);
    expect(take()).toEqual([0x08]);
  });

  test('the slave lets lower requests through only after both EOIs', () => {
    const { init, raise, take, vcpu, int } = bench();
    init();
    raise(9);
    expect(take()).toEqual([0x71]);
    raise(14);
    expect(int()).toBe(false);
    vcpu.outb(SLAVE, part.NON_SPECIFIC_EOI);
    expect(int()).toBe(false);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(take()).toEqual([0x76]);
  });

  test('without special fully nested mode a higher IR of a slave in service waits', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init();
    raise(14);
    expect(take()).toEqual([0x76]);
    raise(8);
    expect(take()).toEqual([]);
    expect(pic.irr()).toBe(0x0104);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(take()).toEqual([0x70]);
    expect(pic.isr()).toBe(0x4104);
  });

  test('special fully nested mode: higher IRs of a slave in service interrupt, the master below it does not', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init({ masterIcw4: SFNM });
    raise(14);
    expect(take()).toEqual([0x76]);
    raise(15, 5);
    expect(take()).toEqual([]);
    raise(8);
    expect(take()).toEqual([0x70]);
    expect(pic.isr()).toBe(0x4104);
    // Software ends the slave's, and the master's only when the slave has nothing in service any more.
    vcpu.outb(SLAVE, part.NON_SPECIFIC_EOI);
    vcpu.outb(SLAVE, part.NON_SPECIFIC_EOI);
    expect(take()).toEqual([0x77]);
    vcpu.outb(SLAVE, part.NON_SPECIFIC_EOI);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(take()).toEqual([0x0d]);
  });

  test('special fully nested mode in the slave changes nothing', () => {
    const { init, raise, lower, take } = bench();
    init({ masterIcw4: SFNM, slaveIcw4: SFNM });
    raise(9);
    expect(take()).toEqual([0x71]);
    lower(9);
    raise(9);
    expect(take()).toEqual([]);
  });
});

describe('i8259/rotation', () => {
  /** The order in which a master serves all its inputs, the cascade left out, by specific EOI. */
  function order({ raise, lower, take, vcpu }: ReturnType<typeof bench>): number[] {
    const inputs = [0, 1, 3, 4, 5, 6, 7];
    lower(...inputs);
    raise(...inputs);
    return inputs.map(() => {
      const level = (take()[0] ?? NaN) & 7;
      vcpu.outb(MASTER, part.specificEoi(level));
      return level;
    });
  }

  test('set priority: the named level is the lowest', () => {
    const pair = bench();
    pair.init();
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | 4);
    expect(order(pair)).toEqual([5, 6, 7, 0, 1, 3, 4]);
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | 7);
    expect(order(pair)).toEqual([0, 1, 3, 4, 5, 6, 7]);
  });

  test('no operation (SL alone) changes nothing', () => {
    const pair = bench();
    pair.init();
    pair.vcpu.outb(MASTER, OCW2.SL.mask | 4);
    expect(order(pair)).toEqual([0, 1, 3, 4, 5, 6, 7]);
  });

  test('rotate on non-specific EOI: the level that was served is the lowest', () => {
    const pair = bench();
    pair.init();
    pair.raise(4);
    expect(pair.take()).toEqual([0x0c]);
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.EOI.mask);
    expect(pair.pic.isr()).toBe(0);
    expect(order(pair)).toEqual([5, 6, 7, 0, 1, 3, 4]);
  });

  test('rotate on non-specific EOI with nothing in service changes nothing', () => {
    const pair = bench();
    pair.init();
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.EOI.mask | 3);
    expect(order(pair)).toEqual([0, 1, 3, 4, 5, 6, 7]);
  });

  test('rotate on specific EOI: the named level is the lowest, in service or not', () => {
    const pair = bench();
    pair.init();
    pair.raise(6);
    expect(pair.take()).toEqual([0x0e]);
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | OCW2.EOI.mask | 6);
    expect(pair.pic.isr()).toBe(0);
    expect(order(pair)).toEqual([7, 0, 1, 3, 4, 5, 6]);
    pair.vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | OCW2.EOI.mask | 1);
    expect(order(pair)).toEqual([3, 4, 5, 6, 7, 0, 1]);
  });

  test('after rotation, non-specific EOI ends the highest of the new order', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init();
    vcpu.outb(MASTER, OCW2.R.mask | OCW2.SL.mask | 4);
    raise(0);
    take();
    raise(6);
    expect(take()).toEqual([0x0e]);
    expect(pic.isr()).toBe(0x41);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(pic.isr()).toBe(0x01);
  });

  test('the chips rotate apart', () => {
    const { init, raise, take, pic, vcpu } = bench();
    init();
    vcpu.outb(SLAVE, OCW2.R.mask | OCW2.SL.mask | 3);
    raise(8, 12);
    expect(take()).toEqual([0x74]);
    pic.eoi(12);
    expect(take()).toEqual([0x70]);
  });
});

describe('i8259/automatic EOI', () => {
  test('nothing stays in service, and lower levels follow at once', () => {
    const { init, raise, take, pic } = bench();
    init({ masterIcw4: AEOI });
    raise(1, 6);
    expect(take()).toEqual([0x09, 0x0e]);
    expect(pic.isr()).toBe(0);
  });

  test('an edge-triggered input that stays high is served once', () => {
    const { init, raise, take } = bench();
    init({ masterIcw4: AEOI, slaveIcw4: AEOI });
    raise(3, 11);
    expect(take()).toEqual([0x73, 0x0b]);
    expect(take()).toEqual([]);
  });

  test('the slave too: its second request makes a new edge for the master', () => {
    const { init, raise, take, pic } = bench();
    init({ masterIcw4: AEOI, slaveIcw4: AEOI });
    raise(9, 14);
    expect(take()).toEqual([0x71, 0x76]);
    expect(pic.isr()).toBe(0);
  });

  test('in the slave alone: the master keeps the cascade in service until its EOI', () => {
    const { init, raise, take, pic, vcpu } = bench();
    init({ slaveIcw4: AEOI });
    raise(9, 14);
    expect(take()).toEqual([0x71]);
    expect(pic.isr()).toBe(0x04);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(take()).toEqual([0x76]);
  });

  test('with level-triggered inputs the slave falls before the master ends its service', () => {
    const { init, raise, take, vcpu } = bench();
    init({ masterIcw4: AEOI, levelTriggered: true });
    raise(9);
    expect(take()).toEqual([0x71]);
    expect(vcpu.inb(MASTER)).toBe(0);
  });

  test('rotation on automatic EOI, set and cleared', () => {
    const { init, pulse, raise, lower, take, vcpu } = bench({ fallenRequest: 'latched' });
    init({ masterIcw4: AEOI });
    vcpu.outb(MASTER, OCW2.R.mask);
    raise(3);
    expect(take()).toEqual([0x0b]);
    lower(3);
    pulse(0, 3, 4);
    expect(take()).toEqual([0x0c, 0x08, 0x0b]); // after IR3 comes IR4, then IR0, then IR3 again
    vcpu.outb(MASTER, 0);
    pulse(0, 3, 4);
    expect(take()).toEqual([0x0c, 0x08, 0x0b]); // IR3 is the lowest still
    pulse(0, 3, 4);
    expect(take()).toEqual([0x0c, 0x08, 0x0b]); // and it turns no further
  });
});

describe('i8259/special mask mode', () => {
  test('a masked level in service does not shut out lower ones', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init();
    raise(1);
    expect(take()).toEqual([0x09]);
    raise(6);
    expect(take()).toEqual([]);
    pic.mask(1);
    expect(take()).toEqual([]);
    vcpu.outb(MASTER, part.SET_SPECIAL_MASK);
    expect(take()).toEqual([0x0e]);
    expect(pic.isr()).toBe(0x42);
  });

  test('non-specific EOI leaves masked levels in service', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init();
    raise(1);
    take();
    pic.mask(1);
    vcpu.outb(MASTER, part.SET_SPECIAL_MASK);
    raise(6);
    take();
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(pic.isr()).toBe(0x02);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(pic.isr()).toBe(0x02);
    vcpu.outb(MASTER, part.specificEoi(1));
    expect(pic.isr()).toBe(0);
  });

  test('SMM counts only with ESMM', () => {
    const { init, raise, take, vcpu, pic } = bench();
    init();
    raise(1);
    take();
    pic.mask(1);
    vcpu.outb(MASTER, part.SET_SPECIAL_MASK & ~part.OCW3.ESMM.mask);
    raise(6);
    expect(take()).toEqual([]);
    vcpu.outb(MASTER, part.SET_SPECIAL_MASK);
    vcpu.outb(MASTER, part.READ_ISR); // ESMM = 0, SMM = 0: no change
    expect(take()).toEqual([0x0e]);
    vcpu.outb(MASTER, part.CLEAR_SPECIAL_MASK);
    raise(4);
    expect(take()).toEqual([]);
  });
});

describe('i8259/poll', () => {
  test.each(IRQS)('gives IRQ %i and takes it into service', (irq) => {
    const { init, raise, pic, int } = bench();
    init();
    raise(irq);
    expect(pic.poll()).toBe(irq);
    expect(pic.isr()).toBe(irq < 8 ? 1 << irq : (1 << irq) | 0x04);
    expect(int()).toBe(false);
    expect(pic.poll()).toBe(undefined);
    pic.eoi(irq);
    expect(pic.isr()).toBe(0);
  });

  test('nothing asked: the word is 0, and nothing is in service', () => {
    const { init, vcpu, pic } = bench();
    init();
    vcpu.outb(MASTER, part.POLL_COMMAND);
    expect(vcpu.inb(MASTER)).toBe(0);
    expect(pic.isr()).toBe(0);
  });

  test('goes by mask and service', () => {
    const { init, raise, pic } = bench();
    init();
    raise(3, 5);
    pic.mask(3);
    expect(pic.poll()).toBe(5);
    raise(6);
    expect(pic.poll()).toBe(undefined);
    pic.unmask(3);
    expect(pic.poll()).toBe(3);
  });

  test('one read is the poll, on either port; the next is the register', () => {
    const { init, raise, vcpu } = bench();
    init();
    vcpu.outb(MASTER + 1, 0x81);
    raise(3, 4);
    vcpu.outb(MASTER, part.POLL_COMMAND);
    expect(vcpu.inb(MASTER + 1)).toBe(0x83);
    expect(vcpu.inb(MASTER + 1)).toBe(0x81);
    expect(vcpu.inb(MASTER)).toBe(0x10);
  });

  test('comes before the register that the same OCW3 selects', () => {
    const { init, raise, vcpu } = bench();
    init();
    raise(3, 4);
    vcpu.outb(MASTER, part.READ_ISR | part.POLL_COMMAND);
    expect(vcpu.inb(MASTER)).toBe(0x83);
    expect(vcpu.inb(MASTER)).toBe(0x08);
  });

  test('requests are frozen from the command to the read', () => {
    const { init, raise, vcpu, take } = bench();
    init();
    raise(6);
    vcpu.outb(MASTER, part.POLL_COMMAND);
    raise(1);
    expect(vcpu.inb(MASTER)).toBe(0x86);
    expect(take()).toEqual([0x09]);
  });

  test('an interrupt taken between command and read is not given again', () => {
    const { init, raise, vcpu, pic } = bench();
    init({ masterIcw4: AEOI });
    raise(6);
    vcpu.outb(MASTER, part.POLL_COMMAND);
    vcpu.sti();
    vcpu.cli();
    expect(vcpu.inb(MASTER)).toBe(0);
    expect(pic.isr()).toBe(0);
  });

  test('the slave by itself: the master is not told', () => {
    const { init, raise, vcpu, pic, int } = bench({ fallenRequest: 'latched' });
    init();
    pic.mask(2);
    raise(13);
    vcpu.outb(SLAVE, part.POLL_COMMAND);
    expect(vcpu.inb(SLAVE)).toBe(0x85);
    expect(pic.isr()).toBe(0x2000);
    expect(int()).toBe(false);
  });

  test('works with automatic EOI', () => {
    const { init, raise, pic } = bench();
    init({ masterIcw4: AEOI });
    raise(6);
    expect(pic.poll()).toBe(6);
    expect(pic.isr()).toBe(0);
  });
});

describe('i8259/triggering', () => {
  test('edge: an input that stays high asks once', () => {
    const { init, raise, take, pic, int } = bench();
    init();
    raise(4);
    expect(take()).toEqual([0x0c]);
    pic.eoi(4);
    expect(pic.irr()).toBe(0);
    expect(int()).toBe(false);
  });

  test('edge: an edge during the service is kept', () => {
    const { init, raise, lower, take, pic } = bench();
    init();
    raise(4);
    take();
    lower(4);
    raise(4);
    expect(pic.irr()).toBe(0x10);
    expect(take()).toEqual([]);
    pic.eoi(4);
    expect(take()).toEqual([0x0c]);
  });

  test.each([4, 12])('level (ELCR): IRQ %i asks as long as it is high', (irq) => {
    const { init, raise, lower, take, pic, vcpu } = bench();
    init();
    vcpu.outb(ELCR1, 0x10);
    vcpu.outb(ELCR2, 0x10);
    raise(irq);
    expect(take()).toEqual([vectorOf(irq)]);
    expect(pic.irr() & (1 << irq)).not.toBe(0);
    pic.eoi(irq);
    expect(take()).toEqual([vectorOf(irq)]);
    lower(irq);
    expect(pic.irr()).toBe(0);
    pic.eoi(irq);
    expect(take()).toEqual([]);
  });

  test('level (LTIM): every input of the chip', () => {
    const { init, raise, take, pic } = bench();
    init({ levelTriggered: true });
    raise(0, 8);
    expect(take()).toEqual([0x08]);
    pic.eoi(0);
    expect(take()).toEqual([0x08]);
    expect(pic.irr()).toBe(0x0105);
  });

  test('ELCR: IRQ 0, 1, 2, 8 and 13 cannot be level-triggered', () => {
    const { vcpu } = bench();
    expect([vcpu.inb(ELCR1), vcpu.inb(ELCR2)]).toEqual([0, 0]);
    vcpu.outb(ELCR1, 0xff);
    vcpu.outb(ELCR2, 0xff);
    expect([vcpu.inb(ELCR1), vcpu.inb(ELCR2)]).toEqual([0xf8, 0xde]);
  });

  test('ELCR: masks and place are properties', () => {
    const { vcpu } = bench({ elcrBase: 0x4e0, elcrMask: 0x0f, slaveElcrMask: 0xff });
    vcpu.outb(0x4e0, 0xff);
    vcpu.outb(0x4e1, 0xff);
    expect([vcpu.inb(0x4e0), vcpu.inb(0x4e1)]).toEqual([0x0f, 0xff]);
  });

  test('ELCR: 0 leaves it out', () => {
    const { vcpu, events } = bench({ elcrBase: 0 });
    expect(vcpu.inb(ELCR1)).toBe(0xff);
    expect(vcpu.inb(0)).toBe(0xff);
    expect(events()).toHaveLength(2);
  });

  test('ELCR: a high input starts to ask when it becomes level-triggered', () => {
    const { init, raise, take, vcpu, pic, int } = bench();
    init();
    raise(6);
    take();
    pic.eoi(6);
    expect(int()).toBe(false);
    vcpu.outb(ELCR1, 0x40);
    expect(int()).toBe(true);
    vcpu.outb(ELCR1, 0x00);
    expect(int()).toBe(false);
  });

  test('bases are properties', () => {
    const { vcpu } = bench({ masterBase: 0x30, slaveBase: 0xb0 });
    vcpu.outb(0x31, 0x12);
    vcpu.outb(0xb1, 0x34);
    expect([vcpu.inb(0x31), vcpu.inb(0xb1)]).toEqual([0x12, 0x34]);
  });
});

describe('i8259/a request that falls before its acknowledge', () => {
  test.each([0, 1, 3, 4, 5, 6, 7])('datasheet: IRQ %i gives the vector of IR7, and nothing is in service', (irq) => {
    const { init, pulse, take, pic, int } = bench();
    init();
    pulse(irq);
    expect(pic.irr()).toBe(0);
    expect(int()).toBe(true);
    expect(take()).toEqual([0x0f]);
    expect(pic.isr()).toBe(0);
    expect(int()).toBe(false);
  });

  test('datasheet: a real IR7 is in service', () => {
    const { init, raise, take, pic } = bench();
    init();
    raise(7);
    expect(take()).toEqual([0x0f]);
    expect(pic.isr()).toBe(0x80);
  });

  test.each([8, 9, 12, 15])("datasheet: IRQ %i gives the vector of the slave's IR7, and IR2 is in service", (irq) => {
    const { init, pulse, take, pic, vcpu } = bench();
    init();
    pulse(irq);
    expect(take()).toEqual([0x77]);
    expect(pic.isr()).toBe(0x04);
    vcpu.outb(MASTER, part.NON_SPECIFIC_EOI);
    expect(pic.isr()).toBe(0);
    expect(take()).toEqual([]);
  });

  test('datasheet: a level-triggered one as well', () => {
    const { init, pulse, take, vcpu, pic } = bench();
    init();
    vcpu.outb(ELCR1, 0x20);
    pulse(5);
    expect(take()).toEqual([0x0f]);
    expect(pic.isr()).toBe(0);
  });

  test('datasheet: another request is served in its place, and nothing spurious follows', () => {
    const { init, pulse, raise, take, pic } = bench();
    init();
    raise(6);
    pulse(3);
    expect(take()).toEqual([0x0e]);
    pic.eoi(6);
    expect(take()).toEqual([]);
  });

  test('datasheet: a request that rises again is served', () => {
    const { init, pulse, raise, take, pic } = bench();
    init();
    pulse(3);
    raise(3);
    expect(take()).toEqual([0x0b]);
    expect(pic.isr()).toBe(0x08);
  });

  test('datasheet: one that did not hold INT up is forgotten', () => {
    const { init, pulse, raise, take, pic } = bench();
    init();
    pic.mask(3);
    pulse(3);
    pic.unmask(3);
    expect(take()).toEqual([]);
    raise(1);
    take();
    pulse(5);
    pic.eoi(1);
    expect(take()).toEqual([]);
  });

  test('datasheet: masking it lowers INT for good', () => {
    const { init, pulse, take, pic, int } = bench();
    init();
    pulse(3);
    pic.mask(3);
    expect(int()).toBe(false);
    pic.unmask(3);
    expect(take()).toEqual([]);
  });

  test('datasheet: a poll finds nothing and lowers INT', () => {
    const { init, pulse, take, pic, int } = bench();
    init();
    pulse(3);
    expect(pic.poll()).toBe(undefined);
    expect(int()).toBe(false);
    pulse(11);
    expect(pic.poll()).toBe(undefined);
    expect(pic.isr()).toBe(0);
    expect(take()).toEqual([]);
  });

  test.each(IRQS)('latched: edge-triggered IRQ %i is kept', (irq) => {
    const { init, pulse, take, pic } = bench({ fallenRequest: 'latched' });
    init();
    pulse(irq);
    expect(pic.irr()).toBe(irq < 8 ? 1 << irq : (1 << irq) | 0x04);
    expect(take()).toEqual([vectorOf(irq)]);
    pic.eoi(irq);
    expect(take()).toEqual([]);
  });

  test('latched: a level-triggered one takes INT down with it', () => {
    const { init, pulse, take, vcpu, pic } = bench({ fallenRequest: 'latched' });
    init();
    vcpu.outb(ELCR1, 0x20);
    pulse(5);
    expect(pic.irr()).toBe(0);
    expect(take()).toEqual([]);
  });

  test('latched: nothing is left of a level when its input becomes edge-triggered', () => {
    const { init, pulse, vcpu, pic } = bench({ fallenRequest: 'latched' });
    init();
    vcpu.outb(ELCR1, 0x20);
    pulse(5);
    vcpu.outb(ELCR1, 0);
    expect(pic.irr()).toBe(0);
  });

  test("latched: the slave's spurious IR7, when its request is masked after the master has seen it", () => {
    const { init, raise, take, pic, vcpu } = bench({ fallenRequest: 'latched' });
    init();
    raise(9);
    vcpu.outb(SLAVE + 1, 0xff);
    expect(take()).toEqual([0x77]);
    expect(pic.isr()).toBe(0x04);
  });
});

describe('i8259/robustness', () => {
  test('any byte to any port, with lines moving, throws nothing', () => {
    const { vcpu, setLine, machine, events } = bench();
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    const ports = [MASTER, MASTER + 1, SLAVE, SLAVE + 1, ELCR1, ELCR2];
    let taken = 0;
    const modelled = /ICW3|INTA of IR|MCS-80/;
    // One interrupt at a time: a level that stays and automatic EOI never end.
    for (let vector = 0; vector < 256; vector++) vcpu.onInterrupt(vector, () => (vcpu.cli(), taken++));
    for (let i = 0; i < 20_000; i++) {
      const port = ports[random(ports.length)] ?? MASTER;
      const what = random(4);
      if (what === 0) setLine(random(16), random(2) === 1);
      else if (what === 1) vcpu.outb(port, random(256));
      else if (what === 2) vcpu.inb(port);
      else vcpu.sti();
      vcpu.cli();
      for (const { message } of events()) expect(message).toMatch(modelled);
    }
    expect(taken).toBeGreaterThan(100);
    machine.reset('cold');
    expect(machine.irq('pic0', 'int').level).toBe(false);
  });

  test('a snapshot holds requests, service, masks and modes', () => {
    const { init, raise, take, machine, pic, vcpu, int } = bench();
    init({ masterIcw4: SFNM });
    vcpu.outb(ELCR2, 0x08);
    raise(14, 11);
    take();
    raise(8);
    pic.mask(4);
    const read = (): number[] => [pic.irr(), pic.isr(), pic.imr(), vcpu.inb(ELCR2), Number(int())];
    const before = read();
    const snapshot = machine.snapshot();
    expect(take()).toEqual([0x70]);
    machine.reset('cold');
    expect(read()).not.toEqual(before);
    machine.restore(snapshot);
    expect(read()).toEqual(before);
    expect(take()).toEqual([0x70]);
  });
});
