import { type Vcpu, register, reserved, ro, rw, wo } from '@qtest/sdk';

/**
 * Registers and a small driver of the 8259A interrupt controller (Intel, 8259A data sheet, 231468, "Programming the 8259A"),
 * as the PC has it: two chips, the slave's INT on IR2 of the master.
 *
 * A chip has two ports. A write at A0 = 0 is ICW1 when bit 4 is set, otherwise OCW3 when bit 3 is set, otherwise OCW2; a
 * write at A0 = 1 is the next ICW that the sequence expects, or OCW1 when it expects none.
 */

/** Starts the initialisation sequence. */
export const ICW1 = register('ICW1', {
  offset: 0,
  fields: { A7_A5: wo(7, 5), ICW1: wo(4), LTIM: wo(3), ADI: wo(2), SNGL: wo(1), IC4: wo(0) },
  effect:
    'starts the initialisation: clears IMR, edge sense and special mask mode, selects IRR, gives IR7 the lowest priority',
});
/** Vector of IR0; its low three bits are replaced by the level. */
export const ICW2 = register('ICW2', { offset: 1, fields: { T7_T3: wo(7, 3), A10_A8: wo(2, 0) } });
/** The master's: the inputs that have a slave. */
export const ICW3_MASTER = register('ICW3_MASTER', { offset: 1, access: 'wo' });
/** The slave's: the master's input that it is on. */
export const ICW3_SLAVE = register('ICW3_SLAVE', { offset: 1, fields: { ZERO: reserved(7, 3), ID: wo(2, 0) } });
/** Special fully nested mode, buffered mode, automatic EOI, 8086 mode. */
export const ICW4 = register('ICW4', {
  offset: 1,
  fields: { ZERO: reserved(7, 5), SFNM: wo(4), BUF: wo(3), MS: wo(2), AEOI: wo(1), uPM: wo(0) },
});

/** The interrupt mask register: reads back. */
export const OCW1 = register('OCW1', { offset: 1, reset: 0 });
/** End of interrupt and rotation. */
export const OCW2 = register('OCW2', {
  offset: 0,
  fields: { R: wo(7), SL: wo(6), EOI: wo(5), SELECT: wo(4, 3), L: wo(2, 0) },
});
/** Special mask mode, poll command, register to read. */
export const OCW3 = register('OCW3', {
  offset: 0,
  fields: { ZERO: reserved(7), ESMM: wo(6), SMM: wo(5), SELECT: wo(4, 3), P: wo(2), RR: wo(1), RIS: wo(0) },
});
/** What OCW3's SELECT field (bits 4 and 3) must hold; OCW2's must hold 0. */
export const OCW3_SELECT = 0b01;

/** What a read at A0 = 0 gives: the IRR after ICW1, then what OCW3 has selected. */
export const IRR = register('IRR', {
  offset: 0,
  reset: 0,
  access: 'ro',
  effect: 'reads IRR, ISR or the poll word, by OCW3; writing is ICW1, OCW2 or OCW3, by bits 4 and 3',
});
/** The answer to a poll command. */
export const POLL = register('POLL', { offset: 0, fields: { I: ro(7), W: ro(2, 0) }, effect: 'acknowledges level W' });

/** Edge/level control of the master (82371SB, "ELCR1"): 1 is level-triggered. IRQ 0, 1 and 2 are always edge-triggered. */
export const ELCR1 = register('ELCR1', {
  offset: 0,
  reset: 0,
  fields: { IRQ7: rw(7), IRQ6: rw(6), IRQ5: rw(5), IRQ4: rw(4), IRQ3: rw(3), ZERO: reserved(2, 0) },
});
/** Edge/level control of the slave ("ELCR2"). IRQ 8 and 13 are always edge-triggered. */
export const ELCR2 = register('ELCR2', {
  offset: 1,
  reset: 0,
  fields: {
    IRQ15: rw(7),
    IRQ14: rw(6),
    IRQ13: reserved(5),
    IRQ12: rw(4),
    IRQ11: rw(3),
    IRQ10: rw(2),
    IRQ9: rw(1),
    IRQ8: reserved(0),
  },
});

export const MASTER_BASE = 0x20;
export const SLAVE_BASE = 0xa0;
export const ELCR_BASE = 0x4d0;
/** Input of the master that the slave is on. */
export const CASCADE = 2;
/** Level whose vector a chip gives when no request is left at the acknowledge cycle. */
export const SPURIOUS = 7;
/** Vectors of IRQ 0 and IRQ 8 as a PC's BIOS sets them. */
export const MASTER_VECTOR = 0x08;
export const SLAVE_VECTOR = 0x70;

/** OCW2: ends the service of the highest level in service. */
export const NON_SPECIFIC_EOI = OCW2.EOI.mask;
/** OCW2: ends the service of `level`, 0 to 7. */
export function specificEoi(level: number): number {
  return OCW2.L.set(OCW2.SL.mask | OCW2.EOI.mask, level);
}

const select = OCW3.SELECT.set(0, OCW3_SELECT);
/** OCW3: the next read at A0 = 0 gives the IRR. */
export const READ_IRR = select | OCW3.RR.mask;
/** OCW3: the next read at A0 = 0 gives the ISR. */
export const READ_ISR = select | OCW3.RR.mask | OCW3.RIS.mask;
/** OCW3: the next read acknowledges. */
export const POLL_COMMAND = select | OCW3.P.mask;
/** OCW3: enters special mask mode. */
export const SET_SPECIAL_MASK = select | OCW3.ESMM.mask | OCW3.SMM.mask;
/** OCW3: leaves special mask mode. */
export const CLEAR_SPECIAL_MASK = select | OCW3.ESMM.mask;

/** Where the two 8259As are. */
export interface PicPorts {
  /** Port of the master's A0 = 0. Default 0x20. */
  readonly masterBase?: number;
  /** Port of the slave's A0 = 0. Default 0xa0. */
  readonly slaveBase?: number;
}

/** What ICW1 to ICW4 say. */
export interface PicInit {
  /** Vector of IRQ 0, a multiple of 8. Default 0x08. */
  readonly masterVector?: number;
  /** Vector of IRQ 8, a multiple of 8. Default 0x70. */
  readonly slaveVector?: number;
  /** ICW4 of the master, `ICW4.uPM.mask` and others. Default 8086 mode alone. */
  readonly masterIcw4?: number;
  /** ICW4 of the slave. Default 8086 mode alone. */
  readonly slaveIcw4?: number;
  /** LTIM in both: every input is level-triggered. Default false. */
  readonly levelTriggered?: boolean;
}

/** The PC's pair of 8259A as a driver sees it. An IRQ is 0 to 15, and IRQ n is bit n of a 16-bit register. */
export interface Pic {
  /** Writes ICW1 to ICW4 of both chips, in a BIOS's order. Then it masks everything except the cascade. */
  init(options?: PicInit): void;
  mask(irq: number): void;
  unmask(irq: number): void;
  /** Gives a non-specific EOI. For IRQ 8 to 15 it goes to both chips, to the slave first. */
  eoi(irq: number): void;
  /** Gives a specific EOI. For IRQ 8 to 15 it also ends the cascade. */
  specificEoi(irq: number): void;
  /**
   * Acknowledges by poll command, as if by an INTA cycle.
   * @returns the IRQ that is now in service; undefined when there is none. When the master has a request from the slave
   * and the slave has none left, the cascade's service is ended again.
   */
  poll(): number | undefined;
  /** The requests of both chips, a bit for each IRQ, with those that are masked. */
  irr(): number;
  /** The IRQs in service, a bit for each. */
  isr(): number;
  imr(): number;
}

/** Makes a driver of the pair of 8259As on a VCPU. */
export function pic(vcpu: Vcpu, ports: PicPorts = {}): Pic {
  const { masterBase = MASTER_BASE, slaveBase = SLAVE_BASE } = ports;
  const initChip = (base: number, icw1: number, icw2: number, icw3: number, icw4: number): void => {
    vcpu.outb(base, icw1);
    for (const icw of [icw2, icw3, icw4]) vcpu.outb(base + 1, icw);
  };
  /** The chip of an IRQ, and its bit and level there. */
  const input = (irq: number): { base: number; level: number; slave: boolean } => {
    if (!Number.isInteger(irq) || irq < 0 || irq > 15) throw new RangeError(`IRQ ${irq}: give an integer from 0 to 15`);
    return { base: irq < 8 ? masterBase : slaveBase, level: irq & 7, slave: irq >= 8 };
  };
  const readBoth = (ocw3: number): number => {
    vcpu.outb(masterBase, ocw3);
    vcpu.outb(slaveBase, ocw3);
    return vcpu.inb(masterBase) | (vcpu.inb(slaveBase) << 8);
  };
  const pollChip = (base: number): number | undefined => {
    vcpu.outb(base, POLL_COMMAND);
    const word = vcpu.inb(base);
    return POLL.I.test(word) ? POLL.W.get(word) : undefined;
  };
  const changeMask = (base: number, level: number, masked: boolean): void => {
    const imr = vcpu.inb(base + 1);
    vcpu.outb(base + 1, masked ? imr | (1 << level) : imr & ~(1 << level));
  };

  return {
    init(options = {}) {
      const { masterVector = MASTER_VECTOR, slaveVector = SLAVE_VECTOR, levelTriggered = false } = options;
      const { masterIcw4 = ICW4.uPM.mask, slaveIcw4 = ICW4.uPM.mask } = options;
      const icw1 = ICW1.ICW1.mask | ICW1.IC4.mask | (levelTriggered ? ICW1.LTIM.mask : 0);
      initChip(masterBase, icw1, masterVector, 1 << CASCADE, masterIcw4);
      initChip(slaveBase, icw1, slaveVector, CASCADE, slaveIcw4);
      vcpu.outb(masterBase + 1, 0xff & ~(1 << CASCADE));
      vcpu.outb(slaveBase + 1, 0xff);
    },
    mask(irq) {
      const { base, level } = input(irq);
      changeMask(base, level, true);
    },
    unmask(irq) {
      const { base, level, slave } = input(irq);
      changeMask(base, level, false);
      if (slave) changeMask(masterBase, CASCADE, false);
    },
    eoi(irq) {
      if (input(irq).slave) vcpu.outb(slaveBase, NON_SPECIFIC_EOI);
      vcpu.outb(masterBase, NON_SPECIFIC_EOI);
    },
    specificEoi(irq) {
      const { base, level, slave } = input(irq);
      vcpu.outb(base, specificEoi(level));
      if (slave) vcpu.outb(masterBase, specificEoi(CASCADE));
    },
    poll() {
      const level = pollChip(masterBase);
      if (level !== CASCADE) return level;
      const slaveLevel = pollChip(slaveBase);
      if (slaveLevel !== undefined) return slaveLevel + 8;
      vcpu.outb(masterBase, specificEoi(CASCADE));
      return undefined;
    },
    irr: () => readBoth(READ_IRR),
    isr: () => readBoth(READ_ISR),
    imr: () => vcpu.inb(masterBase + 1) | (vcpu.inb(slaveBase + 1) << 8),
  };
}
